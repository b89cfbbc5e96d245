/* SPDX-License-Identifier: MIT */
/*
 * uring_slots.h -- the names by which the kernel knows our operations.
 *
 * A slot is taken by submit and given back by the completion, which moves its
 * generation on: a name of before refers to nothing.
 *
 * Owner: the worker's thread.
 */
#ifndef AMBIT_SRC_DRIVER_URING_SLOTS_H
#define AMBIT_SRC_DRIVER_URING_SLOTS_H

#include "src/driver/driver.h"

#include <stdlib.h>

#define SLOTS_FIRST 64

struct slot {
    struct op *op; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
};

struct slots {
    struct slot *at;
    uint32_t count;
    uint32_t free;  /* index + 1; 0: none */
    uint32_t most;
    uint32_t taken;
};

static inline int slots_grow(struct slots *slots)
{
    uint32_t count = slots->count * 2;
    count = count == 0 ? SLOTS_FIRST : count;
    struct slot *at = realloc(slots->at, count * sizeof *at);
    if (at == NULL) {
        return -EAGAIN;
    }
    for (uint32_t i = slots->count; i < count; i++) {
        at[i] = (struct slot){NULL, 0, i + 1 < count ? i + 2 : 0};
    }
    slots->free = slots->count + 1;
    slots->at = at;
    slots->count = count;
    return 0;
}

/* 0, or -EAGAIN. */
static inline int slot_take(struct slots *slots, struct op *op)
{
    if (slots->taken >= slots->most) {
        return -EAGAIN;
    }
    if (slots->free == 0) {
        int rc = slots_grow(slots);
        if (rc < 0) {
            return rc;
        }
    }
    op->slot = slots->free - 1;
    struct slot *slot = &slots->at[op->slot];
    slots->free = slot->next_free;
    slot->op = op;
    slots->taken++;
    return 0;
}

static inline void slot_give(struct slots *slots, struct op *op)
{
    struct slot *slot = &slots->at[op->slot];
    slot->op = NULL;
    slot->generation++;
    slot->next_free = slots->free;
    slots->free = op->slot + 1;
    slots->taken--;
}

#endif
