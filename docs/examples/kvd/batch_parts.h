/* SPDX-License-Identifier: MIT */
/*
 * batch_parts.h -- what batch.c fills and gather.c runs.
 */
#ifndef KVD_BATCH_PARTS_H
#define KVD_BATCH_PARTS_H

#include "batch.h"

struct item {
    const struct command *command;
    uint32_t shard; /* of a request for one shard */
    bool is_local;
    struct plan plan; /* of a request for many */
    size_t reply_at;  /* of a local one, in batch.local */
    size_t reply_len;
};

struct leg {
    struct work *work;    /* NULL: none, or lost */
    struct request *next; /* the next to be gathered */
    int error;            /* of shard_run(): holds for all that follow */
    bool is_touched;
    bool is_wanted; /* has to travel before the gathering can go on */
};

void batch_clear(struct batch *batch);

#endif
