/* SPDX-License-Identifier: MIT */
/*
 * scenarios_duty.c -- critical sections, obligations, memory of a region, and
 * references to it.
 */
#include "tests/lab/scenario.h"

/* --- masks ----------------------------------------------------------------- */

/* Two accounts, and what is on its way between them. */
struct accounts {
    ambit_region *region;
    struct tally left, right, moved, cut;
};

static int moves(ambit_cx *cx, void *arg)
{
    struct accounts *accounts = *(struct accounts **)arg;
    int rc = 0;
    for (int i = 0; i < 2 && rc == 0; i++) {
        ambit_mask (cx, &rc, .time = ambit_s(60)) {
            tally_down(&accounts->left);
            always(ambit_yield(cx) == 0);
            always(ambit_sleep(cx, ambit_us(5)) == 0);
            tally_up(&accounts->right);
            tally_up(&accounts->moved);
        }
        rc = rc < 0 ? rc : ambit_checkpoint(cx);
    }
    tally_up(rc < 0 ? &accounts->cut : &accounts->moved);
    return rc;
}

static int cancels_accounts(ambit_cx *cx, void *arg)
{
    struct accounts *accounts = *(struct accounts **)arg;
    int rc = ambit_sleep(cx, ambit_us(7));
    ambit_cancel(accounts->region, "in the middle");
    return rc;
}

static int mask_move(ambit_cx *cx, void *arg)
{
    struct accounts accounts = {0}, *here = &accounts;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .cleanup = ambit_s(60)) {
        accounts.region = s;
        ambit_spawn(s, moves, &here);
        ambit_spawn(s, moves, &here);
        ambit_spawn(s, cancels_accounts, &here);
    }
    always(tally_get(&accounts.left) + tally_get(&accounts.right) == 0);
    want(rc == 0);
    return rc;
}

/* Its time is spent while it waits; the next mask has its own. */
static int mask_overrun(ambit_cx *cx, void *arg)
{
    int rc = 0, slept = 0, again = 1, inner_rc = 0, inner = 1;
    (void)arg;
    ambit_mask (cx, &rc, .time = ambit_ms(1)) {
        slept = ambit_sleep(cx, ambit_s(9));
        always(ambit_checkpoint(cx) == -ETIMEDOUT);
        ambit_scope (cx, s, &inner_rc) {
            inner = ambit_yield(cx);
        }
    }
    want(slept == -ETIMEDOUT && inner != 0);
    ambit_mask (cx, &rc, .time = ambit_ms(1)) {
        again = ambit_yield(cx);
    }
    want(rc == 0 && again == 0);
    return rc;
}

static int yields_twice(ambit_cx *cx, void *arg)
{
    struct accounts *accounts = *(struct accounts **)arg;
    int rc = ambit_yield(cx);
    rc = rc < 0 ? rc : ambit_yield(cx);
    tally_up(rc < 0 ? &accounts->cut : &accounts->moved);
    return rc;
}

static int cancels_masked(ambit_cx *cx, void *arg)
{
    struct accounts *accounts = *(struct accounts **)arg;
    int rc = 0;
    while (rc == 0 && tally_get(&accounts->left) == 0) {
        rc = ambit_yield(cx);
    }
    ambit_cancel(accounts->region, "inside of a mask");
    tally_up(&accounts->right);
    return rc;
}

/* A scope that is opened inside is out of the reach of the cancel, too. */
static int masked_scope(ambit_cx *cx, void *arg)
{
    struct accounts accounts = {0}, *here = &accounts;
    int rc = 0, mask_rc = 0, inner_rc = 0, spawned = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .cleanup = ambit_s(60)) {
        accounts.region = s;
        ambit_mask (cx, &mask_rc, .time = ambit_s(60)) {
            ambit_scope (cx, inner, &inner_rc) {
                spawned += ambit_spawn(inner, yields_twice, &here) == 0;
                if (ambit_spawn(s, cancels_masked, &here) == 0) {
                    tally_up(&accounts.left);
                    int us = 1; /* or it never runs, and the time is spent */
                    while (tally_get(&accounts.right) == 0 &&
                           ambit_sleep(cx, ambit_us(us)) == 0) {
                        us *= 2;
                    }
                }
                spawned += ambit_spawn(inner, yields_twice, &here) == 0;
            }
        }
    }
    want(mask_rc == 0 && inner_rc == 0);
    want(tally_get(&accounts.moved) == 2 && tally_get(&accounts.cut) == 0);
    always(tally_get(&accounts.moved) + tally_get(&accounts.cut) <= spawned);
    return rc;
}

static int breaks_masked(ambit_cx *cx, void *arg)
{
    int rc = 0;
    (void)arg;
    ambit_mask (cx, &rc) {
        if (ambit_yield(cx) == 0) {
            ambit_panic(cx, "inside of a mask");
        }
    }
    return rc;
}

static int mask_panics(ambit_cx *cx, void *arg)
{
    struct accounts accounts = {0}, *here = &accounts;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_spawn(s, breaks_masked, &here);
        ambit_spawn(s, yields_twice, &here);
    }
    want(rc == -EOWNERDEAD);
    return disturbed ? rc : 0;
}

/* --- obligations ----------------------------------------------------------- */

enum { DUTIES = 4 };

struct duties {
    struct ambit_obligation record[DUTIES];
    struct tally made, fulfilled, aborted, finalized, refused;
    int order[DUTIES]; /* of the aborts, by the closing task */
    ambit_region *other;
};

struct duty {
    struct duties *of;
    int index;
};

static void duty_abort(void *arg)
{
    struct duty *duty = arg;
    int64_t turn = tally_up(&duty->of->aborted);
    always(tally_get(&duty->of->finalized) == 0);
    duty->of->order[turn] = duty->index;
}

static void duties_finalize(void *arg)
{
    struct duties *duties = arg;
    always(tally_up(&duties->finalized) == 0);
}

/* Whoever fulfils is one of many; one of all wins. */
static int fulfils_all(ambit_cx *cx, void *arg)
{
    struct duties *duties = *(struct duties **)arg;
    for (int i = 0; i < DUTIES - 1; i++) {
        int rc = ambit_fulfil(&duties->record[i]);
        always(rc == 0 || rc == -EALREADY);
        tally_up(rc == 0 ? &duties->fulfilled : &duties->refused);
        (void)ambit_yield(cx);
    }
    return 0;
}

static void oblige_all(ambit_region *region, struct duties *duties,
                       struct duty *each)
{
    for (int i = 0; i < DUTIES; i++) {
        each[i] = (struct duty){duties, i};
        int rc = ambit_oblige(region, &duties->record[i], duty_abort, &each[i]);
        want(rc == 0);
        if (rc == 0) {
            tally_up(&duties->made);
        }
    }
}

static void duties_settled(struct duties *duties)
{
    always(tally_get(&duties->made) ==
           tally_get(&duties->fulfilled) + tally_get(&duties->aborted));
    ambit_observe(tally_get(&duties->fulfilled));
}

static int duties_once(ambit_cx *cx, void *arg)
{
    struct duties duties = {0}, *here = &duties;
    struct duty each[DUTIES];
    int rc = 0, leaves = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        leaves = ambit_defer(s, duties_finalize, &duties);
        oblige_all(s, &duties, each);
        ambit_spawn(s, fulfils_all, &here);
        ambit_spawn(s, fulfils_all, &here);
        ambit_spawn(s, fulfils_all, &here);
    }
    duties_settled(&duties);
    always(leaves < 0 || tally_get(&duties.finalized) == 1);
    want(tally_get(&duties.fulfilled) == DUTIES - 1);
    want(tally_get(&duties.aborted) == 1 && duties.order[0] == DUTIES - 1);
    return rc;
}

/* All are left; the newest goes first, and before the finalizers. */
static int duties_left(ambit_cx *cx, void *arg)
{
    struct duties duties = {0}, *here = &duties;
    struct accounts accounts = {0};
    struct duty each[DUTIES];
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        (void)ambit_defer(s, duties_finalize, &duties);
        oblige_all(s, &duties, each);
        always(ambit_region_obligations(s) == tally_get(&duties.made));
        ambit_spawn(s, yields_twice, &(struct accounts *){&accounts});
    }
    duties_settled(&duties);
    for (int i = 1; i < tally_get(&duties.aborted); i++) {
        always(duties.order[i] < duties.order[i - 1]);
    }
    always(ambit_fulfil(&here->record[0]) == -EALREADY);
    return rc;
}

static int transfers_all(ambit_cx *cx, void *arg)
{
    struct duties *duties = *(struct duties **)arg;
    for (int i = 0; i < DUTIES; i++) {
        int rc = ambit_transfer(&duties->record[i], duties->other);
        always(rc == 0 || rc == -EALREADY || rc == -ESHUTDOWN);
        (void)ambit_yield(cx);
    }
    return 0;
}

/* From a region that closes to one that does not; and back out of its hands. */
static int duties_move(ambit_cx *cx, void *arg)
{
    struct duties duties = {0}, *here = &duties;
    struct duty each[DUTIES];
    int rc = 0, inner_rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        ambit_scope (cx, movers, &rc) {
            duties.other = outer;
            ambit_scope (cx, inner, &inner_rc) {
                oblige_all(inner, &duties, each);
                ambit_spawn(movers, transfers_all, &here);
                ambit_spawn(movers, fulfils_all, &here);
                (void)ambit_yield(cx);
            }
        }
        ambit_observe(tally_get(&duties.aborted));
        always(ambit_region_obligations(outer) ==
               tally_get(&duties.made) - tally_get(&duties.fulfilled) -
                   tally_get(&duties.aborted));
    }
    duties_settled(&duties);
    want(rc == 0 && inner_rc == 0);
    return rc;
}

/* --- a region's memory ----------------------------------------------------- */

enum { BLOCKS = 3 };

struct shelf {
    ambit_region *region;
    struct tally blocks, checked;
    unsigned char *block[BLOCKS * 3];
    size_t size[BLOCKS * 3];
};

struct keeper {
    struct shelf *shelf;
    int self;
};

static bool is_all(const unsigned char *block, size_t size, int value)
{
    for (size_t i = 0; i < size; i++) {
        if (block[i] != value) {
            return false;
        }
    }
    return true;
}

/* Each keeper fills what it gets with its own number. */
static int fills_blocks(ambit_cx *cx, void *arg)
{
    struct keeper *keeper = arg;
    struct shelf *shelf = keeper->shelf;
    int rc = 0;
    for (int i = 0; i < BLOCKS; i++) {
        int at = keeper->self * BLOCKS + i;
        size_t size = (size_t)16 << (3 * i);
        void *memory, *given;
        if (ambit_alloc_zeroed(shelf->region, size, &memory) == 0) {
            always(is_all(memory, size, 0));
            memset(memory, keeper->self + 1, size);
            shelf->block[at] = memory;
            shelf->size[at] = size;
            tally_up(&shelf->blocks);
        }
        rc = rc < 0 ? rc : ambit_yield(cx);
        if (ambit_alloc(shelf->region, 32, &given) == 0) {
            memset(given, 0xee, 32);
            ambit_free(shelf->region, given, 32);
        }
    }
    return rc;
}

/* All of it is there until the last finalizer has run. */
static void shelf_check(void *arg)
{
    struct shelf *shelf = arg;
    for (int at = 0; at < BLOCKS * 3; at++) {
        if (shelf->block[at] != NULL) {
            always(is_all(shelf->block[at], shelf->size[at], at / BLOCKS + 1));
            tally_up(&shelf->checked);
        }
    }
}

static int heap_until_the_end(ambit_cx *cx, void *arg)
{
    struct shelf shelf = {0};
    int rc = 0, deferred = -1;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        shelf.region = s;
        deferred = ambit_defer(s, shelf_check, &shelf);
        for (int i = 0; i < 3; i++) {
            ambit_spawn(s, fills_blocks, (&(struct keeper){&shelf, i}));
        }
    }
    always(deferred < 0 ||
           tally_get(&shelf.checked) == tally_get(&shelf.blocks));
    want(tally_get(&shelf.checked) == 3 * BLOCKS);
    return rc;
}

/* --- references ------------------------------------------------------------ */

struct page {
    int64_t a, b;
};

typedef AMBIT_REF(struct page) page_ref;

struct library {
    page_ref ref;
    struct tally read, held, stale, closed;
};

static bool page_is_good(const struct page *page)
{
    return page->a == 41 && page->b == 42;
}

static int pins(ambit_cx *cx, void *arg)
{
    struct library *library = *(struct library **)arg;
    for (int i = 0; i < 3; i++) {
        struct page *page, copy;
        int rc = ambit_ref_hold(library->ref, &page);
        if (rc == 0) {
            always(page_is_good(page));
            (void)ambit_yield(cx);
            always(page_is_good(page) && tally_get(&library->closed) == 0);
            ambit_ref_release(library->ref);
            tally_up(&library->held);
        }
        rc = ambit_ref_load(library->ref, &copy);
        always(rc == 0 ? page_is_good(&copy) : rc == -ESTALE);
        tally_up(rc == 0 ? &library->read : &library->stale);
    }
    return 0;
}

/* Makes the page, and its end is the readers' business. */
static int page_and_readers(ambit_cx *cx, struct library *library,
                            ambit_region *readers)
{
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        struct page *page;
        if (ambit_new(s, &page) != 0) {
            break;
        }
        *page = (struct page){41, 42};
        if (ambit_ref_set(s, &library->ref, page) == 0) {
            ambit_spawn(readers, pins, &library);
            ambit_spawn(readers, pins, &library);
            (void)ambit_yield(cx);
        }
    }
    tally_up(&library->closed);
    return rc;
}

static int refs_against_close(ambit_cx *cx, void *arg)
{
    struct library library = {0};
    struct page copy;
    int rc = 0, inner_rc = 0;
    (void)arg;
    ambit_scope (cx, readers, &rc) {
        inner_rc = page_and_readers(cx, &library, readers);
        always(ambit_ref_load(library.ref, &copy) == -ESTALE);
    }
    want(rc == 0 && inner_rc == 0);
    want(tally_get(&library.read) + tally_get(&library.stale) == 6);
    ambit_observe(tally_get(&library.held) > 0);
    return rc;
}

/* Dropped while others read: gone for good, also when its slot is used anew. */
static int refs_dropped(ambit_cx *cx, void *arg)
{
    struct library library = {0}, *here = &library;
    page_ref next = {0};
    struct page copy, *page;
    int rc = 0, dropped = -EBUSY;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (ambit_new(s, &page) != 0) {
            break;
        }
        *page = (struct page){41, 42};
        if (ambit_ref_set(s, &library.ref, page) < 0) {
            break;
        }
        ambit_spawn(s, pins, &here);
        while ((dropped = ambit_ref_drop(s, library.ref.ref)) == -EBUSY &&
               ambit_yield(cx) == 0) {
        }
        always(dropped == 0 || (disturbed && dropped == -EBUSY));
        if (ambit_ref_set(s, &next, page) == 0) {
            always(ambit_ref_load(next, &copy) == 0 && page_is_good(&copy));
        }
        always(dropped < 0 || ambit_ref_load(library.ref, &copy) == -ESTALE);
    }
    want(rc == 0 && dropped == 0);
    always(ambit_ref_load(next, &copy) == -ESTALE);
    return rc;
}

SCENARIOS(duty, {"mask_move", mask_move, 2, CORE},
          {"mask_overrun", mask_overrun, 1, SMALL},
          {"masked_scope", masked_scope, 2, 0},
          {"mask_panics", mask_panics, 2, 0},
          {"duties_once", duties_once, 2, CORE},
          {"duties_left", duties_left, 1, SMALL},
          {"duties_move", duties_move, 2, 0},
          {"heap_until_the_end", heap_until_the_end, 2, 0},
          {"refs_against_close", refs_against_close, 2, CORE},
          {"refs_dropped", refs_dropped, 2, 0});
