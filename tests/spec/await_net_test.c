/* SPDX-License-Identifier: MIT */
/*
 * await_net_test.c -- TCP by poll tasks: AWAIT-IO-1 and 5 of spec/await.md.
 */
#include "tests/spec/pair.h"

#include <limits.h>
#include <sys/socket.h>

/* --- an echo server, and its clients --------------------------------------- */

enum {
    CLIENTS = 40 / SPEC_SLOWER + 8,
    BIG = 100000,
};

struct town {
    char address[64];
    ambit_tcp *listener;
    ambit_region *region;
    unsigned char *pattern; /* what client n sends, from byte n on */
    struct count served, came_back, ended;
};

struct echo {
    struct ambit_await wait;
    struct town *town;
    ambit_tcp *socket;
    size_t count;
    int at;
    char buffer[1000];
};

static int echo_step(ambit_cx *cx, void *state)
{
    struct echo *s = state;
    for (;;) {
        int rc;
        size_t none = 77;
        switch (s->at) {
        case 0:
            rc = ambit_await_tcp_read(cx, &s->wait, s->socket, s->buffer,
                                      sizeof s->buffer, &s->count);
            break;
        case 1:
            rc = ambit_await_tcp_write_all(cx, &s->wait, s->socket, s->buffer,
                                           s->count, &none);
            WANT_EQ(none, rc == AMBIT_PENDING ? 77 : s->count);
            break;
        default:
            rc = ambit_await_tcp_close(cx, &s->wait, s->socket);
            break;
        }
        if (rc == AMBIT_PENDING) {
            return AMBIT_PENDING;
        }
        WANT_EQ(rc, 0);
        if (s->at == 2) {
            count_up(&s->town->served);
            return 0;
        }
        s->at = s->at == 1 ? 0 : s->count > 0 ? 1 : 2;
    }
}

struct host {
    struct ambit_await wait;
    struct town *town;
    ambit_tcp *socket;
    int taken;
};

static int host_step(ambit_cx *cx, void *state)
{
    struct host *s = state;
    while (s->taken < CLIENTS) {
        int rc = ambit_await_tcp_accept(cx, &s->wait, s->town->listener,
                                        &s->socket);
        if (rc == AMBIT_PENDING) {
            return AMBIT_PENDING;
        }
        WANT_EQ(rc, 0);
        struct echo echo = {.town = s->town, .socket = s->socket};
        WANT_EQ(ambit_spawn_poll(s->town->region, echo_step, &echo), 0);
        s->taken++;
    }
    return 0;
}

/* Two waits at a time: one sends, one receives. */
struct client {
    struct ambit_await in, out;
    struct town *town;
    ambit_tcp *socket;
    size_t len, got, count, written;
    int number;
    bool is_sent, is_over;
    unsigned char buffer[777];
};

static int client_send(ambit_cx *cx, struct client *s)
{
    int rc = ambit_await_tcp_write_all(cx, &s->out, s->socket,
                                       s->town->pattern + s->number, s->len,
                                       &s->written);
    if (rc != AMBIT_PENDING) {
        WANT_EQ(rc, 0);
        WANT_EQ(s->written, s->len);
        WANT_EQ(ambit_tcp_shutdown(s->socket, SHUT_WR), 0);
        s->is_sent = true;
    }
    return rc;
}

static void client_check(struct client *s)
{
    const unsigned char *sent = s->town->pattern + s->number + s->got;
    WANT(s->got + s->count <= s->len);
    WANT(memcmp(s->buffer, sent, s->count) == 0);
    s->got += s->count;
}

static int client_receive(ambit_cx *cx, struct client *s)
{
    for (;;) {
        int rc = ambit_await_tcp_read(cx, &s->in, s->socket, s->buffer,
                                      sizeof s->buffer, &s->count);
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        WANT_EQ(rc, 0);
        if (rc < 0 || s->count == 0) {
            s->is_over = true;
            return 0;
        }
        client_check(s);
    }
}

static int client_step(ambit_cx *cx, void *state)
{
    struct client *s = state;
    if (s->socket == NULL) {
        int rc = ambit_await_tcp_connect(cx, &s->in, s->town->address,
                                         &s->socket);
        if (rc == AMBIT_PENDING) {
            return AMBIT_PENDING;
        }
        WANT_EQ(rc, 0);
    }
    bool waits = !s->is_sent && client_send(cx, s) == AMBIT_PENDING;
    waits |= !s->is_over && client_receive(cx, s) == AMBIT_PENDING;
    if (waits) {
        return AMBIT_PENDING;
    }
    if (ambit_await_tcp_close(cx, &s->in, s->socket) == AMBIT_PENDING) {
        return AMBIT_PENDING;
    }
    WANT_EQ(s->got, s->len);
    count_add(&s->town->came_back, (int64_t)s->got);
    count_up(&s->town->ended);
    return 0;
}

static unsigned char *make_pattern(size_t len)
{
    unsigned char *pattern = malloc(len);
    for (size_t i = 0; i < len; i++) {
        pattern[i] = (unsigned char)(i * 7 + i / 251);
    }
    return pattern;
}

static int echo_all(ambit_cx *cx, void *arg)
{
    struct town town = {.pattern = make_pattern(BIG + CLIENTS)};
    int64_t sent = 0;
    int rc = 0;
    (void)arg;
    WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &town.listener), 0);
    WANT_EQ(ambit_tcp_local(town.listener, town.address, sizeof town.address),
            0);
    ambit_scope (cx, region, &rc) {
        town.region = region;
        struct host host = {.town = &town};
        WANT_EQ(ambit_spawn_poll(region, host_step, &host), 0);
        for (int i = 0; i < CLIENTS; i++) {
            struct client client = {.town = &town, .number = i};
            client.len = i % 8 == 0 ? BIG : (size_t)i * 13 % 3000;
            sent += (int64_t)client.len;
            WANT_EQ(ambit_spawn_poll(region, client_step, &client), 0);
        }
    }
    WANT_EQ(count_get(&town.ended), CLIENTS);
    WANT_EQ(count_get(&town.served), CLIENTS);
    WANT_EQ(count_get(&town.came_back), sent);
    WANT_EQ(ambit_tcp_close(cx, town.listener), 0);
    free(town.pattern);
    return rc;
}

/* --- more than fits -------------------------------------------------------- */

enum { MUCH = 16 << 20 }; /* sockets hold less */

struct sender {
    struct ambit_await wait;
    ambit_tcp *socket;
    const unsigned char *bytes;
    size_t written;
};

static int send_much(ambit_cx *cx, void *state)
{
    struct sender *s = state;
    int rc = ambit_await_tcp_write_all(cx, &s->wait, s->socket, s->bytes, MUCH,
                                       &s->written);
    if (rc != AMBIT_PENDING) {
        WANT_EQ(rc, 0);
        WANT_EQ(s->written, MUCH);
        WANT_EQ(ambit_tcp_shutdown(s->socket, SHUT_WR), 0);
    }
    return rc;
}

/* It begins when the sender has had to wait. */
static void receive_much(ambit_cx *cx, ambit_tcp *socket,
                         const unsigned char *bytes)
{
    enum { CHUNK = 1 << 18 };
    unsigned char *chunk = malloc(CHUNK);
    size_t got = 0;
    ssize_t n;
    bool same = true;
    let_others_run(cx);
    while ((n = ambit_tcp_read(cx, socket, chunk, CHUNK)) > 0) {
        same = same && got + (size_t)n <= MUCH &&
               memcmp(chunk, bytes + got, (size_t)n) == 0;
        got += (size_t)n;
    }
    WANT_EQ(n, 0);
    WANT_EQ(got, MUCH);
    WANT(same);
    free(chunk);
}

static int more_than_fits(ambit_cx *cx, void *arg)
{
    struct pair pair;
    unsigned char *bytes = make_pattern(MUCH);
    int rc = 0;
    (void)arg;
    pair_open(cx, &pair);
    ambit_scope (cx, region, &rc) {
        struct sender sender = {.socket = pair.there, .bytes = bytes};
        WANT_EQ(ambit_spawn_poll(region, send_much, &sender), 0);
        receive_much(cx, pair.here, bytes);
    }
    pair_close(&pair);
    free(bytes);
    return rc;
}

/* --- what the calls say ---------------------------------------------------- */

enum { NOT_SET = 77 };

struct asker {
    struct ambit_await wait;
    struct pair *pair;
    struct count *ended;
    size_t count;
    int at;
    char buffer[16];
};

/* One answer after the other, each at once or in a later step. */
static int ask_step(ambit_cx *cx, void *state)
{
    struct asker *s = state;
    struct ambit_await *wait = &s->wait;
    ambit_tcp *none = NULL;
    struct { int rc, wanted; } answer;
    static const size_t counts[] = {NOT_SET, NOT_SET, NOT_SET, NOT_SET, 1,
                                    1,       0,       0,       0};
    for (;;) {
        ambit_tcp *here = s->pair->here, *there = s->pair->there;
        answer.wanted = 0;
        switch (s->at) {
        case 0:
            answer.rc = ambit_await_tcp_read(cx, wait, here, s->buffer, 0,
                                             &s->count);
            answer.wanted = -EINVAL;
            break;
        case 1:
            answer.rc = ambit_await_tcp_read(cx, wait, here, s->buffer,
                                             (size_t)INT_MAX + 1, &s->count);
            answer.wanted = -EINVAL;
            break;
        case 2:
            answer.rc = ambit_await_tcp_connect(cx, wait, "no address", &none);
            answer.wanted = -EINVAL;
            break;
        case 3:
            answer.rc = ambit_await_tcp_connect(cx, wait, "127.0.0.1:1", &none);
            answer.wanted = -ECONNREFUSED;
            break;
        case 4:
            answer.rc = ambit_await_tcp_write(cx, wait, there, "one byte", 1,
                                              &s->count);
            break;
        case 5:
            answer.rc = ambit_await_tcp_read(cx, wait, here, s->buffer,
                                             sizeof s->buffer, &s->count);
            break;
        case 6:
            WANT_EQ(s->buffer[0], 'o');
            answer.rc = ambit_await_tcp_write_all(cx, wait, there, "", 0,
                                                  &s->count);
            break;
        case 7:
            WANT_EQ(ambit_tcp_shutdown(there, SHUT_WR), 0);
            answer.rc = ambit_await_tcp_read(cx, wait, here, s->buffer,
                                             sizeof s->buffer, &s->count);
            break;
        default:
            answer.rc = ambit_await_tcp_write_all(cx, wait, there, "x", 1,
                                                  &s->count);
            answer.wanted = -EPIPE;
            break;
        }
        if (answer.rc == AMBIT_PENDING) {
            return AMBIT_PENDING;
        }
        WANT_EQ(answer.rc, answer.wanted);
        WANT(none == NULL);
        WANT_EQ(s->count, counts[s->at]);
        s->count = NOT_SET;
        if (s->at++ == 8) {
            count_up(s->ended);
            return 0;
        }
    }
}

static int ask_all(ambit_cx *cx, void *arg)
{
    struct pair pair;
    struct count ended = {0};
    int rc = 0;
    (void)arg;
    pair_open(cx, &pair);
    ambit_scope (cx, region, &rc) {
        struct asker asker = {.pair = &pair, .ended = &ended,
                              .count = NOT_SET};
        WANT_EQ(ambit_spawn_poll(region, ask_step, &asker), 0);
    }
    WANT_EQ(count_get(&ended), 1);
    pair_close(&pair);
    return rc;
}

/* Goal: poll tasks speak TCP as tasks with a stack do.  Method: many machines
 * that send to machines that send it back: the bytes are the same, and so are
 * the sums; one that sends more than fits; each answer that a call can give. */
Spec(AWAIT_IO_1, machines_read_and_write_each_byte_once_and_in_order)
{
    spec_on_1_and_2_workers(echo_all);
    spec_on_1_and_2_workers(more_than_fits);
    spec_on_1_and_2_workers(ask_all);
    spec_end("AWAIT_IO_1");
}

/* --- limits ---------------------------------------------------------------- */

struct reader {
    struct ambit_await wait;
    ambit_tcp *socket;
    struct count *begun, *refused, *ended;
    size_t count;
    int wanted;
    bool is_begun;
    char byte;
};

static int read_step(ambit_cx *cx, void *state)
{
    struct reader *s = state;
    bool first = !s->is_begun;
    int rc = ambit_await_tcp_read(cx, &s->wait, s->socket, &s->byte, 1,
                                  &s->count);
    if (rc != AMBIT_PENDING) {
        WANT_EQ(rc, s->wanted);
        count_up(rc == 0 ? s->ended : s->refused);
    }
    if (first) {
        s->is_begun = true;
        count_up(s->begun);
    }
    return rc == AMBIT_PENDING ? rc : 0;
}

static int read_within_limits(ambit_cx *cx, void *arg)
{
    struct pair pair;
    struct count begun = {0}, refused = {0}, ended = {0};
    int rc = 0;
    (void)arg;
    pair_open(cx, &pair);
    ambit_scope (cx, region, &rc, .ops_max = 2) {
        struct reader reader = {.socket = pair.here, .begun = &begun,
                                .refused = &refused, .ended = &ended};
        WANT_EQ(ambit_spawn_poll(region, read_step, &reader), 0);
        WANT(until(cx, &begun, 1));
        WANT_EQ(ambit_region_used(region, AMBIT_LIMIT_OPS), 1);
        WANT_EQ(ambit_spawn_poll(region, read_step, &reader), 0);
        WANT(until(cx, &begun, 2));
        reader.wanted = -EDQUOT;
        WANT_EQ(ambit_spawn_poll(region, read_step, &reader), 0);
        WANT(until(cx, &begun, 3));
        WANT_EQ(count_get(&refused), 1);
        WANT_EQ(ambit_region_used(region, AMBIT_LIMIT_OPS), 2);
        WANT_EQ(ambit_tcp_shutdown(pair.there, SHUT_WR), 0);
        WANT(until(cx, &ended, 2));
        WANT_EQ(ambit_region_used(region, AMBIT_LIMIT_OPS), 0);
        reader.wanted = 0;
        WANT_EQ(ambit_spawn_poll(region, read_step, &reader), 0);
    }
    WANT_EQ(count_get(&ended), 3);
    pair_close(&pair);
    return rc;
}

static int read_without_leave(ambit_cx *cx, void *arg)
{
    struct pair pair;
    struct count begun = {0}, refused = {0}, ended = {0};
    int rc = 0;
    (void)arg;
    pair_open(cx, &pair);
    ambit_scope (cx, region, &rc, .without = AMBIT_CAP_IO) {
        struct reader reader = {.socket = pair.here, .begun = &begun,
                                .refused = &refused, .ended = &ended,
                                .wanted = -EPERM};
        WANT_EQ(ambit_spawn_poll(region, read_step, &reader), 0);
    }
    WANT_EQ(count_get(&refused), 1);
    pair_close(&pair);
    return rc;
}

/* Goal: machines cannot pass by the limits of their region.  Method: two reads
 * under way where two are allowed, one more is refused, and is not when they
 * have ended; one in a region without leave for I/O. */
Spec(AWAIT_IO_5, what_machines_await_counts_under_the_limits)
{
    spec_on_1_and_2_workers(read_within_limits);
    spec_on_1_and_2_workers(read_without_leave);
    spec_end("AWAIT_IO_5");
}
