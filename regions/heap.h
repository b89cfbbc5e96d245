/* SPDX-License-Identifier: MIT */
/*
 * heap.h -- the record of a region's memory.
 *
 *   nothing --first use: heap_of()--> heap --heap_close()--> nothing
 *
 * Blocks up to HEAP_BLOCK_MAX bytes are cut from chunks, and reused by class
 * of size; larger ones stand alone.
 */
#ifndef AMBIT_REGIONS_HEAP_H
#define AMBIT_REGIONS_HEAP_H

#include "regions/region.h"

#include <ambit/heap.h>

#define HEAP_CLASSES 28
#define HEAP_BLOCK_MAX 4096

struct heap_chunk;
struct heap_block;
struct ref_page;
struct ref_word;

struct heap { /* the region's lock */
    struct heap_chunk *chunks;
    char *at; /* the rest of the newest chunk */
    char *end;
    size_t chunk_size; /* of the next one */
    struct heap_block *free[HEAP_CLASSES];
    struct list_node large;
    uint64_t bytes;
    struct ref_page *pages; /* ref.c */
    unsigned page_used;     /* slots of the newest page */
    struct ref_word *spare; /* dropped slots */
};

/* The region's, made at its first use.  NULL: no memory. */
struct heap *heap_of(struct region *region);

/* ref.c -- the host, before the memory goes: every reference becomes stale, and
 * those that are pinned are waited for. */
void refs_close(struct region *region, struct heap *heap);

#endif
