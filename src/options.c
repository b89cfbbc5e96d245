/* SPDX-License-Identifier: MIT */
/*
 * options.c -- defaults, and bounds with a sentence for each.
 *
 *   RT-CONFIG-1  An option out of its bounds is refused with a line that names
 *                it, before anything is started.
 *   WRK-IDLE-3   No spin on the only cpu.
 */
#include "src/runtime.h"

static int refuse(const struct ambit_runtime_options *options,
                  const char *name, const char *bounds)
{
    struct runtime log = {.options = *options};
    RULE(RT_CONFIG_1);
    log_line(&log, AMBIT_LOG_ERROR, "option .%s must be %s", name, bounds);
    return -EINVAL;
}

/* On the only cpu whoever is waited for could not come meanwhile. */
static int64_t spin_ns(void)
{
    if (cpus_allowed() != 1) {
        return 50000;
    }
    RULE(WRK_IDLE_3);
    return -1;
}

static void fill(struct ambit_runtime_options *o)
{
    const struct ambit_runtime_options d = {
        .workers = o->workers ? o->workers : cpus_usable(),
        .stack_size = 64 << 10,
        .stacks_max = 1000000,
        .ops_max = 65536,
        .ring_entries = 256,
        .blocking_threads_max = 16,
        .blocking_queue_max = 65536,
        .blocking_idle = {5000000000},
        .spin = {spin_ns()},
        .idle_sleep = {1000000},
        .steal_probes = UINT32_MAX,
        .steal_batch = UINT32_MAX,
        .steal_budget = UINT32_MAX,
        .thread_name = "ambit",
    };
    o->workers = d.workers;
    o->stack_size = o->stack_size ? o->stack_size : d.stack_size;
    o->stacks_max = o->stacks_max ? o->stacks_max : d.stacks_max;
    o->ops_max = o->ops_max ? o->ops_max : d.ops_max;
    o->ring_entries = o->ring_entries ? o->ring_entries : d.ring_entries;
    o->blocking_threads_max = o->blocking_threads_max
                                  ? o->blocking_threads_max
                                  : d.blocking_threads_max;
    o->blocking_queue_max =
        o->blocking_queue_max ? o->blocking_queue_max : d.blocking_queue_max;
    o->blocking_idle = o->blocking_idle.ns ? o->blocking_idle : d.blocking_idle;
    o->spin = o->spin.ns ? o->spin : d.spin;
    o->idle_sleep = o->idle_sleep.ns ? o->idle_sleep : d.idle_sleep;
    o->steal_probes = o->steal_probes ? o->steal_probes : d.steal_probes;
    o->steal_batch = o->steal_batch ? o->steal_batch : d.steal_batch;
    o->steal_budget = o->steal_budget ? o->steal_budget : d.steal_budget;
    o->thread_name = o->thread_name ? o->thread_name : d.thread_name;
#ifdef AMBIT_LAB
    /* There, time stands still while anybody runs. */
    o->spin.ns = -1;
    o->idle = AMBIT_IDLE_ADAPTIVE;
#endif
}

/* How workers wait and steal, and what they are called. */
static int check_ways(const struct ambit_runtime_options *o)
{
    if ((unsigned)o->idle > AMBIT_IDLE_SPIN) {
        return refuse(o, "idle", "one of enum ambit_idle");
    }
    if ((unsigned)o->driver > AMBIT_DRIVER_EPOLL) {
        return refuse(o, "driver", "one of enum ambit_driver");
    }
    if (o->idle_sleep.ns < 0) {
        return refuse(o, "idle_sleep", "not negative");
    }
    if (o->steal_backoff.ns < 0 || o->steal_backoff.ns > 1000000000) {
        return refuse(o, "steal_backoff", "0 to 1 s");
    }
    if (strnlen(o->thread_name, 9) > 8) {
        return refuse(o, "thread_name", "at most 8 bytes long");
    }
    return 0;
}

static int check(const struct ambit_runtime_options *o)
{
    if (o->workers > WORKERS_MAX) {
        return refuse(o, "workers", "1 to 64");
    }
    if ((o->stack_size & (o->stack_size - 1)) != 0 ||
        o->stack_size < 16 << 10 || o->stack_size > 64 << 20) {
        return refuse(o, "stack_size", "a power of two, 16 KiB to 64 MiB");
    }
    if (o->ring_entries < 8 || o->ring_entries > 32768) {
        return refuse(o, "ring_entries", "8 to 32768");
    }
    if (o->blocking_threads_max > 4096) {
        return refuse(o, "blocking_threads_max", "1 to 4096");
    }
    if (o->blocking_idle.ns < 0) {
        return refuse(o, "blocking_idle", "not negative");
    }
    return check_ways(o);
}

int options_fill(struct ambit_runtime_options *ret_options,
                 const struct ambit_runtime_options *given)
{
    memset(ret_options, 0, sizeof *ret_options);
    if (given != NULL) {
        /* A caller built against an older header knows fewer options. */
        size_t known = given->size_ < sizeof *given ? given->size_
                                                    : sizeof *given;
        memcpy(ret_options, given, known);
    }
    ret_options->size_ = sizeof *ret_options;
    fill(ret_options);
    return check(ret_options);
}
