/* SPDX-License-Identifier: MIT */
/*
 * stack.c -- slots with a guard below, and a header in the page one runs on.
 *
 * A chunk is one mapping of equal slots.  A slot, from low to high:
 *
 *     +--------+--------------------------------+--------------+--------+
 *     | guard  |  <---------- the fiber's stack | struct stack | colour |
 *     +--------+--------------------------------+--------------+--------+
 *
 * The header lies in the page that the fiber's first frames lie in, so a stack
 * that is lent costs one warm page and not two.  The colour moves the header,
 * and all frames with it, by a few cache lines from slot to slot: else the
 * busiest lines of all stacks would compete for the same sets of the cache.
 *
 * A guard made with MADV_GUARD_INSTALL lives in the page tables, takes no
 * mapping and stays when the pages around it are dropped.  Kernels before 6.13
 * do not have it, and locked memory refuses it; mprotect() then costs two
 * mappings for each stack, of which a process has a limited number.
 *
 * Free stacks are lent last in, first out, because their pages and cache lines
 * are warm.  Only hot_max of them keep their memory.
 *
 *   Order of use: hot, then bare, then unmade.  So made never exceeds lent_max,
 *   and at most one chunk has unmade slots: the last of arena.open.
 *
 * Owner: one thread.  No atomics.
 */
#include "src/stack.h"

#include "src/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define STACK_SIZE_MIN ((size_t)16 << 10)
#define STACK_SIZE_MAX ((size_t)1 << 30)
#define GUARD_SIZE_SMALL ((size_t)4 << 10)
#define GUARD_SIZE ((size_t)16 << 10)
#define GUARD_SIZE_FROM ((size_t)64 << 10)
#define CHUNK_SIZE_MAX ((size_t)64 << 20)
#define COLOURS 16
#define COLOUR_STEP 128
#define HEADER_SIZE 128
#define TRIM_AT_ONCE 64
#define MAPS_DEFAULT 65530 /* vm.max_map_count, where /proc is missing */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef PIDFD_SELF
#define PIDFD_SELF (-10000)
#endif

#ifdef AMBIT_CHECKED
#define CHUNK_SLOTS_MAX 4
#define HOT_MAX 4
#define AHEAD 4u
#define AHEAD_FROM 2
#else
#define CHUNK_SLOTS_MAX 256
#define HOT_MAX 256
#define AHEAD 16u
#define AHEAD_FROM 64
#endif

_Static_assert(sizeof(struct stack) <= HEADER_SIZE, "the header fits");
_Static_assert(HEADER_SIZE % CACHE_LINE == 0, "the header keeps its lines");
_Static_assert(COLOURS *COLOUR_STEP <= 2048, "half a page is left for frames");

struct stack_chunk {
    struct stack_chunk *next;      /* arena.chunks */
    struct stack_chunk *next_open; /* arena.open */
    char *low;
    size_t stack_size;
    unsigned slots;
    unsigned made;    /* slots [0, made) have been lent */
    unsigned guarded; /* slots [0, guarded) have their guard; >= made */
    unsigned bare_len;
    uint16_t bare[CHUNK_SLOTS_MAX]; /* made, but without memory */
    struct stack_wait waits[CHUNK_SLOTS_MAX];
};

static struct stack *stack_make(struct stack_arena *arena,
                                void (*entry)(void *));
static struct iovec stack_leave(struct stack_arena *arena, struct stack *stack);
static void drop_memory(struct stack_arena *arena, const struct iovec *spans,
                        size_t n);
static bool guards_are_free(void);

static bool is_power_of_two(size_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

int stack_arena_init(struct stack_arena *arena, size_t stack_size,
                     size_t stacks_max)
{
    if (!is_power_of_two(stack_size) || stack_size < STACK_SIZE_MIN ||
        stack_size > STACK_SIZE_MAX || stacks_max == 0) {
        return -EINVAL;
    }
    size_t guard = stack_size < GUARD_SIZE_FROM ? GUARD_SIZE_SMALL : GUARD_SIZE;
    if (guard < page_size()) {
        guard = page_size();
    }
    if (guard > stack_size / 2) {
        return -EINVAL; /* a machine of large pages */
    }
    *arena = (struct stack_arena){
        .stack_size = stack_size,
        .guard_size = guard,
        .lent_max = stacks_max,
        .hot_max = HOT_MAX,
        .guard_by_madvise = guards_are_free(),
    };
    arena->ahead = arena->guard_by_madvise;
    stack_arena_share(arena, 1);
    return 0;
}

void stack_arena_fini(struct stack_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    ASSERT(stack_lent(arena) == 0);
    for (struct stack *s = arena->free; s != NULL; s = s->next_free) {
        fiber_fini(&s->fiber);
    }
    while (arena->chunks != NULL) {
        struct stack_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        munmap(chunk->low, chunk->slots * chunk->stack_size);
        free(chunk);
    }
    *arena = (struct stack_arena){0};
}

static size_t maps_max(void)
{
    unsigned long maps = MAPS_DEFAULT;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file != NULL) {
        if (fscanf(file, "%lu", &maps) != 1) {
            maps = MAPS_DEFAULT;
        }
        fclose(file);
    }
    return maps;
}

void stack_arena_share(struct stack_arena *arena, size_t arenas)
{
    ASSERT(arenas > 0);
    arena->arenas = arenas;
    if (arena->guard_by_madvise) {
        return;
    }
    size_t stacks = maps_max() / 100 * 45 / arenas;
    if (arena->lent_max > stacks) {
        arena->lent_max = stacks > 0 ? stacks : 1;
    }
}

/* The owner. */
static void lent_add(struct stack_arena *arena, size_t n)
{
    /* ORDER(stack-lent): relaxed.  The one writer; pairs with stack_lent(). */
    atomic_store_explicit(&arena->lent, stack_lent(arena) + n,
                          memory_order_relaxed);
}

HOT_PATH struct stack *stack_lend_free(struct stack_arena *arena)
{
    struct stack *stack = arena->free;
    if (UNLIKELY(stack == NULL || stack_lent(arena) >= arena->lent_max)) {
        return NULL;
    }
    arena->free = stack->next_free;
    if (--arena->free_len < arena->free_low) {
        arena->free_low = arena->free_len;
    }
    lent_add(arena, 1);
    return stack;
}

struct stack *stack_lend(struct stack_arena *arena, void (*entry)(void *))
{
    struct stack *stack = stack_lend_free(arena);
    if (stack == NULL && stack_lent(arena) < arena->lent_max) {
        stack = stack_make(arena, entry);
        lent_add(arena, stack != NULL);
    }
    return stack;
}

static NOINLINE void cool(struct stack_arena *arena, struct stack *stack)
{
    struct iovec span = stack_leave(arena, stack);
    drop_memory(arena, &span, 1);
}

HOT_PATH void stack_return(struct stack_arena *arena, struct stack *stack)
{
    ASSERT(stack_lent(arena) > 0);
    lent_add(arena, (size_t)-1);
    if (UNLIKELY(arena->free_len >= arena->hot_max)) {
        cool(arena, stack);
        return;
    }
    stack->task = NULL;
    stack->next_free = arena->free;
    arena->free = stack;
    arena->free_len++;
}

void stack_trim(struct stack_arena *arena, size_t hot_len, size_t most)
{
    struct stack **link = &arena->free;
    for (size_t i = 0; i < hot_len && *link != NULL; i++) {
        link = &(*link)->next_free;
    }
    struct iovec spans[TRIM_AT_ONCE];
    while (most > 0 && *link != NULL) {
        size_t n = 0;
        while (n < TRIM_AT_ONCE && n < most && *link != NULL) {
            struct stack *stack = *link;
            *link = stack->next_free;
            arena->free_len--;
            spans[n++] = stack_leave(arena, stack);
        }
        most -= n;
        arena->free_low -= n < arena->free_low ? n : arena->free_low;
        drop_memory(arena, spans, n);
    }
}

static struct stack *header_at(const struct stack_chunk *chunk, unsigned slot)
{
    char *end = chunk->low + (slot + (size_t)1) * chunk->stack_size;
    size_t colour = (size_t)(slot % COLOURS) * COLOUR_STEP;
    return (struct stack *)(void *)(end - colour - HEADER_SIZE);
}

static unsigned slot_of(const struct stack_chunk *chunk, const void *address)
{
    size_t offset = (size_t)((const char *)address - chunk->low);
    return (unsigned)(offset / chunk->stack_size);
}

struct stack *stack_find(struct stack_arena *arena, const void *address,
                         bool *ret_in_guard)
{
    uintptr_t at = (uintptr_t)address;
    *ret_in_guard = false;
    for (struct stack_chunk *c = arena->chunks; c != NULL; c = c->next) {
        uintptr_t low = (uintptr_t)c->low;
        if (at < low || at - low >= c->made * c->stack_size) {
            continue;
        }
        *ret_in_guard = (at - low) % c->stack_size < arena->guard_size;
        return header_at(c, slot_of(c, address));
    }
    return NULL;
}

/* mincore() reports the pages that are there; the lowest of them is as deep as
 * the stack ever went.  Asked for a few pages at a time, from the low end. */
size_t stack_touched(const struct stack_arena *arena, const struct stack *stack)
{
    unsigned char there[64];
    const struct stack_chunk *chunk = stack->chunk;
    char *low = chunk->low + slot_of(chunk, stack) * chunk->stack_size;
    char *end = low + chunk->stack_size;
    size_t page = page_size();
    size_t step = sizeof there * page;
    for (char *at = low + arena->guard_size; at < end; at += step) {
        size_t len = (size_t)(end - at) < step ? (size_t)(end - at) : step;
        if (mincore(at, len, there) != 0) {
            return 0;
        }
        for (size_t i = 0; i < len / page; i++) {
            if (there[i] & 1) {
                return (size_t)(end - at) - i * page;
            }
        }
    }
    return 0;
}

/* Asks the kernel with a page of its own, once. */
static bool guards_are_free(void)
{
    static _Atomic int known; /* ORDER(guards) */
#ifndef AMBIT_LAB
    /* ORDER(guards): relaxed.  Whoever asks finds the same. */
    int was = atomic_load_explicit(&known, memory_order_relaxed);
    if (was != 0) {
        return was > 0;
    }
#endif /* there no run depends on one before */
    size_t page = page_size();
    void *probe = mmap(NULL, page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED) {
        return false;
    }
    bool yes = madvise(probe, page, MADV_GUARD_INSTALL) == 0;
    munmap(probe, page);
    /* ORDER(guards): relaxed.  As above. */
    atomic_store_explicit(&known, yes ? 1 : -1, memory_order_relaxed);
    return yes;
}

static struct stack_chunk *chunk_add(struct stack_arena *arena)
{
    size_t slots = CHUNK_SIZE_MAX / arena->stack_size;
    slots = slots < 1 ? 1 : slots;
    slots = slots > CHUNK_SLOTS_MAX ? CHUNK_SLOTS_MAX : slots;
    struct stack_chunk *chunk = calloc(1, sizeof *chunk);
    if (chunk == NULL) {
        return NULL;
    }
    size_t size = slots * arena->stack_size;
    char *low = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (low == MAP_FAILED) {
        free(chunk);
        return NULL;
    }
    /* A huge page would make every slot resident at the first touch of one.
     * A kernel that has none refuses the advice and needs none. */
    madvise(low, size, MADV_NOHUGEPAGE);
    chunk->low = low;
    chunk->stack_size = arena->stack_size;
    chunk->slots = (unsigned)slots;
    chunk->next = arena->chunks;
    chunk->next_open = arena->open;
    arena->chunks = chunk;
    arena->open = chunk;
    return chunk;
}

static bool chunk_is_open(const struct stack_chunk *chunk)
{
    return chunk->bare_len > 0 || chunk->made < chunk->slots;
}

static bool guard_install(struct stack_arena *arena, char *low)
{
    if (arena->guard_by_madvise) {
        if (madvise(low, arena->guard_size, MADV_GUARD_INSTALL) == 0) {
            return true;
        }
        if (errno != EINVAL) {
            return false;
        }
        /* The process has begun to lock its memory: from here on the other
         * way, and its cap. */
        arena->guard_by_madvise = false;
        stack_arena_share(arena, arena->arenas);
    }
    return mprotect(low, arena->guard_size, PROT_NONE) == 0;
}

static size_t advise_all(const struct iovec *spans, size_t n, int advice)
{
    long done = syscall(SYS_process_madvise, PIDFD_SELF, spans, n, advice, 0);
    return done > 0 ? (size_t)done : 0;
}

/* While a crowd comes in, the guards and the first pages of the next few slots
 * are made with one system call each, at half the price of page faults.
 * Kernels before 6.15 refuse; then each stack is made by itself. */
static void make_ahead(struct stack_arena *arena, struct stack_chunk *chunk)
{
    struct iovec guards[AHEAD], tops[AHEAD];
    size_t page = page_size();
    unsigned n = chunk->slots - chunk->guarded;
    n = n < AHEAD ? n : AHEAD;
    for (unsigned i = 0; i < n; i++) {
        char *low = chunk->low + (chunk->guarded + i) * chunk->stack_size;
        guards[i] = (struct iovec){low, arena->guard_size};
        tops[i] = (struct iovec){low + chunk->stack_size - page, page};
    }
    size_t done = advise_all(guards, n, MADV_GUARD_INSTALL);
    n = (unsigned)(done / arena->guard_size);
    chunk->guarded += n;
    /* What is not filled in here is at the first touch. */
    arena->ahead = n > 0 && advise_all(tops, n, MADV_POPULATE_WRITE) > 0;
}

/* The next slot that was never used gets its guard. */
static bool guard_next(struct stack_arena *arena, struct stack_chunk *chunk)
{
    bool many = arena->made >= AHEAD_FROM && arena->guard_by_madvise;
    if (chunk->made == chunk->guarded && many && arena->ahead) {
        make_ahead(arena, chunk);
    }
    if (chunk->made == chunk->guarded) {
        char *low = chunk->low + chunk->made * chunk->stack_size;
        if (!guard_install(arena, low)) {
            return false;
        }
        chunk->guarded++;
    }
    chunk->made++;
    arena->made++;
    return true;
}

static struct stack *stack_make(struct stack_arena *arena,
                                void (*entry)(void *))
{
    struct stack_chunk *chunk = arena->open;
    if (chunk == NULL) {
        chunk = chunk_add(arena);
        if (chunk == NULL) {
            return NULL;
        }
    }
    ASSERT(chunk_is_open(chunk));
    unsigned slot = chunk->made;
    if (chunk->bare_len > 0) {
        slot = chunk->bare[--chunk->bare_len];
    } else if (!guard_next(arena, chunk)) {
        return NULL;
    }
    if (!chunk_is_open(chunk)) {
        arena->open = chunk->next_open;
    }
    struct stack *stack = header_at(chunk, slot);
    char *low = chunk->low + slot * chunk->stack_size + arena->guard_size;
    *stack = (struct stack){.chunk = chunk, .wait = &chunk->waits[slot]};
    stack->wait->stack = stack;
    fiber_init(&stack->fiber, low, (size_t)((char *)stack - low), entry, stack);
    return stack;
}

/* The books only: the memory, which is returned, is still there. */
static struct iovec stack_leave(struct stack_arena *arena, struct stack *stack)
{
    struct stack_chunk *chunk = stack->chunk;
    unsigned slot = slot_of(chunk, stack);
    ASSERT(header_at(chunk, slot) == stack);
    ASSERT(chunk->bare_len < chunk->slots);
    fiber_fini(&stack->fiber);
    if (!chunk_is_open(chunk)) {
        chunk->next_open = arena->open;
        arena->open = chunk;
    }
    chunk->bare[chunk->bare_len++] = (uint16_t)slot;
    return (struct iovec){
        chunk->low + slot * chunk->stack_size + arena->guard_size,
        chunk->stack_size - arena->guard_size,
    };
}

/* One call for all saves a message to the other cores for each; kernels that
 * refuse that are asked one by one.  Locked memory refuses; then it stays. */
static void drop_memory(struct stack_arena *arena, const struct iovec *spans,
                        size_t n)
{
    size_t done = 0;
    if (arena->ahead && n > 1) {
        done = advise_all(spans, n, MADV_DONTNEED) / spans[0].iov_len;
    }
    for (size_t i = done; i < n; i++) {
        madvise(spans[i].iov_base, spans[i].iov_len, MADV_DONTNEED);
    }
}
