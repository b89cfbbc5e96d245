/* SPDX-License-Identifier: MIT */
/*
 * scenarios_await.c -- poll tasks that wait, with cancels anywhere.
 *
 * Machines and tasks with stacks stand in the same lines.  Whatever happens,
 * what was there at the beginning is there at the end, and nobody is left.
 */
#include "tests/lab/scenario.h"

/* --- seats and a till ------------------------------------------------------ */

struct diner {
    struct ambit_semaphore seats; /* two */
    struct ambit_mutex lock;
    int64_t till; /* lock */
    struct tally inside, paid;
};

AMBIT_ASYNC_STATE(eater, 4, (struct ambit_await, wait), (struct diner *, at),
                  (uint32_t, wanted), (int64_t, till));

static void sits(struct diner *diner, uint32_t wanted)
{
    for (uint32_t i = 0; i < wanted; i++) {
        always(tally_up(&diner->inside) < 2);
    }
}

static void leaves(struct diner *diner, uint32_t wanted)
{
    for (uint32_t i = 0; i < wanted; i++) {
        tally_down(&diner->inside);
    }
    always(ambit_semaphore_release(&diner->seats, wanted) == 0);
}

static int eater(ambit_cx *cx, void *arg)
{
    struct eater *s = arg;
    struct diner *at = s->at;
    int rc;
    AMBIT_ASYNC_BEGIN(eater, 4, s);
    AMBIT_AWAIT(1, rc, ambit_await_acquire(cx, &s->wait, &at->seats, s->wanted));
    if (rc < 0) {
        always(is_called_off(rc));
        AMBIT_ASYNC_RETURN(rc);
    }
    sits(at, s->wanted);
    AMBIT_AWAIT(2, rc, ambit_await_sleep(cx, &s->wait, ambit_us(5)));
    always(rc == 0 || is_called_off(rc) || (rc == -ENOMEM && disturbed));
    leaves(at, s->wanted);
    AMBIT_AWAIT(3, rc, ambit_await_lock(cx, &s->wait, &at->lock));
    if (rc < 0) {
        always(is_called_off(rc));
        AMBIT_ASYNC_RETURN(rc);
    }
    s->till = at->till;
    AMBIT_AWAIT(4, rc, ambit_await_yield(cx, &s->wait));
    always(at->till == s->till);
    at->till = s->till + 1;
    ambit_mutex_unlock(&at->lock);
    tally_up(&at->paid);
    AMBIT_ASYNC_END(rc);
}

static int guest(ambit_cx *cx, void *arg)
{
    struct diner *at = *(struct diner **)arg;
    int rc = ambit_semaphore_acquire(cx, &at->seats, 1);
    if (rc < 0) {
        return rc;
    }
    sits(at, 1);
    (void)ambit_yield(cx);
    leaves(at, 1);
    rc = ambit_mutex_lock(cx, &at->lock);
    if (rc < 0) {
        return rc;
    }
    int64_t till = at->till;
    (void)ambit_yield(cx);
    always(at->till == till);
    at->till = till + 1;
    ambit_mutex_unlock(&at->lock);
    tally_up(&at->paid);
    return 0;
}

static void closes(struct diner *diner)
{
    always(diner->till == tally_get(&diner->paid));
    always(ambit_semaphore_free(&diner->seats) == 2);
    always(ambit_semaphore_waiters(&diner->seats) == 0);
    ambit_semaphore_fini(&diner->seats);
    ambit_mutex_fini(&diner->lock);
}

static int dine(ambit_cx *cx, bool is_cancelled)
{
    struct diner diner = {.seats = AMBIT_SEMAPHORE_INIT(2, 2),
                          .lock = AMBIT_MUTEX_INIT}, *here = &diner;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        want(ambit_spawn(s, guest, &here) == 0);
        for (uint32_t i = 0; i < 3; i++) {
            struct eater state = {.at = here, .wanted = i == 1 ? 2 : 1};
            want(ambit_spawn_poll(s, eater, &state) == 0);
        }
        if (is_cancelled) {
            (void)ambit_sleep(cx, ambit_us(7));
            ambit_cancel(s, "closed");
        }
    }
    want(rc == 0 && (is_cancelled || diner.till == 4));
    closes(&diner);
    return rc;
}

static int await_seats(ambit_cx *cx, void *arg)
{
    (void)arg;
    return dine(cx, false);
}

static int await_seats_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    return dine(cx, true);
}

/* --- items, and two waits of which one is given up ------------------------- */

struct belt {
    struct ambit_channel channel; /* one place */
    int room[1];
    struct tally sent, received;
};

AMBIT_ASYNC_STATE(puts, 1, (struct ambit_await, wait), (struct belt *, belt),
                  (int, item));

static int puts_items(ambit_cx *cx, void *arg)
{
    struct puts *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(puts, 1, s);
    while (s->item-- > 0) {
        AMBIT_AWAIT(1, rc, ambit_await_send(cx, &s->wait, &s->belt->channel,
                                            &s->item));
        if (rc < 0) {
            always(is_called_off(rc));
            AMBIT_ASYNC_RETURN(rc);
        }
        tally_up(&s->belt->sent);
    }
    AMBIT_ASYNC_END(0);
}

struct taker {
    struct ambit_await item_wait, time_wait;
    struct belt *belt;
    int left, item;
};

/* One item, or the time is up; what comes when it is may not be lost. */
static int takes_in_time(ambit_cx *cx, void *arg)
{
    struct taker *s = arg;
    struct ambit_channel *channel = &s->belt->channel;
    int rc;
    while ((rc = ambit_await_receive(cx, &s->item_wait, channel, &s->item)) ==
           0) {
        tally_up(&s->belt->received);
        if (--s->left == 0) {
            (void)ambit_await_drop(&s->time_wait);
            return 0;
        }
    }
    int late = ambit_await_sleep(cx, &s->time_wait, ambit_us(3));
    if (rc == AMBIT_PENDING && late == AMBIT_PENDING) {
        return AMBIT_PENDING;
    }
    if (rc == AMBIT_PENDING && ambit_await_drop(&s->item_wait) == -EBUSY) {
        always(ambit_await_receive(cx, &s->item_wait, channel, &s->item) == 0);
        tally_up(&s->belt->received);
    }
    (void)ambit_await_drop(&s->time_wait);
    return rc < 0 ? rc : late < 0 ? late : 0;
}

static int await_item_or_time(ambit_cx *cx, void *arg)
{
    struct belt belt = {.sent = {0}};
    int rc = 0;
    (void)arg;
    ambit_channel_init(&belt.channel, belt.room, 1, sizeof(int));
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        struct puts puts = {.belt = &belt, .item = 1};
        struct taker taker = {.belt = &belt, .left = 2};
        want(ambit_spawn_poll(s, puts_items, &puts) == 0);
        want(ambit_spawn_poll(s, takes_in_time, &taker) == 0);
    }
    uint32_t left = ambit_channel_fini(&belt.channel);
    always(tally_get(&belt.sent) == tally_get(&belt.received) + left);
    return rc;
}

/* --- machines and fibers in one line ---------------------------------------- */

enum line_kind { PERMITS, RECEIVERS, SENDERS, LINE_KINDS };

enum { COMERS = 4 };

struct queue {
    enum line_kind kind;
    struct ambit_semaphore permit; /* one, which the scenario has */
    struct ambit_channel channel;  /* one place */
    int room[1];
    struct tally served;
};

struct comer {
    struct ambit_await wait;
    struct queue *queue;
    int number, item; /* from 1; what it sends or gets */
};

static uint32_t queue_len(struct queue *q)
{
    return q->kind == PERMITS     ? ambit_semaphore_waiters(&q->permit)
           : q->kind == RECEIVERS ? ambit_channel_receivers(&q->channel)
                                  : ambit_channel_senders(&q->channel);
}

/* With the one permit, in turn; with the item that is meant for it. */
static int is_served(struct comer *s, int rc)
{
    struct queue *q = s->queue;
    if (rc < 0) {
        always(is_called_off(rc));
        return rc;
    }
    int64_t before = tally_up(&q->served);
    if (q->kind == PERMITS) {
        want(before == s->number - 1);
        always(ambit_semaphore_release(&q->permit, 1) == 0);
    } else if (q->kind == RECEIVERS) {
        want(s->item == s->number);
    }
    return 0;
}

static int comes_as_machine(ambit_cx *cx, void *arg)
{
    struct comer *s = arg;
    struct queue *q = s->queue;
    int rc = q->kind == PERMITS
                 ? ambit_await_acquire(cx, &s->wait, &q->permit, 1)
             : q->kind == RECEIVERS
                 ? ambit_await_receive(cx, &s->wait, &q->channel, &s->item)
                 : ambit_await_send(cx, &s->wait, &q->channel, &s->item);
    return rc == AMBIT_PENDING ? rc : is_served(s, rc);
}

static int comes_as_fiber(ambit_cx *cx, void *arg)
{
    struct comer *s = arg;
    struct queue *q = s->queue;
    int rc = q->kind == PERMITS ? ambit_semaphore_acquire(cx, &q->permit, 1)
             : q->kind == RECEIVERS
                 ? ambit_channel_receive(cx, &q->channel, &s->item)
                 : ambit_channel_send(cx, &q->channel, &s->item);
    return is_served(s, rc);
}

/* One after the other, when the one before stands in the line. */
static void line_up(ambit_cx *cx, ambit_region *region, struct queue *q)
{
    for (int n = 1; n <= COMERS; n++) {
        struct comer comer = {.queue = q, .number = n, .item = n};
        uint32_t before = queue_len(q);
        int rc = ambit_choose(2) ? ambit_spawn(region, comes_as_fiber, &comer)
                                 : ambit_spawn_poll(region, comes_as_machine,
                                                    &comer);
        want(rc == 0);
        while (rc == 0 && queue_len(q) == before) {
            rc = ambit_yield(cx);
        }
        want(rc == 0);
    }
}

/* What they wait for: numbers in order, or taken in order. */
static void serve_line(ambit_cx *cx, struct queue *q)
{
    if (q->kind == PERMITS) {
        always(ambit_semaphore_release(&q->permit, 1) == 0);
        return;
    }
    for (int n = 1, rc = 0, item; n <= COMERS && rc == 0; n++) {
        if (q->kind == RECEIVERS) {
            rc = ambit_channel_send(cx, &q->channel, &n);
        } else {
            rc = ambit_channel_receive(cx, &q->channel, &item);
            want(rc == 0 && item == n - 1); /* the first was there before */
        }
    }
}

static int await_in_order(ambit_cx *cx, void *arg)
{
    struct queue q = {.kind = ambit_choose(LINE_KINDS),
                      .permit = AMBIT_SEMAPHORE_INIT(0, 1)};
    int rc = 0, item = -1;
    (void)arg;
    always(ambit_channel_init(&q.channel, q.room, 1, sizeof(int)) == 0);
    if (q.kind == SENDERS) {
        always(ambit_channel_try_send(&q.channel, &(int){0}) == 0);
    }
    ambit_scope (cx, s, &rc) {
        line_up(cx, s, &q);
        serve_line(cx, &q);
        if (disturbed) {
            ambit_cancel(s, "some may never have come");
        }
    }
    want(rc == 0 && tally_get(&q.served) == COMERS && queue_len(&q) == 0);
    want(q.kind != SENDERS ||
         (ambit_channel_try_receive(&q.channel, &item) == 0 && item == COMERS));
    ambit_channel_fini(&q.channel);
    ambit_semaphore_fini(&q.permit);
    return rc;
}

SCENARIOS(await,
          {"await_seats", await_seats, 2, CORE,
           "AWAIT-ONCE-1"},
          {"await_seats_against_cancel", await_seats_against_cancel, 2, TIMED,
           "AWAIT-ONCE-1 AWAIT-CANCEL-1"},
          {"await_item_or_time", await_item_or_time, 2, TIMED,
           "AWAIT-DROP-1"},
          {"await_in_order", await_in_order, 2, CORE,
           "AWAIT-ONCE-1"});
