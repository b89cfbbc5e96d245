/* SPDX-License-Identifier: MIT */
/*
 * time_test.c -- how late a sleep ends, which only a clock that stands still while
 * anybody runs can tell.
 */
#include <ambit/spec.h>
#undef Spec

#include "tests/harness/test.h"

#include "src/timer.h"

enum {
    CROWD = TIMER_CROWD - 1, /* an exploration has a timer of its own */
    FIRST_NS = 1000000,
    APART_NS = 1000,
};

struct sleeper {
    ambit_time due;
    int64_t late_ns;
};

static int sleeps(ambit_cx *cx, void *arg)
{
    struct sleeper *self = *(struct sleeper **)arg;
    int rc = ambit_sleep_until(cx, self->due);
    self->late_ns = ambit_now().ns - self->due.ns;
    return rc;
}

/* All are armed before the first is due. */
static int sleep_all(ambit_cx *cx, struct sleeper *sleepers, int count)
{
    ambit_time begin = ambit_now();
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < count && rc == 0; i++) {
            struct sleeper *self = &sleepers[i];
            self->due.ns = begin.ns + FIRST_NS + i * APART_NS;
            if (i == CROWD) {
                self->due.ns += FIRST_NS;
            }
            rc = ambit_spawn(all, sleeps, &self);
        }
    }
    return rc;
}

static int one_less(ambit_cx *cx, void *arg)
{
    struct sleeper few[CROWD - 1];
    (void)arg;
    int rc = sleep_all(cx, few, CROWD - 1);
    for (int i = 0; i < CROWD - 1; i++) {
        ambit_expect(few[i].late_ns == 0);
    }
    return rc;
}

static int as_many(ambit_cx *cx, void *arg)
{
    struct sleeper crowd[CROWD];
    (void)arg;
    int rc = sleep_all(cx, crowd, CROWD);
    for (int i = 0; i < CROWD; i++) {
        ambit_expect(crowd[i].late_ns == TIMER_SLACK_NS - i * APART_NS);
    }
    return rc;
}

/* Those that are left when the crowd has gone are few again. */
static int one_more(ambit_cx *cx, void *arg)
{
    struct sleeper crowd[CROWD + 1];
    (void)arg;
    int rc = sleep_all(cx, crowd, CROWD + 1);
    for (int i = 0; i < CROWD; i++) {
        ambit_expect(crowd[i].late_ns == TIMER_SLACK_NS - i * APART_NS);
    }
    ambit_expect(crowd[CROWD].late_ns == 0);
    return rc;
}

/* Goal: a crowd's timers fire together, others when they are due.
 * Method: one timer less than a crowd, a crowd, and one more that is due later;
 * how late each sleep ends, to the nanosecond. */
Spec(TIME_7, only_a_crowd_is_late_and_by_no_more_than_the_slack)
{
    static ambit_task_fn *const programs[] = {one_less, as_many, one_more};
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        struct ambit_exploration e;
        int rc =
            ambit_explore(programs[i], NULL, &e, .workers = 1, .seeds = 50);
        cr_assert(rc == 0, "%s", e.text);
    }
}
