/* SPDX-License-Identifier: MIT */
/*
 * await_io_test.c -- operations of poll tasks that are called off: AWAIT-IO-2
 * of spec/await.md.
 */
#include "tests/spec/pair.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* --- what can be under way for long ---------------------------------------- */

enum kind { ACCEPT, READ, WRITE, OPEN, READ_FIFO, KINDS };

struct shop {
    struct pair pair;
    ambit_file *fifo;
    char path[64], lonely[64]; /* of two named pipes */
    char *much;                /* more than a socket takes */
    struct count begun, ended;
};

enum { MUCH = 16 << 20 };

static void make_fifo(char *path, size_t room, const char *what)
{
    snprintf(path, room, "/tmp/ambit-await-%d-%s", (int)getpid(), what);
    unlink(path);
    WANT_EQ(mkfifo(path, 0600), 0);
}

static void shop_open(ambit_cx *cx, struct shop *shop)
{
    memset(shop, 0, sizeof *shop);
    pair_open(cx, &shop->pair);
    make_fifo(shop->path, sizeof shop->path, "both");
    make_fifo(shop->lonely, sizeof shop->lonely, "lonely");
    WANT_EQ(ambit_file_open(cx, shop->path, O_RDWR, 0, &shop->fifo), 0);
    shop->much = calloc(1, MUCH);
}

static void shop_close(struct shop *shop)
{
    pair_close(&shop->pair);
    ambit_file_discard(shop->fifo);
    unlink(shop->path);
    unlink(shop->lonely);
    free(shop->much);
}

struct buyer {
    struct ambit_await wait;
    struct shop *shop;
    ambit_tcp *socket;
    ambit_file *file;
    size_t count;
    enum kind kind;
    bool is_begun;
    char byte;
};

static int look(ambit_cx *cx, struct buyer *s)
{
    struct shop *shop = s->shop;
    switch (s->kind) {
    case ACCEPT:
        return ambit_await_tcp_accept(cx, &s->wait, shop->pair.listener,
                                      &s->socket);
    case READ:
        return ambit_await_tcp_read(cx, &s->wait, shop->pair.here, &s->byte, 1,
                                    &s->count);
    case WRITE:
        return ambit_await_tcp_write_all(cx, &s->wait, shop->pair.here,
                                         shop->much, MUCH, &s->count);
    case OPEN: /* O_CREAT, else io_uring does not wait for who writes */
        return ambit_await_file_open(cx, &s->wait, shop->lonely,
                                     O_RDONLY | O_CREAT, 0600, &s->file);
    case READ_FIFO:
        return ambit_await_file_read(cx, &s->wait, shop->fifo, &s->byte, 1, 0,
                                     &s->count);
    case KINDS:
        break;
    }
    return -ENOSYS;
}

/* --- cancelled ------------------------------------------------------------- */

static int until_cancelled(ambit_cx *cx, void *state)
{
    struct buyer *s = state;
    int rc = look(cx, s);
    if (rc == AMBIT_PENDING) {
        if (!s->is_begun) {
            s->is_begun = true;
            WANT_EQ(look(cx, s), AMBIT_PENDING); /* again: nothing changes */
            count_up(&s->shop->begun);
        }
        return AMBIT_PENDING;
    }
    WANT_EQ(rc, -ECANCELED);
    WANT(s->socket == NULL && s->file == NULL);
    WANT(s->kind == WRITE ? s->count < MUCH : s->count == 0);
    count_up(&s->shop->ended);
    return rc;
}

static void nothing_was_taken(ambit_cx *cx, struct shop *shop)
{
    ambit_tcp *other = NULL, *taken = NULL;
    char byte = 0;
    WANT_EQ(ambit_tcp_write(cx, shop->pair.there, "r", 1), 1);
    WANT_EQ(ambit_tcp_read(cx, shop->pair.here, &byte, 1), 1);
    WANT_EQ(byte, 'r');
    WANT_EQ(ambit_file_write(cx, shop->fifo, "f", 1, 0), 1);
    WANT_EQ(ambit_file_read(cx, shop->fifo, &byte, 1, 0), 1);
    WANT_EQ(byte, 'f');
    WANT_EQ(ambit_tcp_connect(cx, shop->pair.address, &other), 0);
    WANT_EQ(ambit_tcp_accept(cx, shop->pair.listener, &taken), 0);
    ambit_tcp_discard(other);
    ambit_tcp_discard(taken);
}

/* Elsewhere: the machines begin on the other worker, as this one does not let
 * go, and the cancel has them step here. */
static int cancel_each(ambit_cx *cx, bool elsewhere)
{
    struct shop shop;
    int rc = 0;
    shop_open(cx, &shop);
    for (int round = 0; round < 4; round++) {
        ambit_scope (cx, region, &rc) {
            for (enum kind kind = ACCEPT; kind < KINDS; kind++) {
                struct buyer buyer = {.shop = &shop, .kind = kind};
                WANT_EQ(ambit_spawn_poll(region, until_cancelled, &buyer), 0);
            }
            WANT(elsewhere ? spin_until(&shop.begun, (round + 1) * KINDS)
                           : until(cx, &shop.begun, (round + 1) * KINDS));
            ambit_cancel(region, "nobody comes");
        }
        WANT_EQ(count_get(&shop.ended), (round + 1) * KINDS);
        nothing_was_taken(cx, &shop);
    }
    shop_close(&shop);
    return rc;
}

static int cancel_here(ambit_cx *cx, void *arg)
{
    (void)arg;
    return cancel_each(cx, false);
}

static int cancel_elsewhere(ambit_cx *cx, void *arg)
{
    (void)arg;
    return cancel_each(cx, true);
}

/* --- dropped --------------------------------------------------------------- */

static int drop_then_go_on(ambit_cx *cx, void *state)
{
    struct buyer *s = state;
    int rc;
    if (s->count == 0 && !s->is_begun) {
        s->is_begun = true;
        WANT_EQ(look(cx, s), AMBIT_PENDING);
        WANT_EQ(ambit_await_drop(&s->wait), AMBIT_PENDING);
        WANT_EQ(ambit_await_drop(&s->wait), AMBIT_PENDING);
        return AMBIT_PENDING;
    }
    if (s->is_begun) {
        rc = ambit_await_drop(&s->wait);
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        WANT_EQ(rc, 0);
        WANT_EQ(ambit_await_drop(&s->wait), 0); /* idle */
        s->is_begun = false;
        s->count = 77;
        WANT_EQ(look(cx, s), AMBIT_PENDING);
        count_up(&s->shop->begun);
        return AMBIT_PENDING;
    }
    rc = ambit_await_drop(&s->wait);
    WANT_EQ(rc, -EBUSY);
    WANT_EQ(ambit_await_drop(&s->wait), -EBUSY);
    WANT_EQ(look(cx, s), 0);
    WANT_EQ(s->byte, s->kind == READ ? 'r' : 'f');
    WANT_EQ(s->count, 1);
    count_up(&s->shop->ended);
    return 0;
}

static int drop_each(ambit_cx *cx, void *arg)
{
    struct shop shop;
    int rc = 0;
    (void)arg;
    shop_open(cx, &shop);
    ambit_scope (cx, region, &rc) {
        struct buyer buyer = {.shop = &shop, .kind = READ};
        WANT_EQ(ambit_spawn_poll(region, drop_then_go_on, &buyer), 0);
        buyer.kind = READ_FIFO;
        WANT_EQ(ambit_spawn_poll(region, drop_then_go_on, &buyer), 0);
        WANT(until(cx, &shop.begun, 2));
        WANT_EQ(ambit_tcp_write(cx, shop.pair.there, "r", 1), 1);
        WANT_EQ(ambit_file_write(cx, shop.fifo, "f", 1, 0), 1);
    }
    WANT_EQ(count_get(&shop.ended), 2);
    shop_close(&shop);
    return rc;
}

/* --- what was written is told ---------------------------------------------- */

/* Some of it has gone out, as much as there is room for: the drop comes too
 * late, and the next look tells how much. */
static int drop_a_write(ambit_cx *cx, void *state)
{
    struct buyer *s = state;
    if (!s->is_begun) {
        s->is_begun = true;
        WANT_EQ(look(cx, s), AMBIT_PENDING);
        return AMBIT_PENDING;
    }
    if (count_get(&s->shop->begun) == 0) {
        WANT_EQ(look(cx, s), AMBIT_PENDING); /* the rest is under way */
        count_up(&s->shop->begun);
        (void)ambit_wake(ambit_cx_waker(cx));
        return AMBIT_PENDING;
    }
    int rc = ambit_await_drop(&s->wait);
    if (rc == AMBIT_PENDING) {
        return rc;
    }
    WANT_EQ(rc, -EBUSY);
    WANT_EQ(look(cx, s), -ECANCELED);
    WANT(s->count > 0 && s->count < MUCH);
    WANT_EQ(ambit_tcp_shutdown(s->shop->pair.here, SHUT_WR), 0);
    count_add(&s->shop->ended, (int64_t)s->count);
    return 0;
}

static int tell_what_was_written(ambit_cx *cx, void *arg)
{
    struct shop shop;
    int64_t got = 0;
    int rc = 0;
    (void)arg;
    shop_open(cx, &shop);
    ambit_scope (cx, region, &rc) {
        struct buyer buyer = {.shop = &shop, .kind = WRITE};
        WANT_EQ(ambit_spawn_poll(region, drop_a_write, &buyer), 0);
        WANT(until(cx, &shop.ended, 1));
        ssize_t n;
        while ((n = ambit_tcp_read(cx, shop.pair.there, shop.much, MUCH)) > 0) {
            got += n;
        }
        WANT_EQ(n, 0);
    }
    WANT_EQ(got, count_get(&shop.ended));
    shop_close(&shop);
    return rc;
}

/* --- a race ---------------------------------------------------------------- */

enum { BYTES = 6000 / SPEC_SLOWER };

struct hasty {
    struct ambit_await in, time;
    struct pair *pair;
    struct count *dropped, *got;
    size_t count;
    int at;
    unsigned round;
    bool gives_up;
    unsigned char buffer[16];
};

/* AMBIT_PENDING, or -ECANCELED: it was given up; else what the read says. */
static int read_in_time(ambit_cx *cx, struct hasty *s)
{
    int rc = AMBIT_PENDING;
    size_t len = 1 + s->round % sizeof s->buffer;
    if (!s->gives_up) {
        rc = ambit_await_tcp_read(cx, &s->in, s->pair->here, s->buffer, len,
                                  &s->count);
        ambit_duration d = ambit_ns(s->round * 37 % 20000);
        s->gives_up = rc == AMBIT_PENDING &&
                      ambit_await_sleep(cx, &s->time, d) == 0;
    }
    if (s->gives_up) {
        rc = ambit_await_drop(&s->in);
        if (rc == -EBUSY) {
            rc = ambit_await_tcp_read(cx, &s->in, s->pair->here, s->buffer,
                                      len, &s->count);
        } else if (rc == 0) {
            count_up(s->dropped);
            rc = -ECANCELED;
        }
    } else if (rc != AMBIT_PENDING &&
               ambit_await_drop(&s->time) == -EBUSY) {
        WANT_EQ(ambit_await_sleep(cx, &s->time, ambit_ns(0)), 0);
    }
    return rc;
}

static int read_hastily(ambit_cx *cx, void *state)
{
    struct hasty *s = state;
    for (;;) {
        int rc = read_in_time(cx, s);
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        s->gives_up = false;
        s->round++;
        if (rc == -ECANCELED) {
            continue;
        }
        WANT_EQ(rc, 0);
        for (size_t i = 0; i < s->count; i++) {
            WANT_EQ(s->buffer[i], (unsigned char)s->at++);
        }
        count_add(s->got, (int64_t)s->count);
        if (rc < 0 || s->count == 0) {
            return 0;
        }
    }
}

static int write_slowly(ambit_cx *cx, struct pair *pair)
{
    for (int at = 0; at < BYTES;) {
        unsigned char chunk[8];
        int len = 1 + at % 7 % (BYTES - at);
        for (int i = 0; i < len; i++) {
            chunk[i] = (unsigned char)(at + i);
        }
        WANT_EQ(ambit_tcp_write_all(cx, pair->there, chunk, (size_t)len, NULL),
                0);
        at += len;
        WANT_EQ(at % 3 ? ambit_yield(cx) : ambit_sleep(cx, ambit_us(at % 40)),
                0);
    }
    return ambit_tcp_shutdown(pair->there, SHUT_WR);
}

static int race_with_drops(ambit_cx *cx, void *arg)
{
    struct pair pair;
    struct count dropped = {0}, got = {0};
    int rc = 0;
    (void)arg;
    pair_open(cx, &pair);
    ambit_scope (cx, region, &rc) {
        struct hasty hasty = {.pair = &pair, .dropped = &dropped, .got = &got};
        WANT_EQ(ambit_spawn_poll(region, read_hastily, &hasty), 0);
        WANT(until(cx, &dropped, 1)); /* the first one gives up at once */
        WANT_EQ(write_slowly(cx, &pair), 0);
    }
    WANT_EQ(count_get(&got), BYTES);
    pair_close(&pair);
    return rc;
}

/* Goal: what is called off has had no effect, or tells of it.  Method: one
 * operation of each kind that can wait is cancelled, wherever it began, and
 * what it waited for goes to others; reads are dropped, begun anew and dropped
 * too late; a write is dropped half way; numbered bytes meet reads that are all
 * being dropped. */
Spec(AWAIT_IO_2, what_is_called_off_has_had_no_effect_or_tells_of_it)
{
    spec_on(1, cancel_here);
    spec_on(2, cancel_elsewhere);
    spec_on_1_and_2_workers(drop_each);
    spec_on_1_and_2_workers(tell_what_was_written);
    spec_on_1_and_2_workers(race_with_drops);
    spec_end("AWAIT_IO_2");
}
