/* SPDX-License-Identifier: MIT */
/* combine.h -- branches whose ways are chosen by the test. */
#ifndef AMBIT_TESTS_SPEC_COMBINE_H
#define AMBIT_TESTS_SPEC_COMBINE_H

#include "tests/spec/common.h"

#define NEVER (-1)       /* turns: waits until it is cancelled */
#define BREAKS INT32_MIN /* result: panics */

struct tally {
    struct count begun;
    struct count ended;     /* returned, with whatever */
    struct count cancelled; /* of these */
};

/* Waits some turns, then ends with a result, and this answer. */
struct piece {
    struct tally *tally;
    int turns;
    int result;
    int answer;
};

__attribute__((unused)) static int piece(ambit_cx *cx,
                                         const struct piece *piece,
                                         int *ret_answer)
{
    count_up(&piece->tally->begun);
    *ret_answer = -1; /* a result that does not count is not seen */
    int rc = 0;
    if (piece->turns == NEVER) {
        rc = ambit_sleep_until(cx, ambit_never());
    }
    for (int i = 0; i < piece->turns && rc == 0; i++) {
        rc = ambit_sleep(cx, ambit_us(200 + 100 * i));
    }
    if (rc == 0 && piece->result == BREAKS) {
        ambit_panic(cx, "on purpose");
    }
    if (rc == 0) {
        *ret_answer = piece->answer;
        rc = piece->result;
    } else {
        count_up(&piece->tally->cancelled);
    }
    count_up(&piece->tally->ended);
    return rc;
}

AMBIT_BRANCH(piece, const struct piece, int)

#endif
