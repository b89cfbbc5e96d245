/* SPDX-License-Identifier: MIT */
/*
 * sentinel.h -- a server that never answers, so that a call to it is a watch.
 *
 * It stands among the shards under their supervisor.  When the supervisor
 * gives up it ends all of its children, this one too, and whoever waits for
 * its answer learns so at once: a caller is always told.
 */
#ifndef KVD_SENTINEL_H
#define KVD_SENTINEL_H

#include <ambit.h>

extern const struct ambit_server_type *const sentinel_server;

/* Returns when the sentinel has ended: -EOWNERDEAD or -EPIPE; or -ECANCELED. */
int sentinel_wait(ambit_cx *cx, ambit_actor_ref sentinel);

#endif
