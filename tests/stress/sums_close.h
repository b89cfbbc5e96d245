/* SPDX-License-Identifier: MIT */
/*
 * sums_close.h -- what is closed while all of its senders are under way.
 *
 * Each sender goes on until it is told -EPIPE, so there is none that the close
 * does not meet; what it offered last stays with it.  A call that begins after
 * the close has returned is told so, too.
 */
#ifndef AMBIT_TESTS_STRESS_SUMS_CLOSE_H
#define AMBIT_TESTS_STRESS_SUMS_CLOSE_H

#include "tests/stress/sums.h"

struct ends {
    struct ledger ledger;
    struct count closed, gone;
    int64_t senders; /* under way */
    int64_t at;      /* so many are sent, and then it is closed */
};

static inline void offer(struct ends *ends, int64_t value, bool late, int rc)
{
    WANT(rc == 0 || rc == -EAGAIN || rc == -EPIPE);
    WANT(!late || rc == -EPIPE);
    ledger_offer(&ends->ledger, value, rc == 0 ? 0 : -EAGAIN);
}

/* Nobody has gone before it. */
#define close_under_way(cx, ends, close, again) \
    do { \
        WANT(until((cx), &(ends)->ledger.sent.n, (ends)->at)); \
        WANT_EQ(count_get(&(ends)->gone), 0); \
        WANT_EQ((close), 0); \
        count_up(&(ends)->closed); \
        WANT_EQ((again), -EALREADY); \
    } while (0)

static inline void all_is_there(struct ends *ends)
{
    WANT_EQ(count_get(&ends->gone), ends->senders);
    WANT(count_get(&ends->ledger.sent.n) >= ends->at);
    WANT(count_get(&ends->ledger.refused.n) >= ends->senders);
    ledger_close(&ends->ledger, count_get(&ends->ledger.offered.n));
}

#endif
