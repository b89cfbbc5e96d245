/* SPDX-License-Identifier: MIT */
/*
 * runtime.h -- the state object: workers, pool, memory, and their beginning
 * and end.
 */
#ifndef AMBIT_SRC_RUNTIME_H
#define AMBIT_SRC_RUNTIME_H

#include "src/blocking.h"
#include "src/driver/driver.h"
#include "src/task.h"
#include "src/worker.h"

#include <ambit/runtime.h>

struct runtime {
    /* once */
    struct ambit_runtime_options options; /* with the defaults filled in */
    const struct driver_way *way;
    struct driver_probe probe; /* of io_uring, unless epoll was asked for */
    struct slab_depot *depot;
    struct worker *workers[WORKERS_MAX];
    unsigned worker_count;

    /* a run */
    struct blocking_pool *pool;
    struct blocking_pool *files; /* of the driver, or NULL */
    unsigned inited;           /* workers */
    struct task *root;
    pthread_mutex_t lock;      /* guards what follows */
    pthread_cond_t changed;
    unsigned threads;          /* running */
    _Atomic unsigned started;  /* ORDER(meet) */
    _Atomic unsigned parted;   /* ORDER(meet) */
    int start_error;
    bool running;

    /* any thread; what is looked at with each note and each turn lies apart from
     * what changes while all are awake */
    _Alignas(CACHE_LINE) _Atomic uint64_t sleeping; /* ORDER(sleep), a bit each */
    _Atomic bool stopping;                          /* ORDER(stop) */
    _Alignas(CACHE_LINE) _Atomic uint32_t searching; /* ORDER(search) */
    _Alignas(CACHE_LINE) _Atomic uint32_t next_worker; /* for foreign threads */
    _Atomic uint32_t next_placed;                   /* ORDER(turn): place.c */
    _Atomic uint32_t unstarted;                     /* ORDER(unstarted) */
    _Atomic uint64_t late_replies;                  /* ORDER(stats) */
    _Atomic uint64_t dropped_messages;              /* ORDER(stats) */
    _Atomic uint64_t lost_items;                    /* ORDER(stats) */
    _Atomic uint64_t foreign_numbers;               /* ORDER(random) */
    struct worker_stats foreign; /* counts of threads that are no workers */
    _Atomic(struct note *) stop_note; /* of the run's root; ORDER(stop-note) */
};

static inline struct runtime *runtime_of(ambit_runtime *runtime)
{
    return (struct runtime *)(void *)runtime;
}

static inline ambit_runtime *runtime_public(struct runtime *runtime)
{
    return (ambit_runtime *)(void *)runtime;
}

/* This thread's slab cache when it is a worker of the runtime, else NULL. */
static inline struct slab_cache *runtime_cache(struct runtime *runtime)
{
    struct worker *self = worker_self;
    return self != NULL && self->runtime == runtime ? &self->slab : NULL;
}

/* Of which it is, wherever the task is.  Any thread that knows it to be there. */
static inline struct runtime *task_runtime(const struct task *task)
{
    uintptr_t home = task_home(task);
    return (home & TASK_AT_LARGE) != 0
               ? (struct runtime *)(home - TASK_AT_LARGE)
               : ((struct worker *)home)->runtime;
}

/* The home of one that is on no worker. */
static inline uintptr_t task_at_large(struct runtime *runtime)
{
    return (uintptr_t)runtime + TASK_AT_LARGE;
}

/* The quick cases are in line: two for each task and each message. */
static inline void *worker_alloc(struct worker *worker, enum slab_class class_)
{
    void *later;
    void *object = slab_alloc_quick(&worker->slab, class_, &later);
    return LIKELY(object != NULL)
               ? object
               : slab_alloc(worker->runtime->depot, &worker->slab, class_);
}

static inline void worker_free(struct worker *worker, enum slab_class class_,
                               void *object)
{
    if (UNLIKELY(!slab_free_quick(&worker->slab, class_, object))) {
        slab_free(worker->runtime->depot, &worker->slab, class_, object);
    }
}

/* The same on any thread. */
static inline void *runtime_alloc(struct runtime *runtime,
                                  enum slab_class class_)
{
    struct worker *self = worker_self;
    return self != NULL && self->runtime == runtime
               ? worker_alloc(self, class_)
               : slab_alloc(runtime->depot, NULL, class_);
}

static inline void runtime_free(struct runtime *runtime,
                                enum slab_class class_, void *object)
{
    struct worker *self = worker_self;
    if (self != NULL && self->runtime == runtime) {
        worker_free(self, class_, object);
    } else {
        slab_free(runtime->depot, NULL, class_, object);
    }
}

/* Starts the workers, runs `root` to its end, stops the workers.  The root is
 * an embedded task whose owner calls runtime_finish() when it ends. */
int runtime_execute(struct runtime *runtime, struct task *root);
/* The root has ended: the workers may go home.  Any thread. */
void runtime_finish(struct runtime *runtime);

/* Next worker for work from outside, in turn. */
struct worker *runtime_pick_worker(struct runtime *runtime);

/* place.c: the worker the options ask for, NULL: any.  0, or -EINVAL with a log
 * line that says what was wrong. */
struct ambit_spawn_options;
int place_choose(struct runtime *runtime,
                 const struct ambit_spawn_options *options,
                 struct worker **ret_worker);

/* cpus.c: as many as this process may use at once, at least 1. */
unsigned cpus_usable(void);
/* By its affinity alone; 0: the kernel does not say. */
unsigned cpus_allowed(void);
/* Keeps the thread on the n-th of them, counted round. */
void cpus_keep(unsigned n);

/* options.c: a copy with the defaults filled in.  0 or -EINVAL. */
int options_fill(struct ambit_runtime_options *ret_options,
                 const struct ambit_runtime_options *given);

/* observe/stats.c: keeps the counts of a worker that goes. */
void stats_fold(struct runtime *runtime, struct worker_stats *from);

/* log.c */
void log_line(struct runtime *runtime, enum ambit_log_level level,
              const char *format, ...) __attribute__((format(printf, 3, 4)));

/* random.c */
/* Seeds all workers of a run; they have been initialized. */
void random_begin(struct runtime *runtime);
/* 64 bits of this worker's numbers, or of those for foreign threads. */
uint64_t runtime_random(struct runtime *runtime);
/* Spreads every bit of x over all of the result; one to one. */
uint64_t random_mix(uint64_t x);

/* clock.c */
int64_t clock_now_ns(void);
/* It is now, or was: for times that are far off, by a cheaper clock. */
bool clock_has_passed(int64_t ns);
/* So long after now; a second or more later, by about a tick beyond it. */
int64_t clock_after_ns(int64_t ns);

#endif
