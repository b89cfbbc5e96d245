/* SPDX-License-Identifier: MIT */
/*
 * command.c -- the table of commands, and running one.
 */
#include "command.h"

#include <assert.h>
#include <stdio.h>

#include "command_parts.h"

enum {
    W = COMMAND_WRITE,
    R = COMMAND_READONLY,
    F = COMMAND_FAST,
    L = COMMAND_LOCAL,
    A = COMMAND_ALL,
    WF = W | F,
    RF = R | F,
    LF = L | F,
    LADM = L | COMMAND_ADMIN,
    RSCAN = R | COMMAND_SCAN,
};

#define NONE COMMAND_MERGE_NONE
#define SUM COMMAND_MERGE_SUM
#define ALL_OK COMMAND_MERGE_OK
#define ORDER COMMAND_MERGE_ORDER
#define CONCAT COMMAND_MERGE_CONCAT

/* clang-format off */
/* In order of names: command_find() halves it. */
static const struct command table[] = {
    /* name, arity, flags, first, last, step, merge, group, summary, run */
    {"append", 3, WF, 1, 1, 1, NONE, "string",
     "Adds to the end of a value", command_append},
    {"client", -2, L, 0, 0, 0, NONE, "connection",
     "ID, GETNAME, SETNAME, SETINFO, INFO, LIST", NULL},
    {"command", -1, L, 0, 0, 0, NONE, "server",
     "Tells which commands there are", NULL},
    {"config", -2, LADM, 0, 0, 0, NONE, "server",
     "GET: how the server is set", NULL},
    {"dbsize", 1, R | F | A, 0, 0, 0, SUM, "server",
     "Counts the keys", command_dbsize},
    {"decr", 2, WF, 1, 1, 1, NONE, "string",
     "Takes one from an integer", command_decr},
    {"decrby", 3, WF, 1, 1, 1, NONE, "string",
     "Takes a number from an integer", command_decrby},
    {"del", -2, W, 1, -1, 1, SUM, "generic",
     "Removes keys", command_del},
    {"echo", 2, LF, 0, 0, 0, NONE, "connection",
     "Answers its argument", NULL},
    {"exists", -2, RF, 1, -1, 1, SUM, "generic",
     "Counts which of the keys exist", command_exists},
    {"expire", -3, WF, 1, 1, 1, NONE, "generic",
     "Sets when a key expires, in seconds", command_expire},
    {"flushall", -1, W | A, 0, 0, 0, ALL_OK, "server",
     "Removes all keys", command_flush},
    {"flushdb", -1, W | A, 0, 0, 0, ALL_OK, "server",
     "Removes all keys", command_flush},
    {"get", 2, RF, 1, 1, 1, NONE, "string",
     "Answers a value", command_get},
    {"getdel", 2, WF, 1, 1, 1, NONE, "string",
     "Answers a value and removes it", command_getdel},
    {"getset", 3, WF, 1, 1, 1, NONE, "string",
     "Sets a value and answers the old one", command_getset},
    {"hello", -1, LF, 0, 0, 0, NONE, "connection",
     "Agrees on the protocol", NULL},
    {"incr", 2, WF, 1, 1, 1, NONE, "string",
     "Adds one to an integer", command_incr},
    {"incrby", 3, WF, 1, 1, 1, NONE, "string",
     "Adds a number to an integer", command_incrby},
    {"info", -1, L, 0, 0, 0, NONE, "server",
     "Tells how the server is doing", NULL},
    {"keys", 2, R | A, 0, 0, 0, CONCAT, "generic",
     "Lists the keys that match a pattern", command_keys},
    {"mget", -2, RF, 1, -1, 1, ORDER, "string",
     "Answers several values", command_mget},
    {"mset", -3, W, 1, -1, 2, ALL_OK, "string",
     "Sets several values", command_mset},
    {"persist", 2, WF, 1, 1, 1, NONE, "generic",
     "Keeps a key from expiring", command_persist},
    {"pexpire", -3, WF, 1, 1, 1, NONE, "generic",
     "Sets when a key expires, in milliseconds", command_pexpire},
    {"ping", -1, LF, 0, 0, 0, NONE, "connection",
     "Answers PONG", NULL},
    {"pttl", 2, RF, 1, 1, 1, NONE, "generic",
     "Tells when a key expires, in milliseconds", command_pttl},
    {"quit", -1, LF, 0, 0, 0, NONE, "connection",
     "Closes the connection", NULL},
    {"reset", 1, LF, 0, 0, 0, NONE, "connection",
     "Makes the connection as new", NULL},
    {"scan", -2, RSCAN, 0, 0, 0, NONE, "generic",
     "Lists the keys in steps", command_scan},
    {"select", 2, LF, 0, 0, 0, NONE, "connection",
     "Chooses the database: there is one, 0", NULL},
    {"set", -3, W, 1, 1, 1, NONE, "string",
     "Sets a value", command_set},
    {"setnx", 3, WF, 1, 1, 1, NONE, "string",
     "Sets a value if the key is new", command_setnx},
    {"strlen", 2, RF, 1, 1, 1, NONE, "string",
     "Answers the length of a value", command_strlen},
    {"ttl", 2, RF, 1, 1, 1, NONE, "generic",
     "Tells when a key expires, in seconds", command_ttl},
    {"type", 2, RF, 1, 1, 1, NONE, "generic",
     "Tells the type of a value", command_type},
};
/* clang-format on */

enum { TABLE_LEN = sizeof table / sizeof table[0], NAME_MAX_LEN = 16 };

const struct command *command_find(struct slice name)
{
    char lower[NAME_MAX_LEN + 1] = {0};
    if (name.len > NAME_MAX_LEN) {
        return NULL;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '\0') {
            return NULL;
        }
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    size_t low = 0;
    size_t high = TABLE_LEN;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(lower, table[middle].name);
        if (order == 0) {
            return &table[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const struct command *command_table(size_t *ret_count)
{
    *ret_count = TABLE_LEN;
    return table;
}

bool command_arity_fits(const struct command *command, size_t argc)
{
    if (command->arity < 0) {
        return argc >= (size_t)-command->arity;
    }
    return argc == (size_t)command->arity;
}

/* Redis quotes at most 128 bytes, and ends an argument at its first NUL. */
static size_t quoted_len(struct slice text, size_t len_max)
{
    return text.len == 0
               ? 0
               : strnlen(text.ptr, text.len < len_max ? text.len : len_max);
}

void command_reply_unknown(struct bytes *reply, size_t argc,
                           const struct slice *argv)
{
    enum { QUOTED_MAX = 128 };
    char args[2 * QUOTED_MAX] = "";
    size_t len = 0;
    for (size_t i = 1; i < argc && len < QUOTED_MAX; i++) {
        int part = (int)quoted_len(argv[i], QUOTED_MAX - len);
        len += (size_t)snprintf(args + len, sizeof args - len, "'%.*s' ", part,
                                part > 0 ? argv[i].ptr : "");
    }
    int name_len = (int)quoted_len(argv[0], QUOTED_MAX);
    reply_error_format(
        reply, "ERR unknown command '%.*s', with args beginning with: %s",
        name_len, name_len > 0 ? argv[0].ptr : "", args);
}

void command_reply_arity(struct bytes *reply, const char *name)
{
    reply_error_format(reply, "ERR wrong number of arguments for '%s' command",
                       name);
}

int command_run(const struct command *command, struct command_call *call)
{
    assert(command->run != NULL);
    assert(command_arity_fits(command, call->argc));
    assert(call->shard < call->shards);
    assert(call->value_max <= COMMAND_VALUE_MAX);
    size_t reply_mark = call->reply->len;
    size_t log_mark = call->log != NULL ? call->log->len : 0;
    int err = command->run(call);
    if (err == 0) {
        err = call_is_ready(call);
    }
    if (err < 0) {
        bytes_truncate(call->reply, reply_mark);
        if (call->log != NULL) {
            bytes_truncate(call->log, log_mark);
        }
    }
    return err;
}

/* --- for the files of commands ------------------------------------------ */

const struct store_entry *call_find(const struct command_call *call,
                                    struct slice key)
{
    return store_find(call->store, key, call->now_ms);
}

void call_log(const struct command_call *call, enum record_opcode opcode,
              struct slice key, struct slice value, int64_t number)
{
    if (call->log != NULL) {
        record_encode(call->log, call->salt,
                      &(struct record){opcode, key, value, number});
    }
}

int call_is_ready(const struct command_call *call)
{
    if (call->reply->error != 0) {
        return call->reply->error;
    }
    return call->log != NULL ? call->log->error : 0;
}
