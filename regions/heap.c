/* SPDX-License-Identifier: MIT */
/*
 * heap.c -- memory that goes with its region.
 *
 *   chunk:  [header | block | block | ... | rest]     at most 64 KiB
 *
 * A block is cut off the rest of the newest chunk, or taken from the list of
 * its class when one was given back.  Classes are 16 bytes apart up to 128, then
 * four to each doubling, so at most a fifth of a block is unused.
 *
 *   HEAP-CLOSE-1  All memory of a region is gone when it has closed.
 *   HEAP-ALIGN-1  Memory is aligned, and of the size asked for.
 *   HEAP-LIMIT-1  What is too large or above a ceiling is refused.
 *   HEAP-FREE-1   What is given back is used again.
 *
 * Under ASan all that is not allocated is poisoned, with a gap behind each
 * block.  Any thread, under the region's lock; malloc() is called without it.
 */
#include "regions/heap.h"

#include "regions/budget.h"

#include "src/tools.h"

#include <stdlib.h>

#if TOOL_ASAN
#include <sanitizer/asan_interface.h>
#define GAP 16
#else
#define GAP 0
#endif

#define ALIGN 16
#define CHUNK_MAX ((size_t)64 << 10)
#define FREED_BYTE 0xfe
#ifdef AMBIT_CHECKED
#define CHUNK_MIN ((size_t)256)
#else
#define CHUNK_MIN ((size_t)2048)
#endif

struct heap_chunk {
    struct heap_chunk *next;
    char room[] __attribute__((aligned(ALIGN)));
};

struct heap_block {
    struct heap_block *next; /* heap.free */
};

struct large {
    struct list_node node; /* heap.large */
    size_t size;
    char room[] __attribute__((aligned(ALIGN)));
};

/* --- sizes ---------------------------------------------------------------- */

/* The last bit of size - 1, from 7 on: four classes to each doubling. */
static unsigned doubling(size_t size)
{
    return 63 - (unsigned)__builtin_clzll(size - 1);
}

static size_t round_up(size_t size, size_t to)
{
    return (size + to - 1) & ~(to - 1);
}

static size_t rounded(size_t size)
{
    if (size <= 128 || size > HEAP_BLOCK_MAX) {
        return round_up(size + (size == 0), ALIGN);
    }
    return round_up(size, (size_t)1 << (doubling(size) - 2));
}

/* Of a rounded size. */
static unsigned class_of(size_t size)
{
    if (size <= 128) {
        return (unsigned)(size / ALIGN) - 1;
    }
    unsigned top = doubling(size);
    return 8 + (top - 7) * 4 + (unsigned)((size - 1) >> (top - 2)) - 4;
}

/* --- what the tools are told ---------------------------------------------- */

static void block_open(void *memory, size_t size)
{
#if TOOL_ASAN
    __asan_unpoison_memory_region(memory, size);
#else
    (void)memory, (void)size;
#endif
}

static void block_close(void *memory, size_t size)
{
#if TOOL_ASAN
    REQUIRE(!__asan_address_is_poisoned(memory), "memory is freed twice");
    __asan_poison_memory_region(memory, size);
#elif defined(AMBIT_CHECKED)
    memset(memory, FREED_BYTE, size);
#else
    (void)memory, (void)size;
#endif
}

TOOL_READS_POISON static struct heap_block *block_next(struct heap_block *block)
{
    return block->next;
}

TOOL_READS_POISON static void block_link(struct heap_block *block,
                                         struct heap_block *next)
{
    block->next = next;
}

/* --- the heap ------------------------------------------------------------- */

static struct heap *heap_look(struct region *region)
{
    spin_lock(&region->owner.lock);
    struct heap *heap = region->heap;
    spin_unlock(&region->owner.lock);
    return heap;
}

struct heap *heap_of(struct region *region)
{
    struct heap *heap = heap_look(region);
    if (heap != NULL) {
        return heap;
    }
    struct heap *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    made->chunk_size = CHUNK_MIN;
    list_init(&made->large);
    spin_lock(&region->owner.lock);
    if (region->heap == NULL) {
        region->heap = made;
        made = NULL;
    }
    heap = region->heap;
    spin_unlock(&region->owner.lock);
    free(made); /* another task was faster */
    return heap;
}

/* Lock held.  NULL: the chunk is used up. */
static void *heap_cut(struct heap *heap, size_t size)
{
    struct heap_block *block = heap->free[class_of(size)];
    if (block != NULL) {
        RULE(HEAP_FREE_1);
        heap->free[class_of(size)] = block_next(block);
        return block;
    }
    if ((size_t)(heap->end - heap->at) < size + GAP) {
        return NULL;
    }
    RULE(HEAP_ALIGN_1);
    void *memory = heap->at;
    heap->at += size + GAP;
    return memory;
}

/* False: no memory. */
static bool heap_grow(struct region *region, struct heap *heap, size_t least)
{
    spin_lock(&region->owner.lock);
    size_t size = heap->chunk_size;
    heap->chunk_size = size < CHUNK_MAX ? size * 2 : size;
    spin_unlock(&region->owner.lock);
    size = size < least + GAP ? least + GAP : size;
    struct heap_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL) {
        return false;
    }
#if TOOL_ASAN
    __asan_poison_memory_region(chunk->room, size);
#endif
    spin_lock(&region->owner.lock);
    chunk->next = heap->chunks;
    heap->chunks = chunk;
    heap->at = chunk->room;
    heap->end = chunk->room + size;
    spin_unlock(&region->owner.lock);
    return true;
}

static void *alloc_block(struct region *region, struct heap *heap, size_t size)
{
    void *memory;
    do {
        spin_lock(&region->owner.lock);
        memory = heap_cut(heap, size);
        heap->bytes += memory != NULL ? size : 0;
        spin_unlock(&region->owner.lock);
    } while (memory == NULL && heap_grow(region, heap, size));
    return memory;
}

static void *alloc_large(struct region *region, struct heap *heap, size_t size)
{
    struct large *large = malloc(sizeof *large + size);
    if (large == NULL) {
        return NULL;
    }
    large->size = size;
    spin_lock(&region->owner.lock);
    list_push_back(&heap->large, &large->node);
    heap->bytes += size;
    spin_unlock(&region->owner.lock);
    return large->room;
}

int ambit_alloc(ambit_region *public, size_t size, void **ret_memory)
{
    struct region *region = region_of(public);
    size_t whole = rounded(size);
    if (size > AMBIT_ALLOC_MAX) {
        RULE(HEAP_LIMIT_1);
        return -E2BIG;
    }
    int rc = region_charge_bytes(region, whole);
    if (rc < 0) {
        return rc;
    }
    struct heap *heap = heap_of(region);
    void *memory = heap == NULL              ? NULL
                   : whole <= HEAP_BLOCK_MAX ? alloc_block(region, heap, whole)
                                             : alloc_large(region, heap, whole);
    if (memory == NULL) {
        region_uncharge_bytes(region, whole);
        return -ENOMEM;
    }
    TELL(HEAP_ALLOCATED, memory, region, whole);
    block_open(memory, size + (size == 0));
    *ret_memory = memory;
    return 0;
}

int ambit_alloc_zeroed(ambit_region *region, size_t size, void **ret_memory)
{
    int rc = ambit_alloc(region, size, ret_memory);
    if (rc == 0) {
        memset(*ret_memory, 0, size);
    }
    return rc;
}

static void free_large(struct region *region, void *memory, size_t size)
{
    struct large *large = CONTAINER_OF(memory, struct large, room);
    REQUIRE(large->size == size, "memory is freed with the size it has");
    spin_lock(&region->owner.lock);
    list_remove(&large->node);
    region->heap->bytes -= size;
    spin_unlock(&region->owner.lock);
    free(large);
}

void ambit_free(ambit_region *public, void *memory, size_t size)
{
    struct region *region = region_of(public);
    size_t whole = rounded(size);
    if (memory == NULL) {
        return;
    }
    TELL(HEAP_FREED, memory, NULL, 0);
    if (whole > HEAP_BLOCK_MAX) {
        free_large(region, memory, whole);
    } else {
        struct heap_block *block = memory;
        block_close(memory, whole);
        spin_lock(&region->owner.lock);
        struct heap *heap = region->heap;
        block_link(block, heap->free[class_of(whole)]);
        heap->free[class_of(whole)] = block;
        heap->bytes -= whole;
        spin_unlock(&region->owner.lock);
    }
    region_uncharge_bytes(region, whole);
}

uint64_t ambit_region_bytes(ambit_region *public)
{
    struct region *region = region_of(public);
    spin_lock(&region->owner.lock);
    uint64_t bytes = region->heap != NULL ? region->heap->bytes : 0;
    spin_unlock(&region->owner.lock);
    return bytes;
}

/* The host, alone with it. */
void heap_close(struct region *region)
{
    struct heap *heap = region->heap;
    if (LIKELY(heap == NULL)) {
        return;
    }
    refs_close(region, heap);
    RULE(HEAP_CLOSE_1);
    while (heap->chunks != NULL) {
        struct heap_chunk *chunk = heap->chunks;
        heap->chunks = chunk->next;
        free(chunk);
    }
    struct list_node *node;
    while ((node = list_pop_front(&heap->large)) != NULL) {
        free(CONTAINER_OF(node, struct large, node));
    }
    region_uncharge_bytes(region, heap->bytes);
    region->heap = NULL;
    free(heap);
}
