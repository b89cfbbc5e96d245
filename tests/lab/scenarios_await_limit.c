/* SPDX-License-Identifier: MIT */
/*
 * scenarios_await_limit.c -- machines of which no more than a limit allows have
 * an operation in the kernel.
 *
 * Whatever happens: there are never more under way than the limit, and a read
 * that is refused has taken nothing.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

enum { LIMIT_MAX = 2, MACHINES = 4 };

struct link {
    ambit_tcp *listener, *here, *there;
    char address[64];
    struct ambit_semaphore go; /* the bytes are sent */
    uint32_t limit;
    struct tally inside, above, without, got, sum;
};

static int link_open(ambit_cx *cx, struct link *link)
{
    int rc = ambit_tcp_listen("127.0.0.1:0", &link->listener);
    rc = rc < 0 ? rc : ambit_tcp_local(link->listener, link->address,
                                       sizeof link->address);
    rc = rc < 0 ? rc : ambit_tcp_connect(cx, link->address, &link->here);
    return rc < 0 ? rc : ambit_tcp_accept(cx, link->listener, &link->there);
}

static void link_close(struct link *link)
{
    ambit_tcp_discard(link->here);
    ambit_tcp_discard(link->there);
    ambit_tcp_discard(link->listener);
    ambit_semaphore_fini(&link->go);
}

AMBIT_ASYNC_STATE(hears, 2, (struct ambit_await, wait), (struct link *, link),
                  (size_t, count), (char, byte), (bool, is_inside));

/* Out before it is looked at: there may be more inside than are counted, and
 * never less. */
static int read_byte(ambit_cx *cx, struct hears *s)
{
    struct link *link = s->link;
    if (s->is_inside) {
        tally_down(&link->inside);
    }
    int rc = ambit_await_tcp_read(cx, &s->wait, link->here, &s->byte, 1,
                                  &s->count);
    s->is_inside = rc == AMBIT_PENDING;
    if (s->is_inside) {
        always(tally_up(&link->inside) < link->limit);
    }
    return rc;
}

static int hears(ambit_cx *cx, void *arg)
{
    struct hears *s = arg;
    int rc, slept;
    AMBIT_ASYNC_BEGIN(hears, 2, s);
    for (;;) {
        AMBIT_AWAIT(1, rc, read_byte(cx, s));
        if (rc != -EDQUOT) {
            break;
        }
        tally_up(&s->link->above);
        AMBIT_AWAIT(2, slept, ambit_await_sleep(cx, &s->wait, ambit_us(1)));
        if (slept < 0) {
            AMBIT_ASYNC_RETURN(slept);
        }
    }
    if (rc == 0 && s->count == 1) {
        tally_add(&s->link->sum, 1 << (s->byte - 'a'));
        tally_up(&s->link->got);
    }
    want(rc == 0 && s->count == 1);
    AMBIT_ASYNC_END(rc);
}

/* Of a region that may not: refused at its first look. */
static int hears_nothing(ambit_cx *cx, void *arg)
{
    struct hears *s = arg;
    int rc = ambit_await_tcp_read(cx, &s->wait, s->link->here, &s->byte, 1,
                                  &s->count);
    always(rc == -EPERM || is_called_off(rc));
    tally_add(&s->link->without, rc == -EPERM);
    return 0;
}

static int speaks_at_last(ambit_cx *cx, void *arg)
{
    struct link *link = *(struct link **)arg;
    int rc = ambit_semaphore_acquire(cx, &link->go, 1);
    return rc < 0 ? rc : ambit_tcp_write_all(cx, link->there, "abcd", MACHINES,
                                             NULL);
}

/* All who find room wait for a byte, and all others have been refused. */
static bool is_full(struct link *link)
{
    return tally_get(&link->inside) == link->limit &&
           tally_get(&link->above) >= MACHINES - link->limit;
}

static int crowd(ambit_cx *cx, struct link *link)
{
    struct hears state = {.link = link};
    int rc = 0, inner = 0;
    ambit_scope (cx, s, &rc, .ops_max = link->limit) {
        for (int i = 0; i < MACHINES; i++) {
            want(ambit_spawn_poll(s, hears, &state) == 0);
        }
        ambit_scope (cx, lame, &inner, .without = AMBIT_CAP_IO) {
            want(ambit_spawn_poll(lame, hears_nothing, &state) == 0);
        }
        for (int i = 0; i < 100 && !is_full(link); i++) {
            (void)ambit_sleep(cx, ambit_us(1));
        }
        want(ambit_region_used(s, AMBIT_LIMIT_OPS) == link->limit);
        want(is_full(link) && tally_get(&link->got) == 0);
        want(tally_get(&link->without) == 1);
        (void)ambit_semaphore_release(&link->go, 1);
    }
    return rc;
}

static int await_above_limit(ambit_cx *cx, void *arg)
{
    struct link link = {.go = AMBIT_SEMAPHORE_INIT(0, 1),
                        .limit = 1 + ambit_choose(LIMIT_MAX)}, *here = &link;
    int rc = link_open(cx, &link);
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, outer, &rc) {
            if (ambit_spawn(outer, speaks_at_last, &here) < 0) {
                always(disturbed);
                break;
            }
            int inner = crowd(cx, &link);
            want(inner == 0);
            /* Where there was no memory for a scope nobody has said so. */
            (void)ambit_semaphore_release(&link.go, 1);
        }
    }
    want(rc == 0 && tally_get(&link.sum) == (1 << MACHINES) - 1);
    link_close(&link);
    return rc;
}

SCENARIOS(await_limit,
          {"await_above_limit", await_above_limit, 2, 0,
           "AWAIT-IO-5"});
