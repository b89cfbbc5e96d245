/* SPDX-License-Identifier: MIT */
/*
 * expiry.c -- the entries that expire, soonest first.
 */
#include "expiry.h"

#include <assert.h>
#include <errno.h>

enum { EXPIRY_CAP_MIN = 16 };

static void place(struct expiry *expiry, size_t at, struct store_entry *entry);
static size_t sift_up(struct expiry *expiry, size_t at);
static void sift_down(struct expiry *expiry, size_t at);

void expiry_init(struct expiry *expiry, struct memory *memory)
{
    *expiry = (struct expiry){.memory = memory};
}

void expiry_fini(struct expiry *expiry)
{
    memory_free(expiry->memory, expiry->heap,
                expiry->cap * sizeof *expiry->heap);
    expiry_init(expiry, expiry->memory);
}

int expiry_reserve(struct expiry *expiry, size_t more)
{
    size_t unit = sizeof *expiry->heap;
    if (more <= expiry->cap - expiry->len) {
        return 0;
    }
    /* expiry_at has 32 bits. */
    if (more > UINT32_MAX / 2 || expiry->len > UINT32_MAX / 2) {
        return -ENOMEM;
    }
    size_t cap =
        expiry->cap < EXPIRY_CAP_MIN ? EXPIRY_CAP_MIN : expiry->cap * 2;
    if (cap < expiry->len + more) {
        cap = expiry->len + more;
    }
    struct store_entry **heap = memory_resize(expiry->memory, expiry->heap,
                                              expiry->cap * unit, cap * unit);
    if (heap == NULL) {
        return -ENOMEM;
    }
    expiry->heap = heap;
    expiry->cap = cap;
    return 0;
}

void expiry_add(struct expiry *expiry, struct store_entry *entry)
{
    assert(expiry->len < expiry->cap);
    assert(entry->expire_ms != STORE_NO_EXPIRY);
    place(expiry, expiry->len++, entry);
    sift_up(expiry, entry->expiry_at);
}

void expiry_remove(struct expiry *expiry, struct store_entry *entry)
{
    size_t at = entry->expiry_at;
    assert(at < expiry->len);
    assert(expiry->heap[at] == entry);
    struct store_entry *last = expiry->heap[--expiry->len];
    if (last != entry) {
        place(expiry, at, last);
        expiry_update(expiry, last);
    }
}

void expiry_update(struct expiry *expiry, struct store_entry *entry)
{
    assert(expiry->heap[entry->expiry_at] == entry);
    sift_down(expiry, sift_up(expiry, entry->expiry_at));
}

void expiry_moved(struct expiry *expiry, struct store_entry *entry)
{
    assert(entry->expiry_at < expiry->len);
    expiry->heap[entry->expiry_at] = entry;
}

struct store_entry *expiry_first(const struct expiry *expiry)
{
    return expiry->len > 0 ? expiry->heap[0] : NULL;
}

static void place(struct expiry *expiry, size_t at, struct store_entry *entry)
{
    expiry->heap[at] = entry;
    entry->expiry_at = (uint32_t)at;
}

static size_t sift_up(struct expiry *expiry, size_t at)
{
    struct store_entry *entry = expiry->heap[at];
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (expiry->heap[parent]->expire_ms <= entry->expire_ms) {
            break;
        }
        place(expiry, at, expiry->heap[parent]);
        at = parent;
    }
    place(expiry, at, entry);
    return at;
}

static void sift_down(struct expiry *expiry, size_t at)
{
    struct store_entry *entry = expiry->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= expiry->len) {
            break;
        }
        if (child + 1 < expiry->len && expiry->heap[child + 1]->expire_ms <
                                           expiry->heap[child]->expire_ms) {
            child++;
        }
        if (entry->expire_ms <= expiry->heap[child]->expire_ms) {
            break;
        }
        place(expiry, at, expiry->heap[child]);
        at = child;
    }
    place(expiry, at, entry);
}
