/* SPDX-License-Identifier: MIT */
/*
 * io_race_test.c -- sockets and files closed under those who use them, and
 * operations cancelled by the thousand, with rings and limits of any size.
 */
#include "tests/spec/pair.h"

#include <fcntl.h>

enum { ROUNDS = 400 / SPEC_SLOWER, BIG = 1 << 25 };

static char big[BIG];

struct user {
    ambit_tcp *socket;
    ambit_file *file;
    struct count *inside; /* who has begun: inside the call, for its worker */
    bool drained;
};

/* Several users on one worker, wherever that is: when the crew goes on, each
 * of them is inside its call. */
struct crew {
    ambit_region *region;
    struct user user;
    ambit_task_fn *fns[3];
    struct count *ready;
};

static int crew_main(ambit_cx *cx, void *arg)
{
    struct crew crew = *(struct crew *)arg;
    struct count inside = {0};
    crew.user.inside = &inside;
    for (int i = 0; i < 3; i++) {
        WANT_EQ(ambit_spawn_with(crew.region, crew.fns[i], &crew.user,
                                 .tier = AMBIT_FIBER), 0);
    }
    WANT(until(cx, &inside, 3));
    count_up(crew.ready);
    return 0;
}

static void crews_open(ambit_cx *cx, ambit_region *region, struct user user,
                       ambit_task_fn *a, ambit_task_fn *b, ambit_task_fn *c)
{
    struct count ready = {0};
    struct crew crew = {region, user, {a, b, c}, &ready};
    for (int i = 0; i < 3; i++) {
        WANT_EQ(ambit_spawn(region, crew_main, &crew), 0);
    }
    WANT(until(cx, &ready, 3));
}

static int write_much(ambit_cx *cx, void *arg)
{
    struct user *u = arg;
    count_up(u->inside);
    size_t written = 0;
    int rc = ambit_tcp_write_all(cx, u->socket, big, sizeof big, &written);
    WANT_EQ(rc, u->drained && written == sizeof big ? 0 : -ESHUTDOWN);
    return 0;
}

static int read_much(ambit_cx *cx, void *arg)
{
    struct user *u = arg;
    static char sink[4096];
    count_up(u->inside);
    WANT_EQ(ambit_tcp_read(cx, u->socket, sink, sizeof sink), -ESHUTDOWN);
    return 0;
}

static int drain_some(ambit_cx *cx, void *arg)
{
    ambit_tcp *socket = *(ambit_tcp **)arg;
    static char sink[65536];
    ssize_t n = 0;
    do {
        n = ambit_tcp_read(cx, socket, sink, sizeof sink);
    } while (n > 0);
    return 0;
}

static int close_under_writers(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < ROUNDS; round++) {
        struct pair pair;
        pair_open(cx, &pair);
        struct user user = {.socket = pair.here, .drained = round % 2};
        int rc = 0;
        ambit_scope (cx, s, &rc) {
            crews_open(cx, s, user, write_much, write_much, read_much);
            if (user.drained) {
                WANT_EQ(ambit_spawn(s, drain_some, &pair.there), 0);
                (void)ambit_yield(cx);
            }
            WANT_EQ(ambit_tcp_close(cx, pair.here), 0);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(ambit_tcp_close(cx, pair.there), 0);
        ambit_tcp_close(cx, pair.listener);
    }
    return 0;
}

/* Goal: a close ends every writer and reader, on whichever worker, with
 * -ESHUTDOWN, and nobody touches the socket after it. */
Test(io_race, a_socket_is_closed_under_its_writers)
{
    spec_on(1, close_under_writers);
    spec_on(2, close_under_writers);
    WANT_EQ(spec_run(close_under_writers, NULL, .workers = 4,
                     .ring_entries = 8), 0);
    spec_end("IO_CLOSE_1");
}

/* --- files ---------------------------------------------------------------- */

static int truncate_it(ambit_cx *cx, void *arg)
{
    struct user *u = arg;
    count_up(u->inside);
    int rc = ambit_file_truncate(cx, u->file, 100);
    WANT(rc == 0 || rc == -ESHUTDOWN);
    return 0;
}

static int write_it(ambit_cx *cx, void *arg)
{
    struct user *u = arg;
    size_t written;
    count_up(u->inside);
    int rc = ambit_file_write_all(cx, u->file, big, 65536, 0, &written);
    WANT(rc == 0 || rc == -ESHUTDOWN || rc == -EAGAIN);
    return 0;
}

static int close_under_file_users(ambit_cx *cx, void *arg)
{
    const char *path = arg;
    for (int round = 0; round < ROUNDS; round++) {
        struct user user = {0};
        int rc = 0;
        WANT_EQ(ambit_file_open(cx, path, O_RDWR | O_CREAT, 0600, &user.file),
                0);
        ambit_scope (cx, s, &rc) {
            crews_open(cx, s, user, truncate_it, write_it, truncate_it);
            WANT_EQ(ambit_file_close(cx, user.file), 0);
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* Goal: a file is closed after the last use of it has ended, also one on the
 * blocking pool. */
Test(io_race, a_file_is_closed_under_its_users)
{
    char path[] = "/tmp/ambit-io-race-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
    WANT_EQ(spec_run(close_under_file_users, path, .workers = 2,
                     .blocking_threads_max = 1), 0);
    WANT_EQ(spec_run(close_under_file_users, path, .workers = 2,
                     .ring_entries = 8, .ops_max = 2), 0);
    unlink(path);
    spec_end("IO_CLOSE_1");
}

/* --- thousands of cancels ------------------------------------------------- */

enum { MANY = 10000 / SPEC_SLOWER };

static int read_one(ambit_cx *cx, void *arg)
{
    char byte;
    ssize_t n = ambit_tcp_read(cx, *(ambit_tcp **)arg, &byte, 1);
    WANT(n == -ECANCELED || n == -EAGAIN);
    return 0;
}

static int cancel_many(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct pair pair;
    pair_open(cx, &pair);
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < MANY; i++) {
            WANT_EQ(ambit_spawn(s, read_one, &pair.here), 0);
            if (i % 100 == 0) {
                (void)ambit_yield(cx);
            }
        }
        WANT_EQ(ambit_sleep(cx, ambit_ms(1)), 0);
        ambit_cancel(s, "all at once");
    }
    WANT_EQ(rc, 0);
    pair_close(&pair);
    return 0;
}

/* Goal: 10,000 reads cancelled at once all end, whatever the size of the ring
 * and the limit on operations. */
Test(io_race, ten_thousand_reads_are_cancelled_at_once)
{
    WANT_EQ(spec_run(cancel_many, NULL, .workers = 1, .ring_entries = 8), 0);
    WANT_EQ(spec_run(cancel_many, NULL, .workers = 2), 0);
    WANT_EQ(spec_run(cancel_many, NULL, .workers = 2, .ring_entries = 8,
                     .ops_max = 50), 0);
    spec_end("CAN_7");
}

/* --- runtimes ------------------------------------------------------------- */

static int touch_all(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct pair pair;
    pair_open(cx, &pair);
    WANT_EQ(ambit_tcp_write_all(cx, pair.here, "x", 1, NULL), 0);
    char byte;
    WANT_EQ(ambit_tcp_read(cx, pair.there, &byte, 1), 1);
    pair_close(&pair);
    return ambit_sleep(cx, ambit_us(10));
}

static void *stop_at_random(void *arg)
{
    for (int i = 0; i < 200; i++) {
        ambit_runtime_stop(arg);
        sched_yield();
    }
    return NULL;
}

static int sleep_or_stop(ambit_cx *cx, void *arg)
{
    (void)arg;
    (void)ambit_sleep(cx, ambit_us(100));
    return 0;
}

/* Goal: a runtime can be stopped from outside in every moment of its runs. */
Test(io_race, stops_from_outside_meet_the_end_of_a_run)
{
    for (int round = 0; round < ROUNDS / 20 + 2; round++) {
        struct ambit_runtime_options o = {
            .size_ = sizeof o, .workers = 2, .log = spec_log_line};
        ambit_runtime *runtime;
        pthread_t thread;
        cr_assert(ambit_runtime_create(&runtime, &o) == 0);
        cr_assert(pthread_create(&thread, NULL, stop_at_random, runtime) == 0);
        for (int i = 0; i < 20; i++) {
            int rc = ambit_runtime_run(runtime, sleep_or_stop, NULL);
            WANT(rc == 0 || rc == -ECANCELED);
        }
        pthread_join(thread, NULL);
        spec_ledger(runtime);
        ambit_runtime_destroy(runtime);
    }
    spec_end("RT_STOP_1");
}

/* Goal: a thousand runtimes, one after the other, leave nothing behind. */
Test(io_race, a_thousand_runtimes_in_sequence)
{
    for (int i = 0; i < 1000 / SPEC_SLOWER; i++) {
        spec_on(1 + i % 2, touch_all);
    }
    spec_end("RT_RUN_1");
}
