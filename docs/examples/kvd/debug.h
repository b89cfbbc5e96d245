/* SPDX-License-Identifier: MIT */
/*
 * debug.h -- DEBUG, for those who want to see a shard suffer.
 *
 *     DEBUG SLEEP-SHARD 0 500   handles nothing for 500 ms: a slow disk
 *     DEBUG CRASH-SHARD 0       panics in the middle of this very call
 *     DEBUG CRASH-LOOP 0        and again at each restart, until kvd gives up
 *
 * Only with --debug.
 */
#ifndef KVD_DEBUG_H
#define KVD_DEBUG_H

#include "batch.h"

static inline bool debug_is_meant(struct slice name)
{
    return slice_equals_nocase(name, "debug");
}

/* Writes one reply. */
enum outcome debug_run(ambit_cx *cx, struct service *service, size_t argc,
                       const struct slice *argv, struct bytes *out);

#endif
