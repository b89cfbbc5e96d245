/* SPDX-License-Identifier: MIT */
/*
 * scenarios_ring.c -- messages from worker to worker, and the end of a ring.
 *
 * The opener's worker receives; who sends may be on any.  Whatever happens: a
 * receiver that is told of the end has all that was accepted, each source's in
 * order; what was added is taken; a ring ends with its region.
 */
#include "tests/lab/inner.h"

#include <errno.h>
#include <stdlib.h>

#define SENDERS 2
#define MESSAGES 4

struct post {
    ambit_ring *ring;
    unsigned to;
    struct tally accepted, received, senders, told;
    int64_t sum;
};

struct sender {
    struct post *post;
    uint64_t number;
};

static int posts(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    struct post *post = s->post;
    int rc = 0;
    for (uint64_t i = 0; i < MESSAGES && !is_called_off(rc); i++) {
        uint64_t value = s->number * MESSAGES + i;
        rc = i % 2 == s->number
                 ? ambit_ring_send(cx, post->ring, post->to, 1, value)
                 : ambit_ring_try_send(post->ring, post->to, 1, value);
        always(rc == 0 || rc == -EAGAIN || is_called_off(rc));
        if (rc == 0) {
            tally_up(&post->accepted);
        }
    }
    if (tally_up(&post->senders) == SENDERS - 1) {
        always(ambit_ring_close(post->ring) == 0);
    }
    return rc == -EAGAIN ? 0 : rc;
}

static int fetches(ambit_cx *cx, void *arg)
{
    struct post *post = *(struct post **)arg;
    struct ambit_ring_message message;
    uint64_t next[SENDERS] = {0};
    int rc;
    while ((rc = ambit_ring_next(cx, post->ring, &message)) == 0) {
        uint64_t sender = message.value / MESSAGES;
        always(sender < SENDERS && message.tag == 1);
        always(message.value % MESSAGES >= next[sender]);
        next[sender] = message.value % MESSAGES + 1;
        tally_up(&post->received);
    }
    always(rc != -EPIPE ||
           tally_get(&post->received) == tally_get(&post->accepted));
    if (rc == -EPIPE) {
        tally_up(&post->told);
    }
    return rc == -EPIPE ? 0 : rc;
}

/* Nobody sends any more: what is left, unless the other worker could not be
 * waited for. */
static void sweep(ambit_cx *cx, struct post *post)
{
    struct ambit_ring_message message;
    int rc = ambit_ring_close(post->ring);
    always(rc == 0 || rc == -EALREADY);
    do {
        rc = ambit_ring_try_next(post->ring, &message);
        if (rc == 0) {
            tally_up(&post->received);
        }
    } while (rc == 0 || (rc == -EAGAIN && ambit_sleep(cx, ambit_us(1)) == 0));
    always(tally_get(&post->received) <= tally_get(&post->accepted));
    always(rc != -EPIPE ||
           tally_get(&post->received) == tally_get(&post->accepted));
}

static int run_flow(ambit_cx *cx, uint32_t capacity)
{
    struct post post = {.ring = NULL}, *here = &post;
    int rc = 0, spawned = 0;
    ambit_scope (cx, outer, &rc) {
        rc = ambit_ring_open(outer, &post.ring, .capacity = capacity);
        want(rc == 0);
        if (rc < 0) {
            break;
        }
        post.to = ambit_ring_here(post.ring);
        ambit_scope (cx, s, &rc) {
            spawned += ambit_spawn_with(s, fetches, &here,
                                        .tier = AMBIT_FIBER) == 0;
            for (uint64_t i = 0; i < SENDERS; i++) {
                struct sender sender = {here, i};
                spawned += ambit_spawn(s, posts, &sender) == 0;
            }
            if (spawned < SENDERS + 1) {
                ambit_cancel(s, "somebody would wait for ever");
            }
        }
        want(rc == 0 && tally_get(&post.told) == 1);
        sweep(cx, &post);
    }
    return rc;
}

static int ring_flow_narrow(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_flow(cx, 1);
}

static int ring_flow(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_flow(cx, 3);
}

/* --- a message against a cancel -------------------------------------------- */

static int fetches_one(ambit_cx *cx, void *arg)
{
    struct post *post = *(struct post **)arg;
    struct ambit_ring_message message;
    int rc = ambit_ring_next(cx, post->ring, &message);
    if (rc == 0) {
        tally_up(&post->received);
    }
    return rc;
}

static int posts_one(ambit_cx *cx, void *arg)
{
    struct post *post = *(struct post **)arg;
    (void)cx;
    always(ambit_ring_try_send_direct(post->ring, post->to, 1, 1) == 0);
    tally_up(&post->accepted);
    return 0;
}

static int message_against_cancel(ambit_cx *cx, void *arg)
{
    struct post post = {.ring = NULL}, *here = &post;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        rc = ambit_ring_open(outer, &post.ring, .capacity = 1);
        want(rc == 0);
        if (rc < 0) {
            break;
        }
        post.to = ambit_ring_here(post.ring);
        ambit_scope (cx, s, &rc) {
            want(ambit_spawn_with(s, fetches_one, &here,
                                  .tier = AMBIT_FIBER) == 0);
            (void)ambit_yield(cx);
            (void)ambit_spawn(s, posts_one, &here);
            (void)ambit_yield(cx);
            ambit_cancel(s, "now");
        }
        want(rc == 0);
        ambit_observe(tally_get(&post.received));
        sweep(cx, &post);
    }
    return rc;
}

/* --- sums ------------------------------------------------------------------ */

static int adds(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    struct post *post = s->post;
    int rc = 0;
    for (uint64_t i = 1; i <= MESSAGES && rc == 0; i++) {
        always(ambit_ring_try_send(post->ring, post->to, 7, i) == 0);
        tally_up(&post->accepted);
        rc = i == 2 ? ambit_yield(cx) : 0;
    }
    if (tally_up(&post->senders) == SENDERS - 1) {
        always(ambit_ring_close(post->ring) == 0);
    }
    return rc;
}

static int takes(ambit_cx *cx, void *arg)
{
    struct post *post = *(struct post **)arg;
    uint64_t sum;
    int rc;
    while ((rc = ambit_ring_next_count(cx, post->ring, 7, &sum)) == 0) {
        always(sum > 0);
        post->sum += (int64_t)sum;
    }
    if (rc == -EPIPE) {
        tally_up(&post->told);
        want(post->sum == SENDERS * MESSAGES * (MESSAGES + 1) / 2);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int ring_sums(ambit_cx *cx, void *arg)
{
    const uint16_t counted = 7;
    struct post post = {.ring = NULL}, *here = &post;
    int rc = 0, spawned = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        rc = ambit_ring_open(outer, &post.ring, .capacity = 1,
                             .counted = &counted, .counted_len = 1);
        want(rc == 0);
        if (rc < 0) {
            break;
        }
        post.to = ambit_ring_here(post.ring);
        ambit_scope (cx, s, &rc) {
            spawned += ambit_spawn_with(s, takes, &here,
                                        .tier = AMBIT_FIBER) == 0;
            for (uint64_t i = 0; i < SENDERS; i++) {
                struct sender sender = {here, i};
                spawned += ambit_spawn(s, adds, &sender) == 0;
            }
            if (spawned < SENDERS + 1) {
                ambit_cancel(s, "somebody would wait for ever");
            }
        }
        want(rc == 0 && tally_get(&post.told) == 1);
    }
    return rc;
}

/* --- the end, with all that can be under way ------------------------------- */

static int posts_and_goes(ambit_cx *cx, void *arg)
{
    struct post *post = *(struct post **)arg;
    for (unsigned to = 0; to < ambit_ring_workers(post->ring); to++) {
        always(ambit_ring_try_send(post->ring, to, 1, to) == 0);
    }
    int rc = ambit_ring_send(cx, post->ring, 1 - post->to, 1, 9);
    always(rc == 0 || is_called_off(rc));
    return 0;
}

static int ring_left_behind(ambit_cx *cx, void *arg)
{
    struct post post = {.ring = NULL}, *here = &post;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, outer, &rc) {
        rc = ambit_ring_open(outer, &post.ring, .capacity = 1);
        want(rc == 0);
        if (rc < 0) {
            break;
        }
        post.to = ambit_ring_here(post.ring);
        ambit_scope (cx, s, &rc) {
            (void)ambit_spawn(s, posts_and_goes, &here);
            (void)ambit_spawn_with(s, fetches_one, &here, .tier = AMBIT_FIBER);
            (void)ambit_yield(cx);
            ambit_cancel(s, "we go");
        }
    }
    want(rc == 0);
    return rc;
}

/* --- what nobody received -------------------------------------------------- */

struct lost {
    unsigned capacity;
    struct tally left;          /* in the inbox when nobody looks any more */
    struct tally lines, told;   /* of the log, and the number in it */
};

/* The number that stands in the line about our ring. */
static void hears_of_lost(void *user, enum ambit_log_level level,
                          const char *line)
{
    struct lost *lost = user;
    const char *at = strstr(line, "\"lost property\"");
    (void)level;
    if (at != NULL) {
        at += strcspn(at, "0123456789");
        tally_add(&lost->told, atoll(at));
        tally_up(&lost->lines);
    }
}

/* To both inboxes; of the own one some are received. */
static int loses_some(ambit_cx *cx, void *arg)
{
    struct lost *lost = arg;
    struct ambit_ring_message message;
    ambit_ring *ring;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        rc = ambit_ring_open(s, &ring, .name = "lost property",
                             .capacity = lost->capacity);
        for (unsigned to = 0; rc == 0 && to < ambit_ring_workers(ring); to++) {
            for (unsigned n = ambit_choose(lost->capacity + 1); n > 0; n--) {
                always(ambit_ring_try_send(ring, to, 1, n) == 0);
                tally_up(&lost->left);
            }
        }
        for (unsigned n = ambit_choose(2); rc == 0 && n > 0; n--) {
            if (ambit_ring_try_next(ring, &message) == 0) {
                tally_down(&lost->left);
            }
        }
    }
    return rc;
}

/* The log tells how many, and nothing when there are none. */
static int ring_lost_is_told(ambit_cx *cx, void *arg)
{
    struct lost lost = {.capacity = 1 + ambit_choose(3)};
    struct inner inner = {
        .fn = loses_some,
        .arg = &lost,
        .options = {.workers = 2, .log = hears_of_lost, .log_user = &lost},
    };
    (void)arg;
    if (inner_run(cx, &inner)) {
        want(inner.rc == 0);
        always(tally_get(&lost.told) == tally_get(&lost.left));
        always(tally_get(&lost.lines) == (tally_get(&lost.left) > 0));
    }
    return 0;
}

SCENARIOS(ring,
    {"ring_flow", ring_flow, 2, CORE},
    {"ring_flow_narrow", ring_flow_narrow, 2, CORE, "RING-WAKE-1"},
    {"message_against_cancel", message_against_cancel, 2, SMALL | CORE,
     "RING-CANCEL-1"},
    {"ring_sums", ring_sums, 2, CORE},
    {"ring_left_behind", ring_left_behind, 2, CORE},
    {"ring_lost_is_told", ring_lost_is_told, 1, 0});
