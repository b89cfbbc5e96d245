/* SPDX-License-Identifier: MIT */
/*
 * ambit/time.h -- points in time and lengths of time.
 *
 * Deadlines are points (ambit_time, on the monotonic clock); lengths
 * (ambit_duration) occur in constructors and in ambit_sleep().  The two are
 * distinct types, so a length cannot be passed where a point is meant.
 *
 *     .deadline = ambit_after(ambit_ms(250))
 */
#ifndef AMBIT_TIME_H
#define AMBIT_TIME_H

#include <ambit/base.h>

AMBIT_BEGIN

typedef struct ambit_time {
    int64_t ns; /* monotonic clock; 0 stands for "not set" in options */
} ambit_time;

typedef struct ambit_duration {
    int64_t ns;
} ambit_duration;

static inline ambit_duration ambit_ns(int64_t n)
{
    ambit_duration d = {n};
    return d;
}

/* Lengths beyond 292 years are 292 years. */
static inline ambit_duration ambit_scaled_(int64_t n, int64_t unit_ns)
{
    ambit_duration d;
    if (__builtin_mul_overflow(n, unit_ns, &d.ns)) {
        d.ns = n < 0 ? INT64_MIN : INT64_MAX;
    }
    return d;
}

static inline ambit_duration ambit_us(int64_t n)
{
    return ambit_scaled_(n, 1000);
}

static inline ambit_duration ambit_ms(int64_t n)
{
    return ambit_scaled_(n, 1000000);
}

static inline ambit_duration ambit_s(int64_t n)
{
    return ambit_scaled_(n, 1000000000);
}

static inline ambit_time ambit_never(void)
{
    ambit_time t = {INT64_MAX};
    return t;
}

/* The monotonic clock.  Any thread; does not suspend. */
AMBIT_API ambit_time ambit_now(void);

/* now + d, at most ambit_never(); a negative d is now. */
AMBIT_API ambit_time ambit_after(ambit_duration d);

AMBIT_END

#endif
