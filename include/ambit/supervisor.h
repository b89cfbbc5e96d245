/* SPDX-License-Identifier: MIT */
/*
 * ambit/supervisor.h -- who starts again what crashed, and when to give up.
 *
 * A supervisor is a task that owns a region with its children.  Ending it, in
 * whatever way, closes that region: orphans cannot exist.
 *
 *     struct ambit_child children[] = {
 *         { .name = "left", .server = &counter_type, .ret_ref = &left },
 *         { .name = "right", .server = &counter_type, .ret_ref = &right },
 *     };
 *     rc = ambit_supervise(cx, region, children, 2, .intensity = 5);
 *
 * When a child ends, its restart type decides:
 *
 *   PERMANENT  always started again
 *   TRANSIENT  started again unless it ended normally (0, or AMBIT_STOP)
 *   TEMPORARY  never
 *
 * Every start counts, failed ones too.  With more than `intensity` restarts
 * within `period` the supervisor gives up: it ends its children, last started
 * first, and fails with -EOWNERDEAD, which its own region sees (escalation).
 */
#ifndef AMBIT_SUPERVISOR_H
#define AMBIT_SUPERVISOR_H

#include <ambit/server.h>

AMBIT_BEGIN

enum ambit_restart {
    AMBIT_PERMANENT,
    AMBIT_TRANSIENT,
    AMBIT_TEMPORARY,
};

enum ambit_strategy {
    AMBIT_ONE_FOR_ONE, /* only the child that ended is started again */
};

/* One of server, actor and task is set. */
struct ambit_child {
    const char *name; /* static memory */
    const struct ambit_server_type *server;
    const struct ambit_actor_type *actor;
    ambit_task_fn *task;
    const void *arg; /* copied, kept for restarts */
    size_t arg_size;
    enum ambit_restart restart;
    ambit_actor_ref *ret_ref; /* of a server or actor; set by its first start */
};

struct ambit_supervisor_event {
    const char *supervisor;
    const char *child;
    int reason;         /* why the child ended */
    uint32_t restarts;  /* within the period, this one included */
    uint64_t total;     /* restarts since the supervisor started */
    bool gave_up;
};

struct ambit_supervisor_options {
    size_t size_;
    const char *name;
    enum ambit_strategy strategy;
    uint32_t intensity;    /* restarts allowed within period; 0: 3 */
    bool never_restart;    /* intensity 0 indeed */
    ambit_duration period; /* 0: 5 s */
    /* Told about each restart and about giving up; may be NULL.  Runs in the
     * supervisor's task; must not suspend. */
    void (*observe)(void *user, const struct ambit_supervisor_event *event);
    void *observe_user;
};

/*
 * Starts the children in order, each after the init of the one before, then
 * returns; the supervisor goes on as a task of the region.  0; the first
 * failing init's error, with all started ones ended again; -EINVAL; -ENOMEM;
 * -ESHUTDOWN; -EDQUOT; -ECANCELED.
 */
#define ambit_supervise(cx, region, children, count, ...) \
    ambit_supervise_(AMBIT_HERE(cx), (region), (children), (count), \
                     &(const struct ambit_supervisor_options){ \
                         .size_ = sizeof(struct ambit_supervisor_options), \
                         __VA_ARGS__})
AMBIT_API int ambit_supervise_(ambit_cx *cx, ambit_region *region,
                               const struct ambit_child *children,
                               size_t count,
                               const struct ambit_supervisor_options *options);

AMBIT_END

#endif
