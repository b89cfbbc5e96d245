/* SPDX-License-Identifier: MIT */
/*
 * slab.h -- fixed-size memory, reused hot, and never turned into another shape.
 */
#ifndef AMBIT_SRC_SLAB_H
#define AMBIT_SRC_SLAB_H

#include "src/base.h"

#include <pthread.h>

/* The first eight bytes of a HANDLE object are a generation word that the slab
 * never touches after zeroing it once, so a stale handle may always look. */
enum slab_class {
    SLAB_HANDLE_128,
    SLAB_HANDLE_256,
    SLAB_HANDLE_512,
    SLAB_64,
    SLAB_128,
    SLAB_256,
    SLAB_512,
    SLAB_1024,
    SLAB_CLASSES,
};

struct slab_object;

struct slab_depot;              /* one per runtime; any thread */

struct slab_cache {             /* one per worker; its thread only */
    struct slab_depot *depot;
    struct slab_object *free[SLAB_CLASSES];
    unsigned count[SLAB_CLASSES];
    int64_t live;               /* allocated minus freed here; may be negative */
};

struct slab_depot *slab_depot_create(void);
void slab_depot_destroy(struct slab_depot *depot);  /* frees everything */
void slab_cache_init(struct slab_cache *cache, struct slab_depot *depot);
void slab_cache_fini(struct slab_cache *cache);     /* gives all to the depot */

/* cache may be NULL (a thread that is no worker): then the depot is used under
 * its lock.  NULL when memory is short. */
void *slab_alloc(struct slab_depot *depot, struct slab_cache *cache,
                 enum slab_class class_);
void slab_free(struct slab_depot *depot, struct slab_cache *cache,
               enum slab_class class_, void *object);
size_t slab_class_size(enum slab_class class_);
/* The smallest plain class that holds size, or SLAB_CLASSES when none does. */
enum slab_class slab_class_for(size_t size);
/* Allocated and not yet freed: exact once all caches have been given back. */
int64_t slab_depot_live(struct slab_depot *depot);

#endif
