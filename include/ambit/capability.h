/* SPDX-License-Identifier: MIT */
/*
 * ambit/capability.h -- what code in a region may do.
 *
 * A scope can be opened without some of the capabilities of the one around it.
 * Whatever runs in it, and in all regions below, is then refused the calls that
 * need them: -EPERM, and nothing has happened.  What was taken away cannot be
 * had back further in.
 *
 *     ambit_scope (cx, plugin, &rc, .without = AMBIT_CAP_IO | AMBIT_CAP_SPAWN) {
 *         rc = plugin_run(cx, request);    // computes, and nothing else
 *     }
 *
 *   TIME      ambit_sleep, ambit_sleep_until, ambit_cx_now, ambit_set_deadline,
 *             a scope with a deadline
 *   IO        opening, reading, writing, syncing; not closing
 *   SPAWN     tasks, actors, servers and supervisors, refused by the region
 *             they are for and by the one whose task asks with its cx
 *   BLOCKING  ambit_blocking, tasks of the BLOCKING tier
 *   RANDOM    ambit_random
 *   SIGNALS   a scope with until_signal
 *
 * A call without a cx that takes a region asks that region; a region handle is
 * therefore itself a right, not to be given to code that is narrowed.  One that
 * takes neither (ambit_tcp_listen) asks the task that runs on this thread.
 */
#ifndef AMBIT_CAPABILITY_H
#define AMBIT_CAPABILITY_H

#include <ambit/time.h>

AMBIT_BEGIN

enum ambit_capability {
    AMBIT_CAP_TIME = 1 << 0,
    AMBIT_CAP_IO = 1 << 1,
    AMBIT_CAP_SPAWN = 1 << 2,
    AMBIT_CAP_BLOCKING = 1 << 3,
    AMBIT_CAP_RANDOM = 1 << 4,
    AMBIT_CAP_SIGNALS = 1 << 5,
    AMBIT_CAP_ALL = (1 << 6) - 1,
};

/* The capabilities of the innermost open scope of the running task: a set of
 * enum ambit_capability.  Does not suspend; no cancel point. */
AMBIT_API unsigned ambit_cx_caps(ambit_cx *cx);

/* The monotonic clock.  0 or -EPERM.  Does not suspend; no cancel point. */
AMBIT_API int ambit_cx_now(ambit_cx *cx, ambit_time *ret_now);

/*
 * 64 bits of the worker's generator, which runtime option .seed starts: for
 * jitter and choices, not for secrets.  0 or -EPERM.  Does not suspend; no
 * cancel point.
 */
AMBIT_API int ambit_random(ambit_cx *cx, uint64_t *ret_value);

AMBIT_END

#endif
