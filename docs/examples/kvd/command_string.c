/* SPDX-License-Identifier: MIT */
/*
 * command_string.c -- values: set, read, lengthened, several at once.
 */
#include "command_parts.h"

#include <errno.h>

#include "number.h"

enum { SET_NX = 1, SET_XX = 2, SET_GET = 4, SET_KEEPTTL = 8 };

struct set_options {
    unsigned flags;
    const char *expire_option; /* "ex", "px", "exat", "pxat" or NULL */
    struct slice expire;
};

static bool parse_set_options(const struct command_call *call,
                              struct set_options *options);
static bool set_deadline(const struct command_call *call,
                         const struct set_options *options,
                         int64_t *ret_expire_ms);
static int set_value(const struct command_call *call, struct slice key,
                     struct slice value, int64_t expire_ms);

static void reply_value(const struct command_call *call,
                        const struct store_entry *entry)
{
    if (entry == NULL) {
        reply_null(call->reply);
    } else {
        reply_bulk(call->reply, store_value(entry));
    }
}

/* --- SET ---------------------------------------------------------------- */

int command_set(struct command_call *call)
{
    struct slice key = call->argv[1];
    struct set_options options = {0};
    int64_t expire_ms = STORE_NO_EXPIRY;
    if (!parse_set_options(call, &options)) {
        reply_error(call->reply, ERR_SYNTAX);
        return 0;
    }
    if (!set_deadline(call, &options, &expire_ms)) {
        return 0;
    }
    const struct store_entry *old = call_find(call, key);
    bool wants_old = (options.flags & SET_GET) != 0;
    bool is_refused = ((options.flags & SET_NX) != 0 && old != NULL) ||
                      ((options.flags & SET_XX) != 0 && old == NULL);
    if (wants_old || is_refused) {
        reply_value(call, wants_old ? old : NULL);
    } else {
        reply_ok(call->reply);
    }
    if (is_refused) {
        return 0;
    }
    if ((options.flags & SET_KEEPTTL) != 0 && old != NULL) {
        expire_ms = old->expire_ms;
    }
    return set_value(call, key, call->argv[2], expire_ms);
}

static bool parse_expire_option(const struct command_call *call, size_t at,
                                struct set_options *options)
{
    static const char *const names[] = {"ex", "px", "exat", "pxat"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!slice_equals_nocase(call->argv[at], names[i])) {
            continue;
        }
        bool is_other = options->expire_option != NULL &&
                        options->expire_option != names[i];
        if (is_other || at + 1 == call->argc ||
            (options->flags & SET_KEEPTTL) != 0) {
            return false;
        }
        options->expire_option = names[i];
        options->expire = call->argv[at + 1];
        return true;
    }
    return false;
}

static bool parse_set_options(const struct command_call *call,
                              struct set_options *options)
{
    for (size_t at = 3; at < call->argc; at++) {
        struct slice word = call->argv[at];
        if (slice_equals_nocase(word, "nx")) {
            options->flags |= SET_NX;
        } else if (slice_equals_nocase(word, "xx")) {
            options->flags |= SET_XX;
        } else if (slice_equals_nocase(word, "get")) {
            options->flags |= SET_GET;
        } else if (slice_equals_nocase(word, "keepttl") &&
                   options->expire_option == NULL) {
            options->flags |= SET_KEEPTTL;
        } else if (parse_expire_option(call, at, options)) {
            at++;
        } else {
            return false;
        }
    }
    unsigned both = SET_NX | SET_XX;
    return (options->flags & both) != both;
}

/* False: an error was replied. */
static bool set_deadline(const struct command_call *call,
                         const struct set_options *options,
                         int64_t *ret_expire_ms)
{
    const char *option = options->expire_option;
    int64_t when = 0;
    if (option == NULL) {
        return true;
    }
    if (!number_parse(options->expire, &when)) {
        reply_error(call->reply, ERR_NOT_INTEGER);
        return false;
    }
    bool fits = when > 0;
    if (option[0] == 'e') {
        fits = fits && !__builtin_mul_overflow(when, 1000, &when);
    }
    if (option[2] == '\0') {
        fits = fits && !__builtin_add_overflow(when, call->now_ms, &when);
    }
    if (!fits) {
        reply_error(call->reply, "ERR invalid expire time in 'set' command");
        return false;
    }
    *ret_expire_ms = when;
    return true;
}

/* The last step of all that set one value; the reply is written. */
static int set_value(const struct command_call *call, struct slice key,
                     struct slice value, int64_t expire_ms)
{
    call_log(call, RECORD_SET, key, value, expire_ms);
    if (call_is_ready(call) < 0) {
        return -ENOMEM;
    }
    return store_set(call->store, key, value, expire_ms);
}

int command_setnx(struct command_call *call)
{
    if (call_find(call, call->argv[1]) != NULL) {
        reply_integer(call->reply, 0);
        return 0;
    }
    reply_integer(call->reply, 1);
    return set_value(call, call->argv[1], call->argv[2], STORE_NO_EXPIRY);
}

/* --- reading and replacing ---------------------------------------------- */

int command_get(struct command_call *call)
{
    reply_value(call, call_find(call, call->argv[1]));
    return 0;
}

int command_getset(struct command_call *call)
{
    reply_value(call, call_find(call, call->argv[1]));
    return set_value(call, call->argv[1], call->argv[2], STORE_NO_EXPIRY);
}

int command_getdel(struct command_call *call)
{
    struct slice key = call->argv[1];
    const struct store_entry *entry = call_find(call, key);
    reply_value(call, entry);
    if (entry == NULL) {
        return 0;
    }
    call_log(call, RECORD_DELETE, key, (struct slice){0}, 0);
    if (call_is_ready(call) < 0) {
        return -ENOMEM;
    }
    store_delete(call->store, key, call->now_ms);
    return 0;
}

int command_strlen(struct command_call *call)
{
    const struct store_entry *entry = call_find(call, call->argv[1]);
    reply_integer(call->reply, entry != NULL ? entry->value_len : 0);
    return 0;
}

/* A record of what was added, not of the result: a value built by many small
 * appends would otherwise be written again each time. */
int command_append(struct command_call *call)
{
    struct slice key = call->argv[1];
    struct slice more = call->argv[2];
    const struct store_entry *entry = call_find(call, key);
    size_t old_len = entry != NULL ? entry->value_len : 0;
    size_t len_max = call->value_max != 0 ? call->value_max : COMMAND_VALUE_MAX;
    if (old_len > len_max || more.len > len_max - old_len) {
        reply_error(call->reply, "ERR string exceeds maximum allowed size "
                                 "(proto-max-bulk-len)");
        return 0;
    }
    reply_integer(call->reply, (int64_t)(old_len + more.len));
    if (entry == NULL) {
        return set_value(call, key, more, STORE_NO_EXPIRY);
    }
    if (more.len == 0) {
        return 0;
    }
    call_log(call, RECORD_APPEND, key, more, (int64_t)old_len);
    if (call_is_ready(call) < 0) {
        return -ENOMEM;
    }
    return store_append(call->store, entry, more);
}

/* --- several at once ---------------------------------------------------- */

int command_mget(struct command_call *call)
{
    reply_array(call->reply, call->argc - 1);
    for (size_t i = 1; i < call->argc; i++) {
        reply_value(call, call_find(call, call->argv[i]));
    }
    return 0;
}

/* Prepared entries, in order: the last of two equal keys wins. */
struct batch {
    struct store_entry *first;
    struct store_entry **end;
};

static void batch_finish(struct store *store, struct batch *batch,
                         void (*finish)(struct store *store,
                                        struct store_entry *prepared))
{
    while (batch->first != NULL) {
        struct store_entry *entry = batch->first;
        batch->first = entry->next;
        entry->next = NULL;
        finish(store, entry);
    }
}

int command_mset(struct command_call *call)
{
    if (call->argc % 2 == 0) {
        command_reply_arity(call->reply, "mset");
        return 0;
    }
    struct batch batch = {NULL, &batch.first};
    int err = 0;
    reply_ok(call->reply);
    for (size_t i = 1; i < call->argc && err == 0; i += 2) {
        struct slice key = call->argv[i];
        struct slice value = call->argv[i + 1];
        call_log(call, RECORD_SET, key, value, STORE_NO_EXPIRY);
        struct store_entry *entry =
            store_prepare(call->store, key, value, STORE_NO_EXPIRY);
        if (entry == NULL) {
            err = -ENOMEM;
            break;
        }
        *batch.end = entry;
        batch.end = &entry->next;
        err = call_is_ready(call);
    }
    batch_finish(call->store, &batch, err == 0 ? store_commit : store_discard);
    return err;
}
