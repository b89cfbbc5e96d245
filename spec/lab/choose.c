/* SPDX-License-Identifier: MIT */
/*
 * choose.c -- every decision of a run, in one place.
 */
#include "spec/lab/lab.h"

#include "spec/lab/os.h"

unsigned lab_choose(struct lab *lab, enum lab_choice what, unsigned n,
                    const uint32_t *ids)
{
    struct lab_picker *picker = lab->options.picker;
    ASSERT(n >= 2);
    lab->choices++;
    unsigned i = picker != NULL ? picker->choose(picker, what, n, ids) : 0;
    if (i >= n) {
        lab_fail("the picker chose %u of %u", i, n);
    }
    lab_trace(lab, TRACE_CHOICE, (uint64_t)what << 32 | n, i);
    return i;
}

unsigned lab_pick_ready(unsigned n)
{
    return lab_self == NULL || n < 2
               ? 0
               : lab_choose(lab_self, LAB_READY, n, NULL);
}
