/* SPDX-License-Identifier: MIT */
/*
 * sums.h -- what is offered to a path is received, or told to be refused.
 *
 * Every value that a sender has is offered once, in one of the ways there are.
 * A call that answers 0 has sent it; after any other answer it is the sender's,
 * and is written down as refused.  In the end, by number and by sum:
 *
 *     offered == sent + refused        sent == received + left
 */
#ifndef AMBIT_TESTS_STRESS_SUMS_H
#define AMBIT_TESTS_STRESS_SUMS_H

#include "tests/spec/common.h"

struct tally {
    struct count n;
    struct count sum;
};

static inline void tally_up(struct tally *tally, int64_t value)
{
    count_up(&tally->n);
    count_add(&tally->sum, value);
}

struct ledger {
    struct tally offered, sent, refused, received, left;
};

/* What the call answered, for a value that was offered to it. */
__attribute__((unused)) static void ledger_offer(struct ledger *ledger,
                                                 int64_t value, int rc)
{
    WANT(rc == 0 || rc == -EAGAIN);
    tally_up(&ledger->offered, value);
    tally_up(rc == 0 ? &ledger->sent : &ledger->refused, value);
}

static inline void tally_is(struct tally *whole, struct tally *a,
                            struct tally *b)
{
    WANT_EQ(count_get(&a->n) + count_get(&b->n), count_get(&whole->n));
    WANT_EQ(count_get(&a->sum) + count_get(&b->sum), count_get(&whole->sum));
}

__attribute__((unused)) static void ledger_close(struct ledger *ledger,
                                                 int64_t offered)
{
    WANT_EQ(count_get(&ledger->offered.n), offered);
    tally_is(&ledger->offered, &ledger->sent, &ledger->refused);
    tally_is(&ledger->sent, &ledger->received, &ledger->left);
}

/* Every capacity that is odd in some way: one, full at once, no power of two,
 * a power of two, larger than what is under way. */
static const uint32_t sums_capacities[] = {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 64};

/* Each of them on one worker and on two. */
__attribute__((unused)) static void
sums_at_every_capacity(ambit_task_fn *fn)
{
    for (size_t i = 0; i < ARRAY_LEN(sums_capacities); i++) {
        for (unsigned workers = 1; workers <= 2; workers++) {
            uint32_t capacity = sums_capacities[i];
            WANT_EQ(spec_run(fn, &capacity, .workers = workers), 0);
        }
    }
}

#endif
