/* SPDX-License-Identifier: MIT */
/*
 * io_open_race_test.c -- what opens something against a cancel: IO-EFFECT-4 of
 * spec/io.md.
 *
 * In some rounds the cancel comes first, in some the completion, and in the
 * others they race.  What the call reports must be what happened: with 0 there
 * is a connection or a file and it is ours, with anything else there is none,
 * and no descriptor more than before.
 */
#include "tests/spec/canceller.h"
#include "tests/spec/pair.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum order {
    CANCEL_FIRST,
    CALL_FIRST,
    RACE,
};

static enum order order_of(int round)
{
    return round % 8 == 0 ? CANCEL_FIRST : round % 8 == 4 ? CALL_FIRST : RACE;
}

static void start_canceller(ambit_region *region, int round)
{
    struct canceller c = {region, round * 31 % 3000, round % 5};
    WANT_EQ(ambit_spawn(region, cancel_at_random, &c), 0);
}

static void before_the_call(ambit_region *region, int round)
{
    switch (order_of(round)) {
    case CANCEL_FIRST:
        ambit_cancel(region, "before");
        break;
    case CALL_FIRST:
        break;
    case RACE:
        start_canceller(region, round);
        break;
    }
}

/* Whoever came first, the cancel is seen by the next call. */
static void after_the_call(ambit_cx *cx, ambit_region *region, int result,
                           int round)
{
    switch (order_of(round)) {
    case CANCEL_FIRST:
        WANT_EQ(result, -ECANCELED);
        break;
    case CALL_FIRST:
        WANT_EQ(result, 0);
        ambit_cancel(region, "after");
        break;
    case RACE:
        if (result != 0) {
            WANT_EQ(result, -ECANCELED);
        }
        return; /* perhaps it is still to come */
    }
    WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
}

/* --- connect -------------------------------------------------------------- */

#define MARKER INT32_C(-1)
#define DEAD INT32_C(-2)

static int connect_in_a_race(ambit_cx *cx, const char *address,
                             ambit_tcp **ret_socket, int round)
{
    int result = -1, rc = 0;
    ambit_scope (cx, cut, &rc) {
        before_the_call(cut, round);
        result = ambit_tcp_connect(cx, address, ret_socket);
        after_the_call(cx, cut, result, round);
    }
    WANT_EQ(rc, 0);
    return result;
}

static int32_t accept_one(ambit_cx *cx, struct pair *pair)
{
    ambit_tcp *socket = NULL;
    int32_t id = DEAD;
    WANT_EQ(ambit_tcp_accept(cx, pair->listener, &socket), 0);
    if (socket == NULL) {
        return MARKER;
    }
    ssize_t n = ambit_tcp_read(cx, socket, &id, sizeof id);
    WANT(n == sizeof id || n == 0 || n == -ECONNRESET);
    ambit_tcp_discard(socket);
    return n == sizeof id ? id : DEAD;
}

static void say(ambit_cx *cx, ambit_tcp *socket, int32_t id)
{
    WANT_EQ(ambit_tcp_write_all(cx, socket, &id, sizeof id, NULL), 0);
    ambit_tcp_discard(socket);
}

/* Whoever has come to the listener in this round: nobody that was not told of
 * by a 0; one that was given up may have been accepted by the kernel. */
static void count_arrivals(ambit_cx *cx, struct pair *pair, int result,
                           int round)
{
    ambit_tcp *last = NULL;
    int32_t id;
    int arrived = 0, dead = 0;
    WANT_EQ(ambit_tcp_connect(cx, pair->address, &last), 0);
    say(cx, last, MARKER);
    while ((id = accept_one(cx, pair)) != MARKER) {
        if (id == DEAD) {
            dead++;
        } else {
            WANT_EQ(id, round);
            arrived++;
        }
    }
    WANT_EQ(arrived, result == 0 ? 1 : 0);
    WANT(dead <= (result == 0 ? 0 : 1));
}

static int connect_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct pair pair;
    int fds = -1;
    pair_open(cx, &pair);
    for (int round = 0; round < 2000 / SPEC_SLOWER; round++) {
        ambit_tcp *socket = NULL;
        fds = fds < 0 ? test_open_fds() : fds;
        int result = connect_in_a_race(cx, pair.address, &socket, round);
        WANT_EQ(socket != NULL, result == 0);
        WANT_EQ(test_open_fds(), fds + (result == 0));
        if (result == 0) {
            say(cx, socket, round);
        }
        count_arrivals(cx, &pair, result, round);
    }
    pair_close(&pair);
    return 0;
}

/* Goal: a connect that gives 0 has connected, one that does not leaves nothing.
 * Method: numbered clients that are cancelled before, after and meanwhile; a
 * marker behind each shows who came to the listener. */
Spec(IO_EFFECT_4, a_connect_that_is_cancelled_leaves_no_socket)
{
    spec_on_1_and_2_workers(connect_against_cancel);
    spec_end("IO_EFFECT_4");
}

/* A listener with room for one that nobody takes: who comes next waits. */
struct full {
    int listener, inside, second;
    char address[64];
};

static void full_open(struct full *full)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    full->listener = socket(AF_INET, type, 0);
    full->inside = socket(AF_INET, type, 0);
    full->second = socket(AF_INET, type, 0);
    WANT_EQ(bind(full->listener, (void *)&at, len), 0);
    WANT_EQ(listen(full->listener, 0), 0);
    WANT_EQ(getsockname(full->listener, (void *)&at, &len), 0);
    snprintf(full->address, sizeof full->address, "127.0.0.1:%u",
             (unsigned)ntohs(at.sin_port));
    (void)connect(full->inside, (void *)&at, len);
    struct pollfd taken = {.fd = full->listener, .events = POLLIN};
    WANT_EQ(poll(&taken, 1, SPEC_PATIENCE_S * 1000), 1);
    (void)connect(full->second, (void *)&at, len);
}

static void full_close(struct full *full)
{
    WANT_EQ(close(full->second), 0);
    WANT_EQ(close(full->inside), 0);
    WANT_EQ(close(full->listener), 0);
}

static int connect_in_vain(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct full full;
    full_open(&full);
    int fds = test_open_fds();
    for (int round = 0; round < 500 / SPEC_SLOWER; round++) {
        ambit_tcp *socket = NULL;
        int result = -1, rc = 0;
        ambit_scope (cx, cut, &rc) {
            start_canceller(cut, round);
            result = ambit_tcp_connect(cx, full.address, &socket);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(result, -ECANCELED);
        WANT(socket == NULL);
        WANT_EQ(test_open_fds(), fds);
    }
    full_close(&full);
    return 0;
}

/* Goal: a connect that waits is reached, and its socket closed.
 * Method: a listener that has no room; the descriptors after each round. */
Spec(IO_EFFECT_4, a_connect_that_waits_is_cancelled_and_closed)
{
    spec_on_1_and_2_workers(connect_in_vain);
    spec_end("IO_EFFECT_4");
}

/* --- open ----------------------------------------------------------------- */

struct folder {
    char path[64], file[96];
};

static void folder_make(struct folder *folder, const char *file)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%s/ambit-XXXXXX",
             tmp != NULL && strlen(tmp) < 40 ? tmp : P_tmpdir);
    WANT(mkdtemp(folder->path) != NULL);
    snprintf(folder->file, sizeof folder->file, "%s/%s", folder->path, file);
}

static int open_in_a_race(ambit_cx *cx, const char *path, int flags,
                          ambit_file **ret_file, int round)
{
    int result = -1, rc = 0;
    ambit_scope (cx, cut, &rc) {
        before_the_call(cut, round);
        result = ambit_file_open(cx, path, flags, 0600, ret_file);
        after_the_call(cx, cut, result, round);
    }
    WANT_EQ(rc, 0);
    return result;
}

static int create_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct folder folder;
    int fds = test_open_fds();
    folder_make(&folder, "new");
    for (int round = 0; round < 2000 / SPEC_SLOWER; round++) {
        ambit_file *file = NULL;
        int result = open_in_a_race(cx, folder.file, O_RDWR | O_CREAT | O_EXCL,
                                    &file, round);
        WANT_EQ(file != NULL, result == 0);
        WANT_EQ(test_open_fds(), fds + (result == 0));
        WANT_EQ(unlink(folder.file) == 0, result == 0);
        if (result == 0) {
            ambit_file_discard(file);
        }
    }
    WANT_EQ(rmdir(folder.path), 0);
    return 0;
}

/* Goal: a file is created if and only if open says so.
 * Method: O_EXCL in a race with a cancel; who says 0 finds something to
 * unlink, who says anything else does not. */
Spec(IO_EFFECT_4, a_file_is_created_if_and_only_if_open_gives_0)
{
    spec_on_1_and_2_workers(create_against_cancel);
    spec_end("IO_EFFECT_4");
}

/* A named pipe: the open waits in the kernel for somebody who writes.
 * (O_CREAT, else io_uring does not wait for him.) */
struct writer {
    const char *path;
    struct count *over;
    int spins;
};

static int write_when_read(void *arg)
{
    struct writer *w = arg;
    int fd = -1;
    for (int i = 0; i < w->spins; i++) {
        cpu_relax();
    }
    while (fd < 0 && count_get(w->over) == 0) {
        fd = open(w->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        sched_yield();
    }
    if (fd >= 0) {
        WANT_EQ(close(fd), 0);
    }
    return 0;
}

static int write_task(ambit_cx *cx, void *arg)
{
    return ambit_blocking(cx, write_when_read, arg);
}

static int open_a_pipe(ambit_cx *cx, const char *path, int round)
{
    struct count over = {0};
    struct writer writer = {path, &over, round * 17 % 2000};
    ambit_file *file = NULL;
    int result = -1, rc = 0;
    ambit_scope (cx, both, &rc) {
        if (order_of(round) != CANCEL_FIRST && round % 8 != 1) {
            WANT_EQ(ambit_spawn(both, write_task, &writer), 0);
        }
        result = open_in_a_race(cx, path, O_RDONLY | O_CREAT, &file, round);
        count_up(&over);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(file != NULL, result == 0);
    if (result == 0) {
        ambit_file_discard(file);
    }
    return result;
}

static int wait_for_a_writer(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct folder folder;
    int fds = test_open_fds(), opened = 0, cancelled = 0;
    folder_make(&folder, "pipe");
    WANT_EQ(mkfifo(folder.file, 0600), 0);
    for (int round = 0; round < 800 / SPEC_SLOWER; round++) {
        int result = open_a_pipe(cx, folder.file, round);
        opened += result == 0;
        cancelled += result == -ECANCELED;
        WANT_EQ(test_open_fds(), fds);
    }
    WANT(opened > 0 && cancelled > 0);
    WANT_EQ(unlink(folder.file), 0);
    WANT_EQ(rmdir(folder.path), 0);
    return 0;
}

/* Goal: an open that waits in the kernel is reached by a cancel, and loses
 * nothing when the cancel is late.
 * Method: a named pipe whose writer comes before, after, or never. */
Spec(IO_EFFECT_4, an_open_that_waits_is_cancelled_or_has_a_file)
{
    spec_on_1_and_2_workers(wait_for_a_writer);
    spec_end("IO_EFFECT_4");
}
