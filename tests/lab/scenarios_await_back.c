/* SPDX-License-Identifier: MIT */
/*
 * scenarios_await_back.c -- poll tasks that panic with what they were given.
 *
 * Each waits, and panics in its next step, be it for an item, a cancel or
 * nothing.  Whatever happens, what was sent is received by others, or left, or
 * counted as lost for want of memory; and one sender's items stay in order.
 */
#include "tests/lab/scenario.h"

enum { ITEMS = 3 };

struct lot {
    struct ambit_channel channel;
    int room[1];
    struct ambit_unbounded unbounded;
    struct ambit_oneshot oneshot;
    int oneshot_room;
    ambit_ring *ring;
    struct tally sent, received;
};

static int64_t lost_items(ambit_cx *cx)
{
    struct ambit_runtime_stats stats;
    ambit_runtime_stats(ambit_cx_runtime(cx), &stats);
    return (int64_t)stats.lost_items;
}

/* --- channel, unbounded channel and oneshot ---------------------------------- */

struct clumsy {
    struct ambit_await waits[3];
    struct lot *lot;
    int items[3];
    bool is_begun;
};

static bool is_pending(struct lot *lot, int rc)
{
    if (rc == 0) {
        tally_up(&lot->received);
    }
    return rc == AMBIT_PENDING;
}

static int waits_and_panics(ambit_cx *cx, void *arg)
{
    struct clumsy *s = arg;
    struct lot *lot = s->lot;
    if (s->is_begun) {
        ambit_panic(cx, "whatever it was given");
    }
    s->is_begun = true;
    int pending = 0;
    pending += is_pending(lot, ambit_await_receive(cx, &s->waits[0],
                                                   &lot->channel,
                                                   &s->items[0]));
    pending += is_pending(lot, ambit_await_unbounded(cx, &s->waits[1],
                                                     &lot->unbounded,
                                                     &s->items[1]));
    pending += is_pending(lot, ambit_await_oneshot(cx, &s->waits[2],
                                                   &lot->oneshot,
                                                   &s->items[2]));
    return pending > 0 ? AMBIT_PENDING : 0;
}

static int sends_some(ambit_cx *cx, void *arg)
{
    struct lot *lot = *(struct lot **)arg;
    int rc = 0;
    for (int i = 1; i <= ITEMS && rc == 0; i++) {
        if (ambit_channel_try_send(&lot->channel, &i) == 0) {
            tally_up(&lot->sent);
        }
        if (ambit_unbounded_send(&lot->unbounded, &i) == 0) {
            tally_up(&lot->sent);
        } else {
            always(disturbed);
        }
        rc = ambit_yield(cx);
    }
    return rc;
}

static int answers(ambit_cx *cx, void *arg)
{
    struct lot *lot = *(struct lot **)arg;
    (void)cx;
    always(ambit_oneshot_send(&lot->oneshot, &(int){1}) == 0);
    tally_up(&lot->sent);
    return 0;
}

/* How many: those of the unbounded channel in the order in which they were sent;
 * of the channel one, and what its end tells of the rest. */
static int64_t left_in(struct lot *lot)
{
    int item = 0, before = 0;
    int64_t left = ambit_channel_try_receive(&lot->channel, &item) == 0;
    for (; ambit_unbounded_try_receive(&lot->unbounded, &item) == 0; left++) {
        always(item > before);
        before = item;
    }
    return left + ambit_oneshot_fini(&lot->oneshot) +
           ambit_channel_fini(&lot->channel);
}

static int await_items_and_panic(ambit_cx *cx, void *arg)
{
    struct lot lot = {.sent = {0}}, *here = &lot;
    int rc = 0;
    (void)arg;
    ambit_channel_init(&lot.channel, lot.room, 1, sizeof *lot.room);
    ambit_unbounded_init(&lot.unbounded, sizeof(int));
    ambit_oneshot_init(&lot.oneshot, &lot.oneshot_room, sizeof(int));
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        for (int i = 0; i < 3; i++) {
            struct clumsy clumsy = {.lot = here};
            want(ambit_spawn_poll(s, waits_and_panics, &clumsy) == 0);
        }
        want(ambit_spawn(s, sends_some, &here) == 0);
        want(ambit_spawn(s, answers, &here) == 0);
        if (ambit_yield(cx) == 0) {
            ambit_cancel(s, "all have to step");
        }
    }
    always(tally_get(&lot.sent) == tally_get(&lot.received) + left_in(&lot) +
                                       lost_items(cx));
    always(ambit_unbounded_fini(&lot.unbounded) == 0);
    return rc == -EOWNERDEAD ? 0 : rc;
}

/* --- a ring ------------------------------------------------------------------- */

struct hearer {
    struct ambit_await wait;
    struct lot *lot;
    struct ambit_ring_message message;
    bool is_begun;
};

static int hears_and_panics(ambit_cx *cx, void *arg)
{
    struct hearer *s = arg;
    if (s->is_begun) {
        ambit_panic(cx, "whatever it was told");
    }
    s->is_begun = true;
    int rc = ambit_await_ring_next(cx, &s->wait, s->lot->ring, &s->message);
    return is_pending(s->lot, rc) ? AMBIT_PENDING : 0;
}

static int tells_both(ambit_cx *cx, void *arg)
{
    struct lot *lot = *(struct lot **)arg;
    int rc = 0;
    for (uint64_t i = 1; i <= ITEMS && rc == 0; i++) {
        for (unsigned to = 0; to < 2; to++) {
            if (ambit_ring_try_send_direct(lot->ring, to, 1, i) == 0) {
                tally_up(&lot->sent);
            }
        }
        rc = ambit_yield(cx);
    }
    return rc;
}

/* Pinned to each worker in turn. */
static int empties_inbox(ambit_cx *cx, void *arg)
{
    struct lot *lot = *(struct lot **)arg;
    struct ambit_ring_message message;
    uint64_t before = 0;
    (void)cx;
    while (ambit_ring_try_next(lot->ring, &message) == 0) {
        always(message.value > before);
        before = message.value;
        tally_up(&lot->received);
    }
    return 0;
}

static void hear_and_panic(ambit_cx *cx, struct lot *lot)
{
    int rc = 0;
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        for (int i = 0; i < 3; i++) {
            struct hearer hearer = {.lot = lot};
            want(ambit_spawn_poll(s, hears_and_panics, &hearer) == 0);
        }
        want(ambit_spawn(s, tells_both, &lot) == 0);
        if (ambit_yield(cx) == 0) {
            ambit_cancel(s, "all have to step");
        }
    }
}

static int await_ring_and_panic(ambit_cx *cx, void *arg)
{
    struct lot lot = {.ring = NULL}, *here = &lot;
    struct ambit_ring_stats stats = {0};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (ambit_ring_open(s, &lot.ring, .capacity = 2) < 0) {
            always(disturbed);
            break;
        }
        hear_and_panic(cx, here);
        ambit_scope (cx, inboxes, &rc) {
            for (unsigned i = 0; i < 2; i++) {
                want(ambit_spawn_with(inboxes, empties_inbox, &here,
                                      .placement = AMBIT_PINNED,
                                      .worker = i) == 0);
            }
        }
        ambit_ring_stats(lot.ring, &stats);
        want(stats.accepted == stats.received + (uint64_t)lost_items(cx));
    }
    want(tally_get(&lot.sent) == tally_get(&lot.received) + lost_items(cx));
    always(tally_get(&lot.sent) >= tally_get(&lot.received));
    return rc;
}

SCENARIOS(await_back,
          {"await_items_and_panic", await_items_and_panic, 2, CORE | TIMED,
           "AWAIT-END-4 CHAN-END-1"},
          {"await_ring_and_panic", await_ring_and_panic, 2, TIMED, "AWAIT-END-4"});
