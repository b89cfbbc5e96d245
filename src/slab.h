/* SPDX-License-Identifier: MIT */
/*
 * slab.h -- fixed-size memory, reused hot, and never turned into another shape.
 *
 *     struct slab_depot *depot = slab_depot_create();     one per runtime
 *     slab_cache_init(&worker->slab, depot);              one per worker
 *     task = slab_alloc(depot, &worker->slab, SLAB_TASK_192);
 *     slab_free(depot, &worker->slab, SLAB_TASK_192, task);
 *     slab_cache_fini(&worker->slab);
 *     slab_depot_destroy(depot);
 *
 *   - Memory carved for a class stays of that class until the depot goes.
 *   - The first SLAB_KEPT_SIZE bytes of a TASK or HANDLE object are kept: the
 * slab never touches them after zeroing them once.  They hold a generation, so a
 * stale handle may look at any time, and finds that its generation is over.
 *   - An object may be freed on another thread than it was allocated on.
 *   - Allocation neither suspends nor takes a lock, but once in a batch.
 */
#ifndef AMBIT_SRC_SLAB_H
#define AMBIT_SRC_SLAB_H

#include "src/base.h"
#include "src/tools.h"

#include <pthread.h>

#define SLAB_KEPT_SIZE 64

/* The number is the size in bytes.  Objects are aligned to their size; where that
 * is no power of two, to the largest that divides it. */
enum slab_class {
    SLAB_TASK_120,
    SLAB_TASK_128,
    SLAB_TASK_192,
    SLAB_TASK_320,
    SLAB_HANDLE_128,
    SLAB_HANDLE_384,
    SLAB_HANDLE_512,
    SLAB_HANDLE_1024,
    SLAB_64,
    SLAB_128,
    SLAB_256,
    SLAB_512,
    SLAB_1024,
    SLAB_CLASSES,
};

#ifdef AMBIT_CHECKED
#define SLAB_BATCH 4
#else
#define SLAB_BATCH 64
#endif
#define SLAB_AHEAD 16 /* how many allocations before its own one is fetched */

struct slab_depot; /* one per runtime; any thread */

struct slab_stack {
    unsigned len;
    void *objects[2 * SLAB_BATCH]; /* the hottest last */
};

struct slab_cache { /* one per worker; its thread only */
    struct slab_depot *depot;
    struct slab_stack free[SLAB_CLASSES];
};

/* NULL when memory is short.  Any thread. */
struct slab_depot *slab_depot_create(void);

/* Frees everything, objects still allocated included.  Every cache must have
 * been given back.  NULL is allowed.  Any thread, when no other uses it. */
void slab_depot_destroy(struct slab_depot *depot);

/* An empty cache in front of a depot. */
void slab_cache_init(struct slab_cache *cache, struct slab_depot *depot);

/* Gives all that is cached to the depot.  Any thread, when no other uses the
 * cache.  NULL and zeroed memory are allowed. */
void slab_cache_fini(struct slab_cache *cache);

/* An object of the class.  Its bytes are whatever they were, but for the
 * kept ones of a HANDLE object: those are 0, or what its users last wrote.
 * cache may be NULL (a thread that is no worker): then the depot is used under
 * its lock.  NULL when memory is short. */
void *slab_alloc(struct slab_depot *depot, struct slab_cache *cache,
                 enum slab_class class_);

/* Takes back an object of the class, from slab_alloc() of the same depot; on
 * whichever thread, with its cache or NULL.  object must not be NULL. */
void slab_free(struct slab_depot *depot, struct slab_cache *cache,
               enum slab_class class_, void *object);

/* The two of above where a cache has what is wanted, and nobody looks at what is
 * free.  NULL, false: they have done nothing. */
#if TOOL_ASAN || defined(AMBIT_CHECKED) || defined(AMBIT_LAB)
#define SLAB_QUICK 0
#else
#define SLAB_QUICK 1
#endif

/* What a new object's maker writes first.  Another core may have used it last: have
 * it here before it is wanted. */
static inline void slab_fetch(const void *object, enum slab_class class_)
{
    const char *at = object;
    if (class_ <= SLAB_TASK_320) { /* a new task's second line, and its argument */
        at += CACHE_LINE;
    }
    __builtin_prefetch(at, 1);
    if (class_ == SLAB_TASK_192 || class_ == SLAB_TASK_320) {
        __builtin_prefetch(at + CACHE_LINE, 1);
    }
}

/* *ret_later: what will be allocated some allocations of this class from now,
 * or NULL; to be fetched early, never to be used. */
static inline void *slab_pop(struct slab_cache *cache, enum slab_class class_,
                             void **ret_later)
{
    struct slab_stack *stack = &cache->free[class_];
    unsigned len = --stack->len;
    void **top = &stack->objects[len];
    void *later = len >= SLAB_AHEAD ? top[-SLAB_AHEAD] : NULL;
    slab_fetch(later, class_);
    *ret_later = later;
    return *top;
}

static inline void slab_push(struct slab_cache *cache, enum slab_class class_,
                             void *object)
{
    struct slab_stack *stack = &cache->free[class_];
    stack->objects[stack->len++] = object;
}

static inline void *slab_alloc_quick(struct slab_cache *cache,
                                     enum slab_class class_, void **ret_later)
{
    return SLAB_QUICK && LIKELY(cache->free[class_].len > 0)
               ? slab_pop(cache, class_, ret_later)
               : NULL;
}

static inline bool slab_free_quick(struct slab_cache *cache,
                                   enum slab_class class_, void *object)
{
    bool quick =
        SLAB_QUICK && LIKELY(cache->free[class_].len < 2 * SLAB_BATCH);
    if (quick) {
        slab_push(cache, class_, object);
    }
    return quick;
}

size_t slab_class_size(enum slab_class class_);

/* The smallest plain class that holds size bytes, or SLAB_CLASSES when none
 * does. */
enum slab_class slab_class_for(size_t size);

/* Allocated and not yet freed: exact once all caches have been given back.  Any
 * thread. */
int64_t slab_depot_live(struct slab_depot *depot);

#endif
