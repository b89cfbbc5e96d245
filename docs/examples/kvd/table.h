/* SPDX-License-Identifier: MIT */
/*
 * table.h -- chains of entries, resized a little at a time.
 *
 *   steady    heads[0] holds all.
 *      |  table_insert(), table_unlink(): too full or too empty
 *      v
 *   resizing  heads[0] holds chains moved .. size[0] - 1, heads[1] the rest
 *      |  table_step(): the last chain was moved
 *      v
 *   steady
 *
 *   TABLE-1  Sizes are powers of two, so a chain of the smaller array
 *            corresponds to whole chains of the larger.
 *   TABLE-2  While resizing, new entries go to heads[1].
 *
 * The smallest array is part of the struct: an empty table needs no memory
 * and growing may fail, which only makes chains longer.
 */
#ifndef KVD_TABLE_H
#define KVD_TABLE_H

#include "store.h"

enum { TABLE_SIZE_MIN = 16 };

struct table {
    struct store_entry **heads[2]; /* heads[1] is NULL when steady */
    size_t size[2];
    size_t moved; /* chains of heads[0] that were moved */
    size_t count;
    struct memory *memory;
    struct store_entry *smallest[TABLE_SIZE_MIN];
};

/* In place: the struct must not be copied afterwards. */
void table_init(struct table *table, struct memory *memory);

/* Frees the arrays, not the entries. */
void table_fini(struct table *table);

size_t table_bytes(const struct table *table); /* of the arrays */

/* The link that holds the entry, or NULL.  Valid until the next change. */
struct store_entry **table_find(struct table *table, struct slice key,
                                uint64_t hash);
struct store_entry **table_link_of(struct table *table,
                                   const struct store_entry *entry);

/* The key must not be there. */
void table_insert(struct table *table, struct store_entry *entry);

/* The entry is the caller's again. */
void table_unlink(struct table *table, struct store_entry **link);

/* A bounded piece of a resize; nothing when steady. */
void table_step(struct table *table);

uint64_t table_scan(const struct table *table, uint64_t cursor,
                    store_visit_fn *visit, void *arg);

/* visit may free the entry. */
void table_for_each(const struct table *table,
                    void (*visit)(struct store_entry *entry, void *arg),
                    void *arg);

#endif
