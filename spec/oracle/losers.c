/* SPDX-License-Identifier: MIT */
/*
 * losers.c -- who lost has ended before the winner's result is handed out.
 *
 *   COMB-DRAIN-1  Every branch has ended when a combinator returns.
 */
#include "spec/oracle/oracle.h"

void oracle_losers(struct lab *lab, const struct telling *t)
{
    (void)lab;
    if (t->what == TOLD_COMBINED && t->subject->phase != REGION_GONE) {
        oracle_broken("COMB-DRAIN-1",
                      "%s has its result, but %u of its branches have not "
                      "ended, and it is not closed",
                      thing_name(t->subject), t->subject->tasks);
    }
}
