/* SPDX-License-Identifier: MIT */
/*
 * root.c -- the region everything of a run is in.
 *
 * The root task opens the root region, runs the user's function in it and
 * closes it; when that is done, the run is over.
 *
 *   RT-RUN-1   A run returns its function's result after everything has ended.
 *   RT-STOP-2  A deadline ends the wait for it, and is the result then.
 */
#include "regions/region.h"

#include <stdio.h>

struct root {
    struct task task;
    bool closed;              /* worker: nothing left to stop */
    bool stopped;             /* worker: the note was delivered */
    struct task_owner owner;  /* of the root task: the run itself */
    struct note stop;
    struct region region;
    ambit_task_fn *fn;
    void *arg;
    int result;
};

static void root_exited(struct task_owner *owner, struct task_exit *exit)
{
    struct root *root = CONTAINER_OF(owner, struct root, owner);
    if (exit->end == TASK_RETURNED && exit->result < 0) {
        root->result = exit->result; /* it could not be given a stack */
    }
    runtime_finish(task_runtime(&root->task));
}

static void stop_deliver(struct worker *worker, struct note *note)
{
    struct root *root = CONTAINER_OF(note, struct root, stop);
    (void)worker;
    root->stopped = true;
    if (root->closed) {
        return;
    }
    region_cancel(&root->region, AMBIT_CANCEL_SHUTDOWN, "the runtime stops");
}

/* From here on ambit_runtime_stop() finds us. */
static void stop_offer(struct root *root)
{
    struct runtime *runtime = task_runtime(&root->task);
    root->stop.deliver = stop_deliver;
    /* ORDER(stop-note): release.  Pairs with the exchange in
     * ambit_runtime_stop(), which then owns the note. */
    atomic_store_explicit(&runtime->stop_note, &root->stop,
                          memory_order_release);
}

/* True when a stop took the note and its delivery is still to come. */
static bool stop_withdraw(struct root *root)
{
    /* ORDER(stop-note): acq_rel.  Pairs with the exchange there: one of the
     * two gets the note. */
    return atomic_exchange_explicit(&task_runtime(&root->task)->stop_note, NULL,
                                    memory_order_acq_rel) == NULL;
}

void ambit_runtime_stop(ambit_runtime *public)
{
    struct runtime *runtime = runtime_of(public);
    RULE(RT_STOP_1);
    /* ORDER(stop-note): acq_rel.  See stop_offer() and stop_withdraw(). */
    struct note *note = atomic_exchange_explicit(&runtime->stop_note, NULL,
                                                 memory_order_acq_rel);
    if (note != NULL) {
        struct root *root = CONTAINER_OF(note, struct root, stop);
        worker_post(task_worker(&root->task), note);
    }
}

/* Nothing is left to stop: nobody may refer to us afterwards. */
static void stop_settle(struct root *root)
{
    root->closed = true;
    bool owed = stop_withdraw(root);
    while (owed && !root->stopped) {
        ambit_yield(&root->task.cx);
    }
}

static int root_main(ambit_cx *cx, void *arg)
{
    struct root *root = CONTAINER_OF(cx, struct root, task.cx);
    (void)arg;
    struct ambit_scope_options options = {.name = "root"};
    int rc = region_open(&root->region, NULL, task_of(cx), &options);
    ASSERT(rc == 0);
    stop_offer(root);
    int body = root->fn(cx, root->arg);
    int closed = region_close(&root->region, body < 0);
    RULE(RT_RUN_1);
    root->result = body;
    if (body >= 0 && closed < 0) {
        RULE(RT_STOP_2);
        root->result = closed;
    }
    stop_settle(root);
    return 0;
}

static void root_panicked(struct task *task)
{
    stop_settle(CONTAINER_OF(task, struct root, task));
    task_exit_now(task, TASK_PANICKED, -EOWNERDEAD);
}

static const char *root_name(const struct task *task)
{
    (void)task;
    return "main";
}

static const struct task_hooks root_hooks = {
    .name = root_name,
    .panic_ends = root_panicked,
};

int ambit_runtime_run(ambit_runtime *public, ambit_task_fn *fn, void *arg)
{
    struct runtime *runtime = runtime_of(public);
    struct root root = {.fn = fn, .arg = arg, .result = -EOWNERDEAD};
    REQUIRE(!runtime->running, "a runtime has one run at a time");
    runtime->running = true;
    task_owner_init(&root.owner, root_exited);
    task_init(&root.task, runtime, &root.owner, root_main);
    root.task.hooks = &root_hooks;
    count_shared(&runtime->foreign.spawned);
    int rc = runtime_execute(runtime, &root.task);
    if (rc < 0) {
        count_shared(&runtime->foreign.cancelled); /* it never ran */
    }
    runtime->running = false;
    return rc < 0 ? rc : root.result;
}

int ambit_run_(ambit_task_fn *fn, void *arg,
               const struct ambit_runtime_options *options)
{
    ambit_runtime *runtime;
    int rc = ambit_runtime_create(&runtime, options);
    if (rc < 0) {
        return rc;
    }
    rc = ambit_runtime_run(runtime, fn, arg);
    ambit_runtime_destroy(runtime);
    return rc;
}

struct main_call {
    int (*fn)(ambit_cx *, int, char **);
    int argc;
    char **argv;
};

static int main_task(ambit_cx *cx, void *arg)
{
    struct main_call *call = arg;
    return call->fn(cx, call->argc, call->argv);
}

int ambit_run_main_(int (*main_fn)(ambit_cx *, int, char **), int argc,
                    char **argv)
{
    struct main_call call = {main_fn, argc, argv};
    RULE(RT_MAIN_1);
    int rc = ambit_run_(main_task, &call, NULL);
    if (rc < 0) {
        fprintf(stderr, "%s: %s (%s)\n", argc > 0 ? argv[0] : "ambit",
                ambit_strerror(rc), strerrorname_np(-rc));
    }
    return rc < 0 ? 1 : rc;
}
