/* SPDX-License-Identifier: MIT */
/*
 * journal.h -- the log file of one shard, through the ring.
 *
 *     err = journal_open(cx, &journal, &config, store);  replays into store
 *     command_run(...)                    appends records to journal.batch
 *     err = journal_write(cx, &journal);  the kernel has them
 *     err = journal_sync(cx, &journal);   the disk has them
 *     journal_close(cx, &journal);
 *
 *   JRN-1  The file holds whole records up to journal.size; whatever a failed
 *          write left behind that is cut off before the next write.
 *   JRN-2  A torn tail is cut off, and said; damage before a valid record is
 *          refused, and said.
 *   JRN-3  The file appears, whole and synced, under its name, or not at all.
 *
 * A journal that is rewritten (compaction) gets the live entries in a second
 * file, a step at a time, while new records go to both; then it takes the
 * name.
 *
 * Owner: the shard.
 */
#ifndef KVD_JOURNAL_H
#define KVD_JOURNAL_H

#include <ambit.h>

#include "folder.h"
#include "record.h"

struct journal_config {
    const struct folder *folder;
    uint32_t shard;
    uint32_t shards;
};

/* The second file, while there is one. */
struct rewrite {
    ambit_file *file; /* NULL: none */
    uint64_t size;
    uint64_t cursor;    /* of store_scan() */
    bool is_scanned;    /* each entry was visited */
    struct bytes batch; /* not yet in the second file */
};

struct journal {
    struct journal_config config;
    ambit_file *file;
    uint64_t size; /* JRN-1 */
    uint64_t salt;
    uint64_t size_fresh; /* when it was last rewritten; 0: never */
    bool has_tail;       /* a failed write may have left bytes behind size */
    bool is_dirty;       /* the kernel has bytes that the disk may not have */
    struct bytes batch;  /* records that the file does not hold */
    struct rewrite rewrite;
};

/* 0, or -errno after a sentence was said; nothing is open then. */
int journal_open(ambit_cx *cx, struct journal *journal,
                 const struct journal_config *config, struct store *store);

/* Zeroed memory is legal.  What was not written is dropped. */
void journal_close(ambit_cx *cx, struct journal *journal);

/*
 * Writes the batch.  0: the batch is empty; -errno, -ENOSPC among them: the
 * batch is empty too and none of it counts, the store is ahead of the file.
 */
int journal_write(ambit_cx *cx, struct journal *journal);

/* fdatasync(2).  After a failure nobody knows what is on disk. */
int journal_sync(ambit_cx *cx, struct journal *journal);

/* Brings an empty store to what the file says.  0 or -errno, said. */
int journal_replay(ambit_cx *cx, struct journal *journal, struct store *store);

/* After a failed write: cuts off what it left, then as journal_replay(). */
int journal_roll_back(ambit_cx *cx, struct journal *journal,
                      struct store *store);

/* Whether the disk takes `len` bytes now; leaves the file as it was. */
int journal_probe(ambit_cx *cx, struct journal *journal, size_t len);

/*
 * One step of rewriting: starts when the file is more than twice the live
 * data, goes on where the last step ended.  The batch must be empty.  A failure
 * ends the rewriting, is said, and changes nothing else: 0.  -errno when the
 * folder could not be synced: which file a crash leaves is then unknown.
 */
int rewrite_step(ambit_cx *cx, struct journal *journal, struct store *store);

/* Told of what was written to the journal; and of what could not be, because
 * the entries that were copied may hold it. */
void rewrite_follow(struct journal *journal, struct slice records);
void rewrite_abandon(ambit_cx *cx, struct journal *journal);

/* A new file under the temporary name, with its header and nothing else. */
int journal_new_file(ambit_cx *cx, const struct journal *journal, uint64_t salt,
                     ambit_file **ret_file);

/* Gives it the journal's name; for good once the folder was synced. */
int journal_rename(ambit_cx *cx, const struct journal *journal);
int journal_sync_folder(ambit_cx *cx, const struct journal *journal);

#endif
