/* SPDX-License-Identifier: MIT */
/*
 * scenarios_await_net.c -- poll tasks that speak TCP: echoes, reads that are
 * dropped, writes too, closes under readers, panics.
 */
#include "tests/lab/scenario.h"

#include <sys/socket.h>

struct place {
    ambit_tcp *listener;
    char address[64];
    struct tally served, began, told;
};

static int listen_here(struct place *place)
{
    int rc = ambit_tcp_listen("127.0.0.1:0", &place->listener);
    if (rc == 0) {
        rc = ambit_tcp_local(place->listener, place->address,
                             sizeof place->address);
        always(rc == 0);
    }
    want(rc == 0);
    return rc;
}

/* --- an echo --------------------------------------------------------------- */

enum { READING, WRITING, CLOSING };

struct echo {
    struct ambit_await wait;
    ambit_tcp *socket;
    size_t count;
    int at, rc;
    char buffer[50];
};

static int echo_next(ambit_cx *cx, struct echo *s)
{
    switch (s->at) {
    case READING:
        return ambit_await_tcp_read(cx, &s->wait, s->socket, s->buffer,
                                    sizeof s->buffer, &s->count);
    case WRITING:
        return ambit_await_tcp_write_all(cx, &s->wait, s->socket, s->buffer,
                                         s->count, NULL);
    default:
        return ambit_await_tcp_close(cx, &s->wait, s->socket);
    }
}

static int echo_step(ambit_cx *cx, void *arg)
{
    struct echo *s = arg;
    for (;;) {
        int rc = echo_next(cx, s);
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        if (s->at == CLOSING) {
            always(rc == 0);
            want(s->rc == 0);
            return s->rc;
        }
        s->rc = rc;
        s->at = rc < 0 || (s->at == READING && s->count == 0) ? CLOSING
                : s->at == READING                            ? WRITING
                                                              : READING;
    }
}

static void discard_echo(void *arg)
{
    ambit_tcp_discard(((struct echo *)arg)->socket);
}

struct host {
    struct ambit_await wait;
    struct place *place;
    ambit_tcp *socket;
};

static int host_step(ambit_cx *cx, void *arg)
{
    struct host *s = arg;
    int rc = ambit_await_tcp_accept(cx, &s->wait, s->place->listener,
                                    &s->socket);
    if (rc != 0) {
        return rc;
    }
    struct echo echo = {.socket = s->socket};
    tally_up(&s->place->served);
    rc = ambit_spawn_poll_with(ambit_cx_region(cx), echo_step, &echo,
                               .dispose = discard_echo);
    if (rc < 0) {
        ambit_tcp_discard(s->socket);
    }
    return rc;
}

/* Sends 100 bytes, ends, and wants them back. */
struct talker {
    struct ambit_await wait;
    struct place *place;
    ambit_tcp *socket;
    size_t count, sum;
    int at, rc;
    char out[100], in[64];
};

static int talk_next(ambit_cx *cx, struct talker *s)
{
    switch (s->at) {
    case 0:
        return ambit_await_tcp_connect(cx, &s->wait, s->place->address,
                                       &s->socket);
    case 1:
        return ambit_await_tcp_write_all(cx, &s->wait, s->socket, s->out,
                                         sizeof s->out, &s->count);
    case 2:
        return ambit_await_tcp_read(cx, &s->wait, s->socket, s->in,
                                    sizeof s->in, &s->count);
    default:
        return ambit_await_tcp_close(cx, &s->wait, s->socket);
    }
}

static int talk_step(ambit_cx *cx, void *arg)
{
    struct talker *s = arg;
    for (;;) {
        int rc = talk_next(cx, s);
        if (rc == AMBIT_PENDING || (rc < 0 && s->at == 0)) {
            return rc;
        }
        if (s->at == 3) {
            always(rc == 0);
            want(s->rc == 0 && s->sum == sizeof s->out);
            return s->rc;
        }
        if (s->at == 1) {
            always(rc < 0 || s->count == sizeof s->out);
            rc = rc < 0 ? rc : ambit_tcp_shutdown(s->socket, SHUT_WR);
        }
        if (s->at == 2 && rc == 0) {
            always(memcmp(s->in, s->out + s->sum, s->count) == 0);
            s->sum += s->count;
        }
        s->rc = rc;
        s->at = rc < 0 ? 3 : s->at == 2 ? (s->count == 0 ? 3 : 2) : s->at + 1;
    }
}

static int await_echo(ambit_cx *cx, void *arg)
{
    struct place place = {0};
    int rc = listen_here(&place);
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            struct host host = {.place = &place};
            struct talker talker = {.place = &place};
            for (size_t i = 0; i < sizeof talker.out; i++) {
                talker.out[i] = (char)i;
            }
            if (ambit_spawn_poll(s, host_step, &host) < 0 ||
                ambit_spawn_poll(s, talk_step, &talker) < 0) {
                break;
            }
        }
    }
    ambit_tcp_discard(place.listener);
    want(rc == 0 && tally_get(&place.served) == 1);
    return rc;
}

/* --- two ends, one of them a machine's -------------------------------------- */

static int pair_up(ambit_cx *cx, struct place *place, ambit_tcp **ret_here,
                   ambit_tcp **ret_there)
{
    int rc = ambit_tcp_connect(cx, place->address, ret_here);
    if (rc == 0) {
        rc = ambit_tcp_accept(cx, place->listener, ret_there);
    }
    return rc;
}

enum { SENT = 24 };

/* Gives each read a microsecond. */
struct hasty {
    struct ambit_await in, time;
    struct place *place;
    ambit_tcp *socket;
    size_t count;
    int got;
    bool gives_up;
    char buffer[4];
};

static int read_hastily(ambit_cx *cx, struct hasty *s)
{
    return ambit_await_tcp_read(cx, &s->in, s->socket, s->buffer,
                                sizeof s->buffer, &s->count);
}

static int read_or_give_up(ambit_cx *cx, struct hasty *s)
{
    if (!s->gives_up) {
        int rc = read_hastily(cx, s);
        if (rc != AMBIT_PENDING) {
            if (ambit_await_drop(&s->time) == -EBUSY) {
                (void)ambit_await_sleep(cx, &s->time, ambit_ns(0));
            }
            return rc;
        }
        rc = ambit_await_sleep(cx, &s->time, ambit_us(1));
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        s->gives_up = true;
    }
    int rc = ambit_await_drop(&s->in);
    return rc == -EBUSY ? read_hastily(cx, s) : rc == 0 ? -EAGAIN : rc;
}

static int hasty_step(ambit_cx *cx, void *arg)
{
    struct hasty *s = arg;
    for (;;) {
        int rc = read_or_give_up(cx, s);
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        bool was_late = s->gives_up;
        s->gives_up = false;
        if (rc == -EAGAIN && was_late && ambit_checkpoint(cx) == 0) {
            tally_up(&s->place->told);
            continue;
        }
        for (size_t i = 0; rc == 0 && i < s->count; i++) {
            always(s->buffer[i] == (char)s->got++);
        }
        if (rc < 0 || s->count == 0) {
            want(rc == 0 && s->got == SENT);
            return rc;
        }
    }
}

static int write_slowly(ambit_cx *cx, ambit_tcp *socket)
{
    int rc = 0;
    for (int at = 0; at < SENT && rc == 0; at += 3) {
        char bytes[3] = {(char)at, (char)(at + 1), (char)(at + 2)};
        rc = ambit_tcp_write_all(cx, socket, bytes, sizeof bytes, NULL);
        rc = rc < 0 ? rc : ambit_sleep(cx, ambit_us(1));
    }
    return rc < 0 ? rc : ambit_tcp_shutdown(socket, SHUT_WR);
}

static int await_read_or_time(ambit_cx *cx, void *arg)
{
    struct place place = {0};
    ambit_tcp *here = NULL, *there = NULL;
    int rc = listen_here(&place);
    (void)arg;
    if (rc == 0) {
        rc = pair_up(cx, &place, &here, &there);
    }
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            struct hasty hasty = {.place = &place, .socket = here};
            if (ambit_spawn_poll(s, hasty_step, &hasty) < 0 ||
                write_slowly(cx, there) < 0) {
                break;
            }
        }
    }
    ambit_tcp_discard(here);
    ambit_tcp_discard(there);
    ambit_tcp_discard(place.listener);
    want(rc == 0);
    return rc;
}

/* Gives each write a microsecond, and goes on behind what was sent. */
struct scribe {
    struct ambit_await out, time;
    ambit_tcp *socket;
    size_t sent, written;
    bool gives_up;
    char bytes[SENT];
};

static int write_rest(ambit_cx *cx, struct scribe *s)
{
    return ambit_await_tcp_write_all(cx, &s->out, s->socket, s->bytes + s->sent,
                                     SENT - s->sent, &s->written);
}

static int write_or_give_up(ambit_cx *cx, struct scribe *s)
{
    if (!s->gives_up) {
        int rc = write_rest(cx, s);
        if (rc != AMBIT_PENDING) {
            if (ambit_await_drop(&s->time) == -EBUSY) {
                (void)ambit_await_sleep(cx, &s->time, ambit_ns(0));
            }
            return rc;
        }
        rc = ambit_await_sleep(cx, &s->time, ambit_us(1));
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        s->gives_up = true;
    }
    int rc = ambit_await_drop(&s->out);
    return rc == -EBUSY ? write_rest(cx, s) : rc;
}

static int scribe_step(ambit_cx *cx, void *arg)
{
    struct scribe *s = arg;
    while (s->sent < SENT) {
        s->written = 0;
        int rc = write_or_give_up(cx, s);
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        s->sent += s->written;
        if (rc < 0 && !(s->gives_up && rc == -ECANCELED &&
                        ambit_checkpoint(cx) == 0)) {
            want(false);
            return rc;
        }
        s->gives_up = false;
    }
    return ambit_tcp_shutdown(s->socket, SHUT_WR);
}

static int read_all(ambit_cx *cx, ambit_tcp *socket)
{
    char byte;
    int n = 0;
    int64_t rc;
    while ((rc = ambit_tcp_read(cx, socket, &byte, 1)) == 1) {
        always(byte == (char)n++);
    }
    want(rc == 0 && n == SENT);
    return rc < 0 ? (int)rc : 0;
}

static int await_write_or_time(ambit_cx *cx, void *arg)
{
    struct place place = {0};
    ambit_tcp *here = NULL, *there = NULL;
    int rc = listen_here(&place);
    (void)arg;
    if (rc == 0) {
        rc = pair_up(cx, &place, &here, &there);
    }
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            struct scribe scribe = {.socket = here};
            for (int i = 0; i < SENT; i++) {
                scribe.bytes[i] = (char)i;
            }
            if (ambit_spawn_poll(s, scribe_step, &scribe) < 0 ||
                read_all(cx, there) < 0) {
                break;
            }
        }
    }
    ambit_tcp_discard(here);
    ambit_tcp_discard(there);
    ambit_tcp_discard(place.listener);
    want(rc == 0);
    return rc;
}

/* --- a close under readers ------------------------------------------------- */

struct reader {
    struct ambit_await wait;
    struct place *place;
    ambit_tcp *socket;
    size_t count;
    bool is_begun;
    char byte;
};

static int reader_step(ambit_cx *cx, void *arg)
{
    struct reader *s = arg;
    int rc = ambit_await_tcp_read(cx, &s->wait, s->socket, &s->byte, 1,
                                  &s->count);
    if (!s->is_begun) {
        s->is_begun = true;
        tally_up(&s->place->began);
    }
    if (rc == AMBIT_PENDING) {
        return rc;
    }
    want(rc == -ESHUTDOWN);
    tally_up(&s->place->told);
    return 0;
}

static void close_under(ambit_cx *cx, struct place *place, ambit_tcp **socket)
{
    int rc = 0, n = 0;
    ambit_scope (cx, s, &rc) {
        struct reader reader = {.place = place, .socket = *socket};
        for (int i = 0; i < 2; i++) {
            n += ambit_spawn_poll(s, reader_step, &reader) == 0;
        }
        while (tally_get(&place->began) < n && ambit_yield(cx) == 0) {
        }
        always(ambit_tcp_close(cx, *socket) == 0);
        *socket = NULL;
    }
    want(tally_get(&place->told) == 2);
}

static int await_close_under_reads(ambit_cx *cx, void *arg)
{
    struct place place = {0};
    ambit_tcp *here = NULL, *there = NULL;
    int rc = listen_here(&place);
    (void)arg;
    if (rc == 0) {
        rc = pair_up(cx, &place, &here, &there);
        if (rc == 0) {
            close_under(cx, &place, &here);
        }
        ambit_tcp_discard(here);
    }
    ambit_tcp_discard(there);
    ambit_tcp_discard(place.listener);
    want(rc == 0);
    return rc;
}

/* --- a panic --------------------------------------------------------------- */

static int host_panics(ambit_cx *cx, void *arg)
{
    struct host *s = arg;
    if (s->socket != NULL) {
        ambit_panic(cx, "it may have taken somebody in");
    }
    int rc = ambit_await_tcp_accept(cx, &s->wait, s->place->listener,
                                    &s->socket);
    if (rc == AMBIT_PENDING) {
        s->socket = s->place->listener; /* begun */
        tally_up(&s->place->began);
    }
    return rc;
}

/* It leaves no connection, which the lab looks after, and no place for one. */
static int await_accept_and_panic(ambit_cx *cx, void *arg)
{
    struct place place = {0};
    ambit_tcp *client = NULL;
    int rc = listen_here(&place), inner = 0;
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, limited, &rc, .fds_max = 3) {
            ambit_scope (cx, s, &inner, .policy = AMBIT_ISOLATE) {
                struct host host = {.place = &place};
                if (ambit_spawn_poll(s, host_panics, &host) < 0 ||
                    ambit_tcp_connect(cx, place.address, &client) < 0) {
                    ambit_cancel(s, "nobody has come");
                }
            }
            ambit_tcp_discard(client);
            always(ambit_region_used(limited, AMBIT_LIMIT_FDS) == 0);
        }
    }
    ambit_tcp_discard(place.listener);
    return rc;
}

SCENARIOS(await_net,
          {"await_echo", await_echo, 2, CORE,
           "AWAIT-IO-1"},
          {"await_read_or_time", await_read_or_time, 2, TIMED,
           "AWAIT-IO-2"},
          {"await_close_under_reads", await_close_under_reads, 2, 0,
           "AWAIT-IO-3"},
          {"await_write_or_time", await_write_or_time, 2, TIMED,
           "AWAIT-IO-2"},
          {"await_accept_and_panic", await_accept_and_panic, 2, 0,
           "AWAIT-IO-4"});
