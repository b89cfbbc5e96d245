/* SPDX-License-Identifier: MIT */
/*
 * clock.c -- the monotonic clock, and arithmetic that does not wrap.
 */
#include <ambit/time.h>

#include "src/runtime.h"

#include <time.h>

int64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The coarse clock is never ahead, and a tick behind, 10 ms at most; it costs a
 * fifth of the other. */
#define FAR_NS INT64_C(1000000000)
#define TICK_NS INT64_C(10000000)

static int64_t coarse_ns(void)
{
    struct timespec coarse;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
    return (int64_t)coarse.tv_sec * 1000000000 + coarse.tv_nsec;
}

bool clock_has_passed(int64_t ns)
{
    return ns <= coarse_ns() + FAR_NS && ns <= clock_now_ns();
}

int64_t clock_after_ns(int64_t ns)
{
    return ns < FAR_NS || ns > INT64_MAX / 2 ? ambit_after(ambit_ns(ns)).ns
                                             : coarse_ns() + TICK_NS + ns;
}

ambit_time ambit_now(void)
{
    return (ambit_time){clock_now_ns()};
}

ambit_time ambit_after(ambit_duration d)
{
    ambit_time at = ambit_now();
    if (d.ns > 0 && __builtin_add_overflow(at.ns, d.ns, &at.ns)) {
        RULE(TIME_4);
        return ambit_never();
    }
    return at;
}
