/* SPDX-License-Identifier: MIT */
/*
 * slab.c -- spans cut into slabs, slabs into objects, free objects in arrays.
 *
 *     kernel --mmap--> span --cut--> slab (64 KiB, of one class)
 *                                        |carve
 *                                        v
 *     depot: magazines, loose  <--exchange-->  cache: a stack of pointers
 *
 * A cache keeps up to two batches of each class.  It exchanges whole batches
 * with the depot, so a worker that allocates what another one frees pays for
 * the lock once in BATCH objects, and one that allocates and frees around a
 * boundary does not pay each time.
 *
 * What is free is named in arrays, not in chains through the objects: an object
 * that another core used last is then fetched some allocations before it is
 * wanted, and freeing touches few of them.  (Magazines: Bonwick and Adams, USENIX
 * 2001.)
 *
 * The array of a full magazine lies in its own objects, in the first few of them:
 * it takes no memory, and giving back needs none.
 *
 *     object 0   | next magazine | object 1 | object 2 | ...
 *     object 1   | object W      | ...                            W words each
 *
 * Under ASan a free object is poisoned, all but its kept bytes.
 *
 * Owner: a cache belongs to one thread, the depot to any under its lock.
 */
#include "src/slab.h"

#include "src/lock.h"
#include "src/seam.h"
#include "src/tools.h"

#include <stdlib.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#if TOOL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

#define SLAB_SIZE ((size_t)64 << 10)
#define SPAN_SLABS 16
/* One slab's worth is lost to alignment. */
#define SPAN_SIZE ((SPAN_SLABS + 1) * SLAB_SIZE)
#define FREED_BYTE 0xfe

#define BATCH SLAB_BATCH

/* At the start of each slab, where its first object would be. */
struct slab_header {
    enum slab_class class_;
};

struct span {
    struct span *next; /* depot.spans */
    char *map;
};

struct slab_depot {
    pthread_mutex_t lock; /* guards everything below */
    struct {
        void *full; /* the first object of the newest full magazine */
        unsigned loose_len;
        void *loose[BATCH];
        char *carve; /* the rest of the newest slab */
        char *carve_end;
    } classes[SLAB_CLASSES];
    struct span *spans;
    char *slab; /* the rest of the newest span */
    char *slab_end;
    int64_t live; /* given out, to caches too */
};

static const size_t sizes[SLAB_CLASSES] = {
    [SLAB_TASK_120] = 120,   [SLAB_TASK_128] = 128,
    [SLAB_TASK_192] = 192,   [SLAB_TASK_320] = 320,
    [SLAB_HANDLE_128] = 128, [SLAB_HANDLE_384] = 384, [SLAB_HANDLE_512] = 512,
    [SLAB_HANDLE_1024] = 1024,
    [SLAB_64] = 64,          [SLAB_128] = 128,        [SLAB_256] = 256,
    [SLAB_512] = 512,        [SLAB_1024] = 1024,
};

static unsigned depot_take(struct slab_depot *depot, enum slab_class c,
                           void **objects);
static void depot_give(struct slab_depot *depot, enum slab_class c,
                       void *const *objects);
static void depot_give_one(struct slab_depot *depot, enum slab_class c,
                           void *object);

static inline size_t kept_size(enum slab_class c)
{
    return c <= SLAB_HANDLE_1024 ? SLAB_KEPT_SIZE : 0;
}

/* Words of a free object that are the depot's, and how many they are. */
static inline void **room_open(enum slab_class c, void *object)
{
    void *room = (char *)object + kept_size(c);
#if TOOL_ASAN
    __asan_unpoison_memory_region(room, sizes[c] - kept_size(c));
#endif
    return room;
}

static inline void room_close(enum slab_class c, void *object)
{
#if TOOL_ASAN
    __asan_poison_memory_region((char *)object + kept_size(c),
                                sizes[c] - kept_size(c));
#else
    (void)c;
    (void)object;
#endif
}

/* So many of the words from i on that make up a magazine. */
static inline size_t room_bytes(enum slab_class c, unsigned i)
{
    size_t room = sizes[c] - kept_size(c);
    size_t left = (BATCH - i) * sizeof(void *);
    return room < left ? room : left;
}

/* From here on nobody may use the object, but a stale handle its kept bytes. */
static void object_close(enum slab_class c, void *object)
{
#if TOOL_ASAN
    REQUIRE(!__asan_address_is_poisoned((char *)object + kept_size(c)),
            "an object is freed twice");
    room_close(c, object);
#elif defined(AMBIT_CHECKED)
    char *start = (char *)object + kept_size(c);
    memset(start, FREED_BYTE, sizes[c] - kept_size(c));
#else
    (void)c;
    (void)object;
#endif
}

static void object_open(enum slab_class c, void *object)
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
        lock_init(&depot->lock);
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
        struct slab_stack *stack = &cache->free[c];
        depot->live -= stack->len;
        while (stack->len > 0) {
            depot_give_one(depot, c, stack->objects[--stack->len]);
        }
    }
    pthread_mutex_unlock(&depot->lock);
    *cache = (struct slab_cache){0};
}

static NOINLINE bool cache_refill(struct slab_cache *cache, enum slab_class c)
{
    struct slab_stack *stack = &cache->free[c];
    pthread_mutex_lock(&cache->depot->lock);
    stack->len = depot_take(cache->depot, c, stack->objects);
    cache->depot->live += stack->len;
    pthread_mutex_unlock(&cache->depot->lock);
    for (unsigned i = 0; i < SLAB_AHEAD && i < stack->len; i++) {
        __builtin_prefetch(stack->objects[stack->len - 1 - i], 1);
    }
    return stack->len > 0;
}

/* The older half goes, the hotter one stays. */
static NOINLINE void cache_spill(struct slab_cache *cache, enum slab_class c)
{
    struct slab_stack *stack = &cache->free[c];
    ASSERT(stack->len == 2 * BATCH);
    pthread_mutex_lock(&cache->depot->lock);
    depot_give(cache->depot, c, stack->objects);
    cache->depot->live -= BATCH;
    pthread_mutex_unlock(&cache->depot->lock);
    memcpy(stack->objects, stack->objects + BATCH, BATCH * sizeof(void *));
    stack->len = BATCH;
}

static NOINLINE void *alloc_uncached(struct slab_depot *depot,
                                     enum slab_class c)
{
    void *object = NULL;
    pthread_mutex_lock(&depot->lock);
    unsigned *len = &depot->classes[c].loose_len;
    if (*len == 0) {
        *len = depot_take(depot, c, depot->classes[c].loose);
    }
    if (*len > 0) {
        object = depot->classes[c].loose[--*len];
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
    struct slab_stack *stack = &cache->free[class_];
    if (UNLIKELY(stack->len == 0) && !cache_refill(cache, class_)) {
        return NULL;
    }
    void *later;
    void *object = slab_pop(cache, class_, &later);
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
    if (UNLIKELY(cache->free[class_].len == 2 * BATCH)) {
        cache_spill(cache, class_);
    }
    slab_push(cache, class_, object);
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
    if (depot->spans->next != NULL) {
        /* A crowd: all pages in one call.  A hint, so it may fail. */
        madvise(slab, SLAB_SIZE, MADV_POPULATE_WRITE);
    }
    ((struct slab_header *)(void *)slab)->class_ = c;
    depot->classes[c].carve = slab + sizes[c];
    depot->classes[c].carve_end = slab + SLAB_SIZE / sizes[c] * sizes[c];
    return true;
}

/* Fresh objects, up to a batch.  The kernel has zeroed them. */
static unsigned carve(struct slab_depot *depot, enum slab_class c,
                      void **objects)
{
    char **from = &depot->classes[c].carve;
    if (*from == depot->classes[c].carve_end && !slab_add(depot, c)) {
        return 0;
    }
    size_t left = (size_t)(depot->classes[c].carve_end - *from) / sizes[c];
    unsigned len = left < BATCH ? (unsigned)left : BATCH;
    /* The last is used first: in the order of addresses. */
    for (unsigned i = 0; i < len; i++) {
        objects[i] = *from + (len - 1 - i) * sizes[c];
        object_close(c, objects[i]);
    }
    *from += len * sizes[c];
    return len;
}

/* In line for the least room there is in most classes. */
static inline void copy_words(void **to, void *const *from, size_t bytes)
{
    if (LIKELY(bytes == 64)) {
        memcpy(to, from, 64);
    } else {
        memcpy(to, from, bytes);
    }
}

/* The objects of a full magazine, of which the first is known; returns the first
 * of the next magazine.  A room has two words or more, so each object is known by
 * the time its own is read. */
static void *magazine_read(enum slab_class c, void **objects)
{
    void *first = objects[0];
    size_t bytes;
    for (unsigned i = 0, n = 0; i < BATCH; i += bytes / sizeof(void *), n++) {
        void *object = objects[n];
        bytes = room_bytes(c, i);
        copy_words(&objects[i], room_open(c, object), bytes);
        room_close(c, object);
    }
    void *next = objects[0];
    objects[0] = first;
    return next;
}

static void magazine_write(enum slab_class c, void *const *objects, void *next)
{
    size_t bytes;
    for (unsigned i = 0, n = 0; i < BATCH; i += bytes / sizeof(void *), n++) {
        void **room = room_open(c, objects[n]);
        bytes = room_bytes(c, i);
        copy_words(room, &objects[i], bytes);
        if (n == 0) {
            room[0] = next; /* the first one's place is known */
        }
        room_close(c, objects[n]);
    }
}

/* Up to a batch, by what is at hand; how many.  Called with the lock held. */
static unsigned depot_take(struct slab_depot *depot, enum slab_class c,
                           void **objects)
{
    if (depot->classes[c].full != NULL) {
        objects[0] = depot->classes[c].full;
        depot->classes[c].full = magazine_read(c, objects);
        return BATCH;
    }
    unsigned len = depot->classes[c].loose_len;
    if (len > 0) {
        depot->classes[c].loose_len = 0;
        memcpy(objects, depot->classes[c].loose, len * sizeof *objects);
        return len;
    }
    return carve(depot, c, objects);
}

/* A batch.  Called with the lock held. */
static void depot_give(struct slab_depot *depot, enum slab_class c,
                       void *const *objects)
{
    magazine_write(c, objects, depot->classes[c].full);
    depot->classes[c].full = objects[0];
}

/* Called with the lock held. */
static void depot_give_one(struct slab_depot *depot, enum slab_class c,
                           void *object)
{
    unsigned *len = &depot->classes[c].loose_len;
    if (*len == BATCH) {
        depot_give(depot, c, depot->classes[c].loose);
        *len = 0;
    }
    depot->classes[c].loose[(*len)++] = object;
}
