/* SPDX-License-Identifier: MIT */
/*
 * scenarios_channel.c -- values on their way, with cancels anywhere.
 *
 * Whatever happens: sent = received + left, as a number and as a sum.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

#define PRODUCERS 2
#define ITEMS 3

struct flow {
    struct ambit_channel channel;
    int room[2];
    struct tally sent, received, sum, producers;
};

static void count_sent(struct flow *flow, int item)
{
    tally_up(&flow->sent);
    for (int i = 0; i < item; i++) {
        tally_up(&flow->sum);
    }
}

static void count_received(struct flow *flow, int item)
{
    tally_up(&flow->received);
    for (int i = 0; i < item; i++) {
        tally_down(&flow->sum);
    }
}

static int sends_some(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    int rc = 0;
    for (int i = 1; i <= ITEMS && rc == 0; i++) {
        rc = ambit_channel_send(cx, &flow->channel, &i);
        if (rc == 0) {
            count_sent(flow, i);
        }
    }
    always(rc == 0 || rc == -EPIPE || is_called_off(rc) || rc == -EDQUOT);
    if (tally_up(&flow->producers) == PRODUCERS - 1) {
        always(ambit_channel_close(&flow->channel) == 0);
    }
    return rc;
}

/* In two steps, and every second permit is given back. */
static int commits_some(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    struct ambit_channel_permit permit;
    int rc = 0;
    for (int i = 1; i <= ITEMS && rc == 0; i++) {
        rc = ambit_channel_reserve(cx, &flow->channel, &permit);
        if (rc < 0) {
            break;
        }
        rc = ambit_yield(cx);
        if (i == 2) {
            ambit_channel_abort(&permit);
        } else if (ambit_channel_commit(&permit, &i) == 0) {
            count_sent(flow, i);
        }
        always(ambit_channel_commit(&permit, &i) == -EALREADY);
    }
    if (tally_up(&flow->producers) == PRODUCERS - 1) {
        always(ambit_channel_close(&flow->channel) == 0);
    }
    return rc;
}

static int receives_all(ambit_cx *cx, void *arg)
{
    struct flow *flow = *(struct flow **)arg;
    int item = 0, rc;
    while ((rc = ambit_channel_receive(cx, &flow->channel, &item)) == 0) {
        always(item >= 1 && item <= ITEMS);
        count_received(flow, item);
    }
    return rc == -EPIPE ? 0 : rc;
}

static void flow_is_conserved(struct flow *flow)
{
    int item;
    while (ambit_channel_try_receive(&flow->channel, &item) == 0) {
        count_received(flow, item);
    }
    always(tally_get(&flow->sent) == tally_get(&flow->received));
    always(tally_get(&flow->sum) == 0);
    always(ambit_channel_senders(&flow->channel) == 0);
    always(ambit_channel_receivers(&flow->channel) == 0);
    ambit_channel_fini(&flow->channel);
}

static int run_flow(ambit_cx *cx, ambit_task_fn *second, int receivers)
{
    struct flow flow = {.producers = {0}}, *here = &flow;
    int rc = 0, spawned = 0;
    always(ambit_channel_init(&flow.channel, flow.room, 2, sizeof(int)) == 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < receivers; i++) {
            spawned += ambit_spawn(s, receives_all, &here) == 0;
        }
        spawned += ambit_spawn(s, sends_some, &here) == 0;
        spawned += ambit_spawn(s, second, &here) == 0;
        if (spawned < PRODUCERS + receivers) {
            ambit_cancel(s, "somebody would wait for ever");
        }
    }
    want(rc == 0 && spawned == PRODUCERS + receivers);
    flow_is_conserved(&flow);
    return rc;
}

static int senders_and_receivers(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_flow(cx, sends_some, 2);
}

static int senders_in_two_steps(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_flow(cx, commits_some, 1);
}

/* The close comes when it likes: what got in comes out. */
static int closed_meanwhile(ambit_cx *cx, void *arg)
{
    struct flow flow = {.producers = {-10}}, *here = &flow;
    int rc = 0;
    (void)arg;
    always(ambit_channel_init(&flow.channel, flow.room, 1, sizeof(int)) == 0);
    ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
        want(ambit_spawn(s, sends_some, &here) == 0);
        want(ambit_spawn(s, commits_some, &here) == 0);
        want(ambit_spawn(s, receives_all, &here) == 0);
        (void)ambit_yield(cx);
        always(ambit_channel_close(&flow.channel) == 0);
    }
    want(rc == 0);
    ambit_observe(tally_get(&flow.sent));
    flow_is_conserved(&flow);
    return rc;
}

/* The receiver is cancelled as it is handed an item. */
static int hand_over_against_cancel(ambit_cx *cx, void *arg)
{
    struct flow flow = {.producers = {0}}, *here = &flow;
    int rc = 0, one = 1;
    (void)arg;
    always(ambit_channel_init(&flow.channel, flow.room, 1, sizeof(int)) == 0);
    ambit_scope (cx, s, &rc) {
        want(ambit_spawn(s, receives_all, &here) == 0);
        (void)ambit_yield(cx);
        if (ambit_channel_try_send(&flow.channel, &one) == 0) {
            count_sent(&flow, one);
        }
        ambit_cancel(s, "now");
    }
    want(rc == 0);
    ambit_observe(tally_get(&flow.received));
    flow_is_conserved(&flow);
    return rc;
}

/* --- oneshot --------------------------------------------------------------- */

struct shot {
    struct ambit_oneshot oneshot;
    int room;
    struct tally won, lost, refused;
};

static int shoots(ambit_cx *cx, void *arg)
{
    struct shot *shot = *(struct shot **)arg;
    int value = 5;
    (void)cx;
    int rc = ambit_oneshot_send(&shot->oneshot, &value);
    always(rc == 0 || rc == -EALREADY || rc == -EPIPE);
    tally_up(rc == 0 ? &shot->won : rc == -EPIPE ? &shot->refused : &shot->lost);
    return 0;
}

/* Two send, and the receiver may give up before, or go. */
static int two_shots(ambit_cx *cx, void *arg)
{
    struct shot shot = {.won = {0}}, *here = &shot;
    int rc = 0, value = 0, got = -1, spawned = 0;
    (void)arg;
    always(ambit_oneshot_init(&shot.oneshot, &shot.room, sizeof(int)) == 0);
    ambit_scope (cx, s, &rc) {
        spawned += ambit_spawn(s, shoots, &here) == 0;
        spawned += ambit_spawn(s, shoots, &here) == 0;
        if (spawned > 0) {
            got = ambit_oneshot_receive(cx, &shot.oneshot, &value);
        }
        bool left = ambit_oneshot_drop_receiver(&shot.oneshot, &value);
        always(!left || got != 0);
        got = left ? 0 : got;
    }
    want(rc == 0 && got == 0 && tally_get(&shot.lost) == 1);
    always(tally_get(&shot.won) == (got == 0));
    always(got != 0 || value == 5);
    always(!ambit_oneshot_fini(&shot.oneshot));
    return rc;
}

static int waits_for_it(ambit_cx *cx, void *arg)
{
    struct shot *shot = *(struct shot **)arg;
    int value = 0;
    int rc = ambit_oneshot_receive(cx, &shot->oneshot, &value);
    want(rc == 0 || rc == -EPIPE);
    tally_up(rc == 0 ? &shot->won : &shot->refused);
    return is_called_off(rc) ? rc : 0;
}

/* A send against the word that nobody will: both sides agree on it. */
static int shot_against_drop(ambit_cx *cx, void *arg)
{
    struct shot shot = {.won = {0}}, *here = &shot;
    int rc = 0;
    (void)arg;
    always(ambit_oneshot_init(&shot.oneshot, &shot.room, sizeof(int)) == 0);
    ambit_scope (cx, s, &rc) {
        want(ambit_spawn(s, waits_for_it, &here) == 0);
        want(ambit_spawn(s, shoots, &here) == 0);
        (void)ambit_yield(cx);
        ambit_oneshot_drop_sender(&shot.oneshot);
    }
    want(rc == 0);
    int64_t told = tally_get(&shot.won) + tally_get(&shot.refused);
    want(told == 2); /* both won, or both were refused */
    want(tally_get(&shot.won) != 1);
    ambit_observe(tally_get(&shot.won));
    ambit_oneshot_fini(&shot.oneshot);
    return rc;
}

SCENARIOS(channel,
    {"senders_and_receivers", senders_and_receivers, 2, CORE},
    {"senders_in_two_steps", senders_in_two_steps, 2, CORE},
    {"closed_meanwhile", closed_meanwhile, 2, CORE},
    {"hand_over_against_cancel", hand_over_against_cancel, 2, SMALL | CORE},
    {"two_shots", two_shots, 2, SMALL},
    {"shot_against_drop", shot_against_drop, 2, SMALL});
