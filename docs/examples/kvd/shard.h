/* SPDX-License-Identifier: MIT */
/*
 * shard.h -- a gen-server that owns one part of the keys and their log.
 *
 *   SHARD-1  A write is answered when the kernel has its record (everysec), or
 *            the disk (always); so is a read that came after it.
 *   SHARD-2  When its record cannot be written the write has no effect: not in
 *            the store, not in the log, not after a restart.
 *   SHARD-3  After a crash the store is what the log says.
 *
 * Calls are executed as they come, and answered together: handle_idle writes
 * their records in one go, syncs once, and sends the replies (group commit).
 *
 *      call -> execute -> pending -> (mailbox empty, or 64 of them)
 *                                          -> write -> sync -> reply
 */
#ifndef KVD_SHARD_H
#define KVD_SHARD_H

#include <ambit.h>

#include <stdatomic.h>

#include "folder.h"
#include "options.h"
#include "work.h"

/* What the others may know of a shard; outlives its incarnations. */
struct shard_public {
    /* any thread: ORDER(shard-public) */
    _Atomic uint64_t keys;
    _Atomic uint64_t expiring;
    _Atomic uint64_t bytes;
    _Atomic uint64_t queued_bytes; /* of the works that are with the shard */
    _Atomic bool is_looping;       /* DEBUG CRASH-LOOP: each start panics */
};

struct shard_config {
    uint32_t index;
    const struct options *options;
    const struct folder *folder;
    struct shard_public *public;
};

enum shard_op {
    SHARD_RUN,        /* work */
    SHARD_SYNC,       /* all that was written is on disk */
    SHARD_TICK,       /* a cast: what time brings about */
    SHARD_SLEEP,      /* DEBUG: handles nothing for arg ms */
    SHARD_CRASH,      /* DEBUG: panics, holding the replies of the batch */
    SHARD_CRASH_LOOP, /* DEBUG: and does so at each start */
};

extern const struct ambit_server_type *const shard_server;

/*
 * Has the work done and waits for it.  0: *work is back with its replies, or
 * with work->error; requests that were not reached, because the replies are
 * many bytes already, need another run.  -EAGAIN (the shard is overloaded) and
 * -ENOMEM: *work is as it was.  -EOWNERDEAD (the shard crashed), -EPIPE and
 * -ESTALE (it is gone) and -ECANCELED: *work is NULL.
 */
int shard_run(ambit_cx *cx, ambit_actor_ref shard, struct shard_public *public,
              struct work **work);

/* The other calls.  0 or the error of ambit_call(). */
int shard_order(ambit_cx *cx, ambit_actor_ref shard, enum shard_op op,
                int64_t arg);

/* Does not suspend; a full mailbox needs no tick. */
void shard_tick(ambit_actor_ref shard);

uint64_t shard_public_read(_Atomic uint64_t *field);

/* Unix time in ms. */
int64_t wall_clock_ms(void);

#endif
