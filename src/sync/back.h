/* SPDX-License-Identifier: MIT */
/*
 * back.h -- items that come back, in front of all that were sent later.
 *
 *   handed to a poll task --it looks--> its own
 *        '--it panics before--> to the next receiver in line
 *                               '--nobody waits--> kept --receive--> received
 *
 * A poll task is handed an item while it is anywhere, and may never look.  Its
 * item then goes on from here.  In the queue there may be no room for it by now,
 * so it gets memory of its own; and as tasks panic in any order, each item that
 * is handed to one has a number.
 *
 *   AWAIT-END-4  What a panic did not look at goes to the next, in order.
 *   AWAIT-END-5  Where it cannot, that is told.
 *
 * Zeroed memory is without any.  All under the lock of the object, but for
 * back_make() and free(): nothing is allocated or freed under it.
 */
#ifndef AMBIT_SRC_SYNC_BACK_H
#define AMBIT_SRC_SYNC_BACK_H

#include "src/sync/line.h"

#include <ambit/sync.h>

struct back {
    struct back *next;
    uint32_t number;
    char item[];
};

struct backs {
    struct back *first;
    uint32_t count;
    uint32_t handed; /* to poll tasks, ever */
};

_Static_assert(sizeof(struct backs) == sizeof(struct ambit_backs),
               "what a user makes room for");

static inline size_t back_bytes(size_t item_size)
{
    return sizeof(struct back) + item_size;
}

/* An item goes to that receiver. */
static inline void backs_number(struct backs *backs,
                                struct line_waiter *receiver)
{
    if (UNLIKELY(receiver->polled)) {
        receiver->wanted = backs->handed++;
    }
}

/* A copy of what was handed over; NULL: there is no memory. */
struct back *back_make(const struct line_waiter *from, size_t item_size);

enum back_way {
    BACK_PASSED, /* to the first in line */
    BACK_KEPT,   /* *spare is used up */
    BACK_LOST,   /* there was no spare */
};

/* What was handed over goes on. */
enum back_way back_pass_on(struct backs *backs, struct line *receivers,
                           const struct line_waiter *from, size_t item_size,
                           struct back **spare, struct line_woken *woken);

/* There is one: the first.  To be freed. */
struct back *back_take(struct backs *backs, void *ret_item, size_t item_size);
/* All of them; nobody comes near the object any more. */
void backs_free(struct backs *backs);

#endif
