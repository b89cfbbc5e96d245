/* SPDX-License-Identifier: MIT */
/*
 * scenarios_line.c -- who came first is served first: semaphore and mutex, with a
 * number of permits that is drawn.
 *
 * Who comes takes a number in the order of the calls on its worker.  When it is
 * served, whoever came there before was served, too, or holds permits and has
 * not run yet: so there are no more of those than there are permits left.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

enum {
    WORKERS = 2,
    TAKERS = 4,
    ROUNDS = 2,
    COMES = TAKERS * ROUNDS,
    PERMITS_MOST = 3,
};

/* Of one worker; its own. */
struct arrivals {
    unsigned n;
    bool served[COMES];     /* or gone again */
};

struct seats {
    struct ambit_semaphore free;
    struct ambit_mutex lock;
    uint32_t permits;
    struct arrivals arrivals[WORKERS];
    struct tally taken, rounds, interfered;
    int64_t sum;            /* the lock */
};

struct taker {
    struct seats *seats;
    unsigned worker;
};

static unsigned comes(struct taker *t)
{
    unsigned number = t->seats->arrivals[t->worker].n++;
    always(number < COMES);
    return number;
}

static void leaves(struct taker *t, unsigned number)
{
    t->seats->arrivals[t->worker].served[number] = true;
}

/* With so many permits held by others than the caller. */
static void is_served(struct taker *t, unsigned number, uint32_t by_others)
{
    struct arrivals *a = &t->seats->arrivals[t->worker];
    uint32_t overtaken = 0;
    for (unsigned i = 0; i < number; i++) {
        overtaken += !a->served[i];
    }
    always(overtaken <= by_others || disturbed ||
           tally_get(&t->seats->interfered) > 0);
    a->served[number] = true;
}

/* --- semaphore ------------------------------------------------------------- */

static void gives_back(struct seats *seats, uint32_t count)
{
    always(ambit_semaphore_release(&seats->free, seats->permits + 1) ==
           -EOVERFLOW);
    tally_add(&seats->taken, -(int64_t)count);
    if (count > 1 && ambit_choose(2) == 1) {
        always(ambit_semaphore_release(&seats->free, 1) == 0);
        count--;
    }
    always(ambit_semaphore_release(&seats->free, count) == 0);
}

static int sits_once(ambit_cx *cx, struct taker *t)
{
    struct seats *seats = t->seats;
    uint32_t count = 1 + ambit_choose(seats->permits);
    bool tries = ambit_choose(3) == 2;
    unsigned number = comes(t);
    int rc = tries ? ambit_semaphore_try_acquire(&seats->free, count)
                   : ambit_semaphore_acquire(cx, &seats->free, count);
    if (rc < 0) {
        always(tries ? rc == -EAGAIN : is_called_off(rc));
        leaves(t, number);
        return rc;
    }
    is_served(t, number, seats->permits - count);
    tally_add(&seats->taken, count);
    always(tally_get(&seats->taken) <= (int64_t)seats->permits);
    rc = ambit_choose(2) == 0 ? ambit_yield(cx) : 0;
    tally_up(&seats->rounds);
    gives_back(seats, count);
    return rc;
}

static int sits_some(ambit_cx *cx, void *arg)
{
    struct taker *t = arg;
    int rc = 0;
    for (int i = 0; i < ROUNDS && !is_called_off(rc); i++) {
        rc = sits_once(cx, t);
    }
    return is_called_off(rc) ? rc : 0;
}

/* A cancel or not, whenever it is drawn. */
static void interfere(ambit_cx *cx, ambit_region *s, struct seats *seats)
{
    bool cancels = ambit_choose(3) == 2;
    for (unsigned n = ambit_choose(5); n > 0; n--) {
        (void)ambit_yield(cx);
    }
    if (cancels) {
        tally_up(&seats->interfered);
        ambit_cancel(s, "enough");
    }
}

static void run_takers(ambit_cx *cx, struct seats *seats, ambit_task_fn *fn)
{
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < TAKERS; i++) {
            struct taker t = {seats, ambit_choose(WORKERS)};
            want(ambit_spawn_with(s, fn, &t, .placement = AMBIT_PINNED,
                                  .worker = t.worker) == 0);
        }
        interfere(cx, s, seats);
    }
    want(rc == 0);
}

static int semaphore_line(ambit_cx *cx, void *arg)
{
    struct seats seats = {.permits = 1 + ambit_choose(PERMITS_MOST)};
    (void)arg;
    always(ambit_semaphore_init(&seats.free, seats.permits, seats.permits) ==
           0);
    run_takers(cx, &seats, sits_some);
    always(tally_get(&seats.taken) == 0);
    always(ambit_semaphore_waiters(&seats.free) == 0);
    always(ambit_semaphore_free(&seats.free) == seats.permits);
    always(ambit_semaphore_release(&seats.free, 1) == -EOVERFLOW);
    always(ambit_semaphore_try_acquire(&seats.free, seats.permits) == 0);
    always(ambit_semaphore_try_acquire(&seats.free, 1) == -EAGAIN);
    ambit_semaphore_fini(&seats.free);
    return 0;
}

struct wish {
    struct ambit_semaphore *free;
    uint32_t count;
    struct tally *served;
};

static int has_a_wish(ambit_cx *cx, void *arg)
{
    struct wish *wish = arg;
    int rc = ambit_semaphore_acquire(cx, wish->free, wish->count);
    if (rc == 0) {
        tally_up(wish->served);
        always(ambit_semaphore_release(wish->free, wish->count) == 0);
    }
    return rc;
}

/* Somebody waits for more than is free: a limit is one for a release, too, and
 * what is free is not for a try. */
static void while_one_waits(struct ambit_semaphore *semaphore, uint32_t most,
                            uint32_t some)
{
    always(ambit_semaphore_release(semaphore, most - some + 1) == -EOVERFLOW);
    always(ambit_semaphore_free(semaphore) == some);
    always(ambit_semaphore_try_acquire(semaphore, 1) == -EAGAIN);
    want(ambit_semaphore_waiters(semaphore) == 1);
}

static int semaphore_limits(ambit_cx *cx, void *arg)
{
    struct ambit_semaphore semaphore;
    struct tally served = {0};
    uint32_t most = 1 + ambit_choose(4), some = ambit_choose(most);
    struct wish wish = {&semaphore, some + 1 + ambit_choose(most - some),
                        &served};
    int rc = 0, spawned = 0;
    (void)arg;
    always(ambit_semaphore_init(&semaphore, most + 1, most) == -EINVAL);
    always(ambit_semaphore_init(&semaphore, some, most) == 0);
    always(ambit_semaphore_try_acquire(&semaphore, some + 1) ==
           (some + 1 > most ? -EINVAL : -EAGAIN));
    always(some == 0 || ambit_semaphore_try_acquire(&semaphore, some) == 0);
    always(some == 0 || ambit_semaphore_release(&semaphore, some) == 0);
    ambit_scope (cx, s, &rc) {
        spawned = ambit_spawn_with(s, has_a_wish, &wish,
                                   .placement = AMBIT_PINNED,
                                   .worker = ambit_cx_worker(cx)) == 0;
        for (int i = 0; i < 4; i++) {
            (void)ambit_yield(cx);
        }
        if (ambit_semaphore_waiters(&semaphore) == 1 && !disturbed) {
            while_one_waits(&semaphore, most, some);
        }
        always(ambit_semaphore_release(&semaphore, most - some) == 0);
    }
    want(rc == 0 && tally_get(&served) == 1);
    always(ambit_semaphore_free(&semaphore) == most);
    always(ambit_semaphore_release(&semaphore, 1) == -EOVERFLOW);
    ambit_observe(spawned);
    ambit_semaphore_fini(&semaphore);
    return rc;
}

/* --- mutex ----------------------------------------------------------------- */

static int lock_some_way(ambit_cx *cx, struct ambit_mutex *lock, unsigned way)
{
    return way == 0   ? ambit_mutex_lock(cx, lock)
           : way == 1 ? ambit_mutex_try_lock(lock)
                      : ambit_mutex_hold(cx, lock);
}

/* Nobody else can be inside, nor can the holder come in again. */
static void is_mine(ambit_cx *cx, struct seats *seats)
{
    always(tally_up(&seats->taken) == 0);
    always(ambit_mutex_is_mine(&seats->lock));
    always(ambit_mutex_try_lock(&seats->lock) == -EAGAIN);
    int rc = ambit_mutex_lock(cx, &seats->lock);
    always(rc == -EDEADLK || is_called_off(rc));
    rc = ambit_mutex_hold(cx, &seats->lock);
    always(rc == -EDEADLK || is_called_off(rc) || disturbed);
    always(rc < 0);
}

static int locks_once(ambit_cx *cx, struct taker *t)
{
    struct seats *seats = t->seats;
    unsigned way = ambit_choose(3);
    unsigned number = comes(t);
    int rc = lock_some_way(cx, &seats->lock, way);
    if (rc < 0) {
        always(way == 1 ? rc == -EAGAIN : is_called_off(rc) || disturbed);
        leaves(t, number);
        return rc;
    }
    is_served(t, number, 0);
    int64_t before = seats->sum;
    is_mine(cx, seats);
    rc = ambit_choose(2) == 0 ? ambit_yield(cx) : 0;
    seats->sum = before + 1;
    tally_up(&seats->rounds);
    tally_down(&seats->taken);
    ambit_mutex_unlock(&seats->lock);
    always(!ambit_mutex_is_mine(&seats->lock));
    return rc;
}

static int locks_some(ambit_cx *cx, void *arg)
{
    struct taker *t = arg;
    int rc = 0;
    for (int i = 0; i < ROUNDS && (rc == 0 || rc == -EAGAIN); i++) {
        rc = locks_once(cx, t);
    }
    return rc == -EAGAIN ? 0 : rc;
}

static int mutex_line(ambit_cx *cx, void *arg)
{
    struct seats seats = {.lock = AMBIT_MUTEX_INIT};
    (void)arg;
    run_takers(cx, &seats, locks_some);
    always(seats.sum == tally_get(&seats.rounds));
    always(ambit_mutex_waiters(&seats.lock) == 0);
    always(ambit_mutex_try_lock(&seats.lock) == 0);
    ambit_mutex_unlock(&seats.lock);
    ambit_mutex_fini(&seats.lock);
    return 0;
}

SCENARIOS(line,
    {"semaphore_line", semaphore_line, 2, CORE | MANY, "SEM-COUNT-1 SYNC-FIFO-1"},
    {"semaphore_limits", semaphore_limits, 2, SMALL, "SEM-MAX-1 SEM-TRY-1"},
    {"mutex_line", mutex_line, 2, CORE | MANY,
     "MUTEX-ONE-1 MUTEX-SELF-1 SYNC-FIFO-1"});
