/* SPDX-License-Identifier: MIT */
/*
 * ambit/poll.h -- poll tasks: a million waiting tasks in little memory.
 *
 * A poll task is a step function over a state.  It keeps no stack between two
 * steps: what it needs later is in the state.  A step either ends the task or
 * asks to be called again after a wake:
 *
 *     static int wait_for_rain(ambit_cx *cx, void *state)
 *     {
 *         struct gauge *gauge = state;
 *         if (ambit_checkpoint(cx) < 0)
 *             return -ECANCELED;
 *         if (gauge_is_dry(gauge, ambit_cx_waker(cx)))
 *             return AMBIT_PENDING;        // gauge keeps the waker, and wakes
 *         return 0;
 *     }
 *
 *   spawned --step: 0 or -errno--> ended
 *      |  ^
 *      |  +-- ambit_wake(), or a cancel of its region
 *      +--- step: AMBIT_PENDING --> idle
 *
 * A wake during a step is not lost: the step is called once more, after the
 * other ready tasks of its worker.  Two steps of one task never run at once, and
 * there are at most as many as wakes, plus the first.  Between two steps the task
 * may move to another worker.
 *
 * A step may suspend like any task; it then holds a stack while it waits.
 */
#ifndef AMBIT_POLL_H
#define AMBIT_POLL_H

#include <ambit/task.h>

AMBIT_BEGIN

enum ambit_poll {
    AMBIT_READY = 0,
    AMBIT_PENDING = 1,
};

/* AMBIT_PENDING, or the result the task ends with: 0 or a negative errno. */
typedef int ambit_step_fn(ambit_cx *cx, void *state);

/* Who is to be called again.  A value; copy it freely, to any thread. */
typedef struct ambit_waker {
    void *slot;
    uint64_t generation;
} ambit_waker;

/*
 * Starts a poll task in the region with its own copy of *state (any size up to
 * 4 KiB).  Does not suspend.  0, or the refusals of ambit_spawn(), after which
 * nothing happened.  A task cancelled before its first step never runs.
 * The opener of the region or one of its tasks.
 */
#define ambit_spawn_poll(region, step, ...) \
    ambit_spawn_poll_((region), (step), (__VA_ARGS__), \
                      sizeof(*(__VA_ARGS__)) * AMBIT_SENDS_((__VA_ARGS__)), \
                      NULL)
#define ambit_spawn_poll_with(region, step, state, ...) \
    ambit_spawn_poll_((region), (step), (state), \
                      sizeof(*(state)) * AMBIT_SENDS_(state), \
                      &(const struct ambit_spawn_options){ \
                          .size_ = sizeof(struct ambit_spawn_options), \
                          __VA_ARGS__})
/* Of the options, name and dispose count; ret_task, a placement and a tier other
 * than SEND are -EINVAL. */
AMBIT_API int ambit_spawn_poll_(ambit_region *region, ambit_step_fn *step,
                                const void *state, size_t state_size,
                                const struct ambit_spawn_options *options);

/* Of the running poll task; good until it has ended. */
AMBIT_API ambit_waker ambit_cx_waker(ambit_cx *cx);

/* Has the task step again.  0; -ESTALE when it has ended.  Any thread; does not
 * suspend. */
AMBIT_API int ambit_wake(ambit_waker waker);

AMBIT_END

#endif
