/* SPDX-License-Identifier: MIT */
/*
 * memory.c -- what a load may return, and what nothing orders.
 *
 * An atomic is the list of its values.  A thread's view says for each atomic
 * how far down that list it has seen, and for each thread how much of its past
 * happened before.  A value carries the view that whoever acquires it gets.
 *
 *   release store     the value carries all that its thread knows
 *   relaxed store     ... what its thread knew at its last release fence
 *   read-modify-write takes the newest, and hands on what that carried too
 *   seq_cst           a load sees at least the last seq_cst store, and what a
 *                     thread had seen at a seq_cst fence before; a fence
 *                     likewise
 */
#include "tests/models/model.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define VALUES 48          /* of one atomic, in one run */
#define GRANULES 8192      /* of 8 bytes, for plain accesses */
#define ARENA (1 << 18)

struct value {
    uint64_t word;
    struct view view;
};

struct location {
    void *address;
    size_t size;
    unsigned count;
    uint16_t last_sc;    /* newest seq_cst store */
    uint16_t fence_seen; /* what had been seen at some seq_cst fence */
    struct value values[VALUES];
};

struct thread_memory {
    struct view now;
    struct view taken;    /* by relaxed loads, for an acquire fence */
    struct view released; /* at the last release fence */
};

/* Plain accesses to 8 bytes. */
struct granule {
    uintptr_t key;
    unsigned run;
    uint8_t written_bytes;
    uint8_t writer;
    uint32_t written;           /* the writer's clock */
    uint8_t read_bytes[THREADS];
    uint32_t read[THREADS];
};

static struct location locations[LOCATIONS];
static unsigned location_count;
static struct thread_memory threads[THREADS];
static struct granule granules[GRANULES];
static unsigned run_number = 1, granules_used;
static _Alignas(64) unsigned char arena[ARENA];
static size_t arena_used;
static bool arena_dead[ARENA / 16];

static void view_join(struct view *into, const struct view *from)
{
    for (unsigned i = 0; i < location_count; i++) {
        if (from->seen[i] > into->seen[i]) {
            into->seen[i] = from->seen[i];
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        if (from->clock[i] > into->clock[i]) {
            into->clock[i] = from->clock[i];
        }
    }
}

void memory_reset(void)
{
    run_number++;
    granules_used = 0;
    location_count = 0;
    memset(threads, 0, sizeof threads);
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i].now.clock[i] = 1;
    }
    memset(arena, 0, arena_used);
    memset(arena_dead, 0, (arena_used + 15) / 16);
    arena_used = 0;
}

void memory_hand_over(unsigned from, unsigned to)
{
    view_join(&threads[to].now, &threads[from].now);
    threads[from].now.clock[from]++;
}

void memory_see_all(unsigned thread)
{
    for (unsigned i = 0; i < location_count; i++) {
        threads[thread].now.seen[i] = (uint16_t)(locations[i].count - 1);
    }
}

void memory_bell(struct bell *bell, bool rings)
{
    unsigned self = explore_self();
    if (rings) {
        view_join(&bell->view, &threads[self].now);
        threads[self].now.clock[self]++;
    } else {
        view_join(&threads[self].now, &bell->view);
    }
}

/* --- plain memory --------------------------------------------------------- */

static void check_alive(const void *address)
{
    const unsigned char *at = address;
    if (at >= arena && at < arena + ARENA && arena_dead[(at - arena) / 16]) {
        model_fail("memory is used after it was freed");
    }
}

/* The one of that key, or the empty one where it would be. */
static struct granule *granule_find(uintptr_t key)
{
    size_t i = (key * 0x9e3779b97f4a7c15u) >> 51;
    struct granule *g;
    do {
        g = &granules[i++ % GRANULES];
    } while (g->run == run_number && g->key != key);
    return g;
}

static struct granule *granule_of(uintptr_t key)
{
    struct granule *g = granule_find(key);
    if (g->run != run_number) {
        if (++granules_used == GRANULES / 2) {
            model_fail("more plain memory than the model has room for");
        }
        memset(g, 0, sizeof *g);
        g->run = run_number;
        g->key = key;
    }
    return g;
}

static void plain_in_granule(uintptr_t key, uint8_t bytes, bool write)
{
    unsigned self = explore_self();
    struct view *now = &threads[self].now;
    struct granule *g = granule_of(key);
    if ((g->written_bytes & bytes) != 0 && g->writer != self &&
        now->clock[g->writer] < g->written) {
        model_fail(write ? "two plain writes race" :
                           "a plain read races with a write");
    }
    for (unsigned i = 0; write && i < THREADS; i++) {
        if ((g->read_bytes[i] & bytes) != 0 && i != self &&
            now->clock[i] < g->read[i]) {
            model_fail("a plain write races with a read");
        }
    }
    if (!write) {
        g->read_bytes[self] |= bytes;
        g->read[self] = now->clock[self];
        return;
    }
    if (g->writer != self) {
        g->written_bytes = 0;
    }
    g->writer = (uint8_t)self;
    g->written = now->clock[self];
    g->written_bytes |= bytes;
}

void memory_plain(const void *address, size_t size, bool write)
{
    check_alive(address);
    if (!explore_running) {
        return; /* before, or after, all that the threads do */
    }
    uintptr_t at = (uintptr_t)address;
    while (size > 0) {
        size_t from = at % 8;
        size_t len = size < 8 - from ? size : 8 - from;
        uint8_t bytes = (uint8_t)(((1u << len) - 1) << from);
        plain_in_granule(at / 8, bytes, write);
        at += len;
        size -= len;
    }
}

void *memory_copy(void *to, const void *from, size_t size)
{
    memory_plain(from, size, false);
    memory_plain(to, size, true);
    return memcpy(to, from, size);
}

void *memory_set(void *to, int byte, size_t size)
{
    memory_plain(to, size, true);
    return memset(to, byte, size);
}

void *memory_alloc(size_t size)
{
    size_t need = (size + 16 + 63) / 64 * 64;
    if (arena_used + need > ARENA) {
        model_fail("the arena of the model is too small");
    }
    unsigned char *block = arena + arena_used;
    memcpy(block + 48, &need, sizeof need); /* before the block */
    arena_used += need + 64;
    return block + 64;
}

void memory_free_but(void *block, size_t kept)
{
    size_t size;
    if (block == NULL) {
        return;
    }
    unsigned char *at = block;
    memcpy(&size, at - 16, sizeof size);
    size -= 64;
    if (kept >= size) {
        size = kept;
    }
    memory_plain(at + kept, size - kept, true);
    for (size_t i = kept; i < size; i += 16) {
        arena_dead[((size_t)(at - arena) + i) / 16] = true;
    }
}

void memory_free(void *block)
{
    memory_free_but(block, 0);
}

/* --- atomics -------------------------------------------------------------- */

static bool acquires(int order)
{
    return order == memory_order_acquire || order == memory_order_acq_rel ||
           order == memory_order_seq_cst;
}

static bool releases(int order)
{
    return order == memory_order_release || order == memory_order_acq_rel ||
           order == memory_order_seq_cst;
}

static uint64_t real_get(const void *address, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, address, size);
    return word;
}

static struct location *location_of(void *address, size_t size)
{
    for (unsigned i = 0; i < location_count; i++) {
        if (locations[i].address == address) {
            return &locations[i];
        }
    }
    if (location_count == LOCATIONS) {
        model_fail("more atomics than the model has room for");
    }
    struct location *l = &locations[location_count++];
    l->address = address;
    l->size = size;
    l->count = 1;
    l->last_sc = 0;
    l->fence_seen = 0;
    l->values[0].word = real_get(address, size);
    memset(&l->values[0].view, 0, sizeof l->values[0].view);
    return l;
}

/* Before each access: others may go on. */
static void arrive(struct site *site)
{
    if (!site->known) {
        site->known = true;
        site->next = explore_sites;
        explore_sites = site;
        site->now = site->order;
        site->now_failing = site->failing;
    }
    site->raced |= explore_running;
    explore_step();
}

static struct location *begin(struct site *site, void *address, size_t size)
{
    arrive(site);
    check_alive(address);
    struct granule *g = granule_find((uintptr_t)address / 8);
    unsigned self = explore_self();
    uint8_t bytes = (uint8_t)(((1u << size) - 1) << (uintptr_t)address % 8);
    if (g->run == run_number && (g->written_bytes & bytes) != 0 &&
        g->writer != self &&
        threads[self].now.clock[g->writer] < g->written) {
        model_fail("an atomic is used before it was made");
    }
    return location_of(address, size);
}

static unsigned index_of(const struct location *l)
{
    return (unsigned)(l - locations);
}

static void append(struct location *l, uint64_t word, int order,
                   const struct view *handed_on)
{
    unsigned self = explore_self();
    struct thread_memory *me = &threads[self];
    if (l->count == VALUES) {
        model_fail("an atomic changes more often than the model has room for");
    }
    uint16_t index = (uint16_t)l->count++;
    me->now.seen[index_of(l)] = index;
    struct value *v = &l->values[index];
    v->word = word;
    v->view = releases(order) ? me->now : me->released;
    v->view.seen[index_of(l)] = index;
    if (handed_on != NULL) {
        view_join(&v->view, handed_on);
    }
    if (releases(order)) {
        me->now.clock[self]++;
    }
    if (order == memory_order_seq_cst) {
        l->last_sc = index;
    }
    if (word != l->values[index - 1].word) {
        explore_wrote();
    }
    memcpy(l->address, &word, l->size);
}

static void take(struct location *l, unsigned index, int order)
{
    struct thread_memory *me = &threads[explore_self()];
    me->now.seen[index_of(l)] = (uint16_t)index;
    view_join(acquires(order) ? &me->now : &me->taken, &l->values[index].view);
}

static unsigned oldest(const struct location *l, int order)
{
    unsigned low = threads[explore_self()].now.seen[index_of(l)];
    if (order == memory_order_seq_cst) {
        low = l->last_sc > low ? l->last_sc : low;
        low = l->fence_seen > low ? l->fence_seen : low;
    }
    return low;
}

uint64_t memory_load(struct site *site, void *address, size_t size)
{
    struct location *l = begin(site, address, size);
    unsigned newest = l->count - 1;
    unsigned age = explore_choose_stale(newest - oldest(l, site->now) + 1);
    take(l, newest - age, site->now);
    explore_trace(site, "reads", l->values[newest - age].word, age);
    return l->values[newest - age].word;
}

void memory_store(struct site *site, void *address, size_t size,
                  uint64_t value)
{
    struct location *l = begin(site, address, size);
    append(l, value, site->now, NULL);
    explore_trace(site, "writes", value, 0);
}

static uint64_t rmw_result(enum rmw_op op, uint64_t old, uint64_t operand)
{
    switch (op) {
    case RMW_PUT:
        return operand;
    case RMW_ADD:
        return old + operand;
    case RMW_SUB:
        return old - operand;
    case RMW_OR:
        return old | operand;
    case RMW_AND:
        return old & operand;
    }
    return 0;
}

static void rmw(struct location *l, int order, uint64_t word)
{
    const struct value *newest = &l->values[l->count - 1];
    take(l, l->count - 1, order);
    struct view handed_on = newest->view;
    append(l, word, order, &handed_on);
}

uint64_t memory_rmw(struct site *site, void *address, size_t size,
                    enum rmw_op op, uint64_t operand)
{
    struct location *l = begin(site, address, size);
    uint64_t old = l->values[l->count - 1].word;
    uint64_t word = rmw_result(op, old, operand);
    if (size < 8) {
        word &= (UINT64_C(1) << (size * 8)) - 1;
    }
    rmw(l, site->now, word);
    explore_trace(site, "changes to", word, 0);
    return old;
}

bool memory_cas(struct site *site, void *address, size_t size,
                uint64_t *expected, uint64_t value, bool weak)
{
    struct location *l = begin(site, address, size);
    unsigned newest = l->count - 1;
    if (l->values[newest].word == *expected &&
        (!weak || explore_choose_stale(2) == 0)) {
        rmw(l, site->now, value);
        explore_trace(site, "moves to", value, 0);
        return true;
    }
    unsigned age = 0;
    if (l->values[newest].word != *expected) {
        age = explore_choose_stale(newest - oldest(l, site->now_failing) + 1);
        if (l->values[newest - age].word == *expected) {
            age = 0; /* an older equal value is no reason to fail */
        }
    }
    take(l, newest - age, site->now_failing);
    *expected = l->values[newest - age].word;
    explore_trace(site, "fails, reads", *expected, age);
    return false;
}

void memory_fence(struct site *site)
{
    struct thread_memory *me = &threads[explore_self()];
    arrive(site);
    if (acquires(site->now)) {
        view_join(&me->now, &me->taken);
    }
    for (unsigned i = 0;
         site->now == memory_order_seq_cst && i < location_count; i++) {
        struct location *l = &locations[i];
        uint16_t seen = me->now.seen[i];
        seen = l->last_sc > seen ? l->last_sc : seen;
        seen = l->fence_seen > seen ? l->fence_seen : seen;
        me->now.seen[i] = seen;
        l->fence_seen = seen;
    }
    if (releases(site->now)) {
        me->released = me->now;
        me->now.clock[explore_self()]++;
    }
    explore_trace(site, "fence", 0, 0);
}

void memory_init(void *address, size_t size, uint64_t value)
{
    memory_plain(address, size, true);
    memcpy(address, &value, size);
    append(location_of(address, size), value, memory_order_relaxed, NULL);
}
