/* SPDX-License-Identifier: MIT */
/*
 * slab.c -- spans cut into slabs, slabs into objects, free objects in chains.
 *
 *     kernel --mmap--> span --cut--> slab (64 KiB, of one class)
 *                                        |carve
 *                                        v
 *     depot: batches, loose  <--exchange-->  cache: free, spare
 *
 * A cache keeps between none and two batches of each class.  It exchanges whole
 * batches with the depot, so a worker that allocates what another one frees
 * pays for the lock once in BATCH objects, and one that allocates and frees
 * around a boundary does not pay each time.
 *
 * A free object holds two links, behind the kept bytes in a HANDLE class:
 *
 *     struct links { next in this chain; next batch, in the first of a batch }
 *
 * Under ASan a free object is poisoned, all but its kept bytes.
 *
 * Owner: a cache belongs to one thread, the depot to any under its lock.
 */
#include "src/slab.h"

#include "src/seam.h"
#include "src/tools.h"

#include <stdlib.h>
#include <sys/mman.h>

#if TOOL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

#define SLAB_SIZE ((size_t)64 << 10)
#define SPAN_SLABS 16
/* One slab's worth is lost to alignment. */
#define SPAN_SIZE ((SPAN_SLABS + 1) * SLAB_SIZE)
#define FREED_BYTE 0xfe

#ifdef AMBIT_CHECKED
#define BATCH 4
#else
#define BATCH 64
#endif

struct links {
    struct slab_object *next;
    struct slab_object *next_batch;
};

/* At the start of each slab, where its first object would be. */
struct slab_header {
    enum slab_class class_;
};

struct chain {
    struct slab_object *first;
    unsigned len;
};

struct span {
    struct span *next; /* depot.spans */
    char *map;
};

struct slab_depot {
    pthread_mutex_t lock; /* guards everything below */
    struct {
        struct slab_object *batches; /* full ones */
        struct chain loose;          /* at most a batch */
        char *carve;                 /* the rest of the newest slab */
        char *carve_end;
    } classes[SLAB_CLASSES];
    struct span *spans;
    char *slab; /* the rest of the newest span */
    char *slab_end;
    int64_t live;
};

static const size_t sizes[SLAB_CLASSES] = {
    [SLAB_HANDLE_128] = 128,   [SLAB_HANDLE_256] = 256, [SLAB_HANDLE_512] = 512,
    [SLAB_HANDLE_1024] = 1024, [SLAB_64] = 64,          [SLAB_128] = 128,
    [SLAB_256] = 256,          [SLAB_512] = 512,        [SLAB_1024] = 1024,
};

static struct chain depot_take(struct slab_depot *depot, enum slab_class c);
static void depot_give(struct slab_depot *depot, enum slab_class c,
                       struct slab_object *batch);
static void depot_give_one(struct slab_depot *depot, enum slab_class c,
                           struct slab_object *object);

static size_t links_offset(enum slab_class c)
{
    return c <= SLAB_HANDLE_1024 ? SLAB_KEPT_SIZE : 0;
}

static inline struct links *links_of(enum slab_class c,
                                     struct slab_object *object)
{
    return (struct links *)(void *)((char *)object + links_offset(c));
}

TOOL_READS_POISON static struct slab_object *next_of(enum slab_class c,
                                                     struct slab_object *object)
{
    return links_of(c, object)->next;
}

TOOL_READS_POISON static void set_next(enum slab_class c,
                                       struct slab_object *object,
                                       struct slab_object *next)
{
    links_of(c, object)->next = next;
}

TOOL_READS_POISON static struct slab_object *
next_batch_of(enum slab_class c, struct slab_object *batch)
{
    return links_of(c, batch)->next_batch;
}

TOOL_READS_POISON static void set_next_batch(enum slab_class c,
                                             struct slab_object *batch,
                                             struct slab_object *next)
{
    links_of(c, batch)->next_batch = next;
}

/* From here on nobody may use the object, but a stale handle its kept bytes. */
static void object_close(enum slab_class c, struct slab_object *object)
{
#if TOOL_ASAN
    char *start = (char *)object + links_offset(c);
    REQUIRE(!__asan_address_is_poisoned(start), "an object is freed twice");
    __asan_poison_memory_region(start, sizes[c] - links_offset(c));
#elif defined(AMBIT_CHECKED)
    char *start = (char *)object + links_offset(c);
    memset(start, FREED_BYTE, sizes[c] - links_offset(c));
#else
    (void)c;
    (void)object;
#endif
}

static void object_open(enum slab_class c, struct slab_object *object)
{
#if TOOL_ASAN
    __asan_unpoison_memory_region(object, sizes[c]);
#else
    (void)c;
    (void)object;
#endif
}

struct slab_depot *slab_depot_create(void)
{
    struct slab_depot *depot = calloc(1, sizeof *depot);
    if (depot != NULL) {
        pthread_mutex_init(&depot->lock, NULL);
    }
    return depot;
}

void slab_depot_destroy(struct slab_depot *depot)
{
    if (depot == NULL) {
        return;
    }
    while (depot->spans != NULL) {
        struct span *span = depot->spans;
        depot->spans = span->next;
#if TOOL_ASAN
        __lsan_unregister_root_region(span->map, SPAN_SIZE);
        __asan_unpoison_memory_region(span->map, SPAN_SIZE);
#endif
        munmap(span->map, SPAN_SIZE);
        free(span);
    }
    pthread_mutex_destroy(&depot->lock);
    free(depot);
}

void slab_cache_init(struct slab_cache *cache, struct slab_depot *depot)
{
    ASSERT(depot != NULL);
    *cache = (struct slab_cache){.depot = depot};
}

void slab_cache_fini(struct slab_cache *cache)
{
    if (cache == NULL || cache->depot == NULL) {
        return;
    }
    struct slab_depot *depot = cache->depot;
    pthread_mutex_lock(&depot->lock);
    for (unsigned c = 0; c < SLAB_CLASSES; c++) {
        if (cache->spare[c] != NULL) {
            depot_give(depot, c, cache->spare[c]);
        }
        struct slab_object *object = cache->free[c];
        while (object != NULL) {
            struct slab_object *next = next_of(c, object);
            depot_give_one(depot, c, object);
            object = next;
        }
    }
    depot->live += cache->live;
    pthread_mutex_unlock(&depot->lock);
    *cache = (struct slab_cache){0};
}

static NOINLINE bool cache_refill(struct slab_cache *cache, enum slab_class c)
{
    struct chain chain = {cache->spare[c], BATCH};
    cache->spare[c] = NULL;
    if (chain.first == NULL) {
        pthread_mutex_lock(&cache->depot->lock);
        chain = depot_take(cache->depot, c);
        pthread_mutex_unlock(&cache->depot->lock);
    }
    cache->free[c] = chain.first;
    cache->count[c] = chain.len;
    return chain.first != NULL;
}

static NOINLINE void cache_spill(struct slab_cache *cache, enum slab_class c)
{
    ASSERT(cache->count[c] == BATCH);
    if (cache->spare[c] != NULL) {
        pthread_mutex_lock(&cache->depot->lock);
        depot_give(cache->depot, c, cache->spare[c]);
        pthread_mutex_unlock(&cache->depot->lock);
    }
    cache->spare[c] = cache->free[c];
    cache->free[c] = NULL;
    cache->count[c] = 0;
}

static NOINLINE void *alloc_uncached(struct slab_depot *depot,
                                     enum slab_class c)
{
    pthread_mutex_lock(&depot->lock);
    struct chain *loose = &depot->classes[c].loose;
    if (loose->first == NULL) {
        *loose = depot_take(depot, c);
    }
    struct slab_object *object = loose->first;
    if (object != NULL) {
        loose->first = next_of(c, object);
        loose->len--;
        depot->live++;
        object_open(c, object);
    }
    pthread_mutex_unlock(&depot->lock);
    return object;
}

void *slab_alloc(struct slab_depot *depot, struct slab_cache *cache,
                 enum slab_class class_)
{
    ASSERT((unsigned)class_ < SLAB_CLASSES);
    if (seam_refuses()) {
        return NULL;
    }
    if (UNLIKELY(cache == NULL)) {
        return alloc_uncached(depot, class_);
    }
    if (UNLIKELY(cache->free[class_] == NULL) && !cache_refill(cache, class_)) {
        return NULL;
    }
    struct slab_object *object = cache->free[class_];
    struct slab_object *next = next_of(class_, object);
    cache->free[class_] = next;
    /* Another core may have freed it: have it here before it is wanted. */
    __builtin_prefetch(next, 1);
    cache->count[class_]--;
    cache->live++;
    object_open(class_, object);
    return object;
}

#ifdef AMBIT_CHECKED
static enum slab_class class_of(const void *object)
{
    uintptr_t slab = (uintptr_t)object / SLAB_SIZE * SLAB_SIZE;
    return ((const struct slab_header *)slab)->class_;
}
#endif

void slab_free(struct slab_depot *depot, struct slab_cache *cache,
               enum slab_class class_, void *object)
{
    ASSERT(object != NULL);
    CHECK(class_of(object) == class_);
    RULE(RT_FLAT_1);
    object_close(class_, object);
    if (UNLIKELY(cache == NULL)) {
        pthread_mutex_lock(&depot->lock);
        depot_give_one(depot, class_, object);
        depot->live--;
        pthread_mutex_unlock(&depot->lock);
        return;
    }
    if (UNLIKELY(cache->count[class_] == BATCH)) {
        cache_spill(cache, class_);
    }
    set_next(class_, object, cache->free[class_]);
    cache->free[class_] = object;
    cache->count[class_]++;
    cache->live--;
}

size_t slab_class_size(enum slab_class class_)
{
    ASSERT((unsigned)class_ < SLAB_CLASSES);
    return sizes[class_];
}

enum slab_class slab_class_for(size_t size)
{
    enum slab_class c = SLAB_64;
    while (c < SLAB_CLASSES && sizes[c] < size) {
        c++;
    }
    return c;
}

int64_t slab_depot_live(struct slab_depot *depot)
{
    pthread_mutex_lock(&depot->lock);
    int64_t live = depot->live;
    pthread_mutex_unlock(&depot->lock);
    return live;
}

static bool span_add(struct slab_depot *depot)
{
    struct span *span = malloc(sizeof *span);
    if (span == NULL) {
        return false;
    }
    span->map = mmap(NULL, SPAN_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (span->map == MAP_FAILED) {
        free(span);
        return false;
    }
#if TOOL_ASAN
    /* What only our objects point to is no leak. */
    __lsan_register_root_region(span->map, SPAN_SIZE);
#endif
    span->next = depot->spans;
    depot->spans = span;
    uintptr_t low = (uintptr_t)span->map;
    size_t skip = (SLAB_SIZE - low % SLAB_SIZE) % SLAB_SIZE;
    depot->slab = span->map + skip;
    depot->slab_end = depot->slab + SPAN_SLABS * SLAB_SIZE;
    return true;
}

static bool slab_add(struct slab_depot *depot, enum slab_class c)
{
    if (depot->slab == depot->slab_end && !span_add(depot)) {
        return false;
    }
    char *slab = depot->slab;
    depot->slab += SLAB_SIZE;
    ((struct slab_header *)(void *)slab)->class_ = c;
    depot->classes[c].carve = slab + sizes[c];
    depot->classes[c].carve_end = slab + SLAB_SIZE;
    return true;
}

/* A chain of fresh objects.  The kernel has zeroed them. */
static struct chain carve(struct slab_depot *depot, enum slab_class c)
{
    struct chain chain = {NULL, 0};
    char **from = &depot->classes[c].carve;
    if (*from == depot->classes[c].carve_end && !slab_add(depot, c)) {
        return chain;
    }
    size_t left = (size_t)(depot->classes[c].carve_end - *from) / sizes[c];
    chain.len = left < BATCH ? (unsigned)left : BATCH;
    /* Linked backwards, so that they are used in the order of addresses. */
    for (unsigned i = chain.len; i-- > 0;) {
        char *at = *from + i * sizes[c];
        struct slab_object *object = (struct slab_object *)(void *)at;
        object_close(c, object);
        set_next(c, object, chain.first);
        chain.first = object;
    }
    *from += chain.len * sizes[c];
    return chain;
}

/* Up to a batch, by what is at hand.  Called with the lock held. */
static struct chain depot_take(struct slab_depot *depot, enum slab_class c)
{
    struct chain chain = {depot->classes[c].batches, BATCH};
    if (chain.first != NULL) {
        depot->classes[c].batches = next_batch_of(c, chain.first);
        return chain;
    }
    chain = depot->classes[c].loose;
    if (chain.first != NULL) {
        depot->classes[c].loose = (struct chain){NULL, 0};
        return chain;
    }
    return carve(depot, c);
}

/* Called with the lock held. */
static void depot_give(struct slab_depot *depot, enum slab_class c,
                       struct slab_object *batch)
{
    set_next_batch(c, batch, depot->classes[c].batches);
    depot->classes[c].batches = batch;
}

/* Called with the lock held. */
static void depot_give_one(struct slab_depot *depot, enum slab_class c,
                           struct slab_object *object)
{
    struct chain *loose = &depot->classes[c].loose;
    if (loose->len == BATCH) {
        depot_give(depot, c, loose->first);
        *loose = (struct chain){NULL, 0};
    }
    set_next(c, object, loose->first);
    loose->first = object;
    loose->len++;
}
