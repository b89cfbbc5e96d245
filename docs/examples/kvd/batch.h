/* SPDX-License-Identifier: MIT */
/*
 * batch.h -- pipelined requests, dealt out to their shards, run side by side,
 * and answered in order.
 *
 *     while (...a whole request is there and the batch has room...) {
 *         err = batch_add(&batch, argc, argv, &session);
 *     }
 *     do {
 *         err = batch_run(cx, &batch, &out);
 *         ...send out...
 *     } while (err == BATCH_MORE);
 *
 *   BATCH-1  Replies come in the order of the requests.
 *   BATCH-2  Each shard executes its requests in the order they came.  Two
 *            shards work at the same time, as for two clients.
 *   BATCH-3  Each request of the batch is counted once: answered, refused or
 *            cancelled, see ledger.h.
 *
 * Owner: one connection.
 */
#ifndef KVD_BATCH_H
#define KVD_BATCH_H

#include "local.h"
#include "service.h"

enum {
    BATCH_REQUESTS_MAX = 256,
    BATCH_BYTES_MAX = 256 * 1024, /* a larger request travels alone */
    BATCH_MORE = 1,
};

enum outcome { OUTCOME_ANSWERED, OUTCOME_REFUSED, OUTCOME_CANCELLED, OUTCOMES };

/* What is said when a shard could not be asked; writes one error. */
enum outcome batch_reply_failure(struct bytes *out, uint32_t shard, int error,
                                 bool is_write);

struct item; /* a request of the batch */
struct leg;  /* a shard's share of it */

struct batch {
    struct service *service;
    struct item *items;
    size_t items_len;
    size_t items_cap;
    size_t items_done;  /* have their reply */
    bool is_under_way;  /* between two calls of batch_run() */
    struct leg *legs;   /* one for each shard */
    struct bytes local; /* replies that needed no shard */
    size_t bytes;
    uint64_t outcomes[OUTCOMES]; /* of the last run, by enum outcome */
};

/* 0 or -ENOMEM. */
int batch_init(struct batch *batch, struct service *service);

/* Zeroed memory is legal. */
void batch_fini(struct batch *batch);

bool batch_is_full(const struct batch *batch);

/* Copies what it needs.  argc >= 1.  0 or -ENOMEM: it is not part of the
 * batch. */
int batch_add(struct batch *batch, size_t argc, const struct slice *argv,
              struct local_session *session);

/*
 * Appends replies to out.  0: each request has one, the batch is empty.
 * BATCH_MORE: there were many bytes; call again when they have been sent.
 * -ECANCELED or -ENOMEM: the connection cannot go on, the batch is empty.
 */
int batch_run(ambit_cx *cx, struct batch *batch, struct bytes *out);

#endif
