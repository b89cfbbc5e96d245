/* SPDX-License-Identifier: MIT */
/*
 * rewrite.c -- a log that says everything once.
 *
 * The live entries are copied in steps, from handle_idle, while the shard goes
 * on serving.  What is written meanwhile is added to the new file too: an
 * entry that was copied before gets its change behind it, one that was not
 * gets it before, where replaying it does no harm.
 */
#include "journal.h"

#include "say.h"

/* A smaller log is left alone.  Small in test builds, so that it happens. */
#ifdef AMBIT_CHECKED
enum { STEP_BYTES = 256, SIZE_MIN = 4096 };
#else
enum { STEP_BYTES = 256 * 1024, SIZE_MIN = 1024 * 1024 };
#endif

static bool is_due(const struct journal *journal, const struct store *store);
static int start(ambit_cx *cx, struct journal *journal);
static int copy_some(ambit_cx *cx, struct journal *journal,
                     struct store *store);
static int take_the_name(ambit_cx *cx, struct journal *journal);
static void change_over(ambit_cx *cx, struct journal *journal);

int rewrite_step(ambit_cx *cx, struct journal *journal, struct store *store)
{
    struct rewrite *rewrite = &journal->rewrite;
    if (rewrite->file == NULL && !is_due(journal, store)) {
        return 0;
    }
    int err = rewrite->file == NULL ? start(cx, journal) : 0;
    if (err == 0) {
        err = copy_some(cx, journal, store);
    }
    if (err == 0 && rewrite->is_scanned) {
        err = take_the_name(cx, journal);
        if (err == 0) {
            change_over(cx, journal);
            return journal_sync_folder(cx, journal);
        }
    }
    if (err < 0) {
        if (err != -ECANCELED) {
            say("the log of shard %u stays as long as it is: %s",
                journal->config.shard, ambit_strerror(err));
        }
        /* Not at the next step again: when it has doubled once more. */
        journal->size_fresh = journal->size;
        rewrite_abandon(cx, journal);
    }
    return 0;
}

void rewrite_follow(struct journal *journal, struct slice records)
{
    struct rewrite *rewrite = &journal->rewrite;
    if (rewrite->file != NULL) {
        bytes_append(&rewrite->batch, records.ptr, records.len);
    }
}

void rewrite_abandon(ambit_cx *cx, struct journal *journal)
{
    struct rewrite *rewrite = &journal->rewrite;
    bytes_fini(&rewrite->batch);
    if (rewrite->file != NULL) {
        ambit_file_close(cx, rewrite->file);
    }
    *rewrite = (struct rewrite){0};
}

static bool is_due(const struct journal *journal, const struct store *store)
{
    return journal->size > SIZE_MIN &&
           journal->size > 2 * (uint64_t)store_bytes(store) &&
           journal->size > 2 * journal->size_fresh;
}

static int start(ambit_cx *cx, struct journal *journal)
{
    struct rewrite *rewrite = &journal->rewrite;
    *rewrite = (struct rewrite){.size = RECORD_FILE_HEADER_BYTES};
    return journal_new_file(cx, journal, journal->salt, &rewrite->file);
}

static void copy_entry(const struct store_entry *entry, void *arg)
{
    struct journal *journal = arg;
    record_encode_entry(&journal->rewrite.batch, journal->salt, entry);
}

static int copy_some(ambit_cx *cx, struct journal *journal, struct store *store)
{
    struct rewrite *rewrite = &journal->rewrite;
    while (!rewrite->is_scanned && rewrite->batch.len < STEP_BYTES) {
        rewrite->cursor =
            store_scan(store, rewrite->cursor, copy_entry, journal);
        rewrite->is_scanned = rewrite->cursor == 0;
    }
    int err = rewrite->batch.error;
    if (err == 0) {
        err = ambit_file_write_all(cx, rewrite->file, rewrite->batch.data,
                                   rewrite->batch.len, rewrite->size, NULL);
    }
    if (err == 0) {
        rewrite->size += rewrite->batch.len;
        bytes_truncate(&rewrite->batch, 0);
    }
    return err;
}

/* The journal's batch is empty here, so both files say the same. */
static int take_the_name(ambit_cx *cx, struct journal *journal)
{
    int err = ambit_file_sync(cx, journal->rewrite.file);
    return err < 0 ? err : journal_rename(cx, journal);
}

static void change_over(ambit_cx *cx, struct journal *journal)
{
    struct rewrite *rewrite = &journal->rewrite;
    ambit_file_close(cx, journal->file);
    journal->file = rewrite->file;
    journal->size = rewrite->size;
    journal->size_fresh = rewrite->size;
    journal->has_tail = false;
    journal->is_dirty = false;
    rewrite->file = NULL;
    rewrite_abandon(cx, journal);
}
