/* SPDX-License-Identifier: MIT */
/*
 * local.h -- the commands that need no key: the connection answers.
 *
 * PING ECHO SELECT HELLO CLIENT CONFIG COMMAND INFO QUIT RESET.  We speak
 * RESP2; HELLO 3 gets -NOPROTO, as an older Redis would answer, and clients
 * fall back.
 */
#ifndef KVD_LOCAL_H
#define KVD_LOCAL_H

#include "command.h"

enum { LOCAL_NAME_MAX = 64 };

/* The Redis whose answers ours are held against; clients look at it. */
#define LOCAL_REDIS_VERSION "7.0.15"

/* What one client said about itself.  Owner: its connection. */
struct local_session {
    uint64_t id;
    char peer[64];                 /* "127.0.0.1:5000" */
    char name[LOCAL_NAME_MAX + 1]; /* CLIENT SETNAME */
    int64_t since_ms;
    bool is_closing; /* set by QUIT: send what is written, then close */
};

/* What the server says about itself: a copy the connection makes for the
 * call, from counters that others own. */
struct local_server {
    int64_t now_ms;
    int64_t started_ms;
    int pid;
    int port;
    uint32_t shards;
    uint64_t clients;
    uint64_t clients_max;
    uint64_t connections; /* accepted since the start */
    uint64_t refused;     /* connections over the ceiling */
    uint64_t commands;
    uint64_t keys;
    uint64_t expiring;
    uint64_t bytes;
    uint64_t bytes_max;
    uint64_t restarts;       /* of shards */
    const char *appendfsync; /* "always" or "everysec" */
    const char *dir;
    const char *ledger; /* more lines "name:number\r\n" for INFO, or NULL */
};

struct local_call {
    struct local_session *session;
    const struct local_server *server;
    size_t argc;
    const struct slice *argv;
    struct bytes *reply;
};

/*
 * Runs a command for which plan.h answered PLAN_LOCAL.  Does not suspend.
 * 0 or -ENOMEM: reply as it was.
 */
int local_run(const struct command *command, struct local_call *call);

#endif
