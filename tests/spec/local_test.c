/* SPDX-License-Identifier: MIT */
/*
 * local_test.c -- what stays where it is.  What must not compile, and what the
 * compiler says then, is in tests/compile_fail.
 */
#define AMBIT_MY_LOCALS AMBIT_LOCAL(struct cache)

#include "tests/spec/dies.h"

struct cache {
    struct ambit_local local;
    int entries;
};

/* --- LOCAL-TYPE-1 ---------------------------------------------------------- */

#define REFUSED(type) WANT_EQ(AMBIT_MAY_SEND((type *)0), 0)
#define TAKEN(type) WANT_EQ(AMBIT_MAY_SEND((type *)0), 1)

/* Goal: the compiler tells what may be copied to another task from what may not.
 * Method: each type that may not, with the pointers to it that may not either;
 * those that may. */
Spec(LOCAL_TYPE_1, what_belongs_to_one_task_is_told_from_the_rest)
{
    REFUSED(ambit_cx);
    REFUSED(ambit_cx *);
    REFUSED(const ambit_cx *);
    REFUSED(ambit_cx *const);
    REFUSED(struct ambit_scope_block);
    REFUSED(struct ambit_scope_block *);
    REFUSED(struct ambit_mask_block);
    REFUSED(struct ambit_mask_block *);
    REFUSED(struct ambit_await *);
    REFUSED(struct ambit_group);
    REFUSED(struct ambit_obligation);
    REFUSED(struct ambit_line);
    REFUSED(struct ambit_semaphore);
    REFUSED(struct ambit_mutex);
    REFUSED(const struct ambit_mutex);
    REFUSED(struct ambit_rwlock);
    REFUSED(struct ambit_notify);
    REFUSED(struct ambit_barrier);
    REFUSED(struct ambit_once);
    REFUSED(struct ambit_channel);
    REFUSED(struct ambit_oneshot);
    REFUSED(struct ambit_watch);
    REFUSED(struct ambit_broadcast);
    REFUSED(struct ambit_unbounded);
    TAKEN(struct ambit_mutex *);
    TAKEN(struct ambit_channel *);
    TAKEN(struct ambit_group *);
    TAKEN(struct ambit_await);
    TAKEN(struct ambit_permit);
    TAKEN(struct ambit_broadcast_receiver);
    TAKEN(ambit_region *);
    TAKEN(ambit_task);
    TAKEN(int);
    TAKEN(void);
    spec_end_compiled();
}

/* --- LOCAL-TYPE-2 ---------------------------------------------------------- */

struct visit {
    struct cache *cache;
    struct count *begun;
    unsigned home;
};

static struct count elsewhere;

/* Given what is local: this runs where that is, before and after a wait. */
static int visits(ambit_cx *cx, void *arg)
{
    struct cache *cache = *(struct cache **)arg;
    for (int i = 0; i < 3; i++) {
        count_add(&elsewhere, !ambit_local_is_here(&cache->local));
        cache->entries++;
        WANT_EQ(ambit_yield(cx), 0);
    }
    return 0;
}

/* Spawned by a busy worker: the other one has the time to take it over. */
static int hands_over(ambit_cx *cx, void *arg)
{
    enum { TASKS = 50 };
    struct cache cache = {{NULL}, 0}, *pcache = &cache;
    int rc = 0;
    (void)arg;
    ambit_local_init(&cache.local);
    WANT(ambit_local_is_here(&cache.local));
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < TASKS; i++) {
            WANT_EQ(ambit_spawn_fiber(s, visits, &pcache, .name = "visits"), 0);
        }
        ambit_time end = ambit_after(ambit_ms(2));
        while (ambit_now().ns < end.ns) {
            sched_yield();
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&elsewhere), 0);
    WANT_EQ(cache.entries, 3 * TASKS);
    return 0;
}

/* Goal: a type of one's own is refused as well, with the pointers to it, and its
 * tasks stay with it.
 * Method: the constant; fibers that look where they are, without a lock. */
Spec(LOCAL_TYPE_2, what_is_declared_local_goes_to_fibers_of_its_worker)
{
    REFUSED(struct cache);
    REFUSED(struct cache *);
    REFUSED(const struct cache *);
    REFUSED(struct cache *const);
    REFUSED(struct ambit_local);
    REFUSED(struct ambit_local *);
    TAKEN(struct visit);
    spec_on_1_and_2_workers(hands_over);
    spec_end_compiled();
}

/* --- LOCAL-HERE-1 ---------------------------------------------------------- */

static struct cache shared;

static int uses_elsewhere(ambit_cx *cx, void *arg)
{
    (void)cx;
    struct visit *v = arg;
    WANT(ambit_cx_worker(cx) != v->home);
    WANT(!ambit_local_is_here(&v->cache->local));
    count_up(v->begun);
    ambit_local_check(&v->cache->local);
    return 0;
}

static int lets_it_out(ambit_cx *cx, void *arg)
{
    struct count begun = {0};
    struct visit visit = {&shared, &begun, ambit_cx_worker(cx)};
    int rc = 0;
    (void)arg;
    ambit_local_init(&shared.local);
    ambit_scope (cx, s, &rc) {
        spawn_elsewhere(s, uses_elsewhere, &visit, &begun);
    }
    return rc;
}

static void used_by_another_worker(void)
{
    (void)ambit_run(lets_it_out, NULL, .workers = 2);
}

static int makes_it(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    ambit_local_init(&shared.local);
    ambit_local_check(&shared.local);
    WANT(ambit_local_is_here(&shared.local));
    return 0;
}

static int checks_it(void *arg)
{
    ambit_local_check(arg);
    return 0;
}

static int goes_blocking(ambit_cx *cx, void *arg)
{
    (void)arg;
    ambit_local_init(&shared.local);
    return ambit_blocking(cx, checks_it, (void *)&shared);
}

static void used_on_the_pool(void)
{
    (void)ambit_run(goes_blocking, NULL, .workers = 1);
}

static void used_before_its_init(void)
{
    struct ambit_local local = {0};
    ambit_local_check(&local);
}

static void made_on_no_worker(void)
{
    ambit_local_init(&shared.local);
}

/* Goal: what is local is used on its worker only.
 * Method: a check there; by a task on another worker, on the blocking pool, by a
 * thread that is none, each in a child process. */
Spec(LOCAL_HERE_1, a_use_elsewhere_says_so)
{
    static const char said[] = "what is local to a worker was used elsewhere";
    spec_on_1_and_2_workers(makes_it);
    WANT(dies_saying(used_by_another_worker, said));
    WANT(dies_saying(used_on_the_pool, said));
    WANT(dies_saying(used_before_its_init,
                     "what is local was used before its init"));
    WANT(dies_saying(made_on_no_worker,
                     "ambit_local_init on a thread that is no worker"));
    spec_end("LOCAL_HERE_1");
}

/* --- LOCAL-CX-1 ------------------------------------------------------------ */

struct theirs {
    ambit_cx *cx; /* in a struct: by itself it would not compile */
    struct count *begun;
};

static int sleeps_as_another(ambit_cx *cx, void *arg)
{
    struct theirs *theirs = arg;
    (void)cx;
    return ambit_sleep(theirs->cx, ambit_us(1));
}

static int locks_as_another(ambit_cx *cx, void *arg)
{
    static struct ambit_mutex lock = AMBIT_MUTEX_INIT;
    struct theirs *theirs = arg;
    (void)cx;
    if (theirs->begun != NULL) {
        count_up(theirs->begun);
    }
    return ambit_mutex_lock(theirs->cx, &lock);
}

static int lends_its_cx(ambit_cx *cx, void *arg)
{
    struct theirs theirs = {cx, NULL};
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_spawn(s, *(ambit_task_fn **)arg, &theirs), 0);
    }
    return rc;
}

static int lends_it_to_another_worker(ambit_cx *cx, void *arg)
{
    struct count begun = {0};
    struct theirs theirs = {cx, &begun};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        spawn_elsewhere(s, locks_as_another, &theirs, &begun);
    }
    return rc;
}

static int checks_for_another(void *arg)
{
    return ambit_checkpoint(((struct theirs *)arg)->cx);
}

static int lends_it_to_the_pool(ambit_cx *cx, void *arg)
{
    struct theirs theirs = {cx, NULL};
    (void)arg;
    return ambit_blocking(cx, checks_for_another, &theirs);
}

static void slept_as_another(void)
{
    ambit_task_fn *fn = sleeps_as_another;
    (void)ambit_run(lends_its_cx, &fn, .workers = 1);
}

static void locked_as_another(void)
{
    ambit_task_fn *fn = locks_as_another;
    (void)ambit_run(lends_its_cx, &fn, .workers = 1);
}

static void locked_on_another_worker(void)
{
    (void)ambit_run(lends_it_to_another_worker, NULL, .workers = 2);
}

static void looked_from_the_pool(void)
{
    (void)ambit_run(lends_it_to_the_pool, NULL, .workers = 1);
}

/* Goal: a cx in the wrong hands is found at the first call.
 * Method: a task that sleeps or locks with the cx of one that waits, on the same
 * worker and on another; a function on the blocking pool.  A release build does
 * not look. */
Spec(LOCAL_CX_1, a_cx_in_the_wrong_hands_says_so)
{
    spec_on_1_and_2_workers(hands_over);
#ifdef AMBIT_CHECKED
    static const char said[] = "a cx was used by another task than its own";
    WANT(dies_saying(slept_as_another, said));
    WANT(dies_saying(locked_as_another, said));
    WANT(dies_saying(locked_on_another_worker, said));
    WANT(dies_saying(looked_from_the_pool, said));
#else
    (void)slept_as_another, (void)locked_as_another;
    (void)locked_on_another_worker, (void)looked_from_the_pool;
#endif
    spec_end("LOCAL_CX_1");
}
