/* SPDX-License-Identifier: MIT */
/*
 * io_race_test.c -- a completion against a cancel: IO-BUFFER and IO-EFFECT of
 * spec/io.md.
 *
 * Each call is made in a scope that somebody cancels at a random moment.  What
 * the call reports must be what happened: a byte or a connection that came in
 * is handed out by this call or by the next one, never by none or by both.
 */
#include "tests/spec/canceller.h"
#include "tests/spec/pair.h"

#include <sys/socket.h>

static void start_canceller(ambit_region *region, int round)
{
    struct canceller c = {region, round * 31 % 3000, round % 4};
    WANT_EQ(ambit_spawn(region, cancel_at_random, &c), 0);
}

/* --- IO-BUFFER-1 ---------------------------------------------------------- */

static int reuse_the_buffer(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct pair pair;
    pair_open(cx, &pair);
    for (int round = 0; round < 2000 / SPEC_SLOWER; round++) {
        char buffer[64], next[64];
        int rc = 0;
        ambit_scope (cx, cut, &rc) {
            start_canceller(cut, round);
            WANT_EQ(ambit_tcp_read(cx, pair.here, buffer, sizeof buffer),
                    -ECANCELED);
        }
        WANT_EQ(rc, 0);
        memset(buffer, 0x55, sizeof buffer);
        WANT_EQ(ambit_tcp_write_all(cx, pair.there, "after the cancel", 16,
                                    NULL), 0);
        WANT_EQ(ambit_tcp_read(cx, pair.here, next, sizeof next), 16);
        for (size_t i = 0; i < sizeof buffer; i++) {
            WANT_EQ(buffer[i], 0x55);
        }
    }
    pair_close(&pair);
    return 0;
}

/* Goal: when a call has returned, its buffer is the caller's.
 * Method: a cancelled read, then bytes that must not land in its buffer. */
Spec(IO_BUFFER_1, the_kernel_has_let_go_of_the_buffer_of_a_cancelled_read)
{
    spec_on_1_and_2_workers(reuse_the_buffer);
    spec_end("IO_BUFFER_1");
}

/* --- IO-EFFECT-1 ---------------------------------------------------------- */

enum { BYTES = 10000 / SPEC_SLOWER };

static int write_slowly(ambit_cx *cx, void *arg)
{
    struct pair *pair = *(struct pair **)arg;
    for (int at = 0; at < BYTES;) {
        char chunk[8];
        int len = 1 + at % 7 % (BYTES - at);
        for (int i = 0; i < len; i++) {
            chunk[i] = (char)(at + i);
        }
        WANT_EQ(ambit_tcp_write_all(cx, pair->there, chunk, (size_t)len, NULL),
                0);
        at += len;
        WANT_EQ(at % 3 ? ambit_yield(cx) : ambit_sleep(cx, ambit_us(at % 40)),
                0);
    }
    return ambit_tcp_shutdown(pair->there, SHUT_WR);
}

static ssize_t read_in_a_race(ambit_cx *cx, struct pair *pair, char *buffer,
                              size_t len, int round)
{
    ssize_t n = -1;
    int rc = 0;
    ambit_scope (cx, cut, &rc) {
        start_canceller(cut, round);
        n = ambit_tcp_read(cx, pair->here, buffer, len);
    }
    WANT_EQ(rc, 0);
    return n;
}

static int read_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct pair pair, *ppair = &pair;
    int got = 0, rc = 0;
    char none;
    pair_open(cx, &pair);
    /* While there is no byte it is the cancel that ends it. */
    WANT_EQ(read_in_a_race(cx, &pair, &none, 1, 0), -ECANCELED);
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn(all, write_slowly, &ppair), 0);
        for (int round = 0;; round++) {
            char buffer[16];
            ssize_t n = read_in_a_race(cx, &pair, buffer,
                                       1 + (size_t)round % sizeof buffer,
                                       round);
            if (n == -ECANCELED) {
                continue;
            }
            WANT(n >= 0);
            if (n <= 0) {
                break;
            }
            bool good = true;
            for (int i = 0; i < n; i++) {
                good = good && buffer[i] == (char)(got + i);
            }
            WANT(good);
            got += (int)n;
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(got, BYTES);
    pair_close(&pair);
    return 0;
}

/* Goal: no byte is swallowed by a read that was cancelled, or read twice.
 * Method: 10,000 numbered bytes through reads that are all being cancelled. */
Spec(IO_EFFECT_1, no_byte_is_lost_between_a_read_and_its_cancel)
{
    spec_on_1_and_2_workers(read_against_cancel);
    spec_end("IO_EFFECT_1");
}

/* --- CAN-3 ---------------------------------------------------------------- */

struct crowd {
    ambit_tcp *socket;
    struct count *waiting, *cancelled;
};

static int read_in_a_crowd(ambit_cx *cx, void *arg)
{
    struct crowd *c = arg;
    char buffer[8];
    count_up(c->waiting);
    ssize_t n = ambit_tcp_read(cx, c->socket, buffer, sizeof buffer);
    WANT_EQ(n, -ECANCELED);
    count_up(c->cancelled);
    return 0;
}

static int cancel_a_crowd(ambit_cx *cx, void *arg)
{
    (void)arg;
    enum { CROWD = 2000 / SPEC_SLOWER };
    struct pair pair;
    pair_open(cx, &pair);
    for (int round = 0; round < 10; round++) {
        struct count waiting = {0}, cancelled = {0};
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            struct crowd c = {pair.here, &waiting, &cancelled};
            for (int i = 0; i < CROWD; i++) {
                WANT_EQ(ambit_spawn(all, read_in_a_crowd, &c), 0);
            }
            WANT(until(cx, &waiting, CROWD));
            if (round % 2) {
                WANT_EQ(ambit_sleep(cx, ambit_ms(1)), 0);
            }
            ambit_cancel(all, "all at once");
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&cancelled), CROWD);
    }
    pair_close(&pair);
    return 0;
}

/* Goal: a cancel needs no room that could be missing.
 * Method: 2,000 reads through a ring of eight places, cancelled at once. */
Spec(CAN_3, a_mass_cancel_gets_through_a_small_ring)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        WANT_EQ(spec_run(cancel_a_crowd, NULL, .workers = workers,
                         .ring_entries = 8), 0);
    }
    spec_end("CAN_3");
}

/* --- IO-EFFECT-2 ---------------------------------------------------------- */

enum { CLIENTS = 1500 / SPEC_SLOWER };

static int connect_many(ambit_cx *cx, void *arg)
{
    struct pair *pair = *(struct pair **)arg;
    for (int32_t id = 0; id < CLIENTS; id++) {
        ambit_tcp *socket;
        int rc = ambit_tcp_connect(cx, pair->address, &socket);
        WANT_EQ(rc, 0);
        if (rc < 0) {
            return rc;
        }
        WANT_EQ(ambit_tcp_write_all(cx, socket, &id, sizeof id, NULL), 0);
        ambit_tcp_discard(socket);
        if (id % 5 == 0) {
            WANT_EQ(ambit_yield(cx), 0);
        }
    }
    return 0;
}

static int accept_in_a_race(ambit_cx *cx, struct pair *pair,
                            ambit_tcp **ret_socket, int round)
{
    int result = -1, rc = 0;
    ambit_scope (cx, cut, &rc) {
        start_canceller(cut, round);
        result = ambit_tcp_accept(cx, pair->listener, ret_socket);
    }
    WANT_EQ(rc, 0);
    return result;
}

static int accept_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    static unsigned char seen[CLIENTS];
    struct pair pair, *ppair = &pair;
    int accepted = 0, rc = 0;
    memset(seen, 0, sizeof seen);
    pair_open(cx, &pair);
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn(all, connect_many, &ppair), 0);
        for (int round = 0; accepted < CLIENTS; round++) {
            ambit_tcp *socket = NULL;
            int result = accept_in_a_race(cx, &pair, &socket, round);
            if (result < 0) {
                WANT_EQ(result, -ECANCELED);
                WANT(socket == NULL);
                continue;
            }
            int32_t id = -1;
            WANT_EQ(ambit_tcp_read(cx, socket, &id, sizeof id), sizeof id);
            WANT(id >= 0 && id < CLIENTS && seen[id]++ == 0);
            ambit_tcp_discard(socket);
            accepted++;
        }
    }
    WANT_EQ(rc, 0);
    pair_close(&pair);
    return 0;
}

/* Goal: no connection is swallowed by an accept that was cancelled.
 * Method: 1,500 numbered clients through accepts that are all being
 * cancelled; the census of descriptors at the end. */
Spec(IO_EFFECT_2, no_connection_is_lost_between_an_accept_and_its_cancel)
{
    spec_on_1_and_2_workers(accept_against_cancel);
    spec_end("IO_EFFECT_2");
}

/* --- IO-EFFECT-3 ---------------------------------------------------------- */

static size_t drain(ambit_cx *cx, ambit_tcp *socket)
{
    static char buffer[1 << 16];
    size_t total = 0;
    ssize_t n;
    while ((n = ambit_tcp_read(cx, socket, buffer, sizeof buffer)) > 0) {
        total += (size_t)n;
    }
    WANT_EQ(n, 0);
    return total;
}

static int count_what_was_written(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const char much[16 << 20];
    for (int round = 0; round < 40 / SPEC_SLOWER + 4; round++) {
        struct pair pair;
        size_t written = SIZE_MAX;
        int rc = 0, result = -1;
        pair_open(cx, &pair);
        ambit_scope (cx, cut, &rc) {
            start_canceller(cut, round * 7);
            result = ambit_tcp_write_all(cx, pair.there, much, sizeof much,
                                         &written);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(result, -ECANCELED);
        WANT_EQ(ambit_tcp_shutdown(pair.there, SHUT_WR), 0);
        WANT_EQ(drain(cx, pair.here), written);
        WANT_EQ(ambit_tcp_write_all(cx, pair.here, "ok", 2, &written), 0);
        WANT_EQ(written, 2);
        pair_close(&pair);
    }
    return 0;
}

/* Goal: a cut-off write says how far it came.
 * Method: 16 MiB to a peer that does not read, cancelled; then the peer counts
 * what there is.  (file_test.c has the full disk.) */
Spec(IO_EFFECT_3, a_write_that_is_cut_off_says_how_much_was_taken)
{
    spec_on_1_and_2_workers(count_what_was_written);
    spec_end("IO_EFFECT_3");
}
