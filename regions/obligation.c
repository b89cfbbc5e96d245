/* SPDX-License-Identifier: MIT */
/*
 * obligation.c -- one ledger of what must be resolved exactly once.
 *
 * A record is in the list of its region from the moment it is made until one
 * of three takes it: who fulfils it, who moves it to another region, or the
 * close.  All three must win the same move of the record's state.
 *
 *   OBL-ONCE-1   Of all who resolve an obligation exactly one wins.
 *   OBL-CLOSE-1  A close aborts what is left, newest first.
 *   OBL-CLOSE-2  It says where each was made.
 *   OBL-OPEN-1   A region whose last child has ended takes none.
 *   OBL-MOVE-1   A moved obligation is the other region's, in one step.
 *   OBL-MOVE-2   A region on its way out is given none.
 *   OBL-FLAT-1   A resolved obligation leaves nothing behind.
 *
 * Any thread, but for ledger_settle(), which is the host's.
 */
#include "regions/obligation.h"

enum {
    STATE_IDLE,
    STATE_OPEN,
    STATE_RESOLVING,
    STATE_MOVING,
};

/* Each by itself in the log; the others of one close as a number. */
#define REPORT_MAX 8

_Static_assert(sizeof(struct obligation) <= sizeof(struct ambit_obligation),
               "the record fits into the caller's");

static struct obligation *record_of(struct ambit_obligation *obligation)
{
    return (struct obligation *)(void *)obligation;
}

/* The state that was found. */
static uint32_t state_move(struct obligation *obligation, uint32_t from,
                           uint32_t to)
{
    /* ORDER(obligation): acq_rel.  Pairs with itself and state_set(): of all
     * who want to resolve one wins, and sees what the maker or the mover
     * wrote; weaker, it might go on with the region of before a move. */
    atomic_compare_exchange_strong_explicit(&obligation->state, &from, to,
                                            memory_order_acq_rel,
                                            memory_order_acquire);
    return from;
}

/* By the one who has it. */
static void state_set(struct obligation *obligation, uint32_t state)
{
    /* ORDER(obligation): release.  Pairs with state_move(). */
    atomic_store_explicit(&obligation->state, state, memory_order_release);
}

/* 0: out of OPEN, by us.  One that is being moved is still to be resolved. */
static int claim(struct obligation *obligation, uint32_t to)
{
    unsigned tries = 0;
    uint32_t was;
    while ((was = state_move(obligation, STATE_OPEN, to)) == STATE_MOVING) {
        spin_pause(&tries);
    }
    RULE(OBL_ONCE_1);
    return was == STATE_OPEN ? 0 : -EALREADY;
}

/* Lock held. */
static void owed_add(struct region *region)
{
    /* ORDER(owed): relaxed.  The region is open, and its host far from
     * ledger_settle(); pairs with the load there. */
    atomic_fetch_add_explicit(&region->owed, 1, memory_order_relaxed);
}

/* The last use of the region by one who had an obligation of it. */
static void owed_drop(struct region *region)
{
    /* ORDER(owed): release.  Pairs with the load in ledger_settle(): weaker,
     * the region might go while we still unlock it. */
    atomic_fetch_sub_explicit(&region->owed, 1, memory_order_release);
}

static uint32_t owed_load(struct region *region)
{
    /* ORDER(owed): acquire.  Pairs with owed_drop(). */
    return atomic_load_explicit(&region->owed, memory_order_acquire);
}

static bool is_closed(struct region *region)
{
    /* ORDER(region-word): acquire.  Pairs with the move to CLOSED. */
    return (atomic_load_explicit(&region->word, memory_order_acquire) &
            REGION_CLOSED) != 0;
}

int ledger_add(struct region *region, struct obligation *obligation,
               struct due due)
{
    if (state_move(obligation, STATE_IDLE, STATE_MOVING) != STATE_IDLE) {
        return -EBUSY;
    }
    obligation->region = region;
    obligation->due = due;
    spin_lock(&region->owner.lock);
    owed_add(region);
    list_push_back(&region->obligations, &obligation->entry);
    spin_unlock(&region->owner.lock);
    TELL(DUTY_MADE, obligation, region, 0);
    state_set(obligation, STATE_OPEN);
    return 0;
}

int obligation_resolve(struct obligation *obligation)
{
    int rc = claim(obligation, STATE_RESOLVING);
    if (rc < 0) {
        return rc;
    }
    TELL(DUTY_RESOLVED, obligation, NULL, 0);
    struct region *region = obligation->region;
    spin_lock(&region->owner.lock);
    RULE(OBL_FLAT_1);
    list_remove(&obligation->entry);
    spin_unlock(&region->owner.lock);
    state_set(obligation, STATE_IDLE);
    owed_drop(region);
    return 0;
}

/* A place in the ledger: from here on its close waits for the record. */
static int ledger_reserve(struct region *region)
{
    spin_lock(&region->owner.lock);
    bool ends = is_closed(region) || region_is_cancelled(region);
    if (!ends) {
        owed_add(region);
    }
    spin_unlock(&region->owner.lock);
    return ends ? -ESHUTDOWN : 0;
}

int obligation_move(struct obligation *obligation, struct region *to)
{
    int rc = claim(obligation, STATE_MOVING);
    if (rc < 0) {
        return rc;
    }
    struct region *from = obligation->region;
    rc = from == to ? -EEXIST : ledger_reserve(to);
    if (rc < 0) {
        RULE(OBL_MOVE_2);
        state_set(obligation, STATE_OPEN);
        return rc == -EEXIST ? 0 : rc;
    }
    RULE(OBL_MOVE_1);
    spin_lock(&from->owner.lock);
    list_remove(&obligation->entry);
    spin_unlock(&from->owner.lock);
    obligation->region = to;
    spin_lock(&to->owner.lock);
    list_push_back(&to->obligations, &obligation->entry);
    spin_unlock(&to->owner.lock);
    TELL(DUTY_MOVED, obligation, to, 0);
    state_set(obligation, STATE_OPEN);
    owed_drop(from);
    return 0;
}

/* The newest that nobody else is resolving or moving; its memory may go. */
static bool ledger_take(struct region *region, struct due *ret_due)
{
    bool ours = false;
    spin_lock(&region->owner.lock);
    struct list_node *node = region->obligations.prev;
    while (!ours && node != &region->obligations) {
        struct obligation *last = CONTAINER_OF(node, struct obligation, entry);
        node = node->prev;
        if (state_move(last, STATE_OPEN, STATE_RESOLVING) == STATE_OPEN) {
            TELL(DUTY_RESOLVED, last, NULL, 1);
            list_remove(&last->entry);
            *ret_due = last->due;
            state_set(last, STATE_IDLE);
            ours = true;
        }
    }
    spin_unlock(&region->owner.lock);
    return ours;
}

static const char *name_of(const struct region *region)
{
    return region->name != NULL ? region->name : "scope";
}

static void report(struct region *region, const struct due *due)
{
    RULE(OBL_CLOSE_2);
    log_line(task_runtime(region->host), AMBIT_LOG_WARNING,
             "region \"%s\": the %s made at %s:%d was left unresolved; it is "
             "aborted",
             name_of(region), due->what, due->site->file, due->site->line);
}

static void settle_all(struct region *region)
{
    struct due due;
    uint32_t aborted = 0;
    unsigned tries = 0;
    while (owed_load(region) > 0) {
        if (!ledger_take(region, &due)) {
            spin_pause(&tries); /* another thread is about to let go of it */
            continue;
        }
        if (aborted++ < REPORT_MAX) {
            report(region, &due);
        }
        RULE(OBL_CLOSE_1);
        if (due.abort != NULL) {
            due.abort(due.arg);
        }
        owed_drop(region);
    }
    if (aborted > REPORT_MAX) {
        log_line(task_runtime(region->host), AMBIT_LOG_WARNING,
                 "region \"%s\": %u more were left unresolved and are aborted",
                 name_of(region), (unsigned)aborted - REPORT_MAX);
    }
}

void ledger_settle(struct region *region)
{
    if (UNLIKELY(owed_load(region) > 0)) {
        settle_all(region);
    }
}

int ambit_oblige_(ambit_region *public, struct ambit_obligation *obligation,
                  void (*abort)(void *arg), void *arg,
                  const struct ambit_site *site)
{
    struct region *region = region_of(public);
    if (is_closed(region)) {
        RULE(OBL_OPEN_1);
        return -ESHUTDOWN;
    }
    return ledger_add(region, record_of(obligation),
                      (struct due){abort, arg, site, "obligation"});
}

int ambit_fulfil(struct ambit_obligation *obligation)
{
    return obligation_resolve(record_of(obligation));
}

int ambit_transfer(struct ambit_obligation *obligation, ambit_region *to)
{
    return obligation_move(record_of(obligation), region_of(to));
}

uint32_t ambit_region_obligations(ambit_region *region)
{
    return owed_load(region_of(region));
}
