/* SPDX-License-Identifier: MIT */
/*
 * ring_end_test.c -- messages from worker to worker (spec/ring.md): the close,
 * and the end with the region.
 */
#include "tests/spec/ring.h"

/* --- RING-CLOSE-1, RING-CLOSE-2 -------------------------------------------- */

static void *send_after_close(void *arg)
{
    struct ambit_ring_message message = {.tag = 1};
    WANT_EQ(ambit_ring_try_send(arg, 0, 1, 1), -EPIPE);
    WANT_EQ(ambit_ring_try_send_many(arg, 0, &message, 1), -EPIPE);
    WANT_EQ(ambit_ring_close(arg), -EALREADY);
    return NULL;
}

static int closed_for_senders(ambit_cx *cx, void *arg)
{
    struct ambit_ring_message message = {.tag = 1};
    int rc = 0, waited = 1;
    pthread_t thread;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_ring *ring;
        const uint16_t counted = 2;
        WANT_EQ(ambit_ring_open(s, &ring, .capacity = 1, .counted = &counted,
                                .counted_len = 1), 0);
        unsigned me = ambit_ring_here(ring);
        struct wanter w = {ring, &waited, NULL};
        WANT_EQ(ambit_ring_try_send(ring, me, 1, 5), 0);
        WANT_EQ(ambit_spawn_with(s, want_room, &w, .tier = AMBIT_FIBER), 0);
        let_others_run(cx);
        WANT_EQ(ambit_ring_close(ring), 0);
        for (unsigned to = 0; to < ambit_ring_workers(ring); to++) {
            WANT_EQ(ambit_ring_send(cx, ring, to, 1, 1), -EPIPE);
            WANT_EQ(ambit_ring_try_send(ring, to, 1, 1), -EPIPE);
            WANT_EQ(ambit_ring_try_send(ring, to, 2, 1), -EPIPE);
            WANT_EQ(ambit_ring_try_send_direct(ring, to, 1, 1), -EPIPE);
            WANT_EQ(ambit_ring_try_send_many(ring, to, &message, 1), -EPIPE);
        }
        ambit_ring_flush(ring);
        WANT_EQ(ambit_ring_close(ring), -EALREADY);
        WANT_EQ(pthread_create(&thread, NULL, send_after_close, ring), 0);
        WANT_EQ(pthread_join(thread, NULL), 0);
        WANT_EQ(ambit_ring_next(cx, ring, &message), 0);
        WANT_EQ(message.value, 5);
        WANT_EQ(ambit_ring_next(cx, ring, &message), -EPIPE);
        WANT_EQ(ambit_ring_try_next(ring, &message), -EPIPE);
        WANT_EQ(waited, -EPIPE);
    }
    return rc;
}

/* Goal: after the close nothing goes in.
 * Method: every call, from a worker and a thread; one who waits for room. */
Spec(RING_CLOSE_1, a_closed_ring_takes_nothing)
{
    spec_on_1_and_2_workers(closed_for_senders);
    spec_end("RING_CLOSE_1");
}

/* Each sends until it is told to stop, and counts. */
static int send_until_closed(ambit_cx *cx, struct crew *crew, unsigned here)
{
    struct ambit_ring_message message;
    int64_t sent = 0;
    int rc = 0;
    if (here == 0) {
        int64_t received = 0;
        while ((rc = ambit_ring_next(cx, crew->ring, &message)) == 0) {
            if (++received == crew->n) {
                WANT_EQ(ambit_ring_close(crew->ring), 0);
            }
        }
        WANT_EQ(rc, -EPIPE);
        count_set(&crew->done, received);
        return 0;
    }
    while (rc == 0) {
        rc = send_by(cx, crew->ring, (unsigned)sent, 0, 1, 1);
        sent += rc == 0;
    }
    WANT_EQ(rc, -EPIPE);
    count_add(&crew->steps, sent);
    return 0;
}

static int wait_to_the_end(ambit_cx *cx, void *arg)
{
    struct wanter *w = arg;
    *w->ret_rc = ambit_ring_next_hot(cx, w->ring, w->ret_message);
    return 0;
}

static int told_of_the_end(ambit_cx *cx, void *arg)
{
    const uint16_t hot = 3;
    struct ambit_ring_message none;
    int rc = 0, told = 1;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_ring *ring;
        WANT_EQ(ambit_ring_open(s, &ring, .hot = &hot, .hot_len = 1), 0);
        struct wanter w = {ring, &told, &none};
        WANT_EQ(ambit_spawn_with(s, wait_to_the_end, &w, .tier = AMBIT_FIBER),
                0);
        let_others_run(cx);
        WANT_EQ(ambit_ring_close(ring), 0);
    }
    WANT_EQ(told, -EPIPE);
    return rc;
}

static int closed_in_the_middle(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int i = 0; i < 200 / SPEC_SLOWER + 5; i++) {
        struct crew crew = {.n = 50 + i};
        crew_run(cx, &crew, send_until_closed,
                 .capacity = 1 + (uint32_t)i % 80);
        WANT_EQ(count_get(&crew.done), count_get(&crew.steps));
    }
    return 0;
}

/* Goal: what was accepted comes out, then the end.
 * Method: closed while others send by all calls; their count against the
 * receiver's; one who waits as it is closed. */
Spec(RING_CLOSE_2, what_was_accepted_is_received_then_the_end)
{
    spec_on(2, closed_in_the_middle);
    spec_on(3, closed_in_the_middle);
    spec_on_1_and_2_workers(told_of_the_end);
    spec_end("RING_CLOSE_2");
}

/* --- RING-END-1 ------------------------------------------------------------ */

/* Ends with all that can be under way: unseen messages, bells, wishes for
 * room. */
static int leave_it(ambit_cx *cx, struct crew *crew, unsigned here)
{
    unsigned to = 1 - here;
    struct ambit_ring_message message;
    for (int i = 0; i < crew->n; i++) {
        WANT_EQ(ambit_ring_try_send(crew->ring, to, 1, 1), 0);
    }
    int rc = ambit_ring_next(cx, crew->ring, &message);
    WANT(rc == 0);
    int waited = 1;
    ambit_scope (cx, s, &rc) {
        struct wanter w = {crew->ring, &waited, NULL};
        WANT_EQ(ambit_spawn_with(s, want_room, &w, .tier = AMBIT_FIBER), 0);
        WANT_EQ(ambit_spawn_with(s, want_room, &w, .tier = AMBIT_FIBER), 0);
        WANT_EQ(here == 0 ? ambit_yield(cx) : 0, 0);
        ambit_cancel(s, "we go");
    }
    return 0;
}

static int left_behind(ambit_cx *cx, void *arg)
{
    int rc = 0;
    (void)arg;
    for (int i = 0; i < 1000 / SPEC_SLOWER; i++) {
        struct crew crew = {.n = 1};
        crew_run(cx, &crew, leave_it, .capacity = 1 + (uint32_t)i % 2);
    }
    ambit_scope (cx, s, &rc) {
        ambit_ring *ring;
        WANT_EQ(ambit_ring_open(s, &ring, .name = "lost property"), 0);
        unsigned me = ambit_ring_here(ring);
        for (int i = 0; i < 17; i++) {
            WANT_EQ(ambit_ring_try_send(ring, me, 1, 1), 0);
        }
    }
    WANT(spec_logged("\"lost property\" has ended with 17 messages"));
    /* A region that is over has none. */
    ambit_scope (cx, s, &rc) {
        ambit_ring *ring;
        WANT_EQ(ambit_ring_open(s, &ring, .name = "short"), 0);
        ambit_cancel(s, "at once");
    }
    return rc;
}

/* Goal: a ring is gone with its region, whatever is still on its way.
 * Method: regions that end with unseen messages, bells and waits; the tools
 * look for what is used afterwards, or never freed. */
Spec(RING_END_1, a_ring_ends_with_its_region)
{
    spec_on(2, left_behind);
    spec_end("RING_END_1");
}

/* --- RING-END-2 ------------------------------------------------------------ */

enum { FIRST = 11, SECOND = 65535, EMPTIED = 12 };

static void *add_from_outside(void *arg)
{
    WANT_EQ(push(arg, 0, FIRST, 4), 0);
    return NULL;
}

static int leave_sums(ambit_cx *cx, struct crew *crew, unsigned here)
{
    pthread_t thread;
    uint64_t sum = 0;
    for (unsigned to = 0; to < ambit_ring_workers(crew->ring); to++) {
        WANT_EQ(ambit_ring_try_send(crew->ring, to, FIRST, 1000), 0);
        WANT_EQ(ambit_ring_send(cx, crew->ring, to, SECOND, 1), 0);
    }
    WANT_EQ(ambit_ring_send(cx, crew->ring, here, EMPTIED, 7), 0);
    WANT_EQ(ambit_ring_next_count(cx, crew->ring, EMPTIED, &sum), 0);
    WANT_EQ(sum, 7);
    if (here == 0) {
        WANT_EQ(pthread_create(&thread, NULL, add_from_outside, crew->ring), 0);
        WANT_EQ(pthread_join(thread, NULL), 0);
    }
    return 0;
}

static int sums_left_behind(ambit_cx *cx, void *arg)
{
    const uint16_t tags[] = {FIRST, SECOND, EMPTIED};
    struct crew crew = {.n = 0};
    (void)arg;
    crew_run(cx, &crew, leave_sums, .name = "small change", .counted = tags,
             .counted_len = 3);
    return 0;
}

/* Goal: a sum that is never taken does not end in silence.
 * Method: two workers add to each other and to themselves, a thread to one; one
 * tag is emptied, and not told of. */
Spec(RING_END_2, sums_that_nobody_took_are_told)
{
    spec_on(2, sums_left_behind);
    WANT(spec_logged("\"small change\" has ended with 4004 of tag 11 that"));
    WANT(spec_logged("\"small change\" has ended with 4 of tag 65535 that"));
    WANT(!spec_logged("of tag 12"));
    spec_end("RING_END_2");
}
