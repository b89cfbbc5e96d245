/* SPDX-License-Identifier: MIT */
/*
 * slab_test.c -- each object to one owner, each slab to one class, and the
 * kept bytes to its users for ever.
 */
#include "tests/harness/test.h"

#include "src/slab.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SLAB ((size_t)64 << 10)
#define OBJECTS 2000

static bool is_handle(enum slab_class c)
{
    return c <= SLAB_HANDLE_1024;
}

/* All of an object that is ours to write. */
static void stamp(enum slab_class c, void *object, unsigned char byte)
{
    size_t skip = is_handle(c) ? SLAB_KEPT_SIZE : 0;
    memset((char *)object + skip, byte, slab_class_size(c) - skip);
}

static bool is_stamped(enum slab_class c, const void *object,
                       unsigned char byte)
{
    const unsigned char *bytes = object;
    for (size_t i = is_handle(c) ? SLAB_KEPT_SIZE : 0; i < slab_class_size(c);
         i++) {
        if (bytes[i] != byte) {
            return false;
        }
    }
    return true;
}

/* Goal: the smallest class that holds a size.  Method: at, below and above each
 * border. */
Test(slab, class_for_is_the_smallest_that_fits)
{
    cr_assert_eq(slab_class_for(0), SLAB_64);
    for (enum slab_class c = SLAB_64; c < SLAB_CLASSES; c++) {
        size_t size = slab_class_size(c);
        cr_assert_eq(slab_class_for(size), c);
        cr_assert_eq(slab_class_for(size - 1), c);
        cr_assert_eq(slab_class_for(size + 1), c + 1);
    }
    cr_assert_eq(slab_class_for(SIZE_MAX), SLAB_CLASSES);
}

/* To the size; where that is no power of two, the largest that divides it. */
static size_t alignment_of(enum slab_class c)
{
    size_t size = slab_class_size(c);
    return size & -size;
}

/* Goal: no object twice, none across another, all aligned to their size.
 * Method: random allocation and release in all classes, through a cache and
 * without; every object is stamped while it is held. */
Test(slab, never_gives_an_object_twice)
{
    static struct {
        void *object;
        enum slab_class c;
        unsigned char byte;
    } held[OBJECTS];
    struct slab_depot *depot = slab_depot_create();
    struct slab_cache cache;
    slab_cache_init(&cache, depot);
    unsigned random = 5;
    for (long i = 0; i < test_rounds(300000); i++) {
        random = random * 1103515245u + 12345;
        size_t at = (random >> 8) % OBJECTS;
        struct slab_cache *by = random >> 28 == 0 ? NULL : &cache;
        if (held[at].object != NULL) {
            cr_assert(is_stamped(held[at].c, held[at].object, held[at].byte));
            slab_free(depot, by, held[at].c, held[at].object);
            held[at].object = NULL;
            continue;
        }
        held[at].c = (random >> 20) % SLAB_CLASSES;
        held[at].byte = (unsigned char)i;
        held[at].object = slab_alloc(depot, by, held[at].c);
        cr_assert_not_null(held[at].object);
        uintptr_t address = (uintptr_t)held[at].object;
        cr_assert_eq(address % alignment_of(held[at].c), 0);
        stamp(held[at].c, held[at].object, held[at].byte);
    }
    for (size_t i = 0; i < OBJECTS; i++) {
        if (held[i].object != NULL) {
            slab_free(depot, &cache, held[i].c, held[i].object);
        }
    }
    slab_cache_fini(&cache);
    cr_assert_eq(slab_depot_live(depot), 0);
    slab_depot_destroy(depot);
    test_no_leaks();
}

/* Goal: memory of one class never turns up in another.  Method: note the class
 * of each 64 KiB of addresses; allocate and free in waves of other classes. */
Test(slab, memory_stays_of_its_class)
{
    enum { SLABS = 1024 };
    static struct {
        uintptr_t slab;
        enum slab_class c;
    } seen[SLABS];
    static void *objects[OBJECTS];
    size_t count = 0;
    struct slab_depot *depot = slab_depot_create();
    struct slab_cache cache;
    slab_cache_init(&cache, depot);
    for (unsigned wave = 0; wave < 3 * SLAB_CLASSES; wave++) {
        enum slab_class c = wave % SLAB_CLASSES;
        for (size_t i = 0; i < OBJECTS; i++) {
            objects[i] = slab_alloc(depot, &cache, c);
            uintptr_t slab = (uintptr_t)objects[i] / SLAB;
            size_t at = 0;
            while (at < count && seen[at].slab != slab) {
                at++;
            }
            if (at == count) {
                cr_assert(count < SLABS);
                seen[count].slab = slab;
                seen[count++].c = c;
            }
            cr_assert_eq(seen[at].c, c);
        }
        for (size_t i = 0; i < OBJECTS; i++) {
            slab_free(depot, &cache, c, objects[i]);
        }
    }
    slab_cache_fini(&cache);
    slab_depot_destroy(depot);
}

/* Goal: the kept bytes of a HANDLE object are 0 at first, then what its users
 * made them, and may be read while it is free.  Method: one step for each
 * life; compare at every alloc and after every free. */
Test(slab, generations_survive_free)
{
    enum { LIVES = 50, MANY = 300, LAST = SLAB_KEPT_SIZE / 8 - 1 };
    static uint64_t *words[SLAB_64][MANY];
    struct slab_depot *depot = slab_depot_create();
    struct slab_cache cache;
    slab_cache_init(&cache, depot);
    uint64_t lives = 0;
    for (unsigned round = 0; round < LIVES; round++) {
        for (enum slab_class c = 0; c < SLAB_64; c++) {
            for (size_t i = 0; i < MANY; i++) {
                uint64_t *word = slab_alloc(depot, &cache, c);
                cr_assert_eq(word[0] % 2, 0); /* even: free */
                cr_assert(word[0] <= 2 * round);
                cr_assert_eq(word[LAST], word[0]);
                stamp(c, word, 0xff);
                word[0] += 1;
                words[c][i] = word;
            }
            for (size_t i = 0; i < MANY; i++) {
                uint64_t *word = words[c][(i * 7) % MANY];
                uint64_t generation = word[0] + 1;
                word[0] = generation;
                word[LAST] = generation;
                slab_free(depot, i % 3 ? &cache : NULL, c, word);
                cr_assert_eq(((volatile uint64_t *)word)[0], generation);
                cr_assert_eq(((volatile uint64_t *)word)[LAST], generation);
                lives++;
            }
        }
        if (round % 10 == 9) {
            slab_cache_fini(&cache);
            slab_cache_init(&cache, depot);
        }
    }
    /* Every life left its mark, and none was lost. */
    uint64_t marks = 0;
    uint64_t *word;
    while ((word = slab_alloc(depot, NULL, SLAB_TASK_192)) && *word != 0) {
        marks += *word / 2;
    }
    cr_assert_eq(marks, lives / SLAB_64);
    slab_cache_fini(&cache);
    slab_depot_destroy(depot);
}

/* A hand-over between two threads: one slot, under a lock. */
struct lane {
    pthread_mutex_t lock; /* guards object */
    pthread_cond_t changed;
    void *object;
    struct slab_depot *depot;
    long rounds;
};

static void *free_elsewhere(void *arg)
{
    struct lane *lane = arg;
    struct slab_cache cache;
    slab_cache_init(&cache, lane->depot);
    for (long i = 0; i < lane->rounds; i++) {
        pthread_mutex_lock(&lane->lock);
        while (lane->object == NULL) {
            pthread_cond_wait(&lane->changed, &lane->lock);
        }
        void *object = lane->object;
        lane->object = NULL;
        pthread_cond_signal(&lane->changed);
        pthread_mutex_unlock(&lane->lock);
        ASSERT(is_stamped(SLAB_256, object, (unsigned char)i));
        slab_free(lane->depot, &cache, SLAB_256, object);
    }
    slab_cache_fini(&cache);
    return NULL;
}

static size_t resident_objects(void **objects, size_t count)
{
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < i && objects[j] != objects[i]) {
            j++;
        }
        distinct += j == i;
    }
    return distinct;
}

/* Goal: objects freed on another thread come back, and the count is exact.
 * Method: one thread only allocates, one only frees; few addresses suffice. */
Test(slab, may_be_freed_on_another_thread)
{
    static void *objects[10000];
    struct lane lane = {.lock = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER,
                        .depot = slab_depot_create(),
                        .rounds = ARRAY_LEN(objects)};
    struct slab_cache cache;
    pthread_t other;
    slab_cache_init(&cache, lane.depot);
    pthread_create(&other, NULL, free_elsewhere, &lane);
    for (long i = 0; i < lane.rounds; i++) {
        void *object = slab_alloc(lane.depot, &cache, SLAB_256);
        objects[i] = object;
        stamp(SLAB_256, object, (unsigned char)i);
        pthread_mutex_lock(&lane.lock);
        while (lane.object != NULL) {
            pthread_cond_wait(&lane.changed, &lane.lock);
        }
        lane.object = object;
        pthread_cond_signal(&lane.changed);
        pthread_mutex_unlock(&lane.lock);
    }
    pthread_join(other, NULL);
    cr_assert_eq(slab_depot_live(lane.depot), cache.free[SLAB_256].len);
    slab_cache_fini(&cache);
    cr_assert_eq(slab_depot_live(lane.depot), 0);
    cr_assert(resident_objects(objects, ARRAY_LEN(objects)) < 1000);
    slab_depot_destroy(lane.depot);
}

static void *churn(void *arg)
{
    struct slab_depot *depot = arg;
    struct slab_cache cache;
    void *held[100] = {NULL};
    unsigned random = (unsigned)(uintptr_t)&cache;
    slab_cache_init(&cache, depot);
    for (long i = 0; i < test_rounds(100000); i++) {
        random = random * 1103515245u + 12345;
        size_t at = (random >> 16) % ARRAY_LEN(held);
        enum slab_class c = at % SLAB_CLASSES;
        struct slab_cache *by = i % 5 == 0 ? NULL : &cache;
        if (held[at] != NULL) {
            ASSERT(is_stamped(c, held[at], (unsigned char)at));
            slab_free(depot, by, c, held[at]);
            held[at] = NULL;
        } else {
            held[at] = slab_alloc(depot, by, c);
            ASSERT(held[at] != NULL);
            stamp(c, held[at], (unsigned char)at);
        }
    }
    for (size_t at = 0; at < ARRAY_LEN(held); at++) {
        if (held[at] != NULL) {
            slab_free(depot, NULL, at % SLAB_CLASSES, held[at]);
        }
    }
    slab_cache_fini(&cache);
    return NULL;
}

/* Goal: many threads share a depot.  Method: four of them churn in all classes,
 * with their caches and without. */
Test(slab, is_shared_by_threads)
{
    pthread_t threads[4];
    struct slab_depot *depot = slab_depot_create();
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_create(&threads[i], NULL, churn, depot);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    cr_assert_eq(slab_depot_live(depot), 0);
    slab_depot_destroy(depot);
    test_no_leaks();
}

/* Goal: none of a crowd's objects lies on another.  Method: 20 MiB of them, over
 * many spans; each is filled to its end with its number, and read when all are
 * there. */
Test(slab, a_crowd_has_its_objects_apart)
{
    enum { CROWD = 40000, WORDS = 512 / 8 };
    struct slab_depot *depot = slab_depot_create();
    uint64_t **crowd = malloc(CROWD * sizeof *crowd);
    for (uint64_t i = 0; i < CROWD; i++) {
        crowd[i] = slab_alloc(depot, NULL, SLAB_512);
        cr_assert_not_null(crowd[i]);
        cr_assert_eq((uintptr_t)crowd[i] % 512, 0);
        for (unsigned w = 0; w < WORDS; w++) {
            crowd[i][w] = i;
        }
    }
    for (uint64_t i = 0; i < CROWD; i++) {
        for (unsigned w = 0; w < WORDS; w++) {
            cr_assert_eq(crowd[i][w], i);
        }
        slab_free(depot, NULL, SLAB_512, crowd[i]);
    }
    cr_assert_eq(slab_depot_live(depot), 0);
    slab_depot_destroy(depot);
    free(crowd);
    test_no_leaks();
}

/* Goal: destroy gives all memory back, what is still allocated included, and
 * NULL is nothing.  Method: leave objects behind; ask the kernel whether the
 * pages of one are mapped. */
Test(slab, destroy_frees_everything)
{
    struct slab_depot *depot = slab_depot_create();
    void *object = NULL;
    for (int i = 0; i < 5000; i++) {
        object = slab_alloc(depot, NULL, SLAB_1024);
        cr_assert_not_null(object);
    }
    cr_assert_eq(slab_depot_live(depot), 5000);
    void *slab = (void *)((uintptr_t)object / SLAB * SLAB);
    unsigned char there[SLAB / 4096];
    cr_assert_eq(mincore(slab, SLAB, there), 0);
    slab_depot_destroy(depot);
    cr_assert_eq(mincore(slab, SLAB, there), -1);
    cr_assert_eq(errno, ENOMEM);
    slab_depot_destroy(NULL);
    slab_cache_fini(NULL);
    slab_cache_fini(&(struct slab_cache){0});
    test_no_leaks();
}

#ifdef AMBIT_CHECKED
/* Goal: a checked build stops a free into the wrong class.  Method: do it. */
Test(slab, refuses_an_object_of_another_class, .signal = SIGABRT)
{
    struct slab_depot *depot = slab_depot_create();
    void *object = slab_alloc(depot, NULL, SLAB_128);
    slab_free(depot, NULL, SLAB_HANDLE_128, object);
}
#endif

#ifdef TEST_UNDER_ASAN
/* Goal: under ASan a double free is found.  Method: do it. */
Test(slab, finds_a_double_free, .signal = SIGABRT)
{
    struct slab_depot *depot = slab_depot_create();
    void *object = slab_alloc(depot, NULL, SLAB_HANDLE_128);
    slab_free(depot, NULL, SLAB_HANDLE_128, object);
    slab_free(depot, NULL, SLAB_HANDLE_128, object);
}
#endif
