/* SPDX-License-Identifier: MIT */
/*
 * sums_await_test.c -- poll tasks lose nothing of what goes through channels and
 * their kin, at every capacity from 1.
 */
#include "tests/stress/sums.h"

enum { SENDERS = 3, RECEIVERS = 2, EACH = 300 / SPEC_SLOWER, CLUMSY = 12 };

struct flow {
    struct ambit_channel channel;
    struct ambit_unbounded unbounded;
    struct ambit_broadcast broadcast;
    struct ambit_watch watch;
    struct ambit_oneshot oneshot;
    int64_t room[64], watch_room, oneshot_room;
    struct ledger ledger;
    struct count senders, ended;
};

/* --- bounded channel -------------------------------------------------------- */

AMBIT_ASYNC_STATE(sends, 2, (struct ambit_await, wait), (struct flow *, flow),
                  (struct ambit_channel_permit, permit), (int64_t, value),
                  (int64_t, end));

/* What a send that has to wait is given up for, now and then: then the value is
 * still here, unless it was sent in the meantime. */
static int send_or_drop(ambit_cx *cx, struct sends *s)
{
    struct ambit_channel *channel = &s->flow->channel;
    int rc = ambit_await_send(cx, &s->wait, channel, &s->value);
    if (rc != AMBIT_PENDING || s->value % 11 != 0) {
        return rc;
    }
    rc = ambit_await_drop(&s->wait);
    WANT(rc == 0 || rc == -EBUSY);
    return rc == 0 ? -EAGAIN
                   : ambit_await_send(cx, &s->wait, channel, &s->value);
}

static int commit_or_abort(struct sends *s)
{
    if (s->value % 7 == 0) {
        ambit_channel_abort(&s->permit);
        return -EAGAIN;
    }
    return ambit_channel_commit(&s->permit, &s->value);
}

static int sends_as_machine(ambit_cx *cx, void *arg)
{
    struct sends *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(sends, 2, s);
    for (; s->value < s->end; s->value++) {
        if (s->value % 3 == 0) {
            AMBIT_AWAIT(1, rc, ambit_await_reserve(cx, &s->wait,
                                                   &s->flow->channel,
                                                   &s->permit));
            rc = rc == 0 ? commit_or_abort(s) : rc;
        } else {
            AMBIT_AWAIT(2, rc, send_or_drop(cx, s));
        }
        ledger_offer(&s->flow->ledger, s->value, rc);
    }
    if (count_add(&s->flow->senders, -1) == 1) {
        WANT_EQ(ambit_channel_close(&s->flow->channel), 0);
    }
    AMBIT_ASYNC_END(0);
}

struct receiver {
    struct ambit_await wait;
    struct flow *flow;
    int64_t value;
    int begun;
    bool is_clumsy;
};

static int receives_as_machine(ambit_cx *cx, void *arg)
{
    struct receiver *s = arg;
    int rc;
    while ((rc = ambit_await_receive(cx, &s->wait, &s->flow->channel,
                                     &s->value)) == 0) {
        tally_up(&s->flow->ledger.received, s->value);
    }
    WANT(rc == AMBIT_PENDING || rc == -EPIPE);
    return rc == -EPIPE ? 0 : rc;
}

/* Its first wait is its last: it panics without a look at what it was given, so
 * another receives that. */
static int receives_and_panics(ambit_cx *cx, void *arg)
{
    struct receiver *s = arg;
    if (s->begun++ > 0) {
        ambit_panic(cx, "clumsy");
    }
    int rc = ambit_await_receive(cx, &s->wait, &s->flow->channel, &s->value);
    if (rc == 0) {
        tally_up(&s->flow->ledger.received, s->value);
    }
    return rc == AMBIT_PENDING ? rc : 0;
}

static void start_senders(ambit_region *region, struct flow *flow)
{
    count_set(&flow->senders, SENDERS);
    for (int64_t i = 0; i < SENDERS; i++) {
        struct sends machine = {.flow = flow, .value = i * EACH,
                                .end = (i + 1) * EACH};
        WANT_EQ(ambit_spawn_poll(region, sends_as_machine, &machine), 0);
    }
}

static void start_receivers(ambit_region *region, struct flow *flow,
                            ambit_step_fn *step, int how_many)
{
    for (int i = 0; i < how_many; i++) {
        struct receiver machine = {.flow = flow};
        WANT_EQ(ambit_spawn_poll(region, step, &machine), 0);
    }
}

static int through_a_channel(ambit_cx *cx, void *arg)
{
    struct flow flow = {.senders = {0}};
    int rc = 0;
    WANT_EQ(ambit_channel_init(&flow.channel, flow.room, *(uint32_t *)arg,
                               sizeof *flow.room), 0);
    ambit_scope (cx, s, &rc) {
        start_receivers(s, &flow, receives_as_machine, RECEIVERS);
        start_senders(s, &flow);
    }
    WANT_EQ(rc, 0);
    ledger_close(&flow.ledger, SENDERS * EACH);
    WANT_EQ(ambit_channel_fini(&flow.channel), 0);
    return 0;
}

/* What comes back after the last receiver was told of the end is left. */
static int through_a_channel_with_panics(ambit_cx *cx, void *arg)
{
    struct flow flow = {.senders = {0}};
    int64_t value;
    int rc = 0;
    WANT_EQ(ambit_channel_init(&flow.channel, flow.room, *(uint32_t *)arg,
                               sizeof *flow.room), 0);
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        start_receivers(s, &flow, receives_and_panics, CLUMSY / 2);
        start_receivers(s, &flow, receives_as_machine, RECEIVERS);
        start_senders(s, &flow);
        start_receivers(s, &flow, receives_and_panics, CLUMSY / 2);
    }
    WANT(rc == 0 || rc == -EOWNERDEAD);
    while ((rc = ambit_channel_try_receive(&flow.channel, &value)) == 0) {
        tally_up(&flow.ledger.left, value);
    }
    WANT_EQ(rc, -EPIPE);
    ledger_close(&flow.ledger, SENDERS * EACH);
    WANT_EQ(ambit_channel_fini(&flow.channel), 0);
    return 0;
}

/* Goal: machines lose nothing at a channel, whichever call is used.
 * Method: three that send, reserve, commit, abort and drop their waits, two that
 * receive; number and sum, at each capacity, on one worker and two. */
Spec(AWAIT_ONCE_1, sums_of_a_channel_are_equal_at_every_capacity)
{
    sums_at_every_capacity(through_a_channel);
    spec_end("AWAIT_ONCE_1");
}

/* Goal, method: the same with twelve more that panic with what they were given. */
Spec(AWAIT_END_4, sums_are_equal_whoever_panics)
{
    sums_at_every_capacity(through_a_channel_with_panics);
    spec_end("AWAIT_END_4");
}

/* --- unbounded ---------------------------------------------------------------- */

static int takes_and_leaves(ambit_cx *cx, void *arg)
{
    struct receiver *s = arg;
    int rc = 0;
    while (s->begun < SENDERS * EACH / 4 &&
           (rc = ambit_await_unbounded(cx, &s->wait, &s->flow->unbounded,
                                       &s->value)) == 0) {
        tally_up(&s->flow->ledger.received, s->value);
        s->begun++;
    }
    return rc;
}

static int takes_and_panics(ambit_cx *cx, void *arg)
{
    struct receiver *s = arg;
    if (s->begun++ > 0) {
        ambit_panic(cx, "clumsy");
    }
    WANT_EQ(ambit_await_unbounded(cx, &s->wait, &s->flow->unbounded,
                                  &s->value), AMBIT_PENDING);
    count_up(&s->flow->ended);
    return AMBIT_PENDING;
}

static int pours(ambit_cx *cx, void *arg)
{
    struct sends *s = arg;
    for (int i = 0; i < 5 && s->value < s->end; i++) {
        ledger_offer(&s->flow->ledger, s->value,
                     ambit_unbounded_send(&s->flow->unbounded, &s->value));
        s->value++;
    }
    if (s->value < s->end) {
        WANT_EQ(ambit_wake(ambit_cx_waker(cx)), 0);
        return AMBIT_PENDING;
    }
    return 0;
}

static int through_an_unbounded(ambit_cx *cx, void *arg)
{
    struct flow flow = {.senders = {0}};
    int64_t value;
    int rc = 0;
    (void)arg;
    WANT_EQ(ambit_unbounded_init(&flow.unbounded, sizeof value), 0);
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        start_receivers(s, &flow, takes_and_panics, CLUMSY);
        WANT(until(cx, &flow.ended, CLUMSY)); /* they wait */
        start_receivers(s, &flow, takes_and_leaves, RECEIVERS);
        for (int64_t i = 0; i < SENDERS; i++) {
            struct sends machine = {.flow = &flow, .value = i * EACH,
                                    .end = (i + 1) * EACH};
            WANT_EQ(ambit_spawn_poll(s, pours, &machine), 0);
        }
    }
    WANT_EQ(rc, -EOWNERDEAD);
    while ((rc = ambit_unbounded_try_receive(&flow.unbounded, &value)) == 0) {
        tally_up(&flow.ledger.left, value);
    }
    WANT_EQ(rc, -EAGAIN);
    WANT_EQ(count_get(&flow.ledger.refused.n), 0);
    ledger_close(&flow.ledger, SENDERS * EACH);
    WANT_EQ(ambit_unbounded_fini(&flow.unbounded), 0);
    return 0;
}

/* Goal, method: the same of a channel without a limit, of whose items a part is
 * left. */
Spec(AWAIT_END_4, sums_are_equal_without_a_capacity)
{
    spec_on_1_and_2_workers(through_an_unbounded);
    spec_end("AWAIT_END_4");
}

/* --- broadcast ----------------------------------------------------------------- */

struct listener {
    struct ambit_await wait, pause;
    struct ambit_broadcast_receiver place;
    struct flow *flow;
    int64_t next, value;
    int yields, left;
};

/* Items are 0, 1, 2, ...: what is missing between two was told, exactly. */
static void heard(struct listener *s, int rc)
{
    if (rc == -EOVERFLOW) {
        WANT(s->place.missed > 0);
        s->next += (int64_t)s->place.missed;
        return;
    }
    WANT_EQ(s->value, s->next);
    s->next++;
    s->left = s->yields;
}

static int hears(ambit_cx *cx, void *arg)
{
    struct listener *s = arg;
    for (;;) {
        for (; s->left > 0; s->left--) {
            if (ambit_await_yield(cx, &s->pause) == AMBIT_PENDING) {
                return AMBIT_PENDING;
            }
        }
        int rc = ambit_await_broadcast(cx, &s->wait, &s->place, &s->value);
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        if (rc == -EPIPE) {
            WANT_EQ(s->next, EACH);
            count_up(&s->flow->ended);
            return 0;
        }
        WANT(rc == 0 || rc == -EOVERFLOW);
        heard(s, rc);
    }
}

static int through_a_broadcast(ambit_cx *cx, void *arg)
{
    struct flow flow = {.senders = {0}};
    int rc = 0;
    WANT_EQ(ambit_broadcast_init(&flow.broadcast, flow.room, *(uint32_t *)arg,
                                 sizeof *flow.room), 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            struct listener machine = {.flow = &flow, .yields = i};
            ambit_broadcast_subscribe(&flow.broadcast, &machine.place);
            WANT_EQ(ambit_spawn_poll(s, hears, &machine), 0);
        }
        for (int64_t i = 0; i < EACH; i++) {
            WANT_EQ(ambit_broadcast_send(&flow.broadcast, &i), 0);
            if (i % 3 == 0) {
                WANT_EQ(ambit_yield(cx), 0);
            }
        }
        WANT_EQ(ambit_broadcast_close(&flow.broadcast), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&flow.ended), 3);
    ambit_broadcast_fini(&flow.broadcast);
    return 0;
}

/* Goal: each item is received by each machine, or told as missed.
 * Method: machines of three speeds; what they received and missed is what was
 * sent, at each capacity. */
Spec(AWAIT_ONCE_1, received_and_missed_are_what_was_sent_at_every_capacity)
{
    sums_at_every_capacity(through_a_broadcast);
    spec_end("AWAIT_ONCE_1");
}

/* --- watch ---------------------------------------------------------------------- */

struct viewer {
    struct ambit_await wait;
    struct flow *flow;
    uint64_t seen, before;
    int64_t value;
};

/* Version v holds v - 1. */
static int views(ambit_cx *cx, void *arg)
{
    struct viewer *s = arg;
    int rc;
    while ((rc = ambit_await_watch(cx, &s->wait, &s->flow->watch, &s->seen,
                                   &s->value)) == 0) {
        WANT(s->seen > s->before);
        WANT_EQ(s->value, s->seen - 1);
        s->before = s->seen;
    }
    if (rc == AMBIT_PENDING) {
        return rc;
    }
    WANT_EQ(rc, -EPIPE);
    WANT_EQ(s->value, EACH);
    count_up(&s->flow->ended);
    return 0;
}

static int through_a_watch(ambit_cx *cx, void *arg)
{
    struct flow flow = {.senders = {0}};
    int rc = 0;
    (void)arg;
    WANT_EQ(ambit_watch_init(&flow.watch, &flow.watch_room,
                             sizeof flow.watch_room), 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            struct viewer machine = {.flow = &flow, .value = -1};
            WANT_EQ(ambit_spawn_poll(s, views, &machine), 0);
        }
        for (int64_t i = 1; i <= EACH; i++) {
            WANT_EQ(ambit_watch_send(&flow.watch, &i), 0);
            if (i % 5 == 0) {
                WANT_EQ(ambit_yield(cx), 0);
            }
        }
        WANT_EQ(ambit_watch_close(&flow.watch), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&flow.ended), 3);
    WANT_EQ(ambit_watch_look(&flow.watch, NULL), EACH + 1);
    ambit_watch_fini(&flow.watch);
    return 0;
}

/* Goal: values are passed over, never lost: the last one arrives, and versions
 * count all of them. */
Spec(AWAIT_ONCE_1, the_last_value_arrives_and_versions_count_the_rest)
{
    spec_on_1_and_2_workers(through_a_watch);
    spec_end("AWAIT_ONCE_1");
}

/* --- oneshot --------------------------------------------------------------------- */

static int shoots(ambit_cx *cx, void *arg)
{
    struct sends *s = arg;
    (void)cx;
    int rc = ambit_oneshot_send(&s->flow->oneshot, &s->value);
    WANT(rc == 0 || rc == -EALREADY);
    ledger_offer(&s->flow->ledger, s->value, rc == 0 ? 0 : -EAGAIN);
    return 0;
}

static int is_shot(ambit_cx *cx, void *arg)
{
    struct receiver *s = arg;
    if (s->begun++ > 0 && s->is_clumsy) {
        ambit_panic(cx, "clumsy"); /* the value is there for the next */
    }
    int rc = ambit_await_oneshot(cx, &s->wait, &s->flow->oneshot, &s->value);
    if (rc == 0) {
        tally_up(&s->flow->ledger.received, s->value);
    }
    count_up(&s->flow->ended);
    return rc;
}

static void one_shot(ambit_cx *cx, struct flow *flow, int64_t senders,
                    bool is_clumsy)
{
    int rc = 0;
    WANT_EQ(ambit_oneshot_init(&flow->oneshot, &flow->oneshot_room,
                               sizeof flow->oneshot_room), 0);
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        struct receiver receiver = {.flow = flow, .is_clumsy = is_clumsy};
        WANT_EQ(ambit_spawn_poll(s, is_shot, &receiver), 0);
        WANT(until(cx, &flow->ended, 1)); /* it waits */
        for (int64_t i = 0; i < senders; i++) {
            struct sends machine = {.flow = flow, .value = i + 1};
            WANT_EQ(ambit_spawn_poll(s, shoots, &machine), 0);
        }
    }
    WANT_EQ(rc, is_clumsy ? -EOWNERDEAD : 0);
}

static int through_a_oneshot(ambit_cx *cx, void *arg)
{
    int64_t senders = *(uint32_t *)arg;
    for (int round = 0; round < 20 / SPEC_SLOWER + 2; round++) {
        struct flow flow = {.senders = {0}};
        int64_t value = 0;
        one_shot(cx, &flow, senders, round % 2 != 0);
        int rc = ambit_oneshot_try_receive(&flow.oneshot, &value);
        WANT_EQ(rc, round % 2 != 0 ? 0 : -EALREADY);
        if (rc == 0) {
            tally_up(&flow.ledger.left, value);
        }
        WANT_EQ(count_get(&flow.ledger.sent.n), 1);
        ledger_close(&flow.ledger, senders);
        WANT(!ambit_oneshot_fini(&flow.oneshot));
    }
    return 0;
}

/* Goal: one value goes through, all others stay with who had them.
 * Method: 1 to 64 machines at once; every other receiver panics with it. */
Spec(AWAIT_END_4, one_is_received_and_the_rest_is_kept)
{
    sums_at_every_capacity(through_a_oneshot);
    spec_end("AWAIT_END_4");
}
