/* SPDX-License-Identifier: MIT */
/*
 * scenarios_net.c -- TCP: echoes, ends, resets, refusals, closes under readers.
 */
#include "tests/lab/scenario.h"

#include <sys/socket.h>

struct place {
    ambit_tcp *listener;
    char address[64];
    struct tally served, ended;
};

static int listen_here(struct place *place, int backlog)
{
    int rc = ambit_tcp_listen("127.0.0.1:0", &place->listener,
                              .backlog = backlog);
    if (rc == 0) {
        rc = ambit_tcp_local(place->listener, place->address,
                             sizeof place->address);
        always(rc == 0);
    }
    want(rc == 0);
    return rc;
}

/* Reads until the end; how many bytes, or the error. */
static ssize_t read_all(ambit_cx *cx, ambit_tcp *socket)
{
    char buffer[64];
    ssize_t n, sum = 0;
    while ((n = ambit_tcp_read(cx, socket, buffer, sizeof buffer)) > 0) {
        sum += n;
    }
    return n < 0 ? n : sum;
}

static int echo(ambit_cx *cx, void *arg)
{
    ambit_tcp *socket = *(ambit_tcp **)arg;
    char buffer[50];
    ssize_t n;
    int rc = 0;
    while (rc == 0 &&
           (n = ambit_tcp_read(cx, socket, buffer, sizeof buffer)) != 0) {
        rc = n < 0 ? (int)n
                   : ambit_tcp_write_all(cx, socket, buffer, (size_t)n, NULL);
    }
    always(ambit_tcp_close(cx, socket) == 0);
    want(rc == 0);
    return rc;
}

/* Sends 100 bytes, ends, and wants them back. */
static int talks(ambit_cx *cx, void *arg)
{
    struct place *place = *(struct place **)arg;
    ambit_tcp *socket;
    char out[100];
    memset(out, 'x', sizeof out);
    int rc = ambit_tcp_connect(cx, place->address, &socket);
    if (rc < 0) {
        return rc;
    }
    rc = ambit_tcp_write_all(cx, socket, out, sizeof out, NULL);
    if (rc == 0) {
        rc = ambit_tcp_shutdown(socket, SHUT_WR);
    }
    ssize_t got = rc < 0 ? rc : read_all(cx, socket);
    want(got == sizeof out);
    always(ambit_tcp_close(cx, socket) == 0);
    return got < 0 ? (int)got : 0;
}

static void discard_arg(void *arg)
{
    ambit_tcp_discard(*(ambit_tcp **)arg);
}

static int serve_one(ambit_cx *cx, void *arg)
{
    struct place *place = *(struct place **)arg;
    ambit_tcp *socket;
    int rc = ambit_tcp_accept(cx, place->listener, &socket);
    if (rc < 0) {
        return rc;
    }
    tally_up(&place->served);
    rc = ambit_spawn_with(ambit_cx_region(cx), echo, &socket,
                          .dispose = discard_arg);
    if (rc < 0) {
        ambit_tcp_discard(socket);
    }
    return rc;
}

static int tcp_echo(ambit_cx *cx, void *arg)
{
    struct place place = {0}, *here = &place;
    int rc = listen_here(&place, 0);
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            if (ambit_spawn(s, serve_one, &here) < 0 ||
                ambit_spawn(s, talks, &here) < 0) {
                break;
            }
        }
    }
    ambit_tcp_discard(place.listener);
    want(rc == 0);
    return rc;
}

static int tcp_two_clients(ambit_cx *cx, void *arg)
{
    struct place place = {0}, *here = &place;
    int rc = listen_here(&place, 0);
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            for (int i = 0; i < 2; i++) {
                if (ambit_spawn(s, serve_one, &here) < 0 ||
                    ambit_spawn(s, talks, &here) < 0) {
                    ambit_cancel(s, "nobody to talk to");
                }
            }
        }
    }
    ambit_tcp_discard(place.listener);
    want(rc == 0 && tally_get(&place.served) == 2);
    return rc;
}

/* Closes with bytes unread: the peer is told by a reset. */
static int hangs_up(ambit_cx *cx, void *arg)
{
    struct place *place = *(struct place **)arg;
    ambit_tcp *socket;
    char byte;
    int rc = ambit_tcp_accept(cx, place->listener, &socket);
    if (rc < 0) {
        return rc;
    }
    ssize_t n = ambit_tcp_read(cx, socket, &byte, 1);
    always(ambit_tcp_close(cx, socket) == 0);
    return n < 0 ? (int)n : 0;
}

static int tcp_reset(ambit_cx *cx, void *arg)
{
    struct place place = {0}, *here = &place;
    ambit_tcp *socket;
    ssize_t got = 0;
    int rc = listen_here(&place, 0);
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            if (ambit_spawn(s, hangs_up, &here) < 0 ||
                ambit_tcp_connect(cx, place.address, &socket) < 0) {
                break;
            }
            got = ambit_tcp_write_all(cx, socket, "12345678", 8, NULL);
            got = got < 0 ? got : read_all(cx, socket);
            always(ambit_tcp_close(cx, socket) == 0);
        }
    }
    ambit_tcp_discard(place.listener);
    want(got == 0 || got == -ECONNRESET || got == -EPIPE);
    want(rc == 0);
    return rc;
}

static int tcp_refused(ambit_cx *cx, void *arg)
{
    struct place place = {0};
    ambit_tcp *socket = NULL;
    int rc = listen_here(&place, 0);
    (void)arg;
    ambit_tcp_discard(place.listener);
    if (rc == 0) {
        rc = ambit_tcp_connect(cx, place.address, &socket);
        want(rc == -ECONNREFUSED);
        ambit_tcp_discard(rc == 0 ? socket : NULL);
    }
    return disturbed ? rc : 0;
}

/* More want in than the backlog holds; the last one is served, too. */
static int tcp_backlog(ambit_cx *cx, void *arg)
{
    struct place place = {0}, *here = &place;
    int rc = listen_here(&place, 1);
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            for (int i = 0; i < 4; i++) {
                if (ambit_spawn(s, talks, &here) < 0) {
                    ambit_cancel(s, "nobody to talk to");
                }
            }
            (void)ambit_sleep(cx, ambit_us(100));
            for (int i = 0; i < 4; i++) {
                if (ambit_spawn(s, serve_one, &here) < 0) {
                    ambit_cancel(s, "nobody to talk to");
                }
            }
        }
    }
    ambit_tcp_discard(place.listener);
    want(rc == 0 && tally_get(&place.served) == 4);
    return rc;
}

/* --- a close under those who use the socket -------------------------------- */

struct shared_socket {
    ambit_tcp *socket;
    struct tally began, told;
};

static int reads_shared(ambit_cx *cx, void *arg)
{
    struct shared_socket *shared = *(struct shared_socket **)arg;
    char byte;
    tally_up(&shared->began);
    ssize_t n = ambit_tcp_read(cx, shared->socket, &byte, 1);
    want(n == -ESHUTDOWN);
    tally_up(&shared->told);
    return 0;
}

/* The readers stay on this worker, so they wait in their reads when the yield
 * returns; or they will never run. */
static void close_under_readers(ambit_cx *cx, ambit_region *readers,
                                struct shared_socket *shared)
{
    int n = 0;
    for (int i = 0; i < 2; i++) {
        n += ambit_spawn_with(readers, reads_shared, &shared,
                              .tier = AMBIT_FIBER) == 0;
    }
    while (tally_get(&shared->began) < n && ambit_yield(cx) == 0) {
    }
    always(ambit_tcp_close(cx, shared->socket) == 0);
    shared->socket = NULL;
}

static int keeps(ambit_cx *cx, void *arg)
{
    struct place *place = *(struct place **)arg;
    ambit_tcp *socket;
    int rc = ambit_tcp_accept(cx, place->listener, &socket);
    if (rc < 0) {
        return rc;
    }
    ssize_t got = read_all(cx, socket);
    want(got == 0);
    always(ambit_tcp_close(cx, socket) == 0);
    return got < 0 ? (int)got : 0;
}

static int tcp_close_under_readers(ambit_cx *cx, void *arg)
{
    struct place place = {0}, *here = &place;
    struct shared_socket shared = {0};
    int rc = listen_here(&place, 0), inner_rc = 0;
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            if (ambit_spawn(s, keeps, &here) < 0 ||
                ambit_tcp_connect(cx, place.address, &shared.socket) < 0) {
                break;
            }
            ambit_scope (cx, readers, &inner_rc) {
                close_under_readers(cx, readers, &shared);
            }
            ambit_tcp_discard(shared.socket);
        }
    }
    ambit_tcp_discard(place.listener);
    want(rc == 0 && inner_rc == 0 && tally_get(&shared.told) == 2);
    return rc;
}

static int accept_until_told(ambit_cx *cx, void *arg)
{
    struct place *place = *(struct place **)arg;
    ambit_tcp *socket;
    tally_up(&place->served);
    int rc = ambit_tcp_accept(cx, place->listener, &socket);
    always(rc < 0);
    tally_up(&place->ended);
    return rc;
}

static int tcp_accept_against_cancel(ambit_cx *cx, void *arg)
{
    struct place place = {0}, *here = &place;
    int rc = listen_here(&place, 0);
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, s, &rc, .deadline = ambit_after(ambit_ms(1))) {
            ambit_spawn(s, accept_until_told, &here);
            ambit_spawn(s, accept_until_told, &here);
        }
        always(tally_get(&place.ended) == tally_get(&place.served));
        want(rc == -ETIMEDOUT);
    }
    ambit_tcp_discard(place.listener);
    return disturbed ? rc : 0;
}

SCENARIOS(net, {"tcp_echo", tcp_echo, 2, CORE},
          {"tcp_two_clients", tcp_two_clients, 2, 0},
          {"tcp_reset", tcp_reset, 2, 0}, {"tcp_refused", tcp_refused, 1, 0},
          {"tcp_backlog", tcp_backlog, 2, TIMED},
          {"tcp_close_under_readers", tcp_close_under_readers, 2, 0},
          {"tcp_accept_against_cancel", tcp_accept_against_cancel, 2, 0});
