/* SPDX-License-Identifier: MIT */
/*
 * command_key.c -- keys: whether they are there, and until when.
 */
#include "command_parts.h"

#include <errno.h>

#include "number.h"

enum { EXPIRE_NX = 1, EXPIRE_XX = 2, EXPIRE_GT = 4, EXPIRE_LT = 8 };

static const struct slice nothing;

/* A key may be named twice, so which records are due is only known while
 * removing: their memory is taken before. */
static int reserve_deletes(const struct command_call *call)
{
    size_t size = 0;
    for (size_t i = 1; i < call->argc; i++) {
        size += RECORD_HEADER_BYTES + RECORD_PREFIX_BYTES + call->argv[i].len;
    }
    if (bytes_reserve(call->reply, NUMBER_TEXT_MAX + 3) < 0) {
        return -ENOMEM;
    }
    return call->log != NULL ? bytes_reserve(call->log, size) : 0;
}

int command_del(struct command_call *call)
{
    if (reserve_deletes(call) < 0) {
        return -ENOMEM;
    }
    int64_t removed = 0;
    for (size_t i = 1; i < call->argc; i++) {
        if (store_delete(call->store, call->argv[i], call->now_ms)) {
            call_log(call, RECORD_DELETE, call->argv[i], nothing, 0);
            removed++;
        }
    }
    reply_integer(call->reply, removed);
    return 0;
}

int command_exists(struct command_call *call)
{
    int64_t found = 0;
    for (size_t i = 1; i < call->argc; i++) {
        found += call_find(call, call->argv[i]) != NULL;
    }
    reply_integer(call->reply, found);
    return 0;
}

int command_type(struct command_call *call)
{
    bool found = call_find(call, call->argv[1]) != NULL;
    reply_status(call->reply, found ? "string" : "none");
    return 0;
}

/* --- setting an expiry -------------------------------------------------- */

/* False: an error was replied. */
static bool parse_expire_flags(const struct command_call *call,
                               unsigned *ret_flags)
{
    static const char *const names[] = {"nx", "xx", "gt", "lt"};
    unsigned flags = 0;
    for (size_t at = 3; at < call->argc; at++) {
        unsigned flag = 0;
        for (unsigned i = 0; i < 4; i++) {
            flag |= slice_equals_nocase(call->argv[at], names[i]) ? 1U << i : 0;
        }
        if (flag == 0) {
            size_t len = call->argv[at].len;
            reply_error_format(call->reply, "ERR Unsupported option %.*s",
                               (int)(len < 128 ? len : 128),
                               call->argv[at].ptr);
            return false;
        }
        flags |= flag;
    }
    if ((flags & EXPIRE_NX) != 0 && flags != EXPIRE_NX) {
        reply_error(call->reply, "ERR NX and XX, GT or LT options at the same "
                                 "time are not compatible");
        return false;
    }
    if ((flags & EXPIRE_GT) != 0 && (flags & EXPIRE_LT) != 0) {
        reply_error(call->reply, "ERR GT and LT options at the same time are "
                                 "not compatible");
        return false;
    }
    *ret_flags = flags;
    return true;
}

/* No expiry counts as one that never comes. */
static bool flags_allow(unsigned flags, int64_t old_ms, int64_t new_ms)
{
    bool had = old_ms != STORE_NO_EXPIRY;
    return !((flags & EXPIRE_NX) != 0 && had) &&
           !((flags & EXPIRE_XX) != 0 && !had) &&
           !((flags & EXPIRE_GT) != 0 && (!had || new_ms <= old_ms)) &&
           !((flags & EXPIRE_LT) != 0 && had && new_ms >= old_ms);
}

static int set_expiry(const struct command_call *call,
                      const struct store_entry *entry, int64_t when_ms)
{
    struct slice key = call->argv[1];
    bool is_over = when_ms <= call->now_ms;
    reply_integer(call->reply, 1);
    if (is_over) {
        call_log(call, RECORD_DELETE, key, nothing, 0);
    } else {
        call_log(call, RECORD_EXPIRE, key, nothing, when_ms);
    }
    if (call_is_ready(call) < 0) {
        return -ENOMEM;
    }
    if (is_over) {
        store_delete(call->store, key, call->now_ms);
        return 0;
    }
    return store_set_expiry(call->store, entry, when_ms);
}

static int expire_in(const struct command_call *call, const char *name,
                     int64_t unit_ms)
{
    unsigned flags = 0;
    int64_t when = 0;
    if (!parse_expire_flags(call, &flags)) {
        return 0;
    }
    if (!number_parse(call->argv[2], &when)) {
        reply_error(call->reply, ERR_NOT_INTEGER);
        return 0;
    }
    if (__builtin_mul_overflow(when, unit_ms, &when) ||
        __builtin_add_overflow(when, call->now_ms, &when)) {
        reply_error_format(call->reply,
                           "ERR invalid expire time in '%s' command", name);
        return 0;
    }
    const struct store_entry *entry = call_find(call, call->argv[1]);
    if (entry == NULL || !flags_allow(flags, entry->expire_ms, when)) {
        reply_integer(call->reply, 0);
        return 0;
    }
    return set_expiry(call, entry, when);
}

int command_expire(struct command_call *call)
{
    return expire_in(call, "expire", 1000);
}

int command_pexpire(struct command_call *call)
{
    return expire_in(call, "pexpire", 1);
}

/* --- asking for it, taking it away -------------------------------------- */

static int reply_left(const struct command_call *call, int64_t unit_ms)
{
    const struct store_entry *entry = call_find(call, call->argv[1]);
    int64_t answer = -2;
    if (entry != NULL && entry->expire_ms == STORE_NO_EXPIRY) {
        answer = -1;
    } else if (entry != NULL) {
        int64_t left_ms = entry->expire_ms - call->now_ms;
        answer = left_ms / unit_ms + (left_ms % unit_ms * 2 >= unit_ms);
    }
    reply_integer(call->reply, answer);
    return 0;
}

int command_ttl(struct command_call *call)
{
    return reply_left(call, 1000);
}

int command_pttl(struct command_call *call)
{
    return reply_left(call, 1);
}

int command_persist(struct command_call *call)
{
    struct slice key = call->argv[1];
    const struct store_entry *entry = call_find(call, key);
    if (entry == NULL || entry->expire_ms == STORE_NO_EXPIRY) {
        reply_integer(call->reply, 0);
        return 0;
    }
    reply_integer(call->reply, 1);
    call_log(call, RECORD_PERSIST, key, nothing, 0);
    if (call_is_ready(call) < 0) {
        return -ENOMEM;
    }
    return store_set_expiry(call->store, entry, STORE_NO_EXPIRY);
}
