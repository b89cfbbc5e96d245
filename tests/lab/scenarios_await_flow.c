/* SPDX-License-Identifier: MIT */
/*
 * scenarios_await_flow.c -- machines through a channel, a semaphore, a mailbox,
 * of a capacity that is drawn, with cancels anywhere.
 *
 * Whatever happens: sent is received and left, permits are all there at the end,
 * and there are never more in between than the capacity says.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

enum { CAPACITY_MAX = 3, SOURCES = 3, ITEMS = 4 };

static uint32_t draw_capacity(void)
{
    return 1 + ambit_choose(CAPACITY_MAX);
}

/* Some turns of the others, how many is drawn. */
static void give_way(ambit_cx *cx)
{
    unsigned turns = ambit_choose(8);
    while (turns-- > 0 && ambit_yield(cx) == 0) {
    }
}

struct item {
    int source, number;
};

/* Each its own bit, so that a sum tells what is missing, or there twice. */
static int64_t value_of(const struct item *item)
{
    return (int64_t)1 << (item->source * 8 + item->number);
}

/* --- a channel ------------------------------------------------------------- */

struct flow {
    struct ambit_channel channel;
    uint32_t capacity;
    struct item room[CAPACITY_MAX];
    struct tally sent, received;
};

AMBIT_ASYNC_STATE(pours, 2, (struct ambit_await, wait), (struct flow *, flow),
                  (struct ambit_channel_permit, permit), (struct item, item));

static int pours(ambit_cx *cx, void *arg)
{
    struct pours *s = arg;
    struct ambit_channel *channel = &s->flow->channel;
    int rc;
    AMBIT_ASYNC_BEGIN(pours, 2, s);
    while (++s->item.number <= ITEMS) {
        if (s->item.number % 2 != 0) {
            AMBIT_AWAIT(1, rc, ambit_await_send(cx, &s->wait, channel,
                                                &s->item));
        } else {
            AMBIT_AWAIT(2, rc, ambit_await_reserve(cx, &s->wait, channel,
                                                   &s->permit));
            if (rc == 0) {
                rc = ambit_channel_commit(&s->permit, &s->item);
            }
        }
        if (rc < 0) {
            always(is_called_off(rc) || rc == -EPIPE);
            AMBIT_ASYNC_RETURN(rc);
        }
        tally_add(&s->flow->sent, value_of(&s->item));
    }
    AMBIT_ASYNC_END(0);
}

typedef int of_each_source[SOURCES];

AMBIT_ASYNC_STATE(drains, 1, (struct ambit_await, wait), (struct flow *, flow),
                  (struct item, item), (of_each_source, last));

static int drains(ambit_cx *cx, void *arg)
{
    struct drains *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(drains, 1, s);
    for (;;) {
        always(ambit_channel_len(&s->flow->channel) <=
               s->flow->capacity);
        AMBIT_AWAIT(1, rc, ambit_await_receive(cx, &s->wait,
                                               &s->flow->channel, &s->item));
        if (rc < 0) {
            always(is_called_off(rc) || rc == -EPIPE);
            AMBIT_ASYNC_RETURN(rc == -EPIPE ? 0 : rc);
        }
        always(s->item.number > s->last[s->item.source]);
        s->last[s->item.source] = s->item.number;
        tally_add(&s->flow->received, value_of(&s->item));
    }
    AMBIT_ASYNC_END(0);
}

static int start_sources(ambit_region *region, struct flow *flow)
{
    int n = 0;
    for (int i = 0; i < SOURCES; i++) {
        struct pours state = {.flow = flow, .item = {.source = i}};
        n += ambit_spawn_poll(region, pours, &state) == 0;
    }
    return n;
}

static int start_sinks(ambit_region *region, struct flow *flow)
{
    int n = 0;
    for (int i = 0; i < 2; i++) {
        struct drains state = {.flow = flow};
        n += ambit_spawn_poll(region, drains, &state) == 0;
    }
    return n;
}

static int64_t all_but(int left_out)
{
    int64_t sum = 0;
    for (int i = 0; i < SOURCES; i++) {
        for (int number = 1; number <= ITEMS; number++) {
            sum += number != left_out
                       ? value_of(&(struct item){i, number}) : 0;
        }
    }
    return sum;
}

/* Nobody is there any more. */
static void settle(struct flow *flow)
{
    struct item item;
    int64_t left = 0;
    always(ambit_channel_receivers(&flow->channel) == 0);
    always(ambit_channel_senders(&flow->channel) == 0);
    while (ambit_channel_try_receive(&flow->channel, &item) == 0) {
        left += value_of(&item);
    }
    always(tally_get(&flow->sent) == tally_get(&flow->received) + left);
    ambit_channel_fini(&flow->channel);
}

/* Those in `near` are cancelled: the sources, or the sinks. */
static int run_flow(ambit_cx *cx, bool is_cancelled)
{
    struct flow flow = {.capacity = draw_capacity()};
    bool sinks_near = is_cancelled && ambit_choose(2) != 0;
    int rc = 0, inner = 0;
    always(ambit_channel_init(&flow.channel, flow.room, flow.capacity,
                              sizeof flow.room[0]) == 0);
    ambit_scope (cx, far, &rc, .policy = AMBIT_COLLECT) {
        int n = sinks_near ? start_sources(far, &flow)
                           : start_sinks(far, &flow);
        want(n > 1);
        ambit_scope (cx, near, &inner, .policy = AMBIT_COLLECT) {
            int m = sinks_near ? start_sinks(near, &flow)
                               : start_sources(near, &flow);
            want(m > 1);
            if (is_cancelled) {
                give_way(cx);
            }
            if (is_cancelled || n == 0) {
                ambit_cancel(near, "enough");
            }
        }
        (void)ambit_channel_close(&flow.channel);
    }
    want(is_cancelled || tally_get(&flow.received) == all_but(0));
    settle(&flow);
    want(rc == 0 || sinks_near);
    return 0;
}

static int await_channel(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_flow(cx, false);
}

static int await_channel_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_flow(cx, true);
}

/* --- a semaphore ----------------------------------------------------------- */

struct lot {
    struct ambit_semaphore places;
    uint32_t capacity;
    struct tally taken, rounds;
};

AMBIT_ASYNC_STATE(parks, 2, (struct ambit_await, wait), (struct lot *, lot),
                  (uint32_t, wanted), (int, rounds));

static int parks(ambit_cx *cx, void *arg)
{
    struct parks *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(parks, 2, s);
    for (; s->rounds > 0; s->rounds--) {
        AMBIT_AWAIT(1, rc, ambit_await_acquire(cx, &s->wait, &s->lot->places,
                                               s->wanted));
        if (rc < 0) {
            always(is_called_off(rc));
            AMBIT_ASYNC_RETURN(rc);
        }
        tally_add(&s->lot->taken, s->wanted);
        always(tally_get(&s->lot->taken) <= s->lot->capacity);
        AMBIT_AWAIT(2, rc, ambit_await_yield(cx, &s->wait));
        always(rc == 0 || is_called_off(rc));
        tally_add(&s->lot->taken, -(int64_t)s->wanted);
        always(ambit_semaphore_release(&s->lot->places, s->wanted) == 0);
        tally_up(&s->lot->rounds);
    }
    AMBIT_ASYNC_END(0);
}

static int run_lot(ambit_cx *cx, bool is_cancelled)
{
    struct lot lot = {.capacity = draw_capacity()};
    int rc = 0;
    always(ambit_semaphore_init(&lot.places, lot.capacity, lot.capacity) == 0);
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        for (uint32_t i = 0; i < 4; i++) {
            struct parks state = {.lot = &lot, .rounds = 2,
                                  .wanted = 1 + i % lot.capacity};
            want(ambit_spawn_poll(s, parks, &state) == 0);
        }
        if (is_cancelled) {
            give_way(cx);
            ambit_cancel(s, "closing time");
        }
    }
    want(rc == 0 && (is_cancelled || tally_get(&lot.rounds) == 8));
    always(tally_get(&lot.taken) == 0);
    always(ambit_semaphore_free(&lot.places) == lot.capacity);
    always(ambit_semaphore_waiters(&lot.places) == 0);
    ambit_semaphore_fini(&lot.places);
    return rc;
}

static int await_permits(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_lot(cx, false);
}

static int await_permits_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_lot(cx, true);
}

/* --- a mailbox ------------------------------------------------------------- */

struct office {
    ambit_actor_ref box;
    uint32_t capacity;
    struct tally sent, handled, disposed;
    int last[SOURCES]; /* by the one who handles */
};

static struct office *office_now; /* dispose has no other way to it */

static int office_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    memcpy(state, arg, sizeof(struct office *));
    return 0;
}

static int office_handle(ambit_cx *cx, void *state, const void *message,
                         size_t size)
{
    struct office *office = *(struct office **)state;
    const struct item *item = message;
    uint32_t taken = 0;
    always(size == sizeof *item);
    always(item->number > office->last[item->source]);
    office->last[item->source] = item->number;
    tally_add(&office->handled, value_of(item));
    if (ambit_actor_depth(office->box, &taken) == 0) {
        always(taken <= office->capacity);
    }
    (void)ambit_yield(cx);
    return AMBIT_CONTINUE;
}

static void office_dispose(void *message, size_t size)
{
    always(size == sizeof(struct item));
    tally_add(&office_now->disposed, value_of(message));
}

AMBIT_ASYNC_STATE(writes, 2, (struct ambit_await, wait),
                  (struct office *, office), (struct ambit_permit, permit),
                  (struct item, item));

/* Every third permit is given back. */
static int use_permit(struct writes *s)
{
    if (s->item.number % 3 == 0) {
        ambit_abort(&s->permit);
        return 0;
    }
    memcpy(s->permit.message, &s->item, sizeof s->item);
    tally_add(&s->office->sent, value_of(&s->item)); /* disposed of, if late */
    return ambit_commit(&s->permit);
}

static int writes(ambit_cx *cx, void *arg)
{
    struct writes *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(writes, 2, s);
    while (++s->item.number <= ITEMS) {
        if (s->item.number % 2 != 0) {
            AMBIT_AWAIT(1, rc, ambit_await_actor_reserve(
                                   cx, &s->wait, s->office->box,
                                   sizeof s->item, &s->permit));
            rc = rc == 0 ? use_permit(s) : rc;
        } else {
            AMBIT_AWAIT(2, rc, ambit_await_actor_send(
                                   cx, &s->wait, s->office->box, &s->item,
                                   sizeof s->item));
            tally_add(&s->office->sent, rc == 0 ? value_of(&s->item) : 0);
        }
        if (rc < 0) {
            want(is_called_off(rc));
            AMBIT_ASYNC_RETURN(rc);
        }
    }
    AMBIT_ASYNC_END(0);
}

static int run_office(ambit_cx *cx, bool is_cancelled)
{
    struct office office = {.capacity = draw_capacity()}, *here = &office;
    struct ambit_actor_type type = {.size_ = sizeof type,
                                    .name = "office",
                                    .state_size = sizeof here,
                                    .mailbox_max = office.capacity,
                                    .init = office_init,
                                    .handle = office_handle,
                                    .dispose = office_dispose};
    int rc = 0, inner = 0;
    office_now = here;
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        if (ambit_actor_start(cx, s, &type, &here, sizeof here, &office.box)) {
            want(false);
            break;
        }
        ambit_scope (cx, writers, &inner, .policy = AMBIT_COLLECT) {
            for (int i = 0; i < SOURCES; i++) {
                struct writes state = {.office = here, .item = {.source = i}};
                want(ambit_spawn_poll(writers, writes, &state) == 0);
            }
            if (is_cancelled) {
                give_way(cx);
                ambit_cancel(writers, "enough");
            }
        }
        (void)ambit_actor_stop(office.box);
    }
    int64_t sent = tally_get(&office.sent);
    int64_t arrived = tally_get(&office.handled) + tally_get(&office.disposed);
    /* A letter that met the end of the actor may have been disposed of. */
    always(sent == arrived || (disturbed && (sent & ~arrived) == 0));
    want(tally_get(&office.disposed) == 0 && rc == 0 && inner == 0);
    want(is_cancelled || sent == all_but(3));
    return rc;
}

static int await_mailbox(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_office(cx, false);
}

static int await_mailbox_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_office(cx, true);
}

SCENARIOS(await_flow,
          {"await_channel", await_channel, 2, CORE,
           "AWAIT-ONCE-1"},
          {"await_channel_against_cancel", await_channel_against_cancel, 2, 0,
           "AWAIT-ONCE-1 AWAIT-CANCEL-1"},
          {"await_permits", await_permits, 2, CORE,
           "AWAIT-ONCE-1"},
          {"await_permits_against_cancel", await_permits_against_cancel, 2, 0,
           "AWAIT-ONCE-1 AWAIT-CANCEL-1"},
          {"await_mailbox", await_mailbox, 2, CORE,
           "AWAIT-ROOM-1"},
          {"await_mailbox_against_cancel", await_mailbox_against_cancel, 2, 0,
           "AWAIT-ROOM-1 AWAIT-CANCEL-1"});
