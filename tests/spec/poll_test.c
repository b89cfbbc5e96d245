/* SPDX-License-Identifier: MIT */
/*
 * poll_test.c -- poll tasks: steps, wakes, ends.
 */
#include "tests/spec/common.h"

#include <pthread.h>

struct storm {
    struct count inside; /* steps running now */
    struct count steps;
    struct count wakes;  /* asked for so far */
    struct count wrong;  /* two at once, or a wake refused */
    struct count stop;
    struct count has_waker;
    ambit_waker waker;
};

static int storm_step(ambit_cx *cx, void *state)
{
    struct storm *storm = *(struct storm **)state;
    count_add(&storm->wrong, count_up(&storm->inside) != 0);
    if (count_get(&storm->has_waker) == 0) {
        storm->waker = ambit_cx_waker(cx);
        count_set(&storm->has_waker, 1);
    }
    count_up(&storm->steps);
    bool stop = count_get(&storm->stop) > 0;
    count_add(&storm->inside, -1);
    return stop ? 0 : AMBIT_PENDING;
}

static void *wake_often(void *arg)
{
    struct storm *storm = arg;
    for (long i = test_rounds(250000); i > 0; i--) {
        count_up(&storm->wakes);
        count_add(&storm->wrong, ambit_wake(storm->waker) != 0);
    }
    return NULL;
}

static int storm_blow(ambit_cx *cx, void *arg)
{
    struct storm *storm = arg;
    int rc = 0;
    ambit_scope (cx, region, &rc) {
        WANT_EQ(ambit_spawn_poll(region, storm_step, &storm), 0);
        while (count_get(&storm->has_waker) == 0) {
            ambit_yield(cx);
        }
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) {
            pthread_create(&threads[i], NULL, wake_often, storm);
        }
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
        }
        count_set(&storm->stop, 1);
        int rc_last = ambit_wake(storm->waker);
        /* The step that an earlier wake led to may have seen it. */
        WANT(rc_last == 0 || rc_last == -ESTALE);
        count_add(&storm->wakes, rc_last == 0);
    }
    WANT_EQ(ambit_wake(storm->waker), -ESTALE);
    return rc;
}

/* Each wake finds the task idle. */
static int wake_one_by_one(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct storm storm = {0}, *pstorm = &storm;
    int rc = 0;
    ambit_scope (cx, region, &rc) {
        WANT_EQ(ambit_spawn_poll(region, storm_step, &pstorm), 0);
        for (int64_t wakes = 0; wakes < 100; wakes++) {
            WANT(until(cx, &storm.steps, wakes + 1));
            let_others_run(cx);
            WANT_EQ(count_get(&storm.steps), wakes + 1);
            count_set(&storm.stop, wakes == 99);
            WANT_EQ(ambit_wake(storm.waker), 0);
        }
    }
    WANT_EQ(count_get(&storm.steps), 101);
    return rc;
}

/* Goal: no overlap, no more steps than wakes, and the last wake is not lost.
 * Method: wakes one by one; then 10^6 from four threads while the steps run on
 * two workers. */
Spec(POLL_WAKE_2, steps_never_overlap_and_never_outnumber_wakes)
{
    struct storm storm = {0};
    spec_on(1, wake_one_by_one);
    WANT_EQ(spec_run(storm_blow, &storm, .workers = 2), 0);
    WANT_EQ(count_get(&storm.wrong), 0);
    WANT(count_get(&storm.steps) <= count_get(&storm.wakes) + 1);
    WANT(count_get(&storm.steps) >= 2);
    spec_end("POLL_WAKE_2");
}

static int wake_myself_step(ambit_cx *cx, void *state)
{
    int *steps = *(int **)state;
    ++*steps;
    if (*steps < 5) {
        WANT_EQ(ambit_wake(ambit_cx_waker(cx)), 0); /* during this step */
        return AMBIT_PENDING;
    }
    return 0;
}

static int wake_myself(ambit_cx *cx, void *arg)
{
    int *steps = arg;
    int rc = 0;
    ambit_scope (cx, region, &rc) {
        WANT_EQ(ambit_spawn_poll(region, wake_myself_step, &steps), 0);
    }
    return rc;
}

/* --- POLL-TURN-1 ---------------------------------------------------------- */

enum { OTHERS = 20, STEPS_MOST = 1000 };

struct turns {
    struct count others;
    int steps;
};

/* Would go on for ever, if the others never had their turn. */
static int wakes_itself(ambit_cx *cx, void *state)
{
    struct turns *turns = *(struct turns **)state;
    turns->steps++;
    if (count_get(&turns->others) == OTHERS || turns->steps == STEPS_MOST) {
        return 0;
    }
    WANT_EQ(ambit_wake(ambit_cx_waker(cx)), 0);
    return AMBIT_PENDING;
}

/* The same by the wait that is for this. */
struct yielder {
    struct ambit_await wait;
    struct turns *turns;
};

static int awaits_its_turn(ambit_cx *cx, void *state)
{
    struct yielder *y = state;
    int rc;
    while ((rc = ambit_await_yield(cx, &y->wait)) == 0) {
        y->turns->steps++;
        if (count_get(&y->turns->others) == OTHERS ||
            y->turns->steps == STEPS_MOST) {
            return 0;
        }
    }
    return rc;
}

static int is_another(ambit_cx *cx, void *arg)
{
    WANT_EQ(ambit_yield(cx), 0);
    count_up(&(*(struct turns **)arg)->others);
    return 0;
}

static void spawn_others(ambit_region *region, struct turns *turns)
{
    for (int i = 0; i < OTHERS; i++) {
        WANT_EQ(ambit_spawn(region, is_another, &turns), 0);
    }
}

static int have_their_turn(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 4; round++) {
        struct turns turns = {.steps = 0}, *pturns = &turns;
        struct yielder yielder = {.turns = pturns};
        int rc = 0;
        ambit_scope (cx, s, &rc) {
            if (round % 2 == 0) {
                spawn_others(s, pturns);
            }
            WANT_EQ(round < 2 ? ambit_spawn_poll(s, wakes_itself, &pturns)
                              : ambit_spawn_poll(s, awaits_its_turn, &yielder),
                    0);
            if (round % 2 != 0) {
                spawn_others(s, pturns);
            }
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&turns.others), OTHERS);
        WANT(turns.steps <= 12);
    }
    return 0;
}

/* Goal: a poll task that wakes itself starves nobody.
 * Method: one worker; 20 tasks that yield once, spawned before it and after; how
 * many steps it makes until all of them have ended. */
Spec(POLL_TURN_1, a_poll_task_that_wakes_itself_lets_others_run)
{
    spec_on(1, have_their_turn);
    spec_end("POLL_TURN_1");
}

/* Goal: a wake during a step is not lost.  Method: each step wakes itself; a
 * lost one would hang the close. */
Spec(POLL_WAKE_1, a_wake_during_a_step_leads_to_one_more)
{
    int steps = 0;
    WANT_EQ(spec_run(wake_myself, &steps, .workers = 1), 0);
    WANT_EQ(steps, 5);
    spec_end("POLL_WAKE_1");
}

static int keep_waker_step(ambit_cx *cx, void *state)
{
    **(ambit_waker **)state = ambit_cx_waker(cx);
    return -EBADMSG;
}

static int stale(ambit_cx *cx, void *arg)
{
    ambit_waker first = {0};
    ambit_waker *keep = &first;
    int rc = 0;
    (void)arg;
    WANT_EQ(ambit_wake(first), -ESTALE);
    ambit_scope (cx, region, &rc, .policy = AMBIT_COLLECT) {
        WANT_EQ(ambit_spawn_poll(region, keep_waker_step, &keep), 0);
    }
    WANT_EQ(rc, -EBADMSG);
    WANT_EQ(ambit_wake(first), -ESTALE);
    rc = 0;
    ambit_waker second = {0};
    keep = &second;
    ambit_scope (cx, region, &rc, .policy = AMBIT_COLLECT) {
        WANT_EQ(ambit_spawn_poll(region, keep_waker_step, &keep), 0);
        ambit_yield(cx);
        WANT_EQ(ambit_wake(first), -ESTALE); /* not the second one */
    }
    return 0;
}

static int return_the_most(ambit_cx *cx, void *state)
{
    **(ambit_waker **)state = ambit_cx_waker(cx);
    return INT32_MAX;
}

static int ends_whatever_it_returns(ambit_cx *cx, void *arg)
{
    ambit_waker last = {0};
    ambit_waker *keep = &last;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, region, &rc) {
        WANT_EQ(ambit_spawn_poll(region, return_the_most, &keep), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(ambit_wake(last), -ESTALE);
    return 0;
}

/* Goal: a waker outlives its task harmlessly.  Method: the record is reused by
 * the next task, and the old waker still answers -ESTALE; with the largest of
 * results, too, which is a word of the machine's own. */
Spec(POLL_WAKE_3, a_waker_of_an_ended_task_is_stale)
{
    WANT_EQ(spec_run(stale, NULL, .workers = 1), 0);
    WANT_EQ(spec_run(ends_whatever_it_returns, NULL, .workers = 1), 0);
    spec_end("POLL_WAKE_3");
}

struct idle {
    struct count begun;
    struct count cancelled;
};

static int idle_step(ambit_cx *cx, void *state)
{
    struct idle *idle = *(struct idle **)state;
    if (ambit_checkpoint(cx) < 0) {
        count_up(&idle->cancelled);
        return -ECANCELED;
    }
    count_up(&idle->begun);
    return AMBIT_PENDING;
}

enum { IDLERS = 10000 };

static int cancel_idlers(ambit_cx *cx, void *arg)
{
    struct idle *idle = arg;
    int rc = 0;
    ambit_scope (cx, region, &rc) {
        for (int i = 0; i < IDLERS; i++) {
            WANT_EQ(ambit_spawn_poll(region, idle_step, &idle), 0);
        }
        while (count_get(&idle->begun) < IDLERS) {
            ambit_yield(cx);
        }
        ambit_cancel(region, "enough");
    }
    return rc;
}

/* Goal: a cancel reaches idle poll tasks.  Method: 10^4 of them idle on one and
 * two workers; the region closes only when each has stepped once more. */
Spec(POLL_CANCEL_1, a_cancel_makes_idle_poll_tasks_step)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct idle idle = {0};
        WANT_EQ(spec_run(cancel_idlers, &idle, .workers = workers), 0);
        WANT_EQ(count_get(&idle.cancelled), IDLERS);
    }
    spec_end("POLL_CANCEL_1");
}

/* --- POLL-SUSPEND-1 ------------------------------------------------------- */

enum { SUSPENDERS = 300 };

static struct {
    struct count calls, noted, cancelled;
    ambit_waker wakers[2 * SUSPENDERS];
} suspenders;

/* Waits in the midst of each of its two steps. */
static int suspends_twice(ambit_cx *cx, int64_t number)
{
    WANT_EQ(ambit_yield(cx), 0);
    WANT_EQ(ambit_sleep(cx, ambit_us(20 * (number % 7))), 0);
    if (number >= 2 * SUSPENDERS) {
        return 0;
    }
    suspenders.wakers[number] = ambit_cx_waker(cx);
    count_up(&suspenders.noted);
    return AMBIT_PENDING;
}

static int stateless_step(ambit_cx *cx, void *state)
{
    WANT(state == NULL);
    return suspends_twice(cx, count_up(&suspenders.calls));
}

static int stateful_step(ambit_cx *cx, void *state)
{
    WANT_EQ(*(const int *)state, 7);
    return suspends_twice(cx, count_up(&suspenders.calls));
}

static int sleeps_until_cancelled(ambit_cx *cx, void *state)
{
    WANT(state == NULL);
    count_up(&suspenders.noted);
    WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
    count_up(&suspenders.cancelled);
    return -ECANCELED;
}

static int steps_that_suspend(ambit_cx *cx, void *arg)
{
    const int seven = 7;
    int rc = 0;
    (void)arg;
    memset(&suspenders, 0, sizeof suspenders);
    ambit_scope (cx, region, &rc) {
        for (int i = 0; i < SUSPENDERS; i++) {
            WANT_EQ(ambit_spawn_poll(region, stateless_step, (char *)NULL), 0);
            WANT_EQ(ambit_spawn_poll(region, stateful_step, &seven), 0);
        }
        while (count_get(&suspenders.noted) < 2 * SUSPENDERS) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        for (int i = 0; i < 2 * SUSPENDERS; i++) {
            WANT_EQ(ambit_wake(suspenders.wakers[i]), 0);
        }
    }
    WANT_EQ(count_get(&suspenders.calls), 4 * SUSPENDERS);
    ambit_scope (cx, region, &rc) {
        for (int i = 0; i < SUSPENDERS; i++) {
            WANT_EQ(ambit_spawn_poll(region, sleeps_until_cancelled,
                                     (char *)NULL), 0);
        }
        while (count_get(&suspenders.noted) < 3 * SUSPENDERS) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        ambit_cancel(region, "enough");
    }
    WANT_EQ(count_get(&suspenders.cancelled), SUSPENDERS);
    return rc;
}

/* Goal: what a wait leaves in a poll task's record is not in the way of its next
 * step, nor of its neighbours.  Method: steps that yield and sleep, of tasks with a
 * state and without, of two functions, hundreds side by side; then a cancel. */
Spec(POLL_SUSPEND_1, a_step_that_suspends_goes_on_and_steps_again)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        WANT_EQ(spec_run(steps_that_suspend, NULL, .workers = workers), 0);
    }
    spec_end("POLL_SUSPEND_1");
}
