/* SPDX-License-Identifier: MIT */
/*
 * mutex_test.c -- one at a time (spec/sync.md).
 */
#include "tests/spec/dies.h"

#define TASKS 8

struct sum {
    struct ambit_mutex lock;
    int64_t n; /* the lock */
    int64_t rounds;
    int64_t yield_every;
    bool gives_up; /* when cancelled, and counts what it has done */
    struct count done;
};

static int add_up(ambit_cx *cx, void *arg)
{
    struct sum *sum = *(struct sum **)arg;
    for (int64_t i = 0; i < sum->rounds; i++) {
        int rc = ambit_mutex_lock(cx, &sum->lock);
        if (rc < 0) {
            WANT(sum->gives_up);
            return rc;
        }
        int64_t n = sum->n;
        if (i % sum->yield_every == 0) {
            (void)ambit_yield(cx);
        }
        sum->n = n + 1;
        WANT(ambit_mutex_is_mine(&sum->lock));
        ambit_mutex_unlock(&sum->lock);
        count_up(&sum->done);
    }
    return 0;
}

static void add_in_all(ambit_cx *cx, struct sum *sum, int64_t cancel_at)
{
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < TASKS; i++) {
            WANT_EQ(ambit_spawn(s, add_up, &sum), 0);
        }
        if (cancel_at > 0) {
            WANT(until(cx, &sum->done, cancel_at));
            ambit_cancel(s, "enough");
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(sum->n, count_get(&sum->done));
    WANT_EQ(ambit_mutex_waiters(&sum->lock), 0);
}

static int sums_are_exact(ambit_cx *cx, void *arg)
{
    struct sum sum = {.lock = AMBIT_MUTEX_INIT, .yield_every = 64};
    const char *soak = getenv("AMBIT_SOAK");
    (void)arg;
    sum.rounds = soak != NULL && atoll(soak) >= 100000000
                     ? 1000000
                     : 100000 / SPEC_SLOWER;
    add_in_all(cx, &sum, 0);
    WANT_EQ(sum.n, TASKS * sum.rounds);
    sum.rounds = INT64_MAX;
    sum.yield_every = 3;
    sum.gives_up = true;
    for (int i = 0; i < 100 / SPEC_SLOWER + 3; i++) {
        add_in_all(cx, &sum, count_get(&sum.done) + 50 + i);
        WANT_EQ(ambit_mutex_try_lock(&sum.lock), 0); /* nobody took it along */
        ambit_mutex_unlock(&sum.lock);
    }
    ambit_mutex_fini(&sum.lock);
    return 0;
}

/* Goal: not two at once, and nothing lost between one and the next.
 * Method: eight tasks add to a plain number 100,000 times (a million with
 * AMBIT_SOAK=100000000), waiting inside now and then; the same with cancels in
 * the middle of it. */
Spec(MUTEX_ONE_1, eight_tasks_add_up_exactly)
{
    spec_on_1_and_2_workers(sums_are_exact);
    spec_end("MUTEX_ONE_1");
}

#define LINE 6

struct next {
    struct ambit_mutex *lock;
    int place;
    int *order;
    struct count *served;
};

static int take_turn(ambit_cx *cx, void *arg)
{
    struct next *next = arg;
    WANT_EQ(ambit_mutex_lock(cx, next->lock), 0);
    next->order[count_up(next->served)] = next->place;
    WANT_EQ(ambit_yield(cx), 0);
    WANT(ambit_mutex_is_mine(next->lock));
    ambit_mutex_unlock(next->lock);
    return 0;
}

static void wait_for_line(ambit_cx *cx, struct ambit_mutex *lock, uint32_t len)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (ambit_mutex_waiters(lock) != len && ambit_now().ns < end.ns) {
        (void)ambit_yield(cx);
    }
    WANT_EQ(ambit_mutex_waiters(lock), len);
}

/* The holder comes back at once, to the end of the line. */
static int in_order_of_arrival(ambit_cx *cx, void *arg)
{
    struct ambit_mutex lock = AMBIT_MUTEX_INIT;
    struct count served = {0};
    int order[LINE + 1] = {0}, rc = 0;
    (void)arg;
    WANT_EQ(ambit_mutex_lock(cx, &lock), 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < LINE; i++) {
            struct next next = {&lock, i, order, &served};
            WANT_EQ(ambit_spawn(s, take_turn, &next), 0);
            wait_for_line(cx, &lock, (uint32_t)i + 1);
        }
        ambit_mutex_unlock(&lock);
        WANT_EQ(ambit_mutex_lock(cx, &lock), 0);
        order[count_up(&served)] = LINE;
        ambit_mutex_unlock(&lock);
    }
    WANT_EQ(rc, 0);
    for (int i = 0; i <= LINE; i++) {
        WANT_EQ(order[i], i);
    }
    WANT_EQ(ambit_mutex_waiters(&lock), 0);
    ambit_mutex_fini(&lock);
    return 0;
}

static int a_try_does_not_overtake(ambit_cx *cx, void *arg)
{
    struct ambit_mutex lock = AMBIT_MUTEX_INIT;
    struct count served = {0};
    int order[1], rc = 0;
    (void)arg;
    WANT_EQ(ambit_mutex_lock(cx, &lock), 0);
    ambit_scope (cx, s, &rc) {
        struct next next = {&lock, 0, order, &served};
        WANT_EQ(ambit_spawn_with(s, take_turn, &next, .tier = AMBIT_FIBER), 0);
        wait_for_line(cx, &lock, 1);
        ambit_mutex_unlock(&lock); /* to the one beside us, who has not run */
        WANT_EQ(ambit_mutex_try_lock(&lock), -EAGAIN);
        WANT_EQ(count_get(&served), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&served), 1);
    ambit_mutex_fini(&lock);
    return 0;
}

/* Goal: who came first has it first.
 * Method: six get in line one after the other behind the holder, who lets go and
 * wants it again; a try right after the unlock. */
Spec(SYNC_FIFO_1, a_mutex_goes_to_the_first_who_waits)
{
    spec_on_1_and_2_workers(in_order_of_arrival);
    spec_on_1_and_2_workers(a_try_does_not_overtake);
    spec_end("SYNC_FIFO_1");
}

static int lock_twice(ambit_cx *cx, void *arg)
{
    struct ambit_mutex mutex = AMBIT_MUTEX_INIT;
    (void)arg;
    WANT_EQ(ambit_mutex_lock(cx, &mutex), 0);
    WANT_EQ(ambit_mutex_lock(cx, &mutex), -EDEADLK);
    WANT_EQ(ambit_mutex_hold(cx, &mutex), -EDEADLK);
    WANT_EQ(ambit_mutex_try_lock(&mutex), -EAGAIN);
    WANT(ambit_mutex_is_mine(&mutex));
    ambit_mutex_unlock(&mutex);
    WANT(!ambit_mutex_is_mine(&mutex));
    WANT_EQ(ambit_mutex_try_lock(&mutex), 0);
    WANT_EQ(ambit_mutex_lock(cx, &mutex), -EDEADLK);
    ambit_mutex_unlock(&mutex);
    ambit_mutex_fini(&mutex);
    return 0;
}

/* Goal: nobody waits for himself.  Method: all ways to lock, twice. */
Spec(MUTEX_SELF_1, who_has_it_is_told_so)
{
    spec_on_1_and_2_workers(lock_twice);
    spec_end("MUTEX_SELF_1");
}

static struct ambit_mutex shared = AMBIT_MUTEX_INIT;

static int unlock_only(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    ambit_mutex_unlock(&shared);
    return 0;
}

static int unlock_by_another(ambit_cx *cx, void *arg)
{
    int rc = 0, none = 0;
    (void)arg;
    if (ambit_mutex_lock(cx, &shared) < 0) {
        return 0;
    }
    ambit_scope (cx, s, &rc) {
        (void)ambit_spawn(s, unlock_only, &none);
    }
    return 0;
}

static void unlock_anothers(void)
{
    (void)ambit_run(unlock_by_another, NULL, .workers = 1);
}

static void unlock_an_open_one(void)
{
    ambit_mutex_unlock(&shared);
}

/* Goal: only the holder unlocks.
 * Method: another task, and a thread while it is open, each in a child process;
 * the holder may, on a foreign thread too. */
Spec(MUTEX_UNLOCK_1, an_unlock_by_another_says_so)
{
    static const char said[] =
        "a mutex was unlocked by a task that does not hold it";
    WANT(dies_saying(unlock_anothers, said));
    WANT(dies_saying(unlock_an_open_one, said));
    WANT_EQ(ambit_mutex_try_lock(&shared), 0);
    WANT(ambit_mutex_is_mine(&shared));
    ambit_mutex_unlock(&shared);
    spec_end("MUTEX_UNLOCK_1");
}

/* --- a lock on record ------------------------------------------------------ */

struct holder {
    struct ambit_mutex *mutex;
    struct count *has;
    int how; /* 0: in a scope of its own and panics, 1: without, 2: forgets */
};

static int hold_and_go(ambit_cx *cx, void *arg)
{
    struct holder *h = arg;
    int rc = 0;
    if (h->how == 1) {
        WANT_EQ(ambit_mutex_hold(cx, h->mutex), 0);
        count_up(h->has);
        ambit_panic(cx, "with the lock held");
    }
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_mutex_hold(cx, h->mutex), 0);
        count_up(h->has);
        let_others_run(cx);
        if (h->how == 0) {
            ambit_panic(cx, "with the lock held");
        }
    }
    WANT(!ambit_mutex_is_mine(h->mutex));
    return rc;
}

static int holders_go(ambit_cx *cx, void *arg)
{
    struct ambit_mutex mutex = AMBIT_MUTEX_INIT;
    (void)arg;
    for (int how = 0; how < 3; how++) {
        struct count has = {0};
        struct holder h = {&mutex, &has, how};
        int rc = 0;
        ambit_scope (cx, outer, &rc) {
            ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
                WANT_EQ(ambit_spawn(s, hold_and_go, &h), 0);
                WANT(until(cx, &has, 1));
                if (how != 1) { /* that one has its region's close to wait for */
                    WANT_EQ(ambit_mutex_lock(cx, &mutex), 0);
                    ambit_mutex_unlock(&mutex);
                }
            }
            WANT_EQ(ambit_mutex_hold(cx, &mutex), 0);
            ambit_mutex_unlock(&mutex); /* in good order: nothing is left */
            WANT_EQ(ambit_region_obligations(outer), 0);
        }
        WANT_EQ(rc, 0);
    }
    ambit_mutex_fini(&mutex);
    return 0;
}

/* Goal: a holder that is gone locks out nobody.
 * Method: one panics in a scope, one without, one forgets; the next locks. */
Spec(MUTEX_HOLD_1, a_region_that_closes_gives_the_mutex_back)
{
    spec_on_1_and_2_workers(holders_go);
    WANT(spec_logged("was left unresolved"));
    spec_end("MUTEX_HOLD_1");
}
