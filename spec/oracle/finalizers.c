/* SPDX-License-Identifier: MIT */
/*
 * finalizers.c -- what a region promised to undo.
 *
 *   REG-FIN-1  Each runs exactly once.
 *   REG-FIN-2  In reverse order of pushing.
 *   REG-FIN-6  None is taken by a region that has joined its children; none
 *              runs before that.
 */
#include "spec/oracle/oracle.h"

static struct thing *newest(const struct thing *region)
{
    for (struct list_node *node = region->has.prev; node != &region->has;
         node = node->prev) {
        struct thing *thing = CONTAINER_OF(node, struct thing, of);
        if (thing->kind == THING_FINALIZER) {
            return thing;
        }
    }
    return NULL;
}

static void pushed(const struct telling *t)
{
    if (t->subject->phase != REGION_OPEN) {
        oracle_broken("REG-FIN-6", "%s takes %s after its children have left",
                      thing_name(t->subject), thing_name(t->other));
    }
    thing_owned_by(t->other, t->subject);
}

static void runs(const struct telling *t)
{
    if (t->other == NULL || t->other->owner != t->subject) {
        oracle_broken("REG-FIN-1",
                      "%s runs a finalizer that is not in its list any more",
                      thing_name(t->subject));
    }
    if (t->subject->phase != REGION_JOINED) {
        oracle_broken("REG-FIN-6", "%s of %s runs before the last child left",
                      thing_name(t->other), thing_name(t->subject));
    }
    const struct thing *due = newest(t->subject);
    if (due != t->other) {
        oracle_broken("REG-FIN-2", "%s runs %s, but %s was pushed later",
                      thing_name(t->subject), thing_name(t->other),
                      thing_name(due));
    }
}

void oracle_finalizers(struct lab *lab, const struct telling *t)
{
    (void)lab;
    switch (t->what) {
    case TOLD_FINALIZER_PUSHED:
        pushed(t);
        break;
    case TOLD_FINALIZER_RUNS:
        runs(t);
        break;
    case TOLD_REGION_CLOSED:
        if (newest(t->subject) != NULL) {
            oracle_broken("REG-FIN-1", "%s is closed, and %s never ran",
                          thing_name(t->subject),
                          thing_name(newest(t->subject)));
        }
        break;
    default:
        break;
    }
}
