/* SPDX-License-Identifier: MIT */
/*
 * kvd_rival.h -- a real redis-server to hold our replies against.
 *
 * It listens on a socket in a folder of its own under /tmp, keeps nothing on
 * disk, and dies with the test that started it.
 */
#ifndef AMBIT_TESTS_UNIT_KVD_RIVAL_H
#define AMBIT_TESTS_UNIT_KVD_RIVAL_H

#include "tests/unit/kvd_kit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct rival {
    pid_t pid;
    char folder[64];
    struct sockaddr_un address;
    int fd;
    struct bytes in;
};

/* -1 when Redis is not there: its process has ended. */
static inline int rival_connect(const struct rival *rival)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (waitpid(rival->pid, NULL, WNOHANG) == 0) {
        if (connect(fd, (const struct sockaddr *)&rival->address,
                    sizeof rival->address) == 0) {
            return fd;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    close(fd);
    return -1;
}

/* In the child.  Redis must not outlive a test that failed. */
static inline _Noreturn void become_redis(const struct rival *rival)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
           rival->address.sun_path, "--save", "", "--dir", rival->folder,
           "--daemonize", "no", "--databases", "1", "--appendonly", "no",
           "--logfile", "/dev/null", (char *)NULL);
    _exit(127);
}

static inline void rival_start(struct rival *rival)
{
    *rival = (struct rival){.address.sun_family = AF_UNIX};
    strcpy(rival->folder, "/tmp/kvd-redis-XXXXXX");
    cr_assert_not_null(mkdtemp(rival->folder));
    snprintf(rival->address.sun_path, sizeof rival->address.sun_path, "%s/s",
             rival->folder);
    rival->pid = fork();
    if (rival->pid == 0) {
        become_redis(rival);
    }
    cr_assert_gt(rival->pid, 0);
    bytes_init(&rival->in, NULL);
    rival->fd = rival_connect(rival);
    if (rival->fd < 0) {
        rmdir(rival->folder);
        cr_skip_test("there is no redis-server");
    }
}

static inline void rival_stop(struct rival *rival)
{
    close(rival->fd);
    kill(rival->pid, SIGKILL);
    waitpid(rival->pid, NULL, 0);
    unlink(rival->address.sun_path);
    rmdir(rival->folder);
    bytes_fini(&rival->in);
    test_no_leaks();
}

/* --- replies ----------------------------------------------------------------
 */

/* The length of the whole reply at the start, elements included, or -EAGAIN. */
static inline int64_t whole_reply(struct slice input)
{
    size_t at = 0;
    if (input.len == 0) {
        return -EAGAIN;
    }
    for (int64_t left = 1; left > 0; left--) {
        struct reply reply;
        struct slice rest = {input.ptr + at, input.len - at};
        int64_t used = reply_read(rest, &reply);
        if (used < 0) {
            cr_assert_eq(used, -EAGAIN);
            return used;
        }
        at += (size_t)used;
        left += reply.kind == '*' && !reply.is_null ? reply.value : 0;
    }
    return (int64_t)at;
}

static inline void send_all(int fd, struct slice text)
{
    while (text.len > 0) {
        ssize_t sent = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        cr_assert_gt(sent, 0);
        text.ptr += sent;
        text.len -= (size_t)sent;
    }
}

/* Appends what comes until one reply is whole, or the other side closes. */
static inline void receive_reply(int fd, struct bytes *in)
{
    while (whole_reply(bytes_slice(in)) < 0) {
        cr_assert_eq(bytes_reserve(in, 65536), 0);
        ssize_t got = recv(fd, in->data + in->len, 65536, 0);
        cr_assert_geq(got, 0);
        if (got == 0) {
            return;
        }
        in->len += (size_t)got;
    }
}

static inline struct slice rival_say(struct rival *rival, struct slice request)
{
    bytes_truncate(&rival->in, 0);
    send_all(rival->fd, request);
    receive_reply(rival->fd, &rival->in);
    return bytes_slice(&rival->in);
}

#endif
