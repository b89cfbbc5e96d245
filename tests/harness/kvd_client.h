/* SPDX-License-Identifier: MIT */
/*
 * kvd_client.h -- a small RESP2 client, for the demo and the tests of kvd.
 *
 *     struct kvd_client c;
 *     if (kvd_connect(&c, port) == 0) {
 *         kvd_ask(&c, &reply, "SET", "key", "value");
 *     }
 *     kvd_disconnect(&c);
 *
 * It is the outside: plain sockets, and nothing of the library.  Every wait
 * ends after `timeout_ms` with -ETIMEDOUT, so that a test cannot hang.
 */
#ifndef AMBIT_TESTS_HARNESS_KVD_CLIENT_H
#define AMBIT_TESTS_HARNESS_KVD_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { KVD_TIMEOUT_MS = 20000 };

struct kvd_client {
    int fd;
    int timeout_ms;
    char *in; /* what was received from `at` on */
    size_t at;
    size_t len;
    size_t cap;
};

/* One reply; text is the client's until the next call. */
struct kvd_reply {
    char kind;     /* + - : $ * */
    int64_t value; /* of ':', the length of '$' and '*'; -1: null */
    const char *text;
    size_t text_len;
};

static inline int64_t kvd_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline void kvd_pause_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

/* 0 or -errno. */
static inline int kvd_connect(struct kvd_client *c, int port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr = {htonl(INADDR_LOOPBACK)},
    };
    *c = (struct kvd_client){.fd = -1, .timeout_ms = KVD_TIMEOUT_MS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    c->fd = fd;
    return 0;
}

static inline void kvd_disconnect(struct kvd_client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    free(c->in);
    *c = (struct kvd_client){.fd = -1};
}

/* As a crashed machine would: no farewell, a reset. */
static inline void kvd_vanish(struct kvd_client *c)
{
    struct linger at_once = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    kvd_disconnect(c);
}

static inline int kvd_wait(struct kvd_client *c, short events)
{
    struct pollfd p = {.fd = c->fd, .events = events};
    int n = poll(&p, 1, c->timeout_ms);
    return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

/* 0 or -errno. */
static inline int kvd_send(struct kvd_client *c, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = send(c->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        if (n < 0) {
            int err = kvd_wait(c, POLLOUT);
            if (err < 0) {
                return err;
            }
            continue;
        }
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Reads once more.  0; -EPIPE at the end; -errno. */
static inline int kvd_receive(struct kvd_client *c)
{
    if (c->at > 0) {
        memmove(c->in, c->in + c->at, c->len - c->at);
        c->len -= c->at;
        c->at = 0;
    }
    if (c->len + 1 >= c->cap) {
        size_t cap = c->cap > 0 ? c->cap * 2 : 16384;
        char *in = realloc(c->in, cap);
        if (in == NULL) {
            return -ENOMEM;
        }
        c->in = in;
        c->cap = cap;
    }
    int err = kvd_wait(c, POLLIN);
    if (err < 0) {
        return err;
    }
    ssize_t n = recv(c->fd, c->in + c->len, c->cap - c->len - 1, 0);
    if (n <= 0) {
        return n == 0 ? -EPIPE : -errno;
    }
    c->len += (size_t)n;
    c->in[c->len] = '\0';
    return 0;
}

/* Looks for one reply without its elements: the bytes of it, 0: incomplete. */
static inline size_t kvd_parse(struct kvd_client *c, struct kvd_reply *reply)
{
    char *from = c->in + c->at;
    size_t have = c->len - c->at;
    char *end = have > 0 ? memchr(from, '\n', have) : NULL;
    if (end == NULL) {
        return 0;
    }
    size_t line = (size_t)(end - from) + 1;
    *reply = (struct kvd_reply){
        .kind = from[0],
        .value = strtoll(from + 1, NULL, 10),
        .text = from + 1,
        .text_len = line > 3 ? line - 3 : 0,
    };
    if (reply->kind != '$' || reply->value < 0) {
        return line;
    }
    size_t whole = line + (size_t)reply->value + 2;
    reply->text = from + line;
    reply->text_len = (size_t)reply->value;
    return have >= whole ? whole : 0;
}

/* One reply; of an array its header, the elements are the next replies.  0;
 * -EPIPE when the server closed; -ETIMEDOUT; -errno. */
static inline int kvd_read(struct kvd_client *c, struct kvd_reply *reply)
{
    *reply = (struct kvd_reply){.text = ""};
    for (;;) {
        size_t used = kvd_parse(c, reply);
        if (used > 0) {
            c->at += used;
            return 0;
        }
        int err = kvd_receive(c);
        if (err < 0) {
            return err;
        }
    }
}

/* Appends one request to `to`, of at most `room`; how long it is then. */
static inline size_t kvd_encode(char *to, size_t at, size_t room, int argc,
                                const char *const *argv)
{
    at += (size_t)snprintf(to + at, room - at, "*%d\r\n", argc);
    for (int i = 0; i < argc; i++) {
        at += (size_t)snprintf(to + at, room - at, "$%zu\r\n%s\r\n",
                               strlen(argv[i]), argv[i]);
    }
    return at;
}

static inline int kvd_ask_(struct kvd_client *c, struct kvd_reply *reply,
                           int argc, const char *const *argv)
{
    char request[4096];
    size_t len = kvd_encode(request, 0, sizeof request, argc, argv);
    int err = kvd_send(c, request, len);
    *reply = (struct kvd_reply){.text = ""};
    return err < 0 ? err : kvd_read(c, reply);
}

/* kvd_ask(&c, &reply, "GET", "key"): sends one request, reads one reply. */
#define kvd_ask(c, reply, ...)                                              \
    kvd_ask_(                                                               \
        (c), (reply),                                                       \
        (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), \
        (const char *const[]){__VA_ARGS__})

static inline bool kvd_is(const struct kvd_reply *reply, const char *start)
{
    size_t len = strlen(start);
    return reply->text_len >= len && memcmp(reply->text, start, len) == 0;
}

#endif
