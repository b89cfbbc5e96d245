/* SPDX-License-Identifier: MIT */
/*
 * command_scan.c -- all the keys: listed, walked, counted, removed.
 *
 * A cursor of SCAN names the shard and the place within it: inner * shards +
 * shard.  A shard that was walked to its end answers the start of the next;
 * the last answers 0.
 */
#include "command_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "glob.h"
#include "number.h"

enum { SCAN_COUNT_DEFAULT = 10, SCAN_VISITS_PER_COUNT = 10 };

struct listing {
    const struct command_call *call;
    struct slice pattern;
    bool has_pattern;
    bool wants_type; /* false: TYPE of something that is no string */
    size_t visited;
    size_t listed;
};

static void list_key(const struct store_entry *entry, void *arg)
{
    struct listing *listing = arg;
    struct slice key = store_key(entry);
    listing->visited++;
    if (store_is_expired(entry, listing->call->now_ms) ||
        !listing->wants_type ||
        (listing->has_pattern && !glob_matches(listing->pattern, key))) {
        return;
    }
    reply_bulk(listing->call->reply, key);
    listing->listed++;
}

/* A header, in front of what was written since the mark. */
static void insert(struct bytes *reply, size_t mark, struct slice header)
{
    size_t body = reply->len - mark;
    bytes_append(reply, header.ptr, header.len);
    if (reply->error == 0) {
        char *at = reply->data + mark;
        memmove(at + header.len, at, body);
        memcpy(at, header.ptr, header.len);
    }
}

int command_keys(struct command_call *call)
{
    struct listing listing = {
        .call = call,
        .pattern = call->argv[1],
        .has_pattern = !slice_equals(call->argv[1], slice_text("*")),
        .wants_type = true,
    };
    size_t mark = call->reply->len;
    store_for_each(call->store, list_key, &listing);
    char header[32];
    int len = snprintf(header, sizeof header, "*%zu\r\n", listing.listed);
    insert(call->reply, mark, (struct slice){header, (size_t)len});
    return 0;
}

/* --- SCAN --------------------------------------------------------------- */

/* False: an error was replied. */
static bool parse_scan_options(const struct command_call *call,
                               struct listing *listing, int64_t *ret_count)
{
    const char *error = call->argc % 2 == 0 ? NULL : ERR_SYNTAX;
    for (size_t at = 2; at + 1 < call->argc; at += 2) {
        struct slice word = call->argv[at];
        struct slice value = call->argv[at + 1];
        int64_t count = 0;
        if (slice_equals_nocase(word, "match")) {
            listing->pattern = value;
            listing->has_pattern = true;
        } else if (slice_equals_nocase(word, "type")) {
            listing->wants_type = slice_equals_nocase(value, "string");
        } else if (!slice_equals_nocase(word, "count")) {
            error = ERR_SYNTAX;
            break;
        } else if (!number_parse(value, &count)) {
            error = ERR_NOT_INTEGER;
            break;
        } else if (count < 1) {
            error = ERR_SYNTAX;
            break;
        } else {
            *ret_count = count;
        }
    }
    if (error != NULL) {
        reply_error(call->reply, error);
    }
    return error == NULL;
}

static uint64_t walk(const struct command_call *call, uint64_t cursor,
                     struct listing *listing, int64_t count)
{
    uint64_t visits = (uint64_t)count * SCAN_VISITS_PER_COUNT;
    if ((uint64_t)count > UINT64_MAX / SCAN_VISITS_PER_COUNT) {
        visits = UINT64_MAX;
    }
    do {
        cursor = store_scan(call->store, cursor, list_key, listing);
        visits--;
    } while (cursor != 0 && visits > 0 && listing->visited < (uint64_t)count);
    return cursor;
}

int command_scan(struct command_call *call)
{
    uint64_t cursor = 0;
    int64_t count = SCAN_COUNT_DEFAULT;
    struct listing listing = {.call = call, .wants_type = true};
    if (!number_parse_unsigned(call->argv[1], &cursor)) {
        reply_error(call->reply, "ERR invalid cursor");
        return 0;
    }
    if (!parse_scan_options(call, &listing, &count)) {
        return 0;
    }
    size_t mark = call->reply->len;
    uint64_t inner = walk(call, cursor / call->shards, &listing, count);
    uint64_t next = inner * call->shards + call->shard;
    if (inner == 0) {
        next = call->shard + 1 < call->shards ? call->shard + 1 : 0;
    }
    char text[24];
    int text_len = snprintf(text, sizeof text, "%" PRIu64, next);
    char header[80];
    int len = snprintf(header, sizeof header, "*2\r\n$%d\r\n%s\r\n*%zu\r\n",
                       text_len, text, listing.listed);
    insert(call->reply, mark, (struct slice){header, (size_t)len});
    return 0;
}

/* --- counting, removing ------------------------------------------------- */

int command_dbsize(struct command_call *call)
{
    reply_integer(call->reply, (int64_t)store_count(call->store));
    return 0;
}

int command_flush(struct command_call *call)
{
    bool is_plain =
        call->argc == 1 ||
        (call->argc == 2 && (slice_equals_nocase(call->argv[1], "sync") ||
                             slice_equals_nocase(call->argv[1], "async")));
    if (!is_plain) {
        reply_error(call->reply, ERR_SYNTAX);
        return 0;
    }
    reply_ok(call->reply);
    if (store_count(call->store) == 0) {
        return 0;
    }
    call_log(call, RECORD_CLEAR, (struct slice){0}, (struct slice){0}, 0);
    if (call_is_ready(call) < 0) {
        return -ENOMEM;
    }
    store_clear(call->store);
    return 0;
}
