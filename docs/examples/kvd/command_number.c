/* SPDX-License-Identifier: MIT */
/*
 * command_number.c -- values that are integers.
 *
 * A counter is stored as its text, so GET needs no case of its own; the record
 * holds the result, so replaying never adds twice.
 */
#include "command_parts.h"

#include <errno.h>

#include "number.h"

static int add(struct command_call *call, int64_t delta)
{
    struct slice key = call->argv[1];
    const struct store_entry *entry = call_find(call, key);
    int64_t value = 0;
    if (entry != NULL && !number_parse(store_value(entry), &value)) {
        reply_error(call->reply, ERR_NOT_INTEGER);
        return 0;
    }
    if (__builtin_add_overflow(value, delta, &value)) {
        reply_error(call->reply, "ERR increment or decrement would overflow");
        return 0;
    }
    char digits[NUMBER_TEXT_MAX];
    struct slice text = {digits, number_write(digits, value)};
    int64_t expire_ms = entry != NULL ? entry->expire_ms : STORE_NO_EXPIRY;
    reply_integer(call->reply, value);
    call_log(call, RECORD_SET, key, text, expire_ms);
    if (call_is_ready(call) < 0) {
        return -ENOMEM;
    }
    return store_set(call->store, key, text, expire_ms);
}

int command_incr(struct command_call *call)
{
    return add(call, 1);
}

int command_decr(struct command_call *call)
{
    return add(call, -1);
}

int command_incrby(struct command_call *call)
{
    int64_t delta = 0;
    if (!number_parse(call->argv[2], &delta)) {
        reply_error(call->reply, ERR_NOT_INTEGER);
        return 0;
    }
    return add(call, delta);
}

int command_decrby(struct command_call *call)
{
    int64_t delta = 0;
    if (!number_parse(call->argv[2], &delta)) {
        reply_error(call->reply, ERR_NOT_INTEGER);
        return 0;
    }
    if (delta == INT64_MIN) {
        reply_error(call->reply, "ERR decrement would overflow");
        return 0;
    }
    return add(call, -delta);
}
