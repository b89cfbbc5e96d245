/* SPDX-License-Identifier: MIT */
/*
 * heap.c -- a region's memory is its own, and ends with it.
 *
 *   HEAP-ALIGN-1  Blocks never overlap.
 *   HEAP-CLOSE-1  A region that has closed lends none.
 */
#include "spec/oracle/oracle.h"

static bool overlap(const struct thing *a, const struct thing *b)
{
    uintptr_t at_a = (uintptr_t)a->at;
    uintptr_t at_b = (uintptr_t)b->at;
    return at_a < at_b + (uint64_t)b->number_told &&
           at_b < at_a + (uint64_t)a->number_told;
}

/* Against the other blocks of its region. */
static void allocated(const struct telling *t)
{
    t->subject->number_told = t->number;
    list_for_each(node, &t->other->has)
    {
        const struct thing *block = CONTAINER_OF(node, struct thing, of);
        if (block->kind == THING_BLOCK && overlap(block, t->subject)) {
            oracle_broken("HEAP-ALIGN-1", "%s and %s of %s overlap",
                          thing_name(block), thing_name(t->subject),
                          thing_name(t->other));
        }
    }
    thing_owned_by(t->subject, t->other);
}

static void region_closed(struct lab *lab, const struct thing *region)
{
    list_for_each(node, &region->has)
    {
        struct thing *block = CONTAINER_OF(node, struct thing, of);
        if (block->kind == THING_BLOCK) {
            thing_gone(lab->things, block);
        }
    }
}

void oracle_heap(struct lab *lab, const struct telling *t)
{
    switch (t->what) {
    case TOLD_HEAP_ALLOCATED:
        if (t->other == NULL || t->other->phase == REGION_GONE) {
            oracle_broken("HEAP-CLOSE-1", "%s is lent by %s, which is closed",
                          thing_name(t->subject), thing_name(t->other));
        }
        allocated(t);
        break;
    case TOLD_REGION_CLOSED:
        region_closed(lab, t->subject);
        break;
    default:
        break;
    }
}
