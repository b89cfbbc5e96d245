/* SPDX-License-Identifier: MIT */
/*
 * oneshot_test.c -- one value, once (spec/channel.md).
 */
#include "tests/spec/common.h"

#define RACERS 3

struct shot {
    struct ambit_oneshot oneshot;
    struct count won, lost, begun;
};

struct racer {
    struct shot *shot;
    int value;
};

static int race_to_send(ambit_cx *cx, void *arg)
{
    struct racer *r = arg;
    (void)cx;
    int rc = ambit_oneshot_send(&r->shot->oneshot, &r->value);
    WANT(rc == 0 || rc == -EALREADY);
    count_up(rc == 0 ? &r->shot->won : &r->shot->lost);
    return 0;
}

static int racing_senders(ambit_cx *cx, void *arg)
{
    int room, got, again;
    (void)arg;
    for (int round = 0; round < 500 / SPEC_SLOWER + 5; round++) {
        struct shot shot = {.oneshot = AMBIT_ONESHOT_INIT(room)};
        int rc = 0;
        got = 0;
        ambit_scope (cx, s, &rc) {
            for (int i = 1; i <= RACERS; i++) {
                struct racer r = {&shot, i};
                WANT_EQ(ambit_spawn(s, race_to_send, &r), 0);
            }
            if (round % 2 == 0) {
                WANT_EQ(ambit_oneshot_receive(cx, &shot.oneshot, &got), 0);
            }
        }
        WANT_EQ(rc, 0);
        if (round % 2 != 0) {
            WANT_EQ(ambit_oneshot_try_receive(&shot.oneshot, &got), 0);
        }
        WANT(got >= 1 && got <= RACERS);
        WANT_EQ(count_get(&shot.won), 1);
        WANT_EQ(count_get(&shot.lost), RACERS - 1);
        again = 0;
        WANT_EQ(ambit_oneshot_receive(cx, &shot.oneshot, &again), -EALREADY);
        WANT_EQ(ambit_oneshot_try_receive(&shot.oneshot, &again), -EALREADY);
        WANT_EQ(again, 0);
        ambit_oneshot_fini(&shot.oneshot);
    }
    return 0;
}

/* Goal: one winner, one value.
 * Method: three race, with the receiver waiting and without; a second receive. */
Spec(ONESHOT_ONCE_1, one_of_the_racing_senders_wins)
{
    spec_on_1_and_2_workers(racing_senders);
    spec_end("ONESHOT_ONCE_1");
}

struct asker {
    struct ambit_oneshot *oneshot;
    struct count *begun;
    int *ret_rc;
};

static int ask(ambit_cx *cx, void *arg)
{
    struct asker *a = arg;
    int got;
    count_up(a->begun);
    *a->ret_rc = ambit_oneshot_receive(cx, a->oneshot, &got);
    return 0;
}

static int sender_goes(ambit_cx *cx, void *arg)
{
    int room, value = 9, got = 0, rc = 0, asked = 0;
    struct ambit_oneshot oneshot = AMBIT_ONESHOT_INIT(room);
    struct count begun = {0};
    (void)arg;
    WANT_EQ(ambit_oneshot_try_receive(&oneshot, &got), -EAGAIN);
    ambit_scope (cx, s, &rc) {
        struct asker a = {&oneshot, &begun, &asked};
        WANT_EQ(ambit_spawn(s, ask, &a), 0);
        WANT(until(cx, &begun, 1));
        int busy = -EAGAIN;
        ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
        while (busy == -EAGAIN && ambit_now().ns < end.ns) {
            (void)ambit_yield(cx);
            busy = ambit_oneshot_try_receive(&oneshot, &got);
        }
        WANT_EQ(busy, -EBUSY); /* it waits now */
        WANT_EQ(ambit_oneshot_receive(cx, &oneshot, &got), -EBUSY);
        ambit_oneshot_drop_sender(&oneshot);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(asked, -EPIPE);
    WANT_EQ(ambit_oneshot_receive(cx, &oneshot, &got), -EPIPE);
    WANT_EQ(ambit_oneshot_send(&oneshot, &value), -EPIPE);
    ambit_oneshot_fini(&oneshot);
    WANT_EQ(ambit_oneshot_init(&oneshot, &room, sizeof room), 0);
    WANT_EQ(ambit_oneshot_send(&oneshot, &value), 0);
    ambit_oneshot_drop_sender(&oneshot); /* what was sent stays */
    WANT_EQ(ambit_oneshot_receive(cx, &oneshot, &got), 0);
    WANT_EQ(got, 9);
    ambit_oneshot_fini(&oneshot);
    return 0;
}

static int receiver_goes(ambit_cx *cx, void *arg)
{
    int room, value = 9, got = 0;
    struct ambit_oneshot oneshot;
    (void)cx, (void)arg;
    WANT_EQ(ambit_oneshot_init(&oneshot, &room, 0), -EINVAL);
    WANT_EQ(ambit_oneshot_init(&oneshot, &room, AMBIT_CHANNEL_ITEM_MAX + 1),
            -E2BIG);
    WANT_EQ(ambit_oneshot_init(&oneshot, &room, sizeof room), 0);
    WANT(!ambit_oneshot_drop_receiver(&oneshot, &got));
    WANT_EQ(ambit_oneshot_send(&oneshot, &value), -EPIPE);
    WANT_EQ(ambit_oneshot_try_receive(&oneshot, &got), -EPIPE);
    ambit_oneshot_fini(&oneshot);
    WANT_EQ(ambit_oneshot_init(&oneshot, &room, sizeof room), 0);
    WANT_EQ(ambit_oneshot_send(&oneshot, &value), 0);
    WANT(ambit_oneshot_drop_receiver(&oneshot, &got)); /* handed back */
    WANT_EQ(got, 9);
    WANT(!ambit_oneshot_drop_receiver(&oneshot, &got));
    ambit_oneshot_fini(&oneshot);
    return 0;
}

/* Goal: nobody waits for one who is gone, and no value falls between.
 * Method: each side dropped, before and after a send, with the other waiting. */
Spec(ONESHOT_DROP_1, who_is_left_is_told)
{
    spec_on_1_and_2_workers(sender_goes);
    spec_on_1_and_2_workers(receiver_goes);
    spec_end("ONESHOT_DROP_1");
}
