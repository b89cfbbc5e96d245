/* SPDX-License-Identifier: MIT */
/*
 * plan.h -- where a request goes, and how the pieces become one reply.
 *
 *     struct plan plan;
 *     int err = plan_make(&plan, &placement, parser.argc, parser.argv, &out);
 *     switch (plan.kind) {
 *     case PLAN_DONE:   ...an error reply is in out already...
 *     case PLAN_LOCAL:  ...local_run()...
 *     case PLAN_ONE:    ...parts[0].shard gets argv as it is...
 *     case PLAN_MANY:   ...each parts[i].shard gets parts[i].argv; then
 *                       plan_merge()...
 *     }
 *     plan_fini(&plan);
 *
 * A request split over shards is not atomic: when a shard refuses its part of
 * an MSET, the other parts stay.  The merged reply is then that shard's error.
 */
#ifndef KVD_PLAN_H
#define KVD_PLAN_H

#include "command.h"

struct placement {
    uint64_t seed;
    uint32_t shards; /* >= 1 */
};

/* XXH3 of the whole key: the same for every connection and every run. */
uint32_t placement_shard(const struct placement *placement, struct slice key);

enum plan_kind { PLAN_DONE, PLAN_LOCAL, PLAN_ONE, PLAN_MANY };

struct plan_part {
    uint32_t shard;
    size_t argc;
    const struct slice *argv; /* argv[0] and this shard's keys */
    struct slice reply;       /* set by the caller before plan_merge() */
    size_t read_at;           /* private: how far its reply was merged */
};

struct plan {
    enum plan_kind kind;
    const struct command *command; /* NULL with PLAN_DONE */
    size_t parts_len;              /* 0 when nothing is sent */
    struct plan_part *parts;       /* in order of shard, each at most once */

    /* private */
    size_t keys;
    uint32_t *part_of;    /* for each key, the part it went to */
    struct plan_part one; /* so that PLAN_ONE needs no memory */
    struct memory *memory;
    void *block;
    size_t block_size;
};

/*
 * argc >= 1.  0, or -ENOMEM: the plan is then PLAN_DONE and out as it was.
 * Slices are shared with argv, which must outlive the plan; memory is taken
 * where out takes its own.  The plan must not be copied.
 */
int plan_make(struct plan *plan, const struct placement *placement, size_t argc,
              const struct slice *argv, struct bytes *out);

/* Zeroed memory is legal. */
void plan_fini(struct plan *plan);

/*
 * With PLAN_MANY, when each part has its reply: appends the one reply for the
 * client.  If a part answered an error, that error is the reply.  0, -ENOMEM
 * (out as it was) or -EPROTO (a part's reply was not what its command
 * answers, out as it was).
 */
int plan_merge(struct plan *plan, struct bytes *out);

#endif
