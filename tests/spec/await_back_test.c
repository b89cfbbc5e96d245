/* SPDX-License-Identifier: MIT */
/*
 * await_back_test.c -- what a poll task was given, and panics before it looks.
 */
#include "tests/spec/common.h"

enum { HOT = 7, COUNTED = 9, CAPACITY = 2 };

enum from { CHANNEL, UNBOUNDED, MESSAGE, HOT_MESSAGE, SUM };

struct givers {
    enum from from;
    struct ambit_channel channel;
    uint64_t room[CAPACITY];
    struct ambit_unbounded unbounded;
    ambit_ring *ring;
    unsigned here;
    struct count begun, seen, ended;
};

/* --- one of five kinds ------------------------------------------------------- */

static int give(struct givers *g, uint64_t value)
{
    switch (g->from) {
    case CHANNEL:
        return ambit_channel_try_send(&g->channel, &value);
    case UNBOUNDED:
        return ambit_unbounded_send(&g->unbounded, &value);
    default:
        return ambit_ring_try_send_direct(
            g->ring, g->here,
            g->from == MESSAGE ? 1 : g->from == SUM ? COUNTED : HOT, value);
    }
}

static int take(struct givers *g, uint64_t *ret_value)
{
    struct ambit_ring_message message = {.value = 0};
    int rc;
    switch (g->from) {
    case CHANNEL:
        return ambit_channel_try_receive(&g->channel, ret_value);
    case UNBOUNDED:
        return ambit_unbounded_try_receive(&g->unbounded, ret_value);
    case SUM:
        return ambit_ring_try_next_count(g->ring, COUNTED, ret_value);
    default:
        rc = g->from == MESSAGE ? ambit_ring_try_next(g->ring, &message)
                                : ambit_ring_try_next_hot(g->ring, &message);
        *ret_value = message.value;
        return rc;
    }
}

struct mine {
    struct ambit_await wait;
    struct ambit_ring_message message;
    uint64_t value;
};

static int await_mine(ambit_cx *cx, struct givers *g, struct mine *mine)
{
    switch (g->from) {
    case CHANNEL:
        return ambit_await_receive(cx, &mine->wait, &g->channel, &mine->value);
    case UNBOUNDED:
        return ambit_await_unbounded(cx, &mine->wait, &g->unbounded,
                                     &mine->value);
    case MESSAGE:
        return ambit_await_ring_next(cx, &mine->wait, g->ring, &mine->message);
    case HOT_MESSAGE:
        return ambit_await_ring_next_hot(cx, &mine->wait, g->ring,
                                         &mine->message);
    default:
        return ambit_await_ring_next_count(cx, &mine->wait, g->ring, COUNTED,
                                           &mine->value);
    }
}

static uint64_t value_of(const struct givers *g, const struct mine *mine)
{
    bool is_message = g->from == MESSAGE || g->from == HOT_MESSAGE;
    return is_message ? mine->message.value : mine->value;
}

static uint32_t len_of(struct givers *g)
{
    struct ambit_ring_stats stats;
    switch (g->from) {
    case CHANNEL:
        return ambit_channel_len(&g->channel);
    case UNBOUNDED:
        return (uint32_t)ambit_unbounded_len(&g->unbounded);
    default:
        ambit_ring_stats(g->ring, &stats);
        return (uint32_t)(g->from == SUM ? stats.added - stats.taken
                                         : stats.accepted - stats.received);
    }
}

/* --- machines that wait, and panic when they are given it ------------------- */

struct machine {
    struct mine mine[2];
    struct givers *givers;
    int waits; /* one, or two */
    bool panics, is_begun;
};

static int waits_then_panics(ambit_cx *cx, void *state)
{
    struct machine *s = state;
    struct givers *g = s->givers;
    if (!s->is_begun) {
        s->is_begun = true;
        for (int i = 0; i < s->waits; i++) {
            WANT_EQ(await_mine(cx, g, &s->mine[i]), AMBIT_PENDING);
        }
        count_up(&g->begun);
        return AMBIT_PENDING;
    }
    count_up(&g->ended);
    if (s->panics) {
        ambit_panic(cx, "it has it, and does not know");
    }
    WANT_EQ(await_mine(cx, g, &s->mine[0]), 0);
    count_add(&g->seen, (int64_t)value_of(g, &s->mine[0]));
    return 0;
}

/* In line in the order in which they are started. */
static void start(ambit_cx *cx, ambit_region *region, struct givers *g,
                  int waits, bool panics)
{
    struct machine machine = {.givers = g, .waits = waits, .panics = panics};
    int64_t begun = count_get(&g->begun);
    WANT_EQ(ambit_spawn_poll(region, waits_then_panics, &machine), 0);
    WANT(until(cx, &g->begun, begun + 1));
}

static void reopen(ambit_region *region, struct givers *g, enum from from)
{
    const uint16_t hot = HOT, counted = COUNTED;
    memset(g, 0, sizeof *g);
    g->from = from;
    WANT_EQ(ambit_channel_init(&g->channel, g->room, CAPACITY,
                               sizeof *g->room), 0);
    WANT_EQ(ambit_unbounded_init(&g->unbounded, sizeof *g->room), 0);
    WANT_EQ(ambit_ring_open(region, &g->ring, .name = "way back",
                            .capacity = 8, .hot = &hot, .hot_len = 1,
                            .counted = &counted, .counted_len = 1), 0);
    g->here = ambit_ring_here(g->ring);
}

static void end(struct givers *g)
{
    ambit_channel_fini(&g->channel);
    ambit_unbounded_fini(&g->unbounded);
}

/* Items 1 to 5 go to four machines, of which the first, the third (which has two
 * waits) and the fourth panic; two more are sent before that. */
static void give_all(ambit_cx *cx, struct givers *g)
{
    int rc = 0;
    ambit_scope (cx, region, &rc, .policy = AMBIT_COLLECT) {
        start(cx, region, g, 1, true);
        start(cx, region, g, 1, false);
        start(cx, region, g, 2, true);
        start(cx, region, g, 1, true);
        for (uint64_t i = 1; i <= 7; i++) {
            WANT_EQ(give(g, i), 0);
        }
        WANT_EQ(count_get(&g->ended), 0);
    }
    WANT_EQ(rc, -EOWNERDEAD);
    WANT_EQ(count_get(&g->seen), 2);
}

static int come_back_in_order(ambit_cx *cx, void *arg)
{
    static const uint64_t wanted[] = {1, 3, 4, 5, 6, 7};
    (void)arg;
    for (enum from from = CHANNEL; from < SUM; from++) {
        struct givers g;
        uint64_t value = 0;
        int rc = 0;
        ambit_scope (cx, region, &rc) {
            reopen(region, &g, from);
            size_t bytes = ambit_unbounded_bytes(&g.unbounded);
            give_all(cx, &g);
            for (uint32_t i = 0; i < ARRAY_LEN(wanted); i++) {
                WANT_EQ(len_of(&g), ARRAY_LEN(wanted) - i);
                /* More than the capacity: nobody else finds room. */
                WANT_EQ(from == CHANNEL ? give(&g, 8) : -EAGAIN, -EAGAIN);
                WANT_EQ(take(&g, &value), 0);
                WANT_EQ(value, wanted[i]);
                if (i == 4) {
                    break;
                }
            }
            WANT_EQ(give(&g, 8), 0);
            WANT_EQ(take(&g, &value), 0);
            WANT_EQ(take(&g, &value), 0);
            WANT_EQ(value, 8);
            WANT_EQ(take(&g, &value), -EAGAIN);
            WANT(ambit_unbounded_bytes(&g.unbounded) <= bytes + 4096);
            end(&g);
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

static int sums_come_back(ambit_cx *cx, void *arg)
{
    struct givers g;
    uint64_t sum = 0;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, region, &rc) {
        reopen(region, &g, SUM);
        ambit_scope (cx, inner, &rc, .policy = AMBIT_COLLECT) {
            start(cx, inner, &g, 1, true);
            WANT_EQ(give(&g, 40), 0);
            WANT_EQ(len_of(&g), 0);
        }
        WANT_EQ(rc, -EOWNERDEAD);
        WANT_EQ(len_of(&g), 40);
        WANT_EQ(give(&g, 2), 0);
        WANT_EQ(take(&g, &sum), 0);
        WANT_EQ(sum, 42);
        WANT_EQ(take(&g, &sum), -EAGAIN);
        rc = 0;
        end(&g);
    }
    return rc;
}

/* Who waits gets it at once, and gives it on when it panics, too; the last one is
 * a task with a stack. */
struct patient {
    struct givers *givers;
    uint64_t *ret_value;
};

static int waits_with_a_stack(ambit_cx *cx, void *arg)
{
    struct patient *p = arg;
    struct givers *g = p->givers;
    struct ambit_ring_message message = {.value = 0};
    count_up(&g->begun);
    switch (g->from) {
    case CHANNEL:
        return ambit_channel_receive(cx, &g->channel, p->ret_value);
    case UNBOUNDED:
        return ambit_unbounded_receive(cx, &g->unbounded, p->ret_value);
    case SUM:
        return ambit_ring_next_count(cx, g->ring, COUNTED, p->ret_value);
    default:
        WANT_EQ(g->from == MESSAGE
                    ? ambit_ring_next(cx, g->ring, &message)
                    : ambit_ring_next_hot(cx, g->ring, &message), 0);
        *p->ret_value = message.value;
        return 0;
    }
}

static int who_waits_is_next(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (enum from from = CHANNEL; from <= SUM; from++) {
        struct givers g;
        uint64_t value = 0;
        int rc = 0, inner = 0;
        ambit_scope (cx, region, &rc) {
            reopen(region, &g, from);
            ambit_scope (cx, machines, &inner, .policy = AMBIT_COLLECT) {
                struct patient patient = {&g, &value};
                start(cx, machines, &g, 1, true);
                start(cx, machines, &g, 1, true);
                WANT_EQ(ambit_spawn(machines, waits_with_a_stack, &patient),
                        0);
                WANT(until(cx, &g.begun, 3));
                let_others_run(cx);
                WANT_EQ(give(&g, 11), 0);
            }
            WANT_EQ(inner, -EOWNERDEAD);
            WANT_EQ(value, 11);
            WANT_EQ(len_of(&g), 0);
            end(&g);
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* Nobody comes for it: the ring tells. */
static int back_to_the_end(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (enum from from = MESSAGE; from <= SUM; from++) {
        struct givers g;
        int rc = 0, inner = 0;
        ambit_scope (cx, region, &rc) {
            reopen(region, &g, from);
            ambit_scope (cx, machines, &inner, .policy = AMBIT_COLLECT) {
                start(cx, machines, &g, 1, true);
                WANT_EQ(give(&g, from == SUM ? 77 : 1), 0);
            }
            end(&g);
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* --- a ring, from another worker --------------------------------------------- */

struct far {
    struct givers givers;
    struct hold hold; /* keeps the worker on which it waits */
    ambit_waker waker;
    uint64_t value;
};

struct far_machine {
    struct mine mine;
    struct far *far;
    bool is_begun;
};

/* Begins there, is given it there, and panics here meanwhile. */
static int panics_elsewhere(ambit_cx *cx, void *state)
{
    struct far_machine *s = state;
    struct givers *g = &s->far->givers;
    if (!s->is_begun) {
        s->is_begun = true;
        g->here = ambit_ring_here(g->ring);
        s->far->waker = ambit_cx_waker(cx);
        WANT_EQ(await_mine(cx, g, &s->mine), AMBIT_PENDING);
        count_up(&g->begun);
        return AMBIT_PENDING;
    }
    WANT(ambit_ring_here(g->ring) != g->here);
    count_up(&s->far->hold.gate);
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (len_of(g) > 0 && ambit_now().ns < end.ns) {
        sched_yield();
    }
    WANT_EQ(len_of(g), 0);
    ambit_panic(cx, "here it does not know what it has there");
}

static int takes_there(ambit_cx *cx, void *arg)
{
    struct far *far = *(struct far **)arg;
    (void)cx;
    WANT_EQ(take(&far->givers, &far->value), 0);
    return 0;
}

/* The main task keeps its own worker until the machine has begun on the other. */
static void give_and_panic(ambit_cx *cx, ambit_region *region, struct far *far)
{
    struct far_machine machine = {.far = far};
    struct hold *hold = &far->hold;
    WANT_EQ(ambit_spawn_poll(region, panics_elsewhere, &machine), 0);
    WANT(spin_until(&far->givers.begun, 1));
    WANT(far->givers.here != ambit_ring_here(far->givers.ring));
    WANT_EQ(ambit_spawn_with(region, hold_worker, &hold,
                             .placement = AMBIT_PINNED,
                             .worker = far->givers.here), 0);
    WANT(spin_until(&hold->here, 1));
    WANT_EQ(give(&far->givers, 21), 0);
    WANT_EQ(len_of(&far->givers), 21 * (far->givers.from == SUM) +
                                      (far->givers.from != SUM));
    WANT_EQ(ambit_wake(far->waker), 0);
    WANT_EQ(ambit_yield(cx), 0);
}

static int comes_back_from_elsewhere(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (enum from from = MESSAGE; from <= SUM; from++) {
        struct far far = {.value = 0}, *there = &far;
        int rc = 0, inner = 0;
        ambit_scope (cx, region, &rc) {
            reopen(region, &far.givers, from);
            ambit_scope (cx, machines, &inner, .policy = AMBIT_COLLECT) {
                give_and_panic(cx, machines, &far);
            }
            WANT_EQ(inner, -EOWNERDEAD);
            ambit_scope (cx, takers, &inner) {
                WANT_EQ(ambit_spawn_with(takers, takes_there, &there,
                                         .placement = AMBIT_PINNED,
                                         .worker = far.givers.here), 0);
            }
            WANT_EQ(far.value, 21);
            WANT_EQ(len_of(&far.givers), 0);
            end(&far.givers);
        }
        WANT_EQ(rc, 0);
    }
    return 0;
}

/* --- oneshot ----------------------------------------------------------------- */

struct asker {
    struct ambit_await wait;
    struct ambit_oneshot *oneshot;
    struct count *begun;
    int value;
    bool is_begun;
};

static int asks_then_panics(ambit_cx *cx, void *state)
{
    struct asker *s = state;
    if (s->is_begun) {
        ambit_panic(cx, "it has its answer, and does not know");
    }
    s->is_begun = true;
    WANT_EQ(ambit_await_oneshot(cx, &s->wait, s->oneshot, &s->value),
            AMBIT_PENDING);
    count_up(s->begun);
    return AMBIT_PENDING;
}

static int a_value_comes_back(ambit_cx *cx, void *arg)
{
    int room = 0, value = 0, rc = 0;
    struct ambit_oneshot oneshot = AMBIT_ONESHOT_INIT(room);
    struct count begun = {0};
    (void)arg;
    ambit_scope (cx, region, &rc, .policy = AMBIT_COLLECT) {
        struct asker asker = {.oneshot = &oneshot, .begun = &begun};
        WANT_EQ(ambit_spawn_poll(region, asks_then_panics, &asker), 0);
        WANT(until(cx, &begun, 1));
        WANT_EQ(ambit_oneshot_send(&oneshot, &(int){42}), 0);
    }
    WANT_EQ(rc, -EOWNERDEAD);
    WANT_EQ(ambit_oneshot_send(&oneshot, &(int){43}), -EALREADY);
    WANT_EQ(ambit_oneshot_receive(cx, &oneshot, &value), 0);
    WANT_EQ(value, 42);
    WANT_EQ(ambit_oneshot_try_receive(&oneshot, &value), -EALREADY);
    ambit_oneshot_fini(&oneshot);
    return 0;
}

/* Goal: an item that a panic did not look at is received by the next, in its
 * order.  Method: machines in line are given an item each, and panic in the step
 * that follows; what is received then, with more items than there is room for; a
 * task that waits meanwhile; nobody, to the end of the ring; a panic on another
 * worker than the one where the message is. */
Spec(AWAIT_END_4, what_a_panic_did_not_look_at_is_received_by_the_next)
{
    spec_on(1, come_back_in_order);
    spec_on(1, sums_come_back);
    spec_on(1, who_waits_is_next);
    spec_on(1, back_to_the_end);
    spec_on(2, comes_back_from_elsewhere);
    WANT(spec_logged("\"way back\" has ended with 1 messages"));
    WANT(spec_logged("\"way back\" has ended with 77 of tag 9"));
    spec_on_1_and_2_workers(a_value_comes_back);
    spec_end("AWAIT_END_4");
}
