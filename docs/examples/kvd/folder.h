/* SPDX-License-Identifier: MIT */
/*
 * folder.h -- the folder of the data: one process at a time.
 *
 *     kvd.lock        held with flock(2) as long as the process lives
 *     shard-N.log     the log of a shard, see record.h
 *     shard-N.new     a log being rewritten; without meaning until renamed
 *
 * Opened before the runtime starts and closed after it ended: these calls
 * block, and belong to no task.
 */
#ifndef KVD_FOLDER_H
#define KVD_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

enum { FOLDER_PATH_MAX = 400 };

struct folder {
    char path[FOLDER_PATH_MAX];
    uint64_t placement; /* the seed that spreads keys over the shards */
    bool is_temporary;
    int lock;
};

/*
 * Makes the folder when it is not there (its parent must be) and locks it.
 * NULL dir: a temporary folder, removed again by folder_close().  0, or
 * -errno with a sentence in ret_why.
 */
int folder_open(struct folder *folder, const char *dir, char ret_why[600]);
void folder_close(struct folder *folder);

/* "FOLDER/shard-3.log"; room >= FOLDER_PATH_MAX + 32. */
void folder_log_path(const struct folder *folder, uint32_t shard,
                     const char *suffix, char *ret_path, int room);

#endif
