/* SPDX-License-Identifier: MIT */
/*
 * retry.c -- the same branch again, after a pause that grows.
 *
 *     pause = min(delay * 2^(attempt - 1), delay_max), less up to jitter %
 *
 *   COMB-RETRY-1  Never more attempts than asked for, and only after results
 *                 that are worth another one.
 *   COMB-RETRY-2  A pause is within its bounds.
 *
 * Owner: the task that calls.  The random numbers are its worker's,
 * from the runtime's seed.
 */
#include "regions/combinator.h"

static const int worth_it[] = {-EAGAIN,       -EBUSY,       -EINTR,
                               -ETIMEDOUT,    -ECONNREFUSED, -ECONNRESET,
                               -ECONNABORTED, -EHOSTUNREACH};

static bool holds(const int *codes, size_t n, int code)
{
    for (size_t i = 0; i < n; i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

static bool is_worth_it(const struct ambit_retry_options *options, int result)
{
    bool own = options->retry_on[0] != 0;
    RULE(COMB_RETRY_1);
    return result < 0 &&
           (own ? holds(options->retry_on, ARRAY_LEN(options->retry_on), result)
                : holds(worth_it, ARRAY_LEN(worth_it), result));
}

int64_t retry_pause_ns(const struct ambit_retry_options *options,
                       uint32_t attempt, uint32_t random)
{
    int64_t pause = options->delay.ns;
    for (uint32_t i = 1; i < attempt && pause < options->delay_max.ns; i++) {
        pause = pause > INT64_MAX / 2 ? INT64_MAX : pause * 2;
    }
    pause = pause < options->delay_max.ns ? pause : options->delay_max.ns;
    if (options->jitter_percent > 0) {
        /* In two steps, as the product of all three may not fit. */
        int64_t most = pause / 100 * options->jitter_percent;
        most += pause % 100 * options->jitter_percent / 100;
        RULE(COMB_RETRY_2);
        pause -= (int64_t)((unsigned __int128)most * random >> 32);
    }
    return pause;
}

/* 0, or -EINVAL. */
static int take_options(const struct ambit_retry_options *given,
                        struct ambit_retry_options *ret_options)
{
    struct ambit_retry_options o = {0};
    if (given != NULL) {
        memcpy(&o, given,
               given->size_ < sizeof o ? given->size_ : sizeof o);
    }
    o.attempts_max = o.attempts_max != 0 ? o.attempts_max : 5;
    o.delay.ns = o.delay.ns != 0 ? o.delay.ns : 10000000;
    o.delay_max.ns = o.delay_max.ns != 0 ? o.delay_max.ns : 1000000000;
    o.jitter_percent = o.jitter_percent != 0 ? o.jitter_percent : 50;
    if (o.delay.ns < 0 || o.delay_max.ns < 0 || o.jitter_percent > 100 ||
        o.attempt_timeout.ns < 0) {
        return -EINVAL;
    }
    *ret_options = o;
    return 0;
}

int ambit_retry_(ambit_cx *cx, struct ambit_branch branch,
                 const struct ambit_retry_options *given)
{
    struct ambit_retry_options options;
    int rc = take_options(given, &options);
    if (rc < 0) {
        return rc;
    }
    ambit_duration limit = options.attempt_timeout;
    for (uint32_t attempt = 1;; attempt++) {
        rc = ambit_timeout_at(
            cx, limit.ns != 0 ? ambit_after(limit) : ambit_never(), branch);
        if (attempt == options.attempts_max || !is_worth_it(&options, rc)) {
            return rc;
        }
        uint32_t random = (uint32_t)runtime_random(task_runtime(task_of(cx)));
        int woken = ambit_sleep(
            cx, ambit_ns(retry_pause_ns(&options, attempt, random)));
        if (woken < 0) {
            return woken;
        }
    }
}
