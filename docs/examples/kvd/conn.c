/* SPDX-License-Identifier: MIT */
/*
 * conn.c -- reading, running and writing for one client.
 */
#include "conn.h"

#include "batch.h"
#include "debug.h"
#include "resp.h"

#include <assert.h>
#include <sys/socket.h>

enum {
    READ_BYTES = 4096,          /* for a client that says little */
    KEPT_BYTES = 64 * 1024,     /* a larger buffer is given back when empty */
    LINGER_MS = 200,            /* for the last words to arrive */
    LINGER_BYTES = 1024 * 1024, /* of what is not read any more */
};

struct conn {
    struct service *service;
    struct client client; /* clients.first */
    struct resp_parser parser;
    struct bytes in;
    struct bytes out;
    struct batch batch;
    struct local_session session;
    ambit_time request_until;  /* 0: no request is half read */
    uint64_t unsent[OUTCOMES]; /* replies in `out`, by enum outcome */
    bool has_last_words;       /* the error in `out` ends the conversation */
};

static int conn_init(struct conn *conn, const struct conn_arg *arg);
static void conn_fini(ambit_cx *cx, struct conn *conn);
static enum ledger_line conn_loop(ambit_cx *cx, struct conn *conn);
static ssize_t fill(ambit_cx *cx, struct conn *conn);
static int drain_input(ambit_cx *cx, struct conn *conn);
static int run_batch(ambit_cx *cx, struct conn *conn);
static int run_debug(ambit_cx *cx, struct conn *conn);
static void settle(struct conn *conn, bool is_sent);
static int send_replies(ambit_cx *cx, struct conn *conn);
static void linger(ambit_cx *cx, ambit_tcp *socket);

/* --- tasks -------------------------------------------------------------- */

int conn_serve(ambit_cx *cx, void *arg)
{
    struct conn conn;
    enum ledger_line end = LEDGER_CONNECTIONS_CANCELLED;
    struct service *service = ((struct conn_arg *)arg)->service;
    if (conn_init(&conn, arg) == 0) {
        end = conn_loop(cx, &conn);
    }
    conn_fini(cx, &conn);
    ledger_count(&service->ledger, end, 1);
    return 0;
}

int conn_turn_away(ambit_cx *cx, void *arg)
{
    static const char text[] = "-ERR max number of clients reached\r\n";
    struct conn_arg *client = arg;
    if (ambit_tcp_write(cx, client->socket, text, sizeof text - 1) > 0) {
        linger(cx, client->socket);
    }
    ambit_tcp_close(cx, client->socket);
    ledger_count(&client->service->ledger, LEDGER_CONNECTIONS_REFUSED, 1);
    return 0;
}

void conn_dispose(void *arg)
{
    struct conn_arg *client = arg;
    ambit_tcp_discard(client->socket);
    ledger_count(&client->service->ledger, LEDGER_CONNECTIONS_CANCELLED, 1);
}

static int conn_init(struct conn *conn, const struct conn_arg *arg)
{
    *conn = (struct conn){
        .service = arg->service,
        .client = {.socket = arg->socket},
        .session = {.since_ms = wall_clock_ms()},
    };
    resp_init(&conn->parser, NULL, NULL);
    bytes_init(&conn->in, NULL);
    bytes_init(&conn->out, NULL);
    ambit_tcp_peer(arg->socket, conn->session.peer, sizeof conn->session.peer);
    conn->session.id = clients_join(&arg->service->clients, &conn->client);
    return batch_init(&conn->batch, arg->service);
}

static void conn_fini(ambit_cx *cx, struct conn *conn)
{
    clients_leave(&conn->service->clients, &conn->client);
    conn->unsent[OUTCOME_CANCELLED] +=
        conn->batch.items_len - conn->batch.items_done;
    settle(conn, false);
    batch_fini(&conn->batch);
    resp_fini(&conn->parser);
    bytes_fini(&conn->in);
    bytes_fini(&conn->out);
    ambit_tcp_close(cx, conn->client.socket);
}

/* --- the loop ----------------------------------------------------------- */

/* How the connection ended. */
static enum ledger_line conn_loop(ambit_cx *cx, struct conn *conn)
{
    for (;;) {
        ssize_t len = fill(cx, conn);
        if (len < 0 || (len == 0 && resp_is_midway(&conn->parser))) {
            return LEDGER_CONNECTIONS_CANCELLED;
        }
        if (len == 0) {
            return LEDGER_CONNECTIONS_ANSWERED;
        }
        if (drain_input(cx, conn) < 0 || send_replies(cx, conn) < 0) {
            return LEDGER_CONNECTIONS_CANCELLED;
        }
        if (conn->has_last_words) {
            linger(cx, conn->client.socket);
            return LEDGER_CONNECTIONS_REFUSED;
        }
        if (conn->session.is_closing) {
            return LEDGER_CONNECTIONS_ANSWERED;
        }
    }
}

static ambit_duration client_timeout(const struct conn *conn)
{
    return ambit_ms(conn->service->options->client_timeout_ms);
}

/* Reads at least one byte.  How many; 0 at the end; -errno, -ETIMEDOUT when a
 * request that was begun did not become whole in time (CONN-2). */
static ssize_t fill(ambit_cx *cx, struct conn *conn)
{
    struct bytes *in = &conn->in;
    ambit_tcp *socket = conn->client.socket;
    ssize_t len = -ECANCELED;
    int rc = 0;
    if (in->len == 0 && in->cap > KEPT_BYTES) {
        bytes_fini(in);
    }
    if (in->cap == in->len && bytes_reserve(in, READ_BYTES) < 0) {
        return -ENOMEM;
    }
    if (in->len == 0) {
        conn->request_until = (ambit_time){0};
        len = ambit_tcp_read(cx, socket, in->data, in->cap);
    } else {
        if (conn->request_until.ns == 0) {
            conn->request_until = ambit_after(client_timeout(conn));
        }
        ambit_scope (cx, patience, &rc, .name = "request",
                     .deadline = conn->request_until) {
            len = ambit_tcp_read(cx, socket, in->data + in->len,
                                 in->cap - in->len);
        }
    }
    if (len > 0) {
        in->len += (size_t)len;
    }
    return len;
}

/* Refused with last words: what the client sends does not make sense. */
static void refuse(struct conn *conn)
{
    reply_error_format(&conn->out, "ERR %s", conn->parser.error);
    ledger_count(&conn->service->ledger, LEDGER_REQUESTS_ACCEPTED, 1);
    conn->unsent[OUTCOME_REFUSED]++;
    conn->has_last_words = true;
}

/* One whole request.  0 or -errno. */
static int take(ambit_cx *cx, struct conn *conn)
{
    struct resp_parser *parser = &conn->parser;
    if (parser->argc == 0) {
        return 0;
    }
    ledger_count(&conn->service->ledger, LEDGER_REQUESTS_ACCEPTED, 1);
    if (debug_is_meant(parser->argv[0])) {
        return run_debug(cx, conn);
    }
    int err = batch_is_full(&conn->batch) ? run_batch(cx, conn) : 0;
    if (err == 0) {
        err =
            batch_add(&conn->batch, parser->argc, parser->argv, &conn->session);
    }
    if (err < 0) {
        ledger_count(&conn->service->ledger, LEDGER_REQUESTS_CANCELLED, 1);
    }
    return err;
}

/* Runs every whole request of the input.  0 or -errno. */
static int drain_input(ambit_cx *cx, struct conn *conn)
{
    enum resp_result result = RESP_REQUEST;
    size_t at = 0;
    int err = 0;
    while (err == 0 && !conn->session.is_closing) {
        struct slice rest = {conn->in.data + at, conn->in.len - at};
        result = resp_parse(&conn->parser, rest);
        if (result != RESP_REQUEST) {
            break;
        }
        at += conn->parser.consumed;
        err = take(cx, conn);
        conn->request_until = (ambit_time){0};
    }
    if (err == 0) {
        err = run_batch(cx, conn);
    }
    if (err == 0 && result == RESP_ERROR) {
        refuse(conn);
    }
    bytes_consume(&conn->in, at);
    return err;
}

/* --- running and writing ------------------------------------------------ */

static int run_batch(ambit_cx *cx, struct conn *conn)
{
    int err;
    do {
        err = batch_run(cx, &conn->batch, &conn->out);
        for (int i = 0; i < OUTCOMES; i++) {
            conn->unsent[i] += conn->batch.outcomes[i];
        }
        if (err >= 0 && conn->out.len > KEPT_BYTES) {
            int sent = send_replies(cx, conn);
            err = sent < 0 ? sent : err;
        }
    } while (err == BATCH_MORE);
    return err;
}

static int run_debug(ambit_cx *cx, struct conn *conn)
{
    int err = run_batch(cx, conn);
    if (err < 0) {
        ledger_count(&conn->service->ledger, LEDGER_REQUESTS_CANCELLED, 1);
        return err;
    }
    enum outcome outcome = debug_run(cx, conn->service, conn->parser.argc,
                                     conn->parser.argv, &conn->out);
    conn->unsent[outcome]++;
    return 0;
}

/* CONN-1. */
static void settle(struct conn *conn, bool is_sent)
{
    static const enum ledger_line lines[OUTCOMES] = {
        [OUTCOME_ANSWERED] = LEDGER_REQUESTS_ANSWERED,
        [OUTCOME_REFUSED] = LEDGER_REQUESTS_REFUSED,
        [OUTCOME_CANCELLED] = LEDGER_REQUESTS_CANCELLED,
    };
    for (int i = 0; i < OUTCOMES; i++) {
        ledger_count(&conn->service->ledger,
                     is_sent ? lines[i] : LEDGER_REQUESTS_CANCELLED,
                     conn->unsent[i]);
        conn->unsent[i] = 0;
    }
}

static int send_replies(ambit_cx *cx, struct conn *conn)
{
    struct bytes *out = &conn->out;
    int err = -ECANCELED;
    int rc = 0;
    if (out->error != 0 || out->len == 0) {
        return out->error;
    }
    ambit_scope (cx, patience, &rc, .name = "reply",
                 .deadline = ambit_after(client_timeout(conn))) {
        err = ambit_tcp_write_all(cx, conn->client.socket, out->data, out->len,
                                  NULL);
    }
    settle(conn, err == 0);
    bytes_truncate(out, 0);
    if (out->cap > KEPT_BYTES) {
        bytes_fini(out);
    }
    return err;
}

/* A socket that is closed with unread input resets the connection, and the
 * reset overtakes what was written last: so wait for the client's end. */
static void linger(ambit_cx *cx, ambit_tcp *socket)
{
    char unused[4096];
    size_t left = LINGER_BYTES;
    int rc = 0;
    ambit_tcp_shutdown(socket, SHUT_WR);
    ambit_scope (cx, patience, &rc, .name = "linger",
                 .deadline = ambit_after(ambit_ms(LINGER_MS))) {
        while (left > 0) {
            ssize_t len = ambit_tcp_read(cx, socket, unused, sizeof unused);
            if (len <= 0) {
                break;
            }
            left -= (size_t)len < left ? (size_t)len : left;
        }
    }
}
