/* SPDX-License-Identifier: MIT */
/*
 * scenarios_channel_bound.c -- all calls of a channel, at a capacity that is
 * drawn: exactly so many, in order, also while it is being closed.
 *
 * An item carries its source, a worker and whether it was sent or committed, and
 * a number in the order of the calls there; each receipt has one in the order of
 * those calls.  So both lines are served in order of arrival if and only if, for
 * each source and each receiver's worker, the numbers ascend with the calls.  A
 * commit passes by sends that wait, and by none that has returned: of these, an
 * item carries the number, too.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

enum {
    WORKERS = 2,
    SOURCES = 2 * WORKERS, /* sends of a worker, and commits */
    SENDERS = 3,
    RECEIVERS = 2,
    CALLS = 4,            /* of one sender */
    CAPACITY_MOST = 4,
    ITEMS_MOST = SENDERS * CALLS,
    RECEIPTS_MOST = 64,
};

struct item {
    unsigned source;
    unsigned number;
    unsigned after; /* of the worker's other source: returned before */
};

struct flow {
    struct ambit_channel channel;
    struct item room[CAPACITY_MOST];
    uint32_t capacity;
    unsigned next[SOURCES];          /* number; that worker's */
    unsigned sure[SOURCES];          /* below it all have returned; the same */
    unsigned asked[WORKERS];         /* receipts; that worker's */
    struct item got[WORKERS][RECEIPTS_MOST]; /* .number + 1 */
    unsigned left[SOURCES];          /* number due, as what is left is taken */
    struct tally sent, sent_sum, received, received_sum;
    struct tally places, wishes;     /* taken; receipts that were asked for */
    struct tally gone, closed, told;
};

struct party {
    struct flow *flow;
    unsigned worker;
};

static int64_t weight(struct item item)
{
    return (int64_t)(item.number * 7 + item.source + 1) * 1009;
}

static void count_received(struct flow *flow, struct item item)
{
    always(item.source < SOURCES && item.number < ITEMS_MOST);
    tally_up(&flow->received);
    tally_add(&flow->received_sum, weight(item));
}

/* A place was given: there were never more than the capacity. */
static void has_place(struct flow *flow)
{
    int64_t places = tally_up(&flow->places) + 1;
    always(places - tally_get(&flow->wishes) <= (int64_t)flow->capacity);
    always(ambit_channel_len(&flow->channel) <= flow->capacity);
}

static void answered(bool late, int rc)
{
    always(rc == 0 || rc == -EAGAIN || rc == -EPIPE || is_called_off(rc));
    always(!late || rc == -EPIPE || is_called_off(rc));
}

static struct item next_item(struct party *p, bool commits)
{
    struct flow *flow = p->flow;
    unsigned source = 2 * p->worker + commits;
    return (struct item){source, flow->next[source]++, flow->sure[source ^ 1]};
}

static void count_sent(struct flow *flow, struct item item)
{
    unsigned *sure = &flow->sure[item.source];
    *sure = item.number >= *sure ? item.number + 1 : *sure;
    tally_up(&flow->sent);
    tally_add(&flow->sent_sum, weight(item));
}

/* --- send ------------------------------------------------------------------ */

static int sends_at_once(ambit_cx *cx, struct party *p, bool tries)
{
    struct flow *flow = p->flow;
    struct item item = next_item(p, false);
    bool late = tally_get(&flow->closed) > 0;
    int rc = tries ? ambit_channel_try_send(&flow->channel, &item)
                   : ambit_channel_send(cx, &flow->channel, &item);
    answered(late, rc);
    always(!tries || !is_called_off(rc));
    if (rc == 0) {
        has_place(flow);
        count_sent(flow, item);
    }
    return rc;
}

/* What becomes of a permit: its number is that of the commit. */
static int resolves(struct party *p, struct ambit_channel_permit *permit)
{
    struct flow *flow = p->flow;
    if (ambit_choose(3) == 0) {
        struct item none = {.source = SOURCES};
        tally_down(&flow->places);
        ambit_channel_abort(permit);
        always(ambit_channel_commit(permit, &none) == -EALREADY);
        return 0;
    }
    struct item item = next_item(p, true);
    bool late = tally_get(&flow->closed) > 0;
    int rc = ambit_channel_commit(permit, &item);
    answered(late, rc);
    always(rc == 0 || rc == -EPIPE);
    if (rc == 0) {
        count_sent(flow, item);
    } else {
        tally_down(&flow->places);
    }
    always(ambit_channel_commit(permit, &item) == -EALREADY);
    return rc;
}

static int sends_in_two_steps(ambit_cx *cx, struct party *p, bool tries)
{
    struct flow *flow = p->flow;
    struct ambit_channel_permit permit;
    bool late = tally_get(&flow->closed) > 0;
    int rc = tries ? ambit_channel_try_reserve(&flow->channel, &permit)
                   : ambit_channel_reserve(cx, &flow->channel, &permit);
    answered(late, rc);
    if (rc < 0) {
        return rc;
    }
    has_place(flow);
    rc = ambit_choose(2) == 0 ? ambit_yield(cx) : 0;
    int resolved = resolves(p, &permit);
    return rc < 0 ? rc : resolved;
}

static int sends_some(ambit_cx *cx, void *arg)
{
    struct party *p = arg;
    int rc = 0;
    for (int i = 0; i < CALLS && !is_called_off(rc); i++) {
        unsigned way = ambit_choose(4);
        rc = way < 2 ? sends_at_once(cx, p, way == 1)
                     : sends_in_two_steps(cx, p, way == 3);
        if (!is_called_off(rc) && ambit_choose(3) == 0) {
            rc = ambit_yield(cx);
        }
    }
    if (tally_up(&p->flow->gone) == SENDERS - 1) {
        int close_rc = ambit_channel_close(&p->flow->channel);
        always(close_rc == 0 || close_rc == -EALREADY);
    }
    return is_called_off(rc) ? rc : 0;
}

/* --- receive --------------------------------------------------------------- */

static int receives(ambit_cx *cx, struct party *p, bool tries)
{
    struct flow *flow = p->flow;
    struct item item = {.source = SOURCES};
    unsigned at = flow->asked[p->worker]++;
    always(at < RECEIPTS_MOST);
    tally_up(&flow->wishes);
    int rc = tries ? ambit_channel_try_receive(&flow->channel, &item)
                   : ambit_channel_receive(cx, &flow->channel, &item);
    if (rc == 0) {
        count_received(flow, item);
        item.number++;
        flow->got[p->worker][at] = item;
    } else { /* nothing was taken, and nothing written */
        tally_down(&flow->wishes);
        always(item.source == SOURCES);
        always(!tries || rc == -EAGAIN || rc == -EPIPE);
    }
    return rc;
}

static int receives_all(ambit_cx *cx, void *arg)
{
    struct party *p = arg;
    int rc = 0;
    while (rc == 0 || rc == -EAGAIN) {
        rc = receives(cx, p, rc == 0 && ambit_choose(2) == 1);
    }
    always(rc == -EPIPE || is_called_off(rc));
    if (rc == -EPIPE) {
        tally_up(&p->flow->told);
    }
    return rc == -EPIPE ? 0 : rc;
}

/* --- afterwards ------------------------------------------------------------ */

/* What comes later has another number. */
static void is_due(unsigned due[SOURCES], struct item item)
{
    unsigned *other = &due[item.source ^ 1];
    always(item.number >= due[item.source]);
    due[item.source] = item.number + 1;
    *other = item.after > *other ? item.after : *other;
}

/* What was received on each worker, of each source. */
static void receipts_ascend(struct flow *flow)
{
    for (unsigned at = 0; at < WORKERS; at++) {
        unsigned due[SOURCES] = {0};
        for (unsigned i = 0; i < flow->asked[at]; i++) {
            struct item item = flow->got[at][i];
            if (item.number > 0) {
                item.number--;
                is_due(due, item);
            }
        }
        for (unsigned from = 0; from < SOURCES; from++) {
            flow->left[from] = due[from] > flow->left[from] ? due[from]
                                                           : flow->left[from];
        }
    }
}

/* What is left came later than all that was received, and is all there is. */
static void flow_is_conserved(struct flow *flow)
{
    struct item item;
    int rc;
    always(ambit_channel_len(&flow->channel) <= flow->capacity);
    while ((rc = ambit_channel_try_receive(&flow->channel, &item)) == 0) {
        count_received(flow, item);
        is_due(flow->left, item);
    }
    always(rc == -EPIPE || disturbed);
    always(tally_get(&flow->sent) == tally_get(&flow->received));
    always(tally_get(&flow->sent_sum) == tally_get(&flow->received_sum));
    always(ambit_channel_senders(&flow->channel) == 0);
    always(ambit_channel_receivers(&flow->channel) == 0);
}

/* A cancel, a close, or neither, whenever it is drawn. */
static bool interfere(ambit_cx *cx, ambit_region *s, struct flow *flow)
{
    unsigned what = ambit_choose(3);
    for (unsigned n = ambit_choose(5); n > 0; n--) {
        (void)ambit_yield(cx);
    }
    if (what == 1) {
        int rc = ambit_channel_close(&flow->channel);
        always(rc == 0 || rc == -EALREADY);
        tally_up(&flow->closed);
    } else if (what == 2) {
        ambit_cancel(s, "enough");
    }
    return what == 2;
}

static int spawn_party(ambit_region *s, ambit_task_fn *fn, struct flow *flow)
{
    struct party p = {flow, ambit_choose(WORKERS)};
    return ambit_spawn_with(s, fn, &p, .placement = AMBIT_PINNED,
                            .worker = p.worker) == 0;
}

static int channel_all_calls(ambit_cx *cx, void *arg)
{
    struct flow flow = {.capacity = 1 + ambit_choose(CAPACITY_MOST)};
    int rc = 0, spawned = 0;
    bool cancelled = false;
    (void)arg;
    always(ambit_channel_init(&flow.channel, flow.room, flow.capacity,
                              sizeof(struct item)) == 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < SENDERS; i++) {
            spawned += spawn_party(s, sends_some, &flow);
        }
        for (int i = 0; i < RECEIVERS; i++) {
            spawned += spawn_party(s, receives_all, &flow);
        }
        if (spawned < SENDERS + RECEIVERS) {
            ambit_cancel(s, "somebody would wait for ever");
        }
        cancelled = interfere(cx, s, &flow);
    }
    want(rc == 0 && (cancelled || tally_get(&flow.told) == RECEIVERS));
    int close_rc = ambit_channel_close(&flow.channel);
    always(close_rc == 0 || close_rc == -EALREADY);
    receipts_ascend(&flow);
    flow_is_conserved(&flow);
    ambit_channel_fini(&flow.channel);
    return rc;
}

/* --- exactly so many ------------------------------------------------------- */

struct crate {
    struct ambit_channel channel;
    int room[CAPACITY_MOST];
    struct ambit_channel_permit permits[CAPACITY_MOST];
    struct tally items, reserved;
    int64_t out;             /* items that were taken out */
};

/* By any call; 0 or -EAGAIN. */
static int tries_one(struct crate *crate, unsigned way)
{
    struct ambit_channel_permit permit;
    int rc, one = 1;
    if (way == 0) {
        rc = ambit_channel_try_send(&crate->channel, &one);
        tally_add(&crate->items, rc == 0);
    } else {
        rc = ambit_channel_try_reserve(&crate->channel, &permit);
        if (rc == 0) {
            int64_t at = tally_up(&crate->reserved);
            always(at < CAPACITY_MOST);
            crate->permits[at % CAPACITY_MOST] = permit;
        }
    }
    always(rc == 0 || rc == -EAGAIN);
    return rc;
}

static int grabs(ambit_cx *cx, void *arg)
{
    struct crate *crate = *(struct crate **)arg;
    (void)cx;
    while (tries_one(crate, ambit_choose(2)) == 0) {
    }
    return 0;
}

static void is_full(struct crate *crate)
{
    int64_t items = tally_get(&crate->items) - crate->out;
    always(tries_one(crate, 0) == -EAGAIN);
    always(tries_one(crate, 1) == -EAGAIN);
    always(ambit_channel_len(&crate->channel) == items);
}

/* For each permit that is given back, and each item taken out, one more finds
 * room. */
static void each_makes_room(struct crate *crate)
{
    for (int64_t i = 0; i < tally_get(&crate->reserved); i++) {
        int one = 1;
        is_full(crate);
        if (ambit_choose(2) == 0) {
            ambit_channel_abort(&crate->permits[i]);
            always(tries_one(crate, 0) == 0);
        } else {
            always(ambit_channel_commit(&crate->permits[i], &one) == 0);
            tally_up(&crate->items);
        }
    }
    for (unsigned n = ambit_choose(CAPACITY_MOST); n > 0; n--) {
        int item = 0;
        is_full(crate);
        always(ambit_channel_try_receive(&crate->channel, &item) == 0);
        always(item == 1);
        crate->out++;
        always(tries_one(crate, 0) == 0);
    }
}

static int channel_exact_bound(ambit_cx *cx, void *arg)
{
    struct crate crate = {.out = 0}, *here = &crate;
    uint32_t capacity = 1 + ambit_choose(CAPACITY_MOST);
    int rc = 0, item = 0;
    (void)arg;
    always(ambit_channel_init(&crate.channel, crate.room, capacity,
                              sizeof(int)) == 0);
    always(ambit_channel_try_receive(&crate.channel, &item) == -EAGAIN);
    ambit_scope (cx, s, &rc) {
        for (unsigned i = 0; i < WORKERS; i++) {
            want(ambit_spawn_with(s, grabs, &here, .placement = AMBIT_PINNED,
                                  .worker = i) == 0);
        }
    }
    want(rc == 0);
    (void)grabs(cx, &here); /* where nobody was */
    always(tally_get(&crate.items) + tally_get(&crate.reserved) == capacity);
    each_makes_room(&crate);
    is_full(&crate);
    for (uint32_t i = 0; i < capacity; i++) {
        always(ambit_channel_try_receive(&crate.channel, &item) == 0);
    }
    always(ambit_channel_try_receive(&crate.channel, &item) == -EAGAIN);
    ambit_channel_fini(&crate.channel);
    return rc;
}

SCENARIOS(channel_bound,
    {"channel_all_calls", channel_all_calls, 2, CORE | MANY,
     "CHAN-ORDER-1 CHAN-ONCE-1 CHAN-TRY-1 CHAN-CLOSE-1 CHAN-CLOSE-2 "
     "CHAN-PERMIT-1 CHAN-PERMIT-2 SYNC-FIFO-1"},
    {"channel_exact_bound", channel_exact_bound, 2, MANY, "CHAN-BOUND-1"});
