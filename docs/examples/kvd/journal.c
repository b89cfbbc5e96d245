/* SPDX-License-Identifier: MIT */
/*
 * journal.c -- the log file of one shard: opening, writing, syncing.
 */
#include "journal.h"

#include "say.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

enum { PATH_ROOM = FOLDER_PATH_MAX + 32 };

static int create(ambit_cx *cx, struct journal *journal);
static int read_header(ambit_cx *cx, struct journal *journal);
static int cut_tail(ambit_cx *cx, struct journal *journal);

static void path_of(const struct journal *journal, const char *suffix,
                    char path[PATH_ROOM])
{
    const struct journal_config *config = &journal->config;
    folder_log_path(config->folder, config->shard, suffix, path, PATH_ROOM);
}

int journal_open(ambit_cx *cx, struct journal *journal,
                 const struct journal_config *config, struct store *store)
{
    char path[PATH_ROOM];
    *journal = (struct journal){.config = *config};
    path_of(journal, "log", path);
    int err = ambit_file_open(cx, path, O_RDWR, 0, &journal->file);
    if (err == -ENOENT) {
        err = create(cx, journal);
    } else if (err < 0) {
        say("cannot open %s: %s", path, ambit_strerror(err));
    } else {
        err = read_header(cx, journal);
    }
    if (err == 0) {
        err = journal_replay(cx, journal, store);
    }
    if (err < 0) {
        journal_close(cx, journal);
    }
    return err;
}

void journal_close(ambit_cx *cx, struct journal *journal)
{
    rewrite_abandon(cx, journal);
    bytes_fini(&journal->batch);
    if (journal->file != NULL) {
        ambit_file_close(cx, journal->file);
    }
    journal->file = NULL;
}

int journal_write(ambit_cx *cx, struct journal *journal)
{
    struct bytes *batch = &journal->batch;
    if (batch->len == 0) {
        return 0;
    }
    int err = cut_tail(cx, journal);
    if (err == 0) {
        err = ambit_file_write_all(cx, journal->file, batch->data, batch->len,
                                   journal->size, NULL);
        journal->has_tail = err < 0;
    }
    if (err < 0) {
        rewrite_abandon(cx, journal);
    } else {
        rewrite_follow(journal, bytes_slice(batch));
        journal->size += batch->len;
        journal->is_dirty = true;
    }
    bytes_truncate(batch, 0);
    return err;
}

int journal_sync(ambit_cx *cx, struct journal *journal)
{
    if (!journal->is_dirty) {
        return 0;
    }
    int err = ambit_file_datasync(cx, journal->file);
    if (err == 0) {
        journal->is_dirty = false;
    }
    return err;
}

int journal_roll_back(ambit_cx *cx, struct journal *journal,
                      struct store *store)
{
    assert(journal->batch.len == 0);
    int err = cut_tail(cx, journal);
    return err < 0 ? err : journal_replay(cx, journal, store);
}

int journal_probe(ambit_cx *cx, struct journal *journal, size_t len)
{
    static const char zeros[4096];
    assert(journal->batch.len == 0);
    int err = cut_tail(cx, journal);
    for (size_t at = 0; err == 0 && at < len; at += sizeof zeros) {
        journal->has_tail = true;
        err = ambit_file_write_all(cx, journal->file, zeros, sizeof zeros,
                                   journal->size + at, NULL);
    }
    int cut = cut_tail(cx, journal);
    return err < 0 ? err : cut;
}

int journal_new_file(ambit_cx *cx, const struct journal *journal, uint64_t salt,
                     ambit_file **ret_file)
{
    char path[PATH_ROOM];
    char header[RECORD_FILE_HEADER_BYTES];
    const struct journal_config *config = &journal->config;
    ambit_file *file;
    path_of(journal, "new", path);
    int err =
        ambit_file_open(cx, path, O_RDWR | O_CREAT | O_TRUNC, 0600, &file);
    if (err < 0) {
        return err;
    }
    record_file_encode(
        &(struct record_file){
            .shard = config->shard,
            .shards = config->shards,
            .placement = config->folder->placement,
            .salt = salt,
        },
        header);
    err = ambit_file_write_all(cx, file, header, sizeof header, 0, NULL);
    if (err < 0) {
        ambit_file_close(cx, file);
        return err;
    }
    *ret_file = file;
    return 0;
}

struct names {
    char from[PATH_ROOM];
    char to[PATH_ROOM];
};

static int rename_file(void *arg)
{
    struct names *names = arg;
    return rename(names->from, names->to) < 0 ? -errno : 0;
}

int journal_rename(ambit_cx *cx, const struct journal *journal)
{
    struct names names;
    path_of(journal, "new", names.from);
    path_of(journal, "log", names.to);
    return ambit_blocking(cx, rename_file, &names);
}

int journal_sync_folder(ambit_cx *cx, const struct journal *journal)
{
    ambit_file *dir;
    int err = ambit_file_open(cx, journal->config.folder->path,
                              O_RDONLY | O_DIRECTORY, 0, &dir);
    if (err < 0) {
        return err;
    }
    err = ambit_file_sync(cx, dir);
    ambit_file_close(cx, dir);
    return err;
}

/* JRN-3. */
static int create(ambit_cx *cx, struct journal *journal)
{
    ssize_t got = getrandom(&journal->salt, sizeof journal->salt, 0);
    int err = got < 0 ? -errno : 0;
    if (err == 0) {
        err = journal_new_file(cx, journal, journal->salt, &journal->file);
    }
    if (err == 0) {
        err = ambit_file_sync(cx, journal->file);
    }
    if (err == 0) {
        err = journal_rename(cx, journal);
    }
    if (err == 0) {
        err = journal_sync_folder(cx, journal);
    }
    if (err < 0) {
        say("cannot make the log of shard %u in %s: %s", journal->config.shard,
            journal->config.folder->path, ambit_strerror(err));
    }
    return err;
}

static int read_header(ambit_cx *cx, struct journal *journal)
{
    const struct journal_config *config = &journal->config;
    char header[RECORD_FILE_HEADER_BYTES];
    char why[160] = "";
    struct record_file found;
    ssize_t len = ambit_file_read(cx, journal->file, header, sizeof header, 0);
    int err = len < 0 ? (int)len : 0;
    if (err < 0) {
        snprintf(why, sizeof why, "%s", ambit_strerror(err));
    } else {
        err = record_file_decode((struct slice){header, (size_t)len}, &found,
                                 why);
        if (err == -EAGAIN) {
            snprintf(why, sizeof why, "it is too short to be a log of kvd");
            err = -EINVAL;
        } else if (err == 0) {
            err = record_file_admit(&found, config->shard, config->shards,
                                    config->folder->placement, why);
        }
    }
    if (err < 0) {
        say("%s/shard-%u.log: %s", config->folder->path, config->shard, why);
        return err;
    }
    journal->salt = found.salt;
    return 0;
}

static int cut_tail(ambit_cx *cx, struct journal *journal)
{
    if (!journal->has_tail) {
        return 0;
    }
    int err = ambit_file_truncate(cx, journal->file, journal->size);
    journal->has_tail = err < 0;
    return err;
}
