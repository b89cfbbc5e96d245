/* SPDX-License-Identifier: MIT */
/*
 * introspect.c -- what the server says about itself: COMMAND, CONFIG, INFO.
 */
#include "local_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "glob.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- COMMAND ------------------------------------------------------------ */

static void reply_flags(struct bytes *reply, unsigned flags)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {
        {COMMAND_WRITE, "write"},
        {COMMAND_READONLY, "readonly"},
        {COMMAND_FAST, "fast"},
        {COMMAND_ADMIN, "admin"},
    };
    size_t count = 0;
    for (size_t i = 0; i < COUNT(names); i++) {
        count += (flags & names[i].flag) != 0;
    }
    reply_array(reply, count);
    for (size_t i = 0; i < COUNT(names); i++) {
        if ((flags & names[i].flag) != 0) {
            reply_status(reply, names[i].name);
        }
    }
}

/* Ten elements, as Redis 7 gives; the last four, categories, hints, key
 * specifications and subcommands, are empty. */
static void reply_info(struct bytes *reply, const struct command *command)
{
    reply_array(reply, 10);
    reply_bulk_text(reply, command->name);
    reply_integer(reply, command->arity);
    reply_flags(reply, command->flags);
    reply_integer(reply, command->key_first);
    reply_integer(reply, command->key_last);
    reply_integer(reply, command->key_step);
    for (int i = 0; i < 4; i++) {
        reply_array(reply, 0);
    }
}

static void reply_docs(struct bytes *reply, const struct command *command)
{
    reply_bulk_text(reply, command->name);
    reply_array(reply, 4);
    reply_bulk_text(reply, "summary");
    reply_bulk_text(reply, command->summary);
    reply_bulk_text(reply, "group");
    reply_bulk_text(reply, command->group);
}

static int command_count(struct local_call *call)
{
    size_t count = 0;
    command_table(&count);
    reply_integer(call->reply, (int64_t)count);
    return 0;
}

static int reply_all_info(struct local_call *call)
{
    size_t count = 0;
    const struct command *table = command_table(&count);
    reply_array(call->reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_info(call->reply, &table[i]);
    }
    return 0;
}

static int command_info(struct local_call *call)
{
    if (call->argc == 2) {
        return reply_all_info(call);
    }
    reply_array(call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) {
        const struct command *command = command_find(call->argv[i]);
        if (command == NULL) {
            reply_null_array(call->reply);
        } else {
            reply_info(call->reply, command);
        }
    }
    return 0;
}

/* A map, in RESP2 an array of names and values; unknown names are left out. */
static int command_docs(struct local_call *call)
{
    size_t count = 0;
    const struct command *table = command_table(&count);
    if (call->argc == 2) {
        reply_array(call->reply, 2 * count);
        for (size_t i = 0; i < count; i++) {
            reply_docs(call->reply, &table[i]);
        }
        return 0;
    }
    size_t known = 0;
    for (size_t i = 2; i < call->argc; i++) {
        known += command_find(call->argv[i]) != NULL;
    }
    reply_array(call->reply, 2 * known);
    for (size_t i = 2; i < call->argc; i++) {
        const struct command *command = command_find(call->argv[i]);
        if (command != NULL) {
            reply_docs(call->reply, command);
        }
    }
    return 0;
}

int local_command(struct local_call *call)
{
    static const struct local_entry entries[] = {
        {"count", 2, command_count},
        {"docs", -2, command_docs},
        {"info", -2, command_info},
    };
    if (call->argc == 1) {
        return reply_all_info(call);
    }
    return local_run_sub(call, "command", entries, COUNT(entries));
}

/* --- CONFIG ------------------------------------------------------------- */

struct setting {
    const char *name;
    char value[256];
};

enum { SETTINGS = 9 };

static void read_settings(const struct local_server *server,
                          struct setting settings[SETTINGS])
{
    const char *dir = server->dir != NULL ? server->dir : "";
    const char *fsync = server->appendfsync;
    char maxmemory[24];
    char maxclients[24];
    char port[24];
    snprintf(maxmemory, sizeof maxmemory, "%" PRIu64, server->bytes_max);
    snprintf(maxclients, sizeof maxclients, "%" PRIu64, server->clients_max);
    snprintf(port, sizeof port, "%d", server->port);
    const char *pairs[SETTINGS][2] = {
        {"appendfsync", fsync != NULL ? fsync : "no"},
        {"appendonly", "yes"},
        {"databases", "1"},
        {"dir", dir},
        {"maxclients", maxclients},
        {"maxmemory", maxmemory},
        {"maxmemory-policy", "noeviction"},
        {"port", port},
        {"save", ""},
    };
    for (size_t i = 0; i < SETTINGS; i++) {
        settings[i].name = pairs[i][0];
        snprintf(settings[i].value, sizeof settings[i].value, "%s",
                 pairs[i][1]);
    }
}

static bool is_asked_for(const struct local_call *call, const char *name)
{
    for (size_t i = 2; i < call->argc; i++) {
        if (glob_matches_nocase(call->argv[i], slice_text(name))) {
            return true;
        }
    }
    return false;
}

static int config_get(struct local_call *call)
{
    struct setting settings[SETTINGS];
    read_settings(call->server, settings);
    size_t count = 0;
    for (size_t i = 0; i < SETTINGS; i++) {
        count += is_asked_for(call, settings[i].name);
    }
    reply_array(call->reply, 2 * count);
    for (size_t i = 0; i < SETTINGS; i++) {
        if (is_asked_for(call, settings[i].name)) {
            reply_bulk_text(call->reply, settings[i].name);
            reply_bulk_text(call->reply, settings[i].value);
        }
    }
    return 0;
}

static int config_set(struct local_call *call)
{
    reply_error(call->reply,
                "ERR CONFIG SET is refused: kvd is set by its command line");
    return 0;
}

int local_config(struct local_call *call)
{
    static const struct local_entry entries[] = {
        {"get", -3, config_get},
        {"set", -4, config_set},
    };
    return local_run_sub(call, "config", entries, COUNT(entries));
}

/* --- INFO --------------------------------------------------------------- */

static void info_server(struct bytes *out, const struct local_server *server)
{
    bytes_format(out,
                 "# Server\r\nredis_version:%s\r\nredis_mode:standalone\r\n"
                 "server_name:kvd\r\nprocess_id:%d\r\ntcp_port:%d\r\n"
                 "uptime_in_seconds:%" PRId64 "\r\nshards:%u\r\n",
                 LOCAL_REDIS_VERSION, server->pid, server->port,
                 (server->now_ms - server->started_ms) / 1000, server->shards);
}

static void info_clients(struct bytes *out, const struct local_server *server)
{
    bytes_format(out,
                 "# Clients\r\nconnected_clients:%" PRIu64
                 "\r\nmaxclients:%" PRIu64 "\r\n",
                 server->clients, server->clients_max);
}

static void info_memory(struct bytes *out, const struct local_server *server)
{
    bytes_format(out,
                 "# Memory\r\nused_memory:%" PRIu64 "\r\nmaxmemory:%" PRIu64
                 "\r\nmaxmemory_policy:noeviction\r\n",
                 server->bytes, server->bytes_max);
}

static void info_persistence(struct bytes *out,
                             const struct local_server *server)
{
    const char *fsync = server->appendfsync;
    bytes_format(out,
                 "# Persistence\r\nloading:0\r\naof_enabled:1\r\n"
                 "appendfsync:%s\r\n",
                 fsync != NULL ? fsync : "no");
}

static void info_stats(struct bytes *out, const struct local_server *server)
{
    bytes_format(out,
                 "# Stats\r\ntotal_connections_received:%" PRIu64
                 "\r\ntotal_commands_processed:%" PRIu64
                 "\r\nrejected_connections:%" PRIu64
                 "\r\nshard_restarts:%" PRIu64 "\r\n",
                 server->connections, server->commands, server->refused,
                 server->restarts);
}

static void info_keyspace(struct bytes *out, const struct local_server *server)
{
    bytes_append_text(out, "# Keyspace\r\n");
    if (server->keys > 0) {
        bytes_format(out, "db0:keys=%" PRIu64 ",expires=%" PRIu64 "\r\n",
                     server->keys, server->expiring);
    }
}

static void info_ledger(struct bytes *out, const struct local_server *server)
{
    bytes_append_text(out, "# Ledger\r\n");
    if (server->ledger != NULL) {
        bytes_append_text(out, server->ledger);
    }
}

static bool wants_section(const struct local_call *call, const char *name)
{
    for (size_t i = 1; i < call->argc; i++) {
        struct slice word = call->argv[i];
        if (slice_equals_nocase(word, name) ||
            slice_equals_nocase(word, "all") ||
            slice_equals_nocase(word, "default") ||
            slice_equals_nocase(word, "everything")) {
            return true;
        }
    }
    return call->argc == 1;
}

int local_info(struct local_call *call)
{
    static const struct {
        const char *name;
        void (*write)(struct bytes *out, const struct local_server *server);
    } sections[] = {
        {"server", info_server},           {"clients", info_clients},
        {"memory", info_memory},           {"stats", info_stats},
        {"persistence", info_persistence}, {"keyspace", info_keyspace},
        {"ledger", info_ledger},
    };
    struct bytes text;
    bytes_init(&text, call->reply->memory);
    for (size_t i = 0; i < COUNT(sections); i++) {
        if (wants_section(call, sections[i].name)) {
            bytes_append(&text, "\r\n", text.len > 0 ? 2 : 0);
            sections[i].write(&text, call->server);
        }
    }
    int err = text.error;
    if (err == 0) {
        reply_bulk(call->reply, bytes_slice(&text));
    }
    bytes_fini(&text);
    return err;
}
