/* SPDX-License-Identifier: MIT */
/*
 * store.h -- one shard's table.
 *
 *     struct store *store;
 *     int err = store_create(&(struct store_options){.seed = seed}, &store);
 *     err = store_set(store, key, value, STORE_NO_EXPIRY);
 *     const struct store_entry *found = store_find(store, key, now_ms);
 *     store_destroy(store);
 *
 * A hash table with chains; it grows and shrinks by moving a few chains per
 * call, so no call pays for all of it.  Beside it stands a heap of the
 * entries that expire, soonest first.
 *
 *   STORE-1  A call that answers -ENOMEM has changed nothing.
 *   STORE-2  An entry that is present during a whole scan, from cursor 0
 *            until cursor 0 comes back, is visited at least once, whatever is
 *            added, removed or resized between the calls.
 *   STORE-3  An entry is expired when now_ms > expire_ms.  store_find() never
 *            answers one: it removes it.
 *   STORE-4  Not being able to resize is not an error: chains get longer.
 *
 * Owner: one task at a time.  Nothing here suspends.
 */
#ifndef KVD_STORE_H
#define KVD_STORE_H

#include <stdint.h>

#include "bytes.h"

struct store;

enum { STORE_NO_EXPIRY = -1 };

/* A now_ms at which nothing has expired: for replay. */
#define STORE_TIMELESS INT64_MIN

#define STORE_VALUE_MAX ((size_t)1 << 31) /* also of a key */

/* Read only outside store*.c and expiry.c. */
struct store_entry {
    struct store_entry *next; /* store_table.heads */
    uint64_t hash;
    int64_t expire_ms;  /* unix time in ms, or STORE_NO_EXPIRY */
    uint32_t expiry_at; /* index in the expiry heap; valid with expire_ms */
    uint32_t key_len;
    uint32_t value_len;
    uint32_t value_cap;
    char data[]; /* the key, then the value */
};

static inline struct slice store_key(const struct store_entry *entry)
{
    return (struct slice){entry->data, entry->key_len};
}

static inline struct slice store_value(const struct store_entry *entry)
{
    return (struct slice){entry->data + entry->key_len, entry->value_len};
}

/* STORE-3. */
static inline bool store_is_expired(const struct store_entry *entry,
                                    int64_t now_ms)
{
    return entry->expire_ms != STORE_NO_EXPIRY && now_ms > entry->expire_ms;
}

struct store_options {
    uint64_t seed;         /* random: keeps clients from choosing collisions */
    struct memory *memory; /* NULL: no ceiling */
};

/* 0 or -ENOMEM. */
int store_create(const struct store_options *options, struct store **ret_store);

/* NULL allowed. */
void store_destroy(struct store *store);

size_t store_count(const struct store *store);    /* expired ones included */
size_t store_expiring(const struct store *store); /* entries with an expiry */
size_t store_bytes(const struct store *store);    /* all memory of the store */

/* Valid until the next call that changes the store; NULL: not there. */
const struct store_entry *store_find(struct store *store, struct slice key,
                                     int64_t now_ms);

/* Adds or replaces.  value may be a slice of the entry it replaces.
 * 0, -ENOMEM or -E2BIG. */
int store_set(struct store *store, struct slice key, struct slice value,
              int64_t expire_ms);

/* Adds to the end of a value that store_find() answered just now; keeps the
 * expiry.  Amortised over many appends.  more is no slice of the store.
 * 0, -ENOMEM or -E2BIG. */
int store_append(struct store *store, const struct store_entry *entry,
                 struct slice more);

/* Of an entry that store_find() answered just now.  0 or -ENOMEM; removing an
 * expiry cannot fail. */
int store_set_expiry(struct store *store, const struct store_entry *entry,
                     int64_t expire_ms);

/* True when there was one that had not expired. */
bool store_delete(struct store *store, struct slice key, int64_t now_ms);

void store_clear(struct store *store);

/*
 * Setting several or none: prepare answers NULL when memory is short or a
 * length is over the maximum, and changes nothing that a reader sees; commit
 * cannot fail.  Each prepared entry is committed or discarded exactly once.
 */
struct store_entry *store_prepare(struct store *store, struct slice key,
                                  struct slice value, int64_t expire_ms);
void store_commit(struct store *store, struct store_entry *prepared);
void store_discard(struct store *store, struct store_entry *prepared);

/* Removes at most `budget` expired entries; how many it removed. */
size_t store_expire_some(struct store *store, int64_t now_ms, size_t budget);

/* When the next entry expires: the moment to call the one above.
 * STORE_NO_EXPIRY when none will. */
int64_t store_next_expiry(const struct store *store);

/* Sees expired entries too; must not change the store. */
typedef void store_visit_fn(const struct store_entry *entry, void *arg);

/*
 * Visits the entries of one place of the table and answers the cursor of the
 * next; 0 when that was the last.  Start with 0.  An entry may be visited more
 * than once when the table was resized in between (STORE-2).
 */
uint64_t store_scan(struct store *store, uint64_t cursor, store_visit_fn *visit,
                    void *arg);

/* Each entry exactly once, in one go. */
void store_for_each(struct store *store, store_visit_fn *visit, void *arg);

#endif
