/* SPDX-License-Identifier: MIT */
/*
 * lost_test.c -- what a panic did not look at, where no memory keeps it.
 */
#include "tests/fail/refuse.h"

#if !REFUSE_WORKS

Spec(AWAIT_END_5, a_tool_has_its_own_malloc)
{
    cr_assert(true);
}

#else

struct loser {
    struct ambit_await wait, other_wait;
    struct ambit_channel *channel;
    struct ambit_unbounded *unbounded;
    struct count *begun;
    int item, other;
    bool is_begun;
};

static int loses(ambit_cx *cx, void *state)
{
    struct loser *s = state;
    if (s->is_begun) {
        refuse_at(1);
        ambit_panic(cx, "no memory for what it has");
    }
    s->is_begun = true;
    WANT_EQ(ambit_await_unbounded(cx, &s->other_wait, s->unbounded, &s->other),
            AMBIT_PENDING);
    WANT_EQ(ambit_await_receive(cx, &s->wait, s->channel, &s->item),
            AMBIT_PENDING);
    count_up(s->begun);
    return AMBIT_PENDING;
}

/* The first request after the panic is for the item of the channel; the next is
 * granted. */
static int lose_one(ambit_cx *cx, void *arg)
{
    int room[2], item = 0, rc = 0;
    struct ambit_channel channel = AMBIT_CHANNEL_INIT(room);
    struct ambit_unbounded unbounded = AMBIT_UNBOUNDED_INIT(int);
    struct count begun = {0};
    (void)arg;
    ambit_scope (cx, region, &rc, .policy = AMBIT_COLLECT) {
        struct loser loser = {.channel = &channel, .unbounded = &unbounded,
                              .begun = &begun};
        WANT_EQ(ambit_spawn_poll_with(region, loses, &loser, .name = "loser"),
                0);
        WANT(until(cx, &begun, 1));
        WANT_EQ(ambit_channel_try_send(&channel, &(int){1}), 0);
        WANT_EQ(ambit_unbounded_send(&unbounded, &(int){2}), 0);
    }
    refuse_at(0);
    WANT_EQ(rc, -EOWNERDEAD);
    WANT_EQ(ambit_channel_try_receive(&channel, &item), -EAGAIN);
    WANT_EQ(ambit_unbounded_try_receive(&unbounded, &item), 0);
    WANT_EQ(item, 2);
    for (int i = 0; i < 2; i++) {
        WANT_EQ(ambit_channel_try_send(&channel, &i), 0);
    }
    WANT_EQ(ambit_channel_try_send(&channel, &item), -EAGAIN);
    ambit_channel_fini(&channel);
    ambit_unbounded_fini(&unbounded);
    return 0;
}

/* Goal: an item that is lost is told of.
 * Method: the memory for it is refused once; that for another one is not. */
Spec(AWAIT_END_5, what_is_lost_for_want_of_memory_is_told)
{
    const struct ambit_runtime_options options = {
        .size_ = sizeof options, .workers = 1, .log = spec_log_line};
    struct ambit_runtime_stats stats;
    ambit_runtime *runtime = NULL;
    WANT_EQ(ambit_runtime_create(&runtime, &options), 0);
    WANT_EQ(ambit_runtime_run(runtime, lose_one, NULL), 0);
    ambit_runtime_stats(runtime, &stats);
    WANT_EQ(stats.lost_items, 1);
    WANT(spec_logged("task \"loser\" panicked before it looked at what it was "
                     "given by a channel, which is lost"));
    ambit_runtime_destroy(runtime);
    spec_end("AWAIT_END_5");
}

#endif
