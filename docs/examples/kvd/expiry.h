/* SPDX-License-Identifier: MIT */
/*
 * expiry.h -- the entries that expire, soonest first.
 *
 * A binary heap of pointers; each entry knows its place (expiry_at), so it
 * can be moved or taken out from the middle.  Ties are in no order.
 *
 *   EXPIRY-1  heap[i]->expiry_at == i.
 *   EXPIRY-2  No entry expires before its parent at (i - 1) / 2.
 *
 * Owner: the store.
 */
#ifndef KVD_EXPIRY_H
#define KVD_EXPIRY_H

#include "store.h"

struct expiry {
    struct store_entry **heap;
    size_t len;
    size_t cap;
    struct memory *memory;
};

void expiry_init(struct expiry *expiry, struct memory *memory);
void expiry_fini(struct expiry *expiry);

/* Room for `more` calls of expiry_add().  0 or -ENOMEM. */
int expiry_reserve(struct expiry *expiry, size_t more);

/* Room was reserved. */
void expiry_add(struct expiry *expiry, struct store_entry *entry);
void expiry_remove(struct expiry *expiry, struct store_entry *entry);

/* The entry's expire_ms was changed. */
void expiry_update(struct expiry *expiry, struct store_entry *entry);

/* The entry's address was changed. */
void expiry_moved(struct expiry *expiry, struct store_entry *entry);

/* NULL: none. */
struct store_entry *expiry_first(const struct expiry *expiry);

#endif
