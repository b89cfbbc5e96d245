/* SPDX-License-Identifier: MIT */
/*
 * clock.c -- nothing happens before its time, and time never goes back.
 *
 *   TIME-1  A timer that fires is due.
 */
#include "spec/oracle/oracle.h"

void oracle_clock(struct lab *lab, const struct telling *t)
{
    if (lab->now_ns < lab->told_ns) {
        oracle_broken("TIME-1", "time went back by %lld ns, to %lld",
                      (long long)(lab->told_ns - lab->now_ns),
                      (long long)lab->now_ns);
    }
    lab->told_ns = lab->now_ns;
    switch (t->what) {
    case TOLD_TIMER_ARMED:
        t->subject->number_told = t->number;
        break;
    case TOLD_TIMER_FIRES:
        if (t->subject->number_told > lab->now_ns) {
            oracle_broken("TIME-1", "%s fires %lld ns early",
                          thing_name(t->subject),
                          (long long)(t->subject->number_told - lab->now_ns));
        }
        break;
    default:
        break;
    }
}
