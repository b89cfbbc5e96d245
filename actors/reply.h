/* SPDX-License-Identifier: MIT */
/*
 * reply.h -- the one place an answer can go.
 *
 *   WAITED --reply_send()--> (written, caller woken) --> next generation
 *      '----- caller leaves ------------------------> next generation
 *
 * A slot outlives its call as memory; what changes is its generation, so a
 * late or second answer finds that it is nobody's and is counted.
 *
 *   SRV-CALL-1   A caller gets the reply to its own call, and to no other.
 *   SRV-CALL-4   A late reply is delivered to nobody.
 */
#ifndef AMBIT_ACTORS_REPLY_H
#define AMBIT_ACTORS_REPLY_H

#include "src/await.h"
#include "src/runtime.h"

#include <ambit/server.h>

struct reply_slot {
    _Atomic uint64_t word;       /* ORDER(reply) */
    struct runtime *runtime;     /* once */
    struct who *caller;
    void *ret;                   /* the caller's, size bytes */
    size_t size;
};

/* For a call of this task.  NULL: out of memory. */
struct reply_slot *reply_open(struct task *caller, void *ret, size_t size);
ambit_reply reply_handle(struct reply_slot *slot);
/* The caller: parks until answered.  The result of the call. */
int reply_wait(struct reply_slot *slot);

/* The same for a poll task.  Before the call is sent: the answer will end a wait
 * that is begun with this. */
void reply_await_begin(struct reply_slot *slot, struct await *await,
                       struct task *task);
bool reply_is_awaited(const struct await *await);
/* AMBIT_PENDING, or the result of the call. */
int reply_await(struct await *await, struct task *task);

/* Anybody who has the handle: 0, or -ESTALE.  `late_counts`: an answer, not
 * the clean-up of a server that ends. */
int reply_resolve(ambit_reply reply, int result, const void *value,
                  size_t size, bool late_counts);
bool reply_is_open(ambit_reply reply);

#endif
