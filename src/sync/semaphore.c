/* SPDX-License-Identifier: MIT */
/*
 * semaphore.c -- acquire and release.
 *
 *   SEM-COUNT-1  Permits are neither made nor lost.
 *   SEM-MAX-1    There are never more than permits_max.
 *   SEM-TRY-1    Who does not wait does not overtake who does.
 *
 * The word changes by semaphore_move() while nobody waits, and by
 * semaphore_set() under the line's lock while somebody does.
 */
#include "src/sync/semaphore.h"

#include "src/await.h"
#include "src/task.h"

_Static_assert(sizeof(struct semaphore) == sizeof(struct ambit_semaphore),
               "what a user makes room for");
_Static_assert(offsetof(struct semaphore, max) ==
                   offsetof(struct ambit_semaphore, max_),
               "what the initializer fills in");

/* Lock held, queued. */
static void semaphore_set(struct semaphore *semaphore, uint64_t word)
{
    /* ORDER(semaphore): release.  Pairs with semaphore_move() of whoever comes
     * when nobody waits any more. */
    atomic_store_explicit(&semaphore->word, word, memory_order_release);
}

/* Lock held, queued: gives the free permits to those in front. */
static void semaphore_serve(struct semaphore *semaphore, uint64_t permits,
                            struct line_woken *woken)
{
    struct line *line = &semaphore->line;
    while (line->first != NULL && line->first->wanted <= permits) {
        RULE(SEM_COUNT_1);
        permits -= line->first->wanted;
        line_grant(line, line->first, 0, woken);
    }
    semaphore_set(semaphore,
                  permits | (line->first != NULL ? SEMAPHORE_QUEUED : 0));
}

static void semaphore_left(struct line *line, struct line_woken *woken)
{
    struct semaphore *semaphore = CONTAINER_OF(line, struct semaphore, line);
    semaphore_serve(semaphore, SEMAPHORE_FREE(semaphore_load(semaphore)),
                    woken);
}

void semaphore_init(struct semaphore *semaphore, uint32_t permits, uint32_t max)
{
    memset(semaphore, 0, sizeof *semaphore);
    semaphore->max = max;
    semaphore_set(semaphore, permits);
}

/* Lock held.  True: has them; false: the word says that somebody waits. */
static bool take_or_queue(struct semaphore *semaphore, uint32_t wanted)
{
    uint64_t word = semaphore_load(semaphore);
    bool take;
    do {
        take = (word & SEMAPHORE_QUEUED) == 0 && word >= wanted;
    } while (!semaphore_move(semaphore, &word,
                             take ? word - wanted : word | SEMAPHORE_QUEUED));
    return take;
}

int semaphore_wait(struct semaphore *semaphore, struct line_waiter *waiter,
                   struct task *task, uint32_t wanted, enum park_kind kind)
{
    struct line_waiter own = {0};
    waiter = waiter != NULL ? waiter : &own;
    waiter->left = semaphore_left;
    waiter->wanted = wanted;
    line_lock(&semaphore->line);
    if (take_or_queue(semaphore, wanted)) {
        spin_unlock(&semaphore->line.lock);
        return 0;
    }
    return (int)line_wait(&semaphore->line, waiter, task, kind);
}

/* False: nobody waits any more. */
static bool give_queued(struct semaphore *semaphore, uint32_t count, int *ret_rc)
{
    struct line_woken woken = {0};
    line_lock(&semaphore->line);
    uint64_t word = semaphore_load(semaphore);
    bool queued = (word & SEMAPHORE_QUEUED) != 0;
    if (queued) {
        uint64_t permits = SEMAPHORE_FREE(word) + count;
        *ret_rc = permits <= semaphore->max ? 0 : -EOVERFLOW;
        if (*ret_rc == 0) {
            semaphore_serve(semaphore, permits, &woken);
        }
    }
    line_unlock(&semaphore->line, &woken);
    return queued;
}

int semaphore_give(struct semaphore *semaphore, uint32_t count)
{
    int rc = 0;
    uint64_t word = semaphore_load(semaphore);
    for (;;) {
        if ((word & SEMAPHORE_QUEUED) != 0) {
            if (give_queued(semaphore, count, &rc)) {
                return rc;
            }
            word = semaphore_load(semaphore);
        } else if (word + count > semaphore->max) {
            RULE(SEM_MAX_1);
            return -EOVERFLOW;
        } else if (semaphore_move(semaphore, &word, word + count)) {
            return 0; /* the last touch: it may be gone now */
        }
    }
}

/* Those who are let through hold no permit: they have none to pass on. */
static void want_nothing(struct line *line)
{
    for (struct line_waiter *at = line->first; at != NULL; at = at->next) {
        at->wanted = 0;
    }
}

void semaphore_let_all(struct semaphore *semaphore)
{
    struct line_woken woken = {0};
    line_lock(&semaphore->line);
    uint64_t word = semaphore_load(semaphore);
    if ((word & SEMAPHORE_QUEUED) != 0) {
        want_nothing(&semaphore->line);
        line_grant_all(&semaphore->line, 0, &woken);
        semaphore_set(semaphore, SEMAPHORE_FREE(word));
    }
    line_unlock(&semaphore->line, &woken);
}

static void forget_permits(struct await *await)
{
    struct semaphore *semaphore =
        CONTAINER_OF(await->waiter.line, struct semaphore, line);
    if (await->value == 0 && await->waiter.wanted > 0) {
        RULE(AWAIT_END_3);
        (void)semaphore_give(semaphore, await->waiter.wanted);
    }
}

const struct await_kind semaphore_await = {
    .call_off = await_line_call_off,
    .forget = forget_permits,
};

uint32_t semaphore_waiting(struct semaphore *semaphore)
{
    line_lock(&semaphore->line);
    uint32_t waiting = semaphore->line.len;
    spin_unlock(&semaphore->line.lock);
    return waiting;
}

/* --- for users ------------------------------------------------------------- */

int ambit_semaphore_init(struct ambit_semaphore *semaphore, uint32_t permits,
                         uint32_t permits_max)
{
    if (permits_max == 0 || permits > permits_max) {
        return -EINVAL;
    }
    semaphore_init(semaphore_of(semaphore), permits, permits_max);
    return 0;
}

void ambit_semaphore_fini(struct ambit_semaphore *semaphore)
{
    line_fini(&semaphore_of(semaphore)->line,
              "a semaphore was ended while tasks wait for it");
}

static bool is_too_much(const struct semaphore *semaphore, uint32_t count)
{
    REQUIRE(semaphore->max != 0, "a semaphore was used that nobody made");
    return count == 0 || count > semaphore->max;
}

static inline int acquire(struct task *task, struct ambit_semaphore *public,
                          uint32_t count, struct line_waiter *waiter)
{
    struct semaphore *semaphore = semaphore_of(public);
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    if (UNLIKELY(is_too_much(semaphore, count))) {
        return -EINVAL;
    }
    if (LIKELY(semaphore_try(semaphore, count))) {
        return 0;
    }
    return semaphore_wait(semaphore, waiter, task, count, PARK_SEMAPHORE);
}

int ambit_semaphore_acquire(ambit_cx *cx, struct ambit_semaphore *semaphore,
                            uint32_t count)
{
    return acquire(task_of(cx), semaphore, count, NULL);
}

int ambit_await_acquire(ambit_cx *cx, struct ambit_await *wait,
                        struct ambit_semaphore *semaphore, uint32_t count)
{
    int rc;
    struct line_waiter *waiter =
        await_enter_as(cx, wait, &semaphore_await, &rc);
    return waiter == NULL
               ? rc
               : await_leave(waiter,
                             acquire(task_of(cx), semaphore, count, waiter));
}

int ambit_semaphore_try_acquire(struct ambit_semaphore *public, uint32_t count)
{
    struct semaphore *semaphore = semaphore_of(public);
    if (is_too_much(semaphore, count)) {
        return -EINVAL;
    }
    RULE(SEM_TRY_1);
    return semaphore_try(semaphore, count) ? 0 : -EAGAIN;
}

int ambit_semaphore_release(struct ambit_semaphore *public, uint32_t count)
{
    struct semaphore *semaphore = semaphore_of(public);
    return is_too_much(semaphore, count) ? -EOVERFLOW
                                         : semaphore_give(semaphore, count);
}

uint32_t ambit_semaphore_free(struct ambit_semaphore *semaphore)
{
    return (uint32_t)SEMAPHORE_FREE(semaphore_load(semaphore_of(semaphore)));
}

uint32_t ambit_semaphore_waiters(struct ambit_semaphore *semaphore)
{
    return semaphore_waiting(semaphore_of(semaphore));
}
