/* SPDX-License-Identifier: MIT */
/*
 * back.c -- in the order in which they were handed over.
 */
#include "src/sync/back.h"

#include <stdlib.h>

struct back *back_make(const struct line_waiter *from, size_t item_size)
{
    struct back *back = malloc(back_bytes(item_size));
    if (back != NULL) {
        back->number = from->wanted;
        copy_bytes(back->item, from->item, item_size);
    }
    return back;
}

/* Numbers come around; those that are out at a time are close together. */
static bool is_before(uint32_t number, uint32_t other)
{
    return (int32_t)(number - other) < 0;
}

static void keep(struct backs *backs, struct back *back)
{
    struct back **at = &backs->first;
    while (*at != NULL && is_before((*at)->number, back->number)) {
        at = &(*at)->next;
    }
    back->next = *at;
    *at = back;
    backs->count++;
}

enum back_way back_pass_on(struct backs *backs, struct line *receivers,
                           const struct line_waiter *from, size_t item_size,
                           struct back **spare, struct line_woken *woken)
{
    struct line_waiter *next = receivers->first;
    RULE(AWAIT_END_4);
    if (next != NULL) {
        copy_bytes(next->item, from->item, item_size);
        next->wanted = from->wanted;
        line_grant(receivers, next, 0, woken);
        return BACK_PASSED;
    }
    if (*spare == NULL) {
        return BACK_LOST;
    }
    keep(backs, *spare);
    *spare = NULL;
    return BACK_KEPT;
}

struct back *back_take(struct backs *backs, void *ret_item, size_t item_size)
{
    struct back *back = backs->first;
    copy_bytes(ret_item, back->item, item_size);
    backs->first = back->next;
    backs->count--;
    return back;
}

void backs_free(struct backs *backs)
{
    while (backs->first != NULL) {
        struct back *back = backs->first;
        backs->first = back->next;
        free(back);
    }
    backs->count = 0;
}
