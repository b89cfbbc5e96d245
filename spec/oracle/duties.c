/* SPDX-License-Identifier: MIT */
/*
 * duties.c -- what must be resolved is resolved exactly once.
 *
 *   SRV-CALL-1   A call ends with one answer, or with its caller's leaving.
 *   OBL-ONCE-1   An obligation is resolved exactly once.
 *   OBL-CLOSE-1  None is left in a region that has closed.
 */
#include "spec/oracle/oracle.h"

static void resolved(struct thing *thing, const char *rule)
{
    if (++thing->resolved > 1) {
        oracle_broken(rule, "%s is resolved %u times", thing_name(thing),
                      thing->resolved);
    }
}

static void none_is_left(const struct thing *region)
{
    list_for_each(node, &region->has)
    {
        const struct thing *duty = CONTAINER_OF(node, struct thing, of);
        if (duty->kind == THING_DUTY && duty->resolved == 0) {
            oracle_broken("OBL-CLOSE-1", "%s is closed, and %s is unresolved",
                          thing_name(region), thing_name(duty));
        }
    }
}

void oracle_duties(struct lab *lab, const struct telling *t)
{
    (void)lab;
    switch (t->what) {
    case TOLD_CALL_ANSWERED:
    case TOLD_CALL_LEFT:
        resolved(t->subject, "SRV-CALL-1");
        break;
    case TOLD_CALL_CLOSED:
        if (t->subject->resolved != 1) {
            oracle_broken("SRV-CALL-1",
                          "%s is over, but nobody answered or gave it up",
                          thing_name(t->subject));
        }
        break;
    case TOLD_DUTY_MADE:
    case TOLD_DUTY_MOVED:
        thing_owned_by(t->subject, t->other);
        break;
    case TOLD_DUTY_RESOLVED:
        resolved(t->subject, "OBL-ONCE-1");
        break;
    case TOLD_REGION_CLOSED:
        none_is_left(t->subject);
        break;
    default:
        break;
    }
}
