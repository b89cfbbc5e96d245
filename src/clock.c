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
