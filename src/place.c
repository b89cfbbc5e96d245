/* SPDX-License-Identifier: MIT */
/*
 * place.c -- which worker a task is spawned on.
 *
 *   TASK-PLACE-1  A pinned task runs on the worker that was asked for.
 *   TASK-PLACE-2  Round robin goes through all workers, sticky by key alone.
 *   TASK-PLACE-4  A tier, a placement or a worker that is not there is refused by
 *                 name.
 *
 * Owner: any thread.
 */
#include "src/runtime.h"

#include <stdio.h>

static int refuse(struct runtime *runtime,
                  const struct ambit_spawn_options *options, const char *why)
{
    const char *name = options->name != NULL ? options->name : "task";
    RULE(TASK_PLACE_4);
    log_line(runtime, AMBIT_LOG_ERROR, "task \"%s\" cannot be placed: %s", name,
             why);
    return -EINVAL;
}

static int named_worker(struct runtime *runtime,
                        const struct ambit_spawn_options *options,
                        struct worker **ret_worker)
{
    char why[80];
    if (options->worker < runtime->worker_count) {
        RULE(TASK_PLACE_1);
        *ret_worker = runtime->workers[options->worker];
        return 0;
    }
    snprintf(why, sizeof why, "there is no worker %u, only 0 to %u",
             options->worker, runtime->worker_count - 1);
    return refuse(runtime, options, why);
}

static struct worker *next_worker(struct runtime *runtime)
{
    /* ORDER(turn): relaxed.  Each takes a number of its own; nothing else
     * hangs from it.  Pairs with itself. */
    uint32_t n = atomic_fetch_add_explicit(&runtime->next_placed, 1,
                                           memory_order_relaxed);
    return runtime->workers[n % runtime->worker_count];
}

int place_choose(struct runtime *runtime,
                 const struct ambit_spawn_options *options,
                 struct worker **ret_worker)
{
    *ret_worker = NULL;
    if ((unsigned)options->tier > AMBIT_BLOCKING) {
        return refuse(runtime, options, "the tier is none of the three");
    }
    if (options->placement == AMBIT_STEALABLE) {
        return 0;
    }
    if (options->tier != AMBIT_SEND) {
        return refuse(runtime, options, "only SEND tasks have a placement");
    }
    switch (options->placement) {
    case AMBIT_PREFERRED:
    case AMBIT_PINNED:
        return named_worker(runtime, options, ret_worker);
    case AMBIT_ROUND_ROBIN:
        RULE(TASK_PLACE_2);
        *ret_worker = next_worker(runtime);
        return 0;
    case AMBIT_STICKY:
        *ret_worker = runtime->workers[random_mix(options->key) %
                                       runtime->worker_count];
        return 0;
    default:
        return refuse(runtime, options, "the placement is none of the five");
    }
}
