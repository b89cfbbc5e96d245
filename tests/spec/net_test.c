/* SPDX-License-Identifier: MIT */
/*
 * net_test.c -- sockets: spec/io.md.
 *
 * The races between a completion and a cancel are in io_race_test.c.
 */
#include "tests/spec/pair.h"

#include "src/io/net.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* --- IO-CLOSE-1, IO-CLOSE-2 ----------------------------------------------- */

enum use { USE_READ, USE_WRITE, USE_ACCEPT };

struct user {
    ambit_tcp *socket;
    enum use use;
    struct count *ended;
};

static int use_until_closed(ambit_cx *cx, void *arg)
{
    static const char much[256 << 20]; /* more than any socket takes */
    struct user *u = arg;
    ambit_tcp *socket;
    char buffer[16];
    int rc = 0;
    switch (u->use) {
    case USE_READ:
        rc = (int)ambit_tcp_read(cx, u->socket, buffer, sizeof buffer);
        break;
    case USE_WRITE:
        rc = ambit_tcp_write_all(cx, u->socket, much, sizeof much, NULL);
        break;
    case USE_ACCEPT:
        rc = ambit_tcp_accept(cx, u->socket, &socket);
        break;
    }
    WANT_EQ(rc, -ESHUTDOWN);
    count_up(u->ended);
    return 0;
}

static int uses_of(ambit_tcp *socket)
{
    int uses = 0;
    spin_lock(&socket->handle.lock);
    list_for_each (node, &socket->handle.uses) {
        uses++;
    }
    spin_unlock(&socket->handle.lock);
    return uses;
}

/* Until so many calls use it: one that comes after the close has no socket. */
static bool until_used(ambit_cx *cx, ambit_tcp *socket, int users)
{
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (uses_of(socket) < users) {
        if (ambit_yield(cx) < 0 || ambit_now().ns > end.ns) {
            return false;
        }
    }
    return true;
}

static void close_in_use(ambit_cx *cx, enum use use, int users, int turns)
{
    struct pair pair;
    struct count ended = {0};
    int rc = 0;
    pair_open(cx, &pair);
    ambit_scope (cx, all, &rc) {
        ambit_tcp *socket = use == USE_ACCEPT ? pair.listener : pair.here;
        struct user u = {socket, use, &ended};
        for (int i = 0; i < users; i++) {
            WANT_EQ(ambit_spawn(all, use_until_closed, &u), 0);
        }
        WANT(until_used(cx, socket, users));
        for (int i = 0; i < turns; i++) {
            WANT_EQ(ambit_sleep(cx, ambit_us(30)), 0);
        }
        WANT_EQ(ambit_tcp_close(cx, socket), 0);
        *(use == USE_ACCEPT ? &pair.listener : &pair.here) = NULL;
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&ended), users);
    pair_close(&pair);
}

static int close_sockets_in_use(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 200 / SPEC_SLOWER; round++) {
        close_in_use(cx, USE_READ, 1 + round % 3, round % 5);
        close_in_use(cx, USE_WRITE, 1, round % 5);
        close_in_use(cx, USE_ACCEPT, 1 + round % 3, round % 5);
    }
    return 0;
}

/* Goal: who uses a socket that is being closed is told, and nobody is left.
 * Method: readers, a writer and acceptors wait; the socket is closed. */
Spec(IO_CLOSE_1, a_close_ends_the_calls_under_way)
{
    spec_on_1_and_2_workers(close_sockets_in_use);
    spec_end("IO_CLOSE_1");
}

struct closer {
    ambit_tcp *socket;
    struct count *closed, *refused;
};

static int close_one(ambit_cx *cx, void *arg)
{
    struct closer *c = arg;
    int rc = ambit_tcp_close(cx, c->socket);
    WANT(rc == 0 || rc == -EALREADY);
    count_up(rc == 0 ? c->closed : c->refused);
    return 0;
}

static int close_twice(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 100; round++) {
        struct count ended = {0}, closed = {0}, refused = {0};
        struct pair pair;
        int rc = 0;
        pair_open(cx, &pair);
        ambit_scope (cx, all, &rc) {
            struct user u = {pair.here, USE_READ, &ended};
            struct closer c = {pair.here, &closed, &refused};
            WANT_EQ(ambit_spawn(all, use_until_closed, &u), 0);
            WANT(until_used(cx, pair.here, 1));
            WANT_EQ(ambit_spawn(all, close_one, &c), 0);
            WANT_EQ(ambit_spawn(all, close_one, &c), 0);
            WANT_EQ(ambit_spawn(all, close_one, &c), 0);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&closed), 1);
        WANT_EQ(count_get(&refused), 2);
        pair.here = NULL;
        pair_close(&pair);
    }
    return 0;
}

/* Goal: a descriptor is closed once.
 * Method: one worker, so that the closes overlap: the first one waits for a
 * read to end when the others come. */
Spec(IO_CLOSE_2, only_one_of_several_closes_closes)
{
    spec_on(1, close_twice);
    spec_end("IO_CLOSE_2");
}

/* --- IO-OPEN-1 ------------------------------------------------------------ */

/* A port that is taken, and where nobody listens. */
static int hold_a_port(char *ret_address, size_t room)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    WANT_EQ(bind(fd, (struct sockaddr *)&at, len), 0);
    WANT_EQ(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(ret_address, room, "127.0.0.1:%d", ntohs(at.sin_port));
    return fd;
}

/* What was listened at can be again, unless another process was quicker. */
static bool listen_again(void)
{
    ambit_tcp *listener;
    char address[64];
    WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &listener), 0);
    WANT_EQ(ambit_tcp_local(listener, address, sizeof address), 0);
    ambit_tcp_discard(listener);
    int rc = ambit_tcp_listen(address, &listener);
    WANT(rc == 0 || rc == -EADDRINUSE);
    if (rc == 0) {
        ambit_tcp_discard(listener);
    }
    return rc == 0;
}

static int refuse_addresses(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const char *const bad[] = {
        "",           "localhost:80",   "127.0.0.1",    "127.0.0.1:",
        "127.0.0.1:99999", "127.0.0.1:-1", "256.0.0.1:80", "[::1:80",
        "[::1]80",    ":x",             "1.2.3.4:80x",  "1.2.3:80",
        "[::g]:80",   " 127.0.0.1:80",  "127.0.0.1: 80",
    };
    ambit_tcp *socket = NULL;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int listened = ambit_tcp_listen(bad[i], &socket);
        int connected = ambit_tcp_connect(cx, bad[i], &socket);
        if (listened != -EINVAL || connected != -EINVAL) {
            fprintf(stderr, "the address was \"%s\"\n", bad[i]);
        }
        WANT_EQ(listened, -EINVAL);
        WANT_EQ(connected, -EINVAL);
    }
    WANT(socket == NULL);
    ambit_tcp *listener;
    char address[64];
    WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &listener), 0);
    WANT_EQ(ambit_tcp_local(listener, address, sizeof address), 0);
    WANT_EQ(ambit_tcp_listen(address, &socket), -EADDRINUSE);
    WANT(ambit_tcp_port(listener) > 0);
    ambit_tcp_discard(listener);
    int held = hold_a_port(address, sizeof address);
    WANT_EQ(ambit_tcp_connect(cx, address, &socket), -ECONNREFUSED);
    WANT(socket == NULL);
    close(held);
    int tries = 1;
    while (!listen_again() && tries < 20) {
        tries++;
    }
    WANT(tries < 20);
    return 0;
}

/* Goal: each wrong address has its own answer, at once.
 * Method: fifteen that are none, one in use, one where nobody listens. */
Spec(IO_OPEN_1, wrong_addresses_are_refused)
{
    spec_on_1_and_2_workers(refuse_addresses);
    spec_end("IO_OPEN_1");
}

/* --- IO-READ-1 ------------------------------------------------------------ */

static int tell_ends_apart(ambit_cx *cx, void *arg)
{
    (void)arg;
    char buffer[64];
    struct pair pair;
    pair_open(cx, &pair);
    WANT_EQ(ambit_tcp_read(cx, pair.here, buffer, 0), -EINVAL);
    WANT_EQ(ambit_tcp_read(cx, pair.here, buffer, (size_t)INT_MAX + 1),
            -EINVAL);
    WANT_EQ(ambit_tcp_write_all(cx, pair.there, "last", 4, NULL), 0);
    WANT_EQ(ambit_tcp_shutdown(pair.there, SHUT_WR), 0);
    WANT_EQ(ambit_tcp_read(cx, pair.here, buffer, sizeof buffer), 4);
    for (int i = 0; i < 3; i++) {
        WANT_EQ(ambit_tcp_read(cx, pair.here, buffer, sizeof buffer), 0);
    }
    WANT_EQ(ambit_tcp_write(cx, pair.there, "x", 1), -EPIPE);
    pair_close(&pair);

    /* A peer that goes with unread bytes resets the connection. */
    pair_open(cx, &pair);
    WANT_EQ(ambit_tcp_write_all(cx, pair.here, "unread", 6, NULL), 0);
    WANT_EQ(ambit_tcp_read(cx, pair.there, buffer, 1), 1);
    ambit_tcp_discard(pair.there);
    pair.there = NULL;
    WANT_EQ(ambit_tcp_read(cx, pair.here, buffer, sizeof buffer),
            -ECONNRESET);
    pair_close(&pair);
    return 0;
}

/* Goal: an end, a reset and a senseless length are three things.
 * Method: a peer that shuts down, a peer that goes with bytes unread. */
Spec(IO_READ_1, a_read_tells_the_ends_of_a_stream_apart)
{
    spec_on_1_and_2_workers(tell_ends_apart);
    spec_end("IO_READ_1");
}

/* --- IO-WRITE-1 ----------------------------------------------------------- */

enum { STREAM = (16 << 20) / SPEC_SLOWER };

struct stream {
    ambit_tcp *socket;
    uint64_t seed;
};

static unsigned char byte_at(uint64_t seed, size_t at)
{
    return (unsigned char)((at * 2654435761u + seed) >> 13);
}

static size_t some_size(size_t at)
{
    return at % 3 == 0 ? 1 + at % 7 : 1 + at % 60000;
}

static int write_stream(ambit_cx *cx, void *arg)
{
    struct stream *s = arg;
    for (size_t at = 0; at < STREAM;) {
        size_t len = some_size(at + s->seed);
        len = len < STREAM - at ? len : STREAM - at;
        unsigned char *mine = malloc(len);
        for (size_t i = 0; i < len; i++) {
            mine[i] = byte_at(s->seed, at + i);
        }
        size_t written = 0;
        int rc = ambit_tcp_write_all(cx, s->socket, mine, len, &written);
        free(mine);
        WANT_EQ(rc, 0);
        WANT_EQ(written, len);
        if (rc < 0) {
            return rc;
        }
        at += len;
    }
    return ambit_tcp_shutdown(s->socket, SHUT_WR);
}

static int read_stream(ambit_cx *cx, void *arg)
{
    struct stream *s = arg;
    unsigned char buffer[8192];
    size_t at = 0;
    for (;;) {
        size_t room = some_size(at) % sizeof buffer + 1;
        ssize_t n = ambit_tcp_read(cx, s->socket, buffer, room);
        WANT(n >= 0 && n <= (ssize_t)room);
        if (n <= 0) {
            break;
        }
        bool good = true;
        for (size_t i = 0; i < (size_t)n; i++) {
            good = good && buffer[i] == byte_at(s->seed, at + i);
        }
        WANT(good);
        at += (size_t)n;
    }
    WANT_EQ(at, STREAM);
    return 0;
}

static int both_ways(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct pair pair;
    int rc = 0;
    pair_open(cx, &pair);
    ambit_scope (cx, all, &rc) {
        struct stream out = {pair.here, 1}, in = {pair.there, 1};
        struct stream back = {pair.there, 2}, home = {pair.here, 2};
        WANT_EQ(ambit_spawn(all, write_stream, &out), 0);
        WANT_EQ(ambit_spawn(all, read_stream, &in), 0);
        WANT_EQ(ambit_spawn(all, write_stream, &back), 0);
        WANT_EQ(ambit_spawn(all, read_stream, &home), 0);
    }
    WANT_EQ(rc, 0);
    pair_close(&pair);
    return 0;
}

/* Goal: a stream is a stream, whatever the pieces.
 * Method: 16 MiB each way at once, in pieces of 1 to 60,000 bytes. */
Spec(IO_WRITE_1, bytes_arrive_complete_and_in_order)
{
    spec_on_1_and_2_workers(both_ways);
    spec_end("IO_WRITE_1");
}
