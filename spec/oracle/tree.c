/* SPDX-License-Identifier: MIT */
/*
 * tree.c -- who belongs to whom, and who may still be there.
 *
 *   REG-ADMIT-1  Nobody enters a region that has closed.
 *   REG-CLOSE-1  When close returns, every child has ended: nothing of it runs.
 *                So a parent closes after its children.
 */
#include "spec/oracle/oracle.h"

#include "regions/region.h"

/* A region's memory is used again after its end only. */
void tree_place_is_free(struct lab *lab, const void *at, enum thing_kind kind)
{
    const struct thing *old = thing_find(lab->things, at, kind);
    if (kind == THING_REGION && old != NULL && old->phase != REGION_GONE) {
        oracle_broken("REG-CLOSE-1",
                      "%s was left without a close: another one opens in its "
                      "place",
                      thing_name(old));
    }
}

/* The first child that still lives, for the sentence. */
static const struct thing *left_in(const struct thing *region)
{
    list_for_each(node, &region->has)
    {
        const struct thing *thing = CONTAINER_OF(node, struct thing, of);
        bool task = thing->kind == THING_TASK && thing->phase != PHASE_ENDED;
        bool child = thing->kind == THING_REGION && thing->phase != REGION_GONE;
        if (task || child) {
            return thing;
        }
    }
    return NULL;
}

static void must_be_quiet(const struct thing *region, const char *when)
{
    if (region->tasks > 0 || region->children > 0) {
        oracle_broken("REG-CLOSE-1",
                      "%s %s, but %s of it is still there (%u tasks, %u child "
                      "regions)",
                      thing_name(region), when, thing_name(left_in(region)),
                      region->tasks, region->children);
    }
}

static void task_made(const struct telling *t)
{
    struct thing *region = t->other;
    if (region == NULL) {
        return; /* its owner is no region: an actor, the root */
    }
    if (region->phase != REGION_OPEN) {
        oracle_broken("REG-ADMIT-1", "%s was admitted to %s, which %s",
                      thing_name(t->subject), thing_name(region),
                      region->phase == REGION_GONE ? "is closed"
                                                   : "has joined its children");
    }
    thing_owned_by(t->subject, region);
    region->tasks++;
}

static void task_left(struct thing *task)
{
    if (task->phase != PHASE_ENDED && task->owner != NULL) {
        task->owner->tasks--;
    }
    task->phase = PHASE_ENDED;
    list_remove(&task->of);
}

static void task_runs(const struct telling *t)
{
    const struct thing *region = t->subject->owner;
    if (t->subject->phase == PHASE_ENDED) {
        oracle_broken("TASK-PARK-1", "%s runs, but it has ended",
                      thing_name(t->subject));
    }
    if (region != NULL && region->phase == REGION_GONE) {
        oracle_broken("REG-CLOSE-1", "%s runs, but its %s is closed",
                      thing_name(t->subject), thing_name(region));
    }
    t->subject->phase = PHASE_RUNS;
}

static void region_opened(const struct telling *t)
{
    struct thing *parent = t->other;
    t->subject->phase = REGION_OPEN;
    if (parent == NULL) {
        return;
    }
    if (parent->phase == REGION_GONE) {
        oracle_broken("REG-ADMIT-1", "%s opens in %s, which is closed",
                      thing_name(t->subject), thing_name(parent));
    }
    thing_owned_by(t->subject, parent);
    parent->children++;
}

static void region_closed(const struct telling *t)
{
    struct thing *parent = t->subject->owner;
    must_be_quiet(t->subject, "closes");
    if (parent != NULL) {
        if (parent->phase == REGION_GONE) {
            oracle_broken("REG-CLOSE-1", "%s closes after its parent, %s",
                          thing_name(t->subject), thing_name(parent));
        }
        parent->children--;
    }
    t->subject->phase = REGION_GONE;
    list_remove(&t->subject->of);
}

void oracle_tree(struct lab *lab, const struct telling *t)
{
    (void)lab;
    switch (t->what) {
    case TOLD_TASK_MADE:
        task_made(t);
        break;
    case TOLD_TASK_RUNS:
        task_runs(t);
        break;
    case TOLD_TASK_PARKS:
        t->subject->phase = PHASE_PARKED;
        break;
    case TOLD_TASK_RESTS:
        t->subject->phase = PHASE_RESTS;
        break;
    case TOLD_TASK_ENDED:
    case TOLD_TASK_GONE:
        task_left(t->subject);
        break;
    case TOLD_REGION_OPENED:
        region_opened(t);
        break;
    case TOLD_REGION_JOINED:
        must_be_quiet(t->subject, "has joined its children");
        t->subject->phase = REGION_JOINED;
        break;
    case TOLD_REGION_CLOSED:
        region_closed(t);
        break;
    default:
        break;
    }
}
