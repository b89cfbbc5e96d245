/* SPDX-License-Identifier: MIT */
/*
 * local.c -- the commands about the connection itself.
 */
#include "local.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "local_parts.h"
#include "number.h"

static int ping(struct local_call *call)
{
    if (call->argc > 2) {
        command_reply_arity(call->reply, "ping");
    } else if (call->argc == 2) {
        reply_bulk(call->reply, call->argv[1]);
    } else {
        reply_status(call->reply, "PONG");
    }
    return 0;
}

static int echo(struct local_call *call)
{
    reply_bulk(call->reply, call->argv[1]);
    return 0;
}

static int quit(struct local_call *call)
{
    call->session->is_closing = true;
    reply_ok(call->reply);
    return 0;
}

static int reset(struct local_call *call)
{
    call->session->name[0] = '\0';
    reply_status(call->reply, "RESET");
    return 0;
}

static int select_database(struct local_call *call)
{
    int64_t index = 0;
    if (!number_parse(call->argv[1], &index)) {
        reply_error(call->reply, "ERR value is not an integer or out of range");
    } else if (index != (int32_t)index) {
        reply_error_format(call->reply,
                           "ERR value is out of range, value must between %d "
                           "and %d",
                           INT32_MIN, INT32_MAX);
    } else if (index != 0) {
        reply_error(call->reply, "ERR DB index is out of range");
    } else {
        reply_ok(call->reply);
    }
    return 0;
}

/* --- HELLO -------------------------------------------------------------- */

/* False: an error was replied. */
static bool set_name(struct local_call *call, struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < '!' || name.ptr[i] > '~') {
            reply_error(call->reply, "ERR Client names cannot contain spaces, "
                                     "newlines or special characters.");
            return false;
        }
    }
    if (name.len > LOCAL_NAME_MAX) {
        reply_error_format(call->reply,
                           "ERR Client names have at most %d bytes",
                           LOCAL_NAME_MAX);
        return false;
    }
    if (name.len > 0) {
        memcpy(call->session->name, name.ptr, name.len);
    }
    call->session->name[name.len] = '\0';
    return true;
}

/* There are no passwords: the user "default" may say any.  False: an error
 * was replied. */
static bool hello_options(struct local_call *call)
{
    struct slice name = {0};
    bool has_name = false;
    size_t at = 2;
    while (at < call->argc) {
        struct slice word = call->argv[at];
        size_t more = call->argc - at - 1;
        if (slice_equals_nocase(word, "auth") && more >= 2) {
            if (!slice_equals(call->argv[at + 1], slice_text("default"))) {
                reply_error(call->reply, "WRONGPASS invalid username-password "
                                         "pair or user is disabled.");
                return false;
            }
            at += 3;
        } else if (slice_equals_nocase(word, "setname") && more >= 1) {
            name = call->argv[at + 1];
            has_name = true;
            at += 2;
        } else {
            int len = (int)(word.len < 128 ? word.len : 128);
            reply_error_format(call->reply,
                               "ERR Syntax error in HELLO option '%.*s'", len,
                               word.ptr);
            return false;
        }
    }
    return !has_name || set_name(call, name);
}

static int hello(struct local_call *call)
{
    struct bytes *reply = call->reply;
    int64_t version = 2;
    if (call->argc > 1 && !number_parse(call->argv[1], &version)) {
        reply_error(reply,
                    "ERR Protocol version is not an integer or out of range");
        return 0;
    }
    if (version != 2) {
        reply_error(reply, "NOPROTO unsupported protocol version");
        return 0;
    }
    if (!hello_options(call)) {
        return 0;
    }
    reply_array(reply, 14);
    reply_bulk_text(reply, "server");
    reply_bulk_text(reply, "redis");
    reply_bulk_text(reply, "version");
    reply_bulk_text(reply, LOCAL_REDIS_VERSION);
    reply_bulk_text(reply, "proto");
    reply_integer(reply, 2);
    reply_bulk_text(reply, "id");
    reply_integer(reply, (int64_t)call->session->id);
    reply_bulk_text(reply, "mode");
    reply_bulk_text(reply, "standalone");
    reply_bulk_text(reply, "role");
    reply_bulk_text(reply, "master");
    reply_bulk_text(reply, "modules");
    reply_array(reply, 0);
    return 0;
}

/* --- CLIENT ------------------------------------------------------------- */

static int client_id(struct local_call *call)
{
    reply_integer(call->reply, (int64_t)call->session->id);
    return 0;
}

static int client_getname(struct local_call *call)
{
    if (call->session->name[0] == '\0') {
        reply_null(call->reply);
    } else {
        reply_bulk_text(call->reply, call->session->name);
    }
    return 0;
}

static int client_setname(struct local_call *call)
{
    if (set_name(call, call->argv[2])) {
        reply_ok(call->reply);
    }
    return 0;
}

/* What library a client is: heard, not kept. */
static int client_setinfo(struct local_call *call)
{
    struct slice what = call->argv[2];
    if (slice_equals_nocase(what, "lib-name") ||
        slice_equals_nocase(what, "lib-ver")) {
        reply_ok(call->reply);
    } else {
        reply_error_format(call->reply, "ERR Unrecognized option '%.*s'",
                           (int)(what.len < 128 ? what.len : 128), what.ptr);
    }
    return 0;
}

/* A connection knows only itself: LIST and INFO give the same line. */
static int client_line(struct local_call *call)
{
    const struct local_session *session = call->session;
    char line[256];
    int64_t age_s = (call->server->now_ms - session->since_ms) / 1000;
    int len = snprintf(line, sizeof line,
                       "id=%" PRIu64 " addr=%s name=%s age=%" PRId64
                       " db=0 cmd=client resp=2\n",
                       session->id, session->peer, session->name, age_s);
    assert(len > 0);
    assert((size_t)len < sizeof line);
    reply_bulk(call->reply, (struct slice){line, (size_t)len});
    return 0;
}

static const struct local_entry client_table[] = {
    {"getname", 2, client_getname}, {"id", 2, client_id},
    {"info", 2, client_line},       {"list", -2, client_line},
    {"setinfo", 4, client_setinfo}, {"setname", 3, client_setname},
};

static int client(struct local_call *call)
{
    return local_run_sub(call, "client", client_table,
                         sizeof client_table / sizeof client_table[0]);
}

/* --- finding the function ----------------------------------------------- */

static const struct local_entry local_table[] = {
    {"client", 0, client},       {"command", 0, local_command},
    {"config", 0, local_config}, {"echo", 0, echo},
    {"hello", 0, hello},         {"info", 0, local_info},
    {"ping", 0, ping},           {"quit", 0, quit},
    {"reset", 0, reset},         {"select", 0, select_database},
};

int local_run_sub(struct local_call *call, const char *container,
                  const struct local_entry *entries, size_t count)
{
    struct slice name = call->argv[1];
    for (size_t i = 0; i < count; i++) {
        const struct local_entry *entry = &entries[i];
        if (!slice_equals_nocase(name, entry->name)) {
            continue;
        }
        size_t least =
            (size_t)(entry->arity < 0 ? -entry->arity : entry->arity);
        if (call->argc < least || (entry->arity > 0 && call->argc != least)) {
            char full[64];
            snprintf(full, sizeof full, "%s|%s", container, entry->name);
            command_reply_arity(call->reply, full);
            return 0;
        }
        return entry->run(call);
    }
    char upper[16] = "";
    for (size_t i = 0; container[i] != '\0' && i + 1 < sizeof upper; i++) {
        upper[i] = (char)(container[i] - 'a' + 'A');
    }
    reply_error_format(call->reply,
                       "ERR unknown subcommand '%.*s'. Try %s HELP.",
                       (int)(name.len < 128 ? name.len : 128), name.ptr, upper);
    return 0;
}

int local_run(const struct command *command, struct local_call *call)
{
    assert((command->flags & COMMAND_LOCAL) != 0);
    assert(command_arity_fits(command, call->argc));
    size_t mark = call->reply->len;
    int err = -EINVAL;
    for (size_t i = 0; i < sizeof local_table / sizeof local_table[0]; i++) {
        if (strcmp(local_table[i].name, command->name) == 0) {
            err = local_table[i].run(call);
            break;
        }
    }
    assert(err != -EINVAL);
    if (err == 0) {
        err = call->reply->error;
    }
    if (err < 0) {
        bytes_truncate(call->reply, mark);
    }
    return err;
}
