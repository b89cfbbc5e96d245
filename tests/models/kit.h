/* SPDX-License-Identifier: MIT */
/*
 * kit.h -- what the sources under test call in rooms that are not looked at.
 *
 * Each model thread is a worker.  A note that is posted, or a task that is
 * queued, rings a bell: that is how long the way through the queues is here;
 * they have programs of their own.
 */
#ifndef AMBIT_TESTS_MODELS_KIT_H
#define AMBIT_TESTS_MODELS_KIT_H

#include "src/runtime.h"
#include "src/task.h"

#include "tests/models/model.h"

static struct runtime kit_runtime;
static struct worker kit_workers[THREADS];
static struct stack kit_stacks[THREADS]; /* that of a worker's task */
static struct stack_wait kit_waits[THREADS];

#ifndef KIT_REAL_WORKER
__thread struct worker *worker_self
    __attribute__((tls_model("initial-exec")));
#endif

__attribute__((unused)) static int kit_freed; /* objects given to the slab */

/* Thread-local, so not to be seen as shared by all. */
__attribute__((no_sanitize("thread"))) static void kit_resumed(unsigned thread)
{
    worker_self = &kit_workers[thread];
}

/* With KIT_REUSE a slab gives out again what it got last. */
#ifdef KIT_REUSE
static void *kit_last;
#endif

static void kit_begin(void)
{
    kit_freed = 0;
#ifdef KIT_REUSE
    kit_last = NULL;
#endif
    for (unsigned i = 0; i < THREADS; i++) {
        kit_workers[i].runtime = &kit_runtime;
        kit_workers[i].index = i;
        kit_workers[i].current_stack = &kit_stacks[i];
        kit_stacks[i].wait = &kit_waits[i];
        kit_waits[i].stack = &kit_stacks[i];
        memset(&kit_workers[i].stats, 0, sizeof kit_workers[i].stats);
    }
}

__attribute__((unused)) static size_t kit_size(enum slab_class class_)
{
    static const size_t sizes[SLAB_CLASSES] = {
        [SLAB_TASK_120] = 120,   [SLAB_TASK_128] = 128,
        [SLAB_TASK_192] = 192,   [SLAB_TASK_320] = 320,
        [SLAB_HANDLE_128] = 128,
        [SLAB_HANDLE_384] = 384, [SLAB_HANDLE_512] = 512,
        [SLAB_HANDLE_1024] = 1024, [SLAB_64] = 64,
        [SLAB_128] = 128,        [SLAB_256] = 256,
        [SLAB_512] = 512,        [SLAB_1024] = 1024,
    };
    return sizes[class_];
}

void *slab_alloc(struct slab_depot *depot, struct slab_cache *cache,
                 enum slab_class class_)
{
    (void)depot, (void)cache;
#ifdef KIT_REUSE
    if (kit_last != NULL) {
        void *object = kit_last;
        kit_last = NULL;
        return object;
    }
#endif
    return memory_alloc(kit_size(class_));
}

/* A count of the kit's own is nobody's race. */
__attribute__((no_sanitize("thread"))) static void kit_count_freed(void)
{
    kit_freed++;
}

void slab_free(struct slab_depot *depot, struct slab_cache *cache,
               enum slab_class class_, void *object)
{
    (void)depot, (void)cache;
    kit_count_freed();
#ifdef KIT_REUSE
    kit_last = object;
    return;
#endif
    memory_free_but(object, class_ < SLAB_64 ? SLAB_KEPT_SIZE : 0);
}

enum slab_class slab_class_for(size_t size)
{
    MUST(size <= 64);
    return SLAB_64;
}

#define KIT_MAIN(scenarios) \
    int main(int argc, char **argv) \
    { \
        model_resumed = kit_resumed; \
        return model_main(argc, argv, scenarios, ARRAY_LEN(scenarios)); \
    }

#endif
