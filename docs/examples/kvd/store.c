/* SPDX-License-Identifier: MIT */
/*
 * store.c -- one shard's table: entries, made and unmade.
 *
 * An entry is one block: header, key, value, and room that appending left.
 * It is in the table always and in the expiry heap while it has an expiry.
 *
 *   STORE-5  expiry.cap - expiry.len >= promised: committing what was
 *            prepared with an expiry needs no memory.
 */
#include "store.h"

#include <assert.h>
#include <errno.h>
#include <xxhash.h>

#include "expiry.h"
#include "table.h"

struct store {
    uint64_t seed;
    struct memory *memory;
    size_t entry_bytes;
    size_t promised; /* prepared entries that have an expiry */
    struct expiry expiry;
    struct table table;
};

static size_t entry_size(size_t key_len, size_t value_cap);
static void entry_free(struct store *store, struct store_entry *entry);
static void entry_remove(struct store *store, struct store_entry **link);
static bool fits_in_place(const struct store_entry *entry, size_t len);
static int promise_expiry(struct store *store, int64_t expire_ms);
static void apply_expiry(struct store *store, struct store_entry *entry,
                         int64_t expire_ms);

static uint64_t hash_of(const struct store *store, struct slice key)
{
    return XXH3_64bits_withSeed(key.ptr, key.len, store->seed);
}

int store_create(const struct store_options *options, struct store **ret_store)
{
    struct store *store = memory_alloc(options->memory, sizeof *store);
    if (store == NULL) {
        return -ENOMEM;
    }
    *store = (struct store){.seed = options->seed, .memory = options->memory};
    expiry_init(&store->expiry, store->memory);
    table_init(&store->table, store->memory);
    *ret_store = store;
    return 0;
}

void store_destroy(struct store *store)
{
    if (store == NULL) {
        return;
    }
    assert(store->promised == 0);
    store_clear(store);
    assert(store->entry_bytes == 0);
    memory_free(store->memory, store, sizeof *store);
}

size_t store_count(const struct store *store)
{
    return store->table.count;
}

size_t store_expiring(const struct store *store)
{
    return store->expiry.len;
}

size_t store_bytes(const struct store *store)
{
    return sizeof *store + store->entry_bytes + table_bytes(&store->table) +
           store->expiry.cap * sizeof *store->expiry.heap;
}

/* --- reading ------------------------------------------------------------ */

const struct store_entry *store_find(struct store *store, struct slice key,
                                     int64_t now_ms)
{
    table_step(&store->table);
    struct store_entry **link =
        table_find(&store->table, key, hash_of(store, key));
    if (link == NULL) {
        return NULL;
    }
    if (store_is_expired(*link, now_ms)) {
        entry_remove(store, link);
        return NULL;
    }
    return *link;
}

uint64_t store_scan(struct store *store, uint64_t cursor, store_visit_fn *visit,
                    void *arg)
{
    return table_scan(&store->table, cursor, visit, arg);
}

struct visitor {
    store_visit_fn *visit;
    void *arg;
};

static void visit_one(struct store_entry *entry, void *arg)
{
    const struct visitor *visitor = arg;
    visitor->visit(entry, visitor->arg);
}

void store_for_each(struct store *store, store_visit_fn *visit, void *arg)
{
    struct visitor visitor = {visit, arg};
    table_for_each(&store->table, visit_one, &visitor);
}

/* --- writing ------------------------------------------------------------ */

int store_set(struct store *store, struct slice key, struct slice value,
              int64_t expire_ms)
{
    table_step(&store->table);
    if (key.len > STORE_VALUE_MAX || value.len > STORE_VALUE_MAX) {
        return -E2BIG;
    }
    struct store_entry **link =
        table_find(&store->table, key, hash_of(store, key));
    if (link == NULL || !fits_in_place(*link, value.len)) {
        struct store_entry *entry = store_prepare(store, key, value, expire_ms);
        if (entry == NULL) {
            return -ENOMEM;
        }
        store_commit(store, entry);
        return 0;
    }
    if (promise_expiry(store, expire_ms) < 0) {
        return -ENOMEM;
    }
    struct store_entry *entry = *link;
    if (value.len > 0) {
        memmove(entry->data + entry->key_len, value.ptr, value.len);
    }
    entry->value_len = (uint32_t)value.len;
    apply_expiry(store, entry, expire_ms);
    return 0;
}

int store_append(struct store *store, const struct store_entry *found,
                 struct slice more)
{
    if (more.len > STORE_VALUE_MAX - found->value_len) {
        return -E2BIG;
    }
    struct store_entry **link = table_link_of(&store->table, found);
    struct store_entry *entry = *link;
    size_t len = entry->value_len + more.len;
    if (len > entry->value_cap) {
        size_t cap = len <= STORE_VALUE_MAX / 2 ? len * 2 : STORE_VALUE_MAX;
        size_t old_size = entry_size(entry->key_len, entry->value_cap);
        size_t new_size = entry_size(entry->key_len, cap);
        entry = memory_resize(store->memory, entry, old_size, new_size);
        if (entry == NULL) {
            return -ENOMEM;
        }
        store->entry_bytes += new_size - old_size;
        entry->value_cap = (uint32_t)cap;
        *link = entry;
        if (entry->expire_ms != STORE_NO_EXPIRY) {
            expiry_moved(&store->expiry, entry);
        }
    }
    if (more.len > 0) {
        memcpy(entry->data + entry->key_len + entry->value_len, more.ptr,
               more.len);
    }
    entry->value_len = (uint32_t)len;
    return 0;
}

int store_set_expiry(struct store *store, const struct store_entry *found,
                     int64_t expire_ms)
{
    if (promise_expiry(store, expire_ms) < 0) {
        return -ENOMEM;
    }
    apply_expiry(store, *table_link_of(&store->table, found), expire_ms);
    return 0;
}

bool store_delete(struct store *store, struct slice key, int64_t now_ms)
{
    table_step(&store->table);
    struct store_entry **link =
        table_find(&store->table, key, hash_of(store, key));
    if (link == NULL) {
        return false;
    }
    bool was_alive = !store_is_expired(*link, now_ms);
    entry_remove(store, link);
    return was_alive;
}

static void free_one(struct store_entry *entry, void *arg)
{
    entry_free(arg, entry);
}

void store_clear(struct store *store)
{
    table_for_each(&store->table, free_one, store);
    table_fini(&store->table);
    size_t promised = store->promised;
    store->expiry.len = 0;
    if (promised == 0) {
        expiry_fini(&store->expiry);
    }
}

size_t store_expire_some(struct store *store, int64_t now_ms, size_t budget)
{
    size_t removed = 0;
    for (; removed < budget; removed++) {
        const struct store_entry *first = expiry_first(&store->expiry);
        if (first == NULL || !store_is_expired(first, now_ms)) {
            break;
        }
        table_step(&store->table);
        entry_remove(store, table_link_of(&store->table, first));
    }
    return removed;
}

int64_t store_next_expiry(const struct store *store)
{
    const struct store_entry *first = expiry_first(&store->expiry);
    return first != NULL ? first->expire_ms : STORE_NO_EXPIRY;
}

/* --- several or none ---------------------------------------------------- */

struct store_entry *store_prepare(struct store *store, struct slice key,
                                  struct slice value, int64_t expire_ms)
{
    if (key.len > STORE_VALUE_MAX || value.len > STORE_VALUE_MAX ||
        promise_expiry(store, expire_ms) < 0) {
        return NULL;
    }
    size_t size = entry_size(key.len, value.len);
    struct store_entry *entry = memory_alloc(store->memory, size);
    if (entry == NULL) {
        return NULL;
    }
    store->entry_bytes += size;
    *entry = (struct store_entry){
        .hash = hash_of(store, key),
        .expire_ms = expire_ms,
        .key_len = (uint32_t)key.len,
        .value_len = (uint32_t)value.len,
        .value_cap = (uint32_t)value.len,
    };
    if (key.len > 0) {
        memcpy(entry->data, key.ptr, key.len);
    }
    if (value.len > 0) {
        memcpy(entry->data + key.len, value.ptr, value.len);
    }
    store->promised += expire_ms != STORE_NO_EXPIRY;
    return entry;
}

void store_commit(struct store *store, struct store_entry *prepared)
{
    table_step(&store->table);
    struct store_entry **link =
        table_find(&store->table, store_key(prepared), prepared->hash);
    if (link != NULL) {
        struct store_entry *old = *link;
        assert(old != prepared);
        prepared->next = old->next;
        *link = prepared;
        if (old->expire_ms != STORE_NO_EXPIRY) {
            expiry_remove(&store->expiry, old);
        }
        entry_free(store, old);
    } else {
        table_insert(&store->table, prepared);
    }
    if (prepared->expire_ms != STORE_NO_EXPIRY) {
        assert(store->promised > 0);
        store->promised--;
        expiry_add(&store->expiry, prepared);
    }
}

void store_discard(struct store *store, struct store_entry *prepared)
{
    if (prepared->expire_ms != STORE_NO_EXPIRY) {
        assert(store->promised > 0);
        store->promised--;
    }
    entry_free(store, prepared);
}

/* --- entries ------------------------------------------------------------ */

static size_t entry_size(size_t key_len, size_t value_cap)
{
    return sizeof(struct store_entry) + key_len + value_cap;
}

static void entry_free(struct store *store, struct store_entry *entry)
{
    size_t size = entry_size(entry->key_len, entry->value_cap);
    assert(store->entry_bytes >= size);
    store->entry_bytes -= size;
    memory_free(store->memory, entry, size);
}

static void entry_remove(struct store *store, struct store_entry **link)
{
    struct store_entry *entry = *link;
    table_unlink(&store->table, link);
    if (entry->expire_ms != STORE_NO_EXPIRY) {
        expiry_remove(&store->expiry, entry);
    }
    entry_free(store, entry);
}

/* A large block is not kept for a small value. */
static bool fits_in_place(const struct store_entry *entry, size_t len)
{
    return len <= entry->value_cap && entry->value_cap <= 2 * len + 64;
}

static int promise_expiry(struct store *store, int64_t expire_ms)
{
    if (expire_ms == STORE_NO_EXPIRY) {
        return 0;
    }
    return expiry_reserve(&store->expiry, store->promised + 1);
}

static void apply_expiry(struct store *store, struct store_entry *entry,
                         int64_t expire_ms)
{
    bool had = entry->expire_ms != STORE_NO_EXPIRY;
    bool has = expire_ms != STORE_NO_EXPIRY;
    if (had && !has) {
        expiry_remove(&store->expiry, entry);
    }
    entry->expire_ms = expire_ms;
    if (had && has) {
        expiry_update(&store->expiry, entry);
    } else if (has) {
        expiry_add(&store->expiry, entry);
    }
}
