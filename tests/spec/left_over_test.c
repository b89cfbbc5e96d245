/* SPDX-License-Identifier: MIT */
/*
 * left_over_test.c -- what is in a channel or its kin when it ends.
 */
#include "tests/spec/common.h"

/* --- channel ----------------------------------------------------------------- */

/* So many were sent, of which one was received. */
static uint32_t end_channel_with(uint32_t sent)
{
    int room[5], item;
    struct ambit_channel channel;
    WANT_EQ(ambit_channel_init(&channel, room, 5, sizeof item), 0);
    for (uint32_t i = 0; i < sent; i++) {
        WANT_EQ(ambit_channel_try_send(&channel, &(int){1}), 0);
    }
    WANT_EQ(ambit_channel_try_receive(&channel, &item), sent > 0 ? 0 : -EAGAIN);
    return ambit_channel_fini(&channel);
}

static void *end_channel_outside(void *arg)
{
    (void)arg;
    WANT_EQ(end_channel_with(3), 2);
    return NULL;
}

static int end_channels(ambit_cx *cx, void *arg)
{
    pthread_t thread;
    (void)cx, (void)arg;
    WANT_EQ(end_channel_with(0), 0);
    WANT_EQ(end_channel_with(1), 0);
    WANT(!spec_logged("a channel has ended"));
    WANT_EQ(pthread_create(&thread, NULL, end_channel_outside, NULL), 0);
    WANT_EQ(pthread_join(thread, NULL), 0);
    WANT(!spec_logged("a channel has ended")); /* in no log of ours */
    WANT_EQ(end_channel_with(5), 4);
    WANT(spec_logged("a channel has ended with 4 items that nobody received"));
    return 0;
}

/* Items that came back are left, too. */
struct clumsy {
    struct ambit_await wait;
    struct ambit_channel *channel;
    struct ambit_unbounded *unbounded;
    struct count *begun;
    int item;
    bool is_begun;
};

static int panics_with_it(ambit_cx *cx, void *state)
{
    struct clumsy *s = state;
    if (s->is_begun) {
        ambit_panic(cx, "it has one");
    }
    s->is_begun = true;
    count_up(s->begun);
    return s->channel != NULL
               ? ambit_await_receive(cx, &s->wait, s->channel, &s->item)
               : ambit_await_unbounded(cx, &s->wait, s->unbounded, &s->item);
}

static int end_after_a_panic(ambit_cx *cx, void *arg)
{
    int room[1];
    struct ambit_channel channel = AMBIT_CHANNEL_INIT(room);
    struct ambit_unbounded unbounded = AMBIT_UNBOUNDED_INIT(int);
    struct count begun = {0};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        struct clumsy one = {.channel = &channel, .begun = &begun};
        struct clumsy two = {.unbounded = &unbounded, .begun = &begun};
        WANT_EQ(ambit_spawn_poll(s, panics_with_it, &one), 0);
        WANT_EQ(ambit_spawn_poll(s, panics_with_it, &two), 0);
        WANT(until(cx, &begun, 2));
        for (int i = 0; i < 2; i++) {
            WANT_EQ(ambit_channel_try_send(&channel, &i), 0);
            WANT_EQ(ambit_unbounded_send(&unbounded, &i), 0);
        }
    }
    WANT_EQ(rc, -EOWNERDEAD);
    WANT_EQ(ambit_channel_fini(&channel), 2);
    WANT_EQ(ambit_unbounded_fini(&unbounded), 2);
    return 0;
}

/* Goal: what ends with a channel is told to who ends it.
 * Method: with nothing, with four, with what came back from a panic, and by a
 * thread that has no log. */
Spec(CHAN_END_1, what_is_left_in_a_channel_is_told)
{
    spec_on(1, end_channels);
    spec_on(1, end_after_a_panic);
    spec_end("CHAN_END_1");
}

/* --- unbounded ----------------------------------------------------------------- */

static uint64_t end_unbounded_with(uint64_t sent, uint64_t received)
{
    struct ambit_unbounded unbounded = AMBIT_UNBOUNDED_INIT(uint64_t);
    uint64_t item;
    for (uint64_t i = 0; i < sent; i++) {
        WANT_EQ(ambit_unbounded_send(&unbounded, &i), 0);
    }
    for (uint64_t i = 0; i < received; i++) {
        WANT_EQ(ambit_unbounded_try_receive(&unbounded, &item), 0);
    }
    WANT_EQ(ambit_unbounded_close(&unbounded), 0);
    return ambit_unbounded_fini(&unbounded);
}

static int end_unbounded(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    WANT_EQ(end_unbounded_with(0, 0), 0);
    WANT_EQ(end_unbounded_with(3000, 3000), 0);
    WANT(!spec_logged("an unbounded channel has ended"));
    WANT_EQ(end_unbounded_with(3000, 999), 2001);
    WANT(spec_logged("an unbounded channel has ended with 2001 items that"));
    return 0;
}

/* Goal, method: the same, closed and over several blocks. */
Spec(UNB_END_1, what_is_left_in_an_unbounded_channel_is_told)
{
    spec_on(1, end_unbounded);
    spec_on(1, end_after_a_panic);
    spec_end("UNB_END_1");
}

/* --- oneshot -------------------------------------------------------------------- */

enum fate { NOT_SENT, RECEIVED, HANDED_BACK, LEFT };

static bool end_oneshot(enum fate fate)
{
    int room = 0, value = 0;
    struct ambit_oneshot oneshot = AMBIT_ONESHOT_INIT(room);
    if (fate != NOT_SENT) {
        WANT_EQ(ambit_oneshot_send(&oneshot, &(int){7}), 0);
    }
    if (fate == RECEIVED) {
        WANT_EQ(ambit_oneshot_try_receive(&oneshot, &value), 0);
    } else if (fate == HANDED_BACK) {
        WANT(ambit_oneshot_drop_receiver(&oneshot, &value));
    }
    return ambit_oneshot_fini(&oneshot);
}

static int end_oneshots(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    for (enum fate fate = NOT_SENT; fate < LEFT; fate++) {
        WANT(!end_oneshot(fate));
    }
    WANT(!spec_logged("a oneshot has ended"));
    WANT(end_oneshot(LEFT));
    WANT(spec_logged("a oneshot has ended with 1 value that nobody received"));
    return 0;
}

/* Goal: the same of one value.  Method: each way it can go. */
Spec(ONESHOT_END_1, a_value_that_is_left_in_a_oneshot_is_told)
{
    spec_on(1, end_oneshots);
    spec_end("ONESHOT_END_1");
}
