/* SPDX-License-Identifier: MIT */
/*
 * replay.c -- what a log says, brought back into a store.
 *
 * The file is read in pieces.  Where no whole record stands any more, the
 * rest decides (JRN-2): nothing valid behind it, and it is the record that a
 * crash cut off; a valid record behind it, and the log was damaged later.
 */
#include "journal.h"

#include "say.h"

#include <stdio.h>

enum { PIECE_BYTES = 1024 * 1024 };

/* The bytes of the file from `base` on that were read and not yet used. */
struct window {
    struct bytes bytes;
    uint64_t base;
    uint64_t file_size;
};

static int replay_window(struct journal *journal, struct store *store,
                         struct window *window, size_t *ret_wanted);
static int read_more(ambit_cx *cx, struct journal *journal,
                     struct window *window, uint64_t more);
static int end_of_log(ambit_cx *cx, struct journal *journal,
                      struct window *window);

static uint64_t unread(const struct window *window)
{
    return window->file_size - window->base - window->bytes.len;
}

int journal_replay(ambit_cx *cx, struct journal *journal, struct store *store)
{
    struct window window = {.base = RECORD_FILE_HEADER_BYTES};
    bytes_init(&window.bytes, NULL);
    int err = ambit_file_size(journal->file, &window.file_size);
    size_t wanted = PIECE_BYTES;
    while (err == 0 && wanted > 0 && unread(&window) > 0) {
        err = read_more(cx, journal, &window,
                        wanted > PIECE_BYTES ? wanted : PIECE_BYTES);
        if (err == 0) {
            err = replay_window(journal, store, &window, &wanted);
        }
    }
    if (err == 0) {
        journal->size = window.base;
        err = end_of_log(cx, journal, &window);
    }
    bytes_fini(&window.bytes);
    if (err < 0 && err != -EBADMSG) {
        say("cannot read %s/shard-%u.log: %s", journal->config.folder->path,
            journal->config.shard, ambit_strerror(err));
    }
    return err;
}

/* Applies the whole records of the window.  *ret_wanted is 0 when what is left
 * there is no beginning of a record. */
static int replay_window(struct journal *journal, struct store *store,
                         struct window *window, size_t *ret_wanted)
{
    size_t at = 0;
    struct record_decoded decoded;
    enum record_result result;
    for (;;) {
        struct slice rest = {window->bytes.data + at, window->bytes.len - at};
        result = record_decode(rest, journal->salt, &decoded);
        if (result != RECORD_OK) {
            break;
        }
        /* A change of what is not there: see rewrite.c. */
        int err = record_apply(store, &decoded.record);
        if (err < 0 && err != -ENOENT) {
            return err;
        }
        at += decoded.consumed;
    }
    bytes_consume(&window->bytes, at);
    window->base += at;
    *ret_wanted = result == RECORD_MORE ? decoded.wanted : 0;
    return 0;
}

/* Never asks for memory beyond what the file holds. */
static int read_more(ambit_cx *cx, struct journal *journal,
                     struct window *window, uint64_t more)
{
    struct bytes *bytes = &window->bytes;
    uint64_t left = more < unread(window) ? more : unread(window);
    int err = bytes_reserve(bytes, left);
    while (err == 0 && left > 0) {
        ssize_t len =
            ambit_file_read(cx, journal->file, bytes->data + bytes->len, left,
                            window->base + bytes->len);
        if (len == 0) {
            return -EIO; /* shorter than it said */
        }
        err = len < 0 ? (int)len : 0;
        if (err == 0) {
            bytes->len += (size_t)len;
            left -= (uint64_t)len;
        }
    }
    return err;
}

static int end_of_log(ambit_cx *cx, struct journal *journal,
                      struct window *window)
{
    const char *path = journal->config.folder->path;
    uint32_t shard = journal->config.shard;
    uint64_t tail = window->file_size - window->base;
    if (tail == 0) {
        return 0;
    }
    int err = read_more(cx, journal, window, unread(window));
    if (err < 0) {
        return err;
    }
    int64_t next =
        record_next_valid(bytes_slice(&window->bytes), 0, journal->salt);
    if (next >= 0) {
        say("%s/shard-%u.log is damaged at byte %llu, and valid again at byte "
            "%llu: restore it from a copy, or give up what follows with "
            "truncate -s %llu",
            path, shard, (unsigned long long)window->base,
            (unsigned long long)window->base + (unsigned long long)next,
            (unsigned long long)window->base);
        return -EBADMSG;
    }
    err = ambit_file_truncate(cx, journal->file, window->base);
    if (err == 0) {
        say("%s/shard-%u.log: cut off %llu bytes at its end that a crash left "
            "unfinished",
            path, shard, (unsigned long long)tail);
    }
    return err;
}
