/* SPDX-License-Identifier: MIT */
/*
 * scenarios_stream.c -- senders that never wait: watch, broadcast, unbounded.
 *
 * Whatever happens: nobody goes back to an older value; received + missed =
 * sent, for each who came to the end; sent = received + left.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

#define ITEMS 3

/* --- watch ----------------------------------------------------------------- */

struct view {
    struct ambit_watch watch;
    int room;
    struct tally saw_the_last;
};

static int follows(ambit_cx *cx, void *arg)
{
    struct view *view = *(struct view **)arg;
    uint64_t seen = 0, before = 0;
    int value = -1, rc;
    while ((rc = ambit_watch_receive(cx, &view->watch, &seen, &value)) == 0) {
        always(seen > before && value == (int)seen - 1);
        before = seen;
    }
    always(seen == before);
    always(rc != -EPIPE || seen == ambit_watch_look(&view->watch, NULL));
    if (rc == -EPIPE && value == ITEMS) {
        tally_up(&view->saw_the_last);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int changes(ambit_cx *cx, void *arg)
{
    struct view *view = *(struct view **)arg;
    int rc = 0;
    for (int i = 1; i <= ITEMS && rc == 0; i++) {
        always(ambit_watch_send(&view->watch, &i) == 0);
        rc = i == 1 ? ambit_yield(cx) : 0;
    }
    always(ambit_watch_close(&view->watch) == 0);
    return rc;
}

static int two_followers(ambit_cx *cx, void *arg)
{
    struct view view = {.room = 0}, *here = &view;
    int rc = 0, spawned = 0;
    (void)arg;
    always(ambit_watch_init(&view.watch, &view.room, sizeof view.room) == 0);
    ambit_scope (cx, s, &rc) {
        spawned += ambit_spawn(s, follows, &here) == 0;
        spawned += ambit_spawn(s, follows, &here) == 0;
        spawned += ambit_spawn(s, changes, &here) == 0;
        if (spawned < 3) {
            ambit_cancel(s, "somebody would wait for ever");
        }
    }
    want(rc == 0 && tally_get(&view.saw_the_last) == 2);
    always(ambit_watch_waiters(&view.watch) == 0);
    ambit_watch_fini(&view.watch);
    return rc;
}

struct look {
    struct view *view;
    uint64_t *seen;
};

static int looks_once(ambit_cx *cx, void *arg)
{
    struct look *look = arg;
    uint64_t before = *look->seen;
    int value = 0;
    int rc = ambit_watch_receive(cx, &look->view->watch, look->seen, &value);
    always((rc == 0) == (*look->seen != before));
    always(rc != 0 || value == 5);
    return rc;
}

/* Called off as the change comes: then it is still to be seen. */
static int change_against_cancel(ambit_cx *cx, void *arg)
{
    struct view view = {.room = 0};
    uint64_t seen = 1, after;
    int rc = 0, five = 5, value = 0;
    (void)arg;
    always(ambit_watch_init(&view.watch, &view.room, sizeof view.room) == 0);
    ambit_scope (cx, s, &rc) {
        struct look look = {&view, &seen};
        want(ambit_spawn(s, looks_once, &look) == 0);
        (void)ambit_yield(cx);
        always(ambit_watch_send(&view.watch, &five) == 0);
        ambit_cancel(s, "now");
    }
    want(rc == 0);
    ambit_observe((int64_t)seen);
    after = seen;
    rc = ambit_watch_try_receive(&view.watch, &after, &value);
    always(seen == 2 ? rc == -EAGAIN : rc == 0 && value == 5);
    ambit_watch_fini(&view.watch);
    return 0;
}

/* --- broadcast ------------------------------------------------------------- */

struct news {
    struct ambit_broadcast broadcast;
    int room[2];
    struct tally sent, heard_all;
};

struct hearer {
    struct news *news;
    struct ambit_broadcast_receiver receiver;
};

static int hears(ambit_cx *cx, void *arg)
{
    struct hearer *h = arg;
    int next = 1, item = 0, rc;
    do {
        rc = ambit_broadcast_receive(cx, &h->receiver, &item);
        if (rc == -EOVERFLOW) {
            next += (int)h->receiver.missed;
        } else if (rc == 0) {
            always(item == next);
            next++;
        }
    } while (rc == 0 || rc == -EOVERFLOW);
    always(rc != -EPIPE || next == 1 + tally_get(&h->news->sent));
    if (rc == -EPIPE) {
        tally_up(&h->news->heard_all);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int tells(ambit_cx *cx, void *arg)
{
    struct news *news = *(struct news **)arg;
    int rc = 0;
    for (int i = 1; i <= ITEMS && rc == 0; i++) {
        tally_up(&news->sent);
        always(ambit_broadcast_send(&news->broadcast, &i) == 0);
        rc = i == 2 ? ambit_yield(cx) : 0;
    }
    always(ambit_broadcast_close(&news->broadcast) == 0);
    return rc;
}

static int two_hearers(ambit_cx *cx, void *arg)
{
    struct news news = {.sent = {0}}, *here = &news;
    int rc = 0, spawned = 0;
    (void)arg;
    always(ambit_broadcast_init(&news.broadcast, news.room, 2, sizeof(int)) ==
           0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 2; i++) {
            struct hearer h = {.news = here};
            ambit_broadcast_subscribe(&news.broadcast, &h.receiver);
            spawned += ambit_spawn(s, hears, &h) == 0;
        }
        spawned += ambit_spawn(s, tells, &here) == 0;
        if (spawned < 3) {
            ambit_cancel(s, "somebody would wait for ever");
        }
    }
    want(rc == 0 && tally_get(&news.heard_all) == 2);
    always(ambit_broadcast_waiters(&news.broadcast) == 0);
    ambit_broadcast_fini(&news.broadcast);
    return rc;
}

/* --- unbounded ------------------------------------------------------------- */

#define SENDERS 2

struct flow {
    struct ambit_unbounded channel;
    struct tally sent, received, senders;
};

static int pours(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    int rc = 0;
    for (int i = 1; i <= ITEMS && rc == 0; i++) {
        rc = ambit_unbounded_send(&flow->channel, &i);
        want(rc == 0);
        always(rc == 0 || rc == -ENOMEM);
        if (rc == 0) {
            tally_up(&flow->sent);
        }
        rc = rc == 0 && i == 2 ? ambit_yield(cx) : rc;
    }
    if (tally_up(&flow->senders) == SENDERS - 1) {
        always(ambit_unbounded_close(&flow->channel) == 0);
    }
    return rc;
}

static int drinks(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    int item = 0, rc;
    while ((rc = ambit_unbounded_receive(cx, &flow->channel, &item)) == 0) {
        always(item >= 1 && item <= ITEMS);
        tally_up(&flow->received);
    }
    return rc == -EPIPE ? 0 : rc;
}

static void flow_is_conserved(struct flow *flow)
{
    int item;
    always(ambit_unbounded_receivers(&flow->channel) == 0);
    if (ambit_unbounded_try_receive(&flow->channel, &item) == 0) {
        tally_up(&flow->received);
    }
    int64_t left = (int64_t)ambit_unbounded_fini(&flow->channel);
    always(tally_get(&flow->sent) == tally_get(&flow->received) + left);
}

static int unbounded_flow(ambit_cx *cx, void *arg)
{
    struct flow flow = {.sent = {0}}, *here = &flow;
    int rc = 0, spawned = 0;
    (void)arg;
    always(ambit_unbounded_init(&flow.channel, sizeof(int)) == 0);
    ambit_scope (cx, s, &rc) {
        spawned += ambit_spawn(s, drinks, &here) == 0;
        for (int i = 0; i < SENDERS; i++) {
            spawned += ambit_spawn(s, pours, &here) == 0;
        }
        if (spawned < SENDERS + 1) {
            ambit_cancel(s, "somebody would wait for ever");
        }
    }
    want(rc == 0 && tally_get(&flow.sent) == SENDERS * ITEMS);
    flow_is_conserved(&flow);
    return rc;
}

/* The receiver is cancelled as it is handed an item. */
static int pour_against_cancel(ambit_cx *cx, void *arg)
{
    struct flow flow = {.sent = {0}}, *here = &flow;
    int rc = 0, one = 1;
    (void)arg;
    always(ambit_unbounded_init(&flow.channel, sizeof(int)) == 0);
    ambit_scope (cx, s, &rc) {
        want(ambit_spawn(s, drinks, &here) == 0);
        (void)ambit_yield(cx);
        if (ambit_unbounded_send(&flow.channel, &one) == 0) {
            tally_up(&flow.sent);
        }
        ambit_cancel(s, "now");
    }
    want(rc == 0);
    ambit_observe(tally_get(&flow.received));
    flow_is_conserved(&flow);
    return rc;
}

SCENARIOS(stream,
    {"two_followers", two_followers, 2, CORE},
    {"change_against_cancel", change_against_cancel, 2, SMALL | CORE},
    {"two_hearers", two_hearers, 2, CORE},
    {"unbounded_flow", unbounded_flow, 2, CORE},
    {"pour_against_cancel", pour_against_cancel, 2, SMALL | CORE});
