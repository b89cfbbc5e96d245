/* SPDX-License-Identifier: MIT */
/*
 * service.h -- everything that belongs to one running kvd.
 *
 *     shards                  until all clients have been served
 *       supervisor              one gen-server per shard; restarts them
 *       ticker                  tells the shards that time passes
 *       clients               until the drain is over: its deadline
 *         a task per connection
 *         turned away           those over the ceiling are told so
 *           accepting         until SIGTERM, SIGINT, or the supervisor gives up
 *
 * Each line is a region, or a task of the region above it; leaving the
 * braces of one is what ends it.
 */
#ifndef KVD_SERVICE_H
#define KVD_SERVICE_H

#include <ambit.h>

#include "clients.h"
#include "ledger.h"
#include "plan.h"
#include "shard.h"

struct service {
    /* set before the first client; then read only */
    const struct options *options;
    const struct folder *folder;
    struct placement placement;
    ambit_actor_ref *refs;        /* of the shards */
    struct shard_public *publics; /* of the shards */
    int64_t started_ms;
    int port;

    struct ledger ledger;   /* any task */
    struct clients clients; /* any task, has a lock */

    /* the result */
    bool gave_up; /* supervisor; read after it ended */
    int64_t drained_ms;
};

/* 0 or -ENOMEM. */
int service_init(struct service *service, const struct options *options,
                 const struct folder *folder);
void service_fini(struct service *service);

/*
 * Runs it: an ambit_task_fn over a struct service.  0 when a signal ended it;
 * -EOWNERDEAD when the shards crashed too often; another error after saying
 * why it could not start.
 */
int service_run(ambit_cx *cx, void *service);

#endif
