/* SPDX-License-Identifier: MIT */
/*
 * table.c -- chains of entries, resized a little at a time.
 */
#include "table.h"

#include <assert.h>

enum {
    STEP_CHAINS = 2,  /* chains moved per step: a table that doubled is done
                         before it can be full again */
    STEP_VISITS = 16, /* places looked at per step, empty ones included */
    SHRINK_BELOW = 8, /* shrink when fewer than size / 8 are in use */
};

static bool is_resizing(const struct table *table);
static void resize_if_needed(struct table *table);

void table_init(struct table *table, struct memory *memory)
{
    *table = (struct table){.memory = memory};
    table->heads[0] = table->smallest;
    table->size[0] = TABLE_SIZE_MIN;
}

static void array_free(struct table *table, struct store_entry **heads,
                       size_t size)
{
    if (heads != table->smallest) {
        memory_free(table->memory, heads, size * sizeof *heads);
    }
}

void table_fini(struct table *table)
{
    array_free(table, table->heads[0], table->size[0]);
    array_free(table, table->heads[1], table->size[1]);
    table_init(table, table->memory);
}

size_t table_bytes(const struct table *table)
{
    size_t places = 0;
    for (int i = 0; i < 2; i++) {
        if (table->heads[i] != table->smallest) {
            places += table->size[i];
        }
    }
    return places * sizeof *table->heads[0];
}

static struct store_entry **chain_find(struct store_entry **link,
                                       struct slice key, uint64_t hash)
{
    for (; *link != NULL; link = &(*link)->next) {
        if ((*link)->hash == hash && slice_equals(store_key(*link), key)) {
            return link;
        }
    }
    return NULL;
}

struct store_entry **table_find(struct table *table, struct slice key,
                                uint64_t hash)
{
    size_t place = hash & (table->size[0] - 1);
    if (place >= table->moved) {
        struct store_entry **link =
            chain_find(&table->heads[0][place], key, hash);
        if (link != NULL || !is_resizing(table)) {
            return link;
        }
    }
    /* Its chain was moved, or it came after the resize began: TABLE-2. */
    place = hash & (table->size[1] - 1);
    return chain_find(&table->heads[1][place], key, hash);
}

struct store_entry **table_link_of(struct table *table,
                                   const struct store_entry *entry)
{
    struct store_entry **link =
        table_find(table, store_key(entry), entry->hash);
    assert(link != NULL);
    assert(*link == entry);
    return link;
}

void table_insert(struct table *table, struct store_entry *entry)
{
    int target = is_resizing(table) ? 1 : 0;
    size_t place = entry->hash & (table->size[target] - 1);
    entry->next = table->heads[target][place];
    table->heads[target][place] = entry;
    table->count++;
    resize_if_needed(table);
}

void table_unlink(struct table *table, struct store_entry **link)
{
    struct store_entry *entry = *link;
    assert(table->count > 0);
    *link = entry->next;
    entry->next = NULL;
    table->count--;
    resize_if_needed(table);
}

/* --- resizing ----------------------------------------------------------- */

static bool is_resizing(const struct table *table)
{
    return table->heads[1] != NULL;
}

static void resize_if_needed(struct table *table)
{
    size_t size = table->size[0];
    bool is_full = table->count > size;
    bool is_empty = size > TABLE_SIZE_MIN && table->count < size / SHRINK_BELOW;
    if (is_resizing(table) || !(is_full || is_empty)) {
        return;
    }
    size_t target = TABLE_SIZE_MIN;
    while (target < table->count) {
        target *= 2;
    }
    /* Not to and fro at the border: leave room to grow into. */
    target *= is_empty && target > TABLE_SIZE_MIN ? 2 : 1;
    struct store_entry **heads = table->smallest;
    if (target == TABLE_SIZE_MIN) {
        memset(table->smallest, 0, sizeof table->smallest);
    } else {
        heads = memory_alloc_zeroed(table->memory, target * sizeof *heads);
    }
    if (heads != NULL) {
        table->heads[1] = heads;
        table->size[1] = target;
        table->moved = 0;
    }
}

static void move_chain(struct table *table)
{
    struct store_entry *entry = table->heads[0][table->moved];
    table->heads[0][table->moved++] = NULL;
    while (entry != NULL) {
        struct store_entry *next = entry->next;
        size_t place = entry->hash & (table->size[1] - 1);
        entry->next = table->heads[1][place];
        table->heads[1][place] = entry;
        entry = next;
    }
}

void table_step(struct table *table)
{
    if (!is_resizing(table)) {
        return;
    }
    int chains = 0;
    for (int visits = 0; visits < STEP_VISITS && chains < STEP_CHAINS &&
                         table->moved < table->size[0];
         visits++) {
        chains += table->heads[0][table->moved] != NULL;
        move_chain(table);
    }
    if (table->moved == table->size[0]) {
        array_free(table, table->heads[0], table->size[0]);
        table->heads[0] = table->heads[1];
        table->size[0] = table->size[1];
        table->heads[1] = NULL;
        table->size[1] = 0;
        table->moved = 0;
    }
}

/* --- scanning ----------------------------------------------------------- */

static uint64_t reverse_bits(uint64_t bits)
{
    bits = (bits >> 1 & 0x5555555555555555) | (bits & 0x5555555555555555) << 1;
    bits = (bits >> 2 & 0x3333333333333333) | (bits & 0x3333333333333333) << 2;
    bits = (bits >> 4 & 0x0f0f0f0f0f0f0f0f) | (bits & 0x0f0f0f0f0f0f0f0f) << 4;
    return __builtin_bswap64(bits);
}

/*
 * Counts with the bits of the mask mirrored: the highest changes first.
 * Doubling a table splits chain c into c and c + size; counted this way both
 * stand where c stood, so what was passed stays passed and what was not is
 * still ahead.  Halving merges them at the same place, and may only repeat.
 */
static uint64_t cursor_after(uint64_t cursor, uint64_t mask)
{
    return reverse_bits(reverse_bits(cursor | ~mask) + 1);
}

static void visit_chain(const struct store_entry *entry, store_visit_fn *visit,
                        void *arg)
{
    for (; entry != NULL; entry = entry->next) {
        visit(entry, arg);
    }
}

uint64_t table_scan(const struct table *table, uint64_t cursor,
                    store_visit_fn *visit, void *arg)
{
    if (!is_resizing(table)) {
        uint64_t mask = table->size[0] - 1;
        visit_chain(table->heads[0][cursor & mask], visit, arg);
        return cursor_after(cursor, mask);
    }
    int small = table->size[0] <= table->size[1] ? 0 : 1;
    uint64_t small_mask = table->size[small] - 1;
    uint64_t large_mask = table->size[!small] - 1;
    visit_chain(table->heads[small][cursor & small_mask], visit, arg);
    /* Every chain of the larger array that this one splits into. */
    do {
        visit_chain(table->heads[!small][cursor & large_mask], visit, arg);
        cursor = cursor_after(cursor, large_mask);
    } while ((cursor & (small_mask ^ large_mask)) != 0);
    return cursor;
}

void table_for_each(const struct table *table,
                    void (*visit)(struct store_entry *entry, void *arg),
                    void *arg)
{
    for (int i = 0; i < 2; i++) {
        for (size_t place = 0; place < table->size[i]; place++) {
            struct store_entry *entry = table->heads[i][place];
            while (entry != NULL) {
                struct store_entry *next = entry->next;
                visit(entry, arg);
                entry = next;
            }
        }
    }
}
