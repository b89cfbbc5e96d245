/* SPDX-License-Identifier: MIT */
/* canceller.h -- a task that cancels a region at some moment of a race. */
#ifndef AMBIT_TESTS_SPEC_CANCELLER_H
#define AMBIT_TESTS_SPEC_CANCELLER_H

#include "tests/spec/common.h"

struct canceller {
    ambit_region *region;
    int spins, yields;
};

static int cancel_at_random(ambit_cx *cx, void *arg)
{
    struct canceller *c = arg;
    for (int i = 0; i < c->yields; i++) {
        (void)ambit_yield(cx);
    }
    for (int i = 0; i < c->spins; i++) {
        cpu_relax();
    }
    ambit_cancel(c->region, "a race");
    return 0;
}

#endif
