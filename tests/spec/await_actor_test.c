/* SPDX-License-Identifier: MIT */
/*
 * await_actor_test.c -- poll tasks that await actors and servers.
 */
#include "tests/spec/common.h"

/* --- an actor that writes down what it gets -------------------------------- */

enum { LETTERS = 4096 };

struct box {
    struct count handled, begun, ended, open;
    int order[LETTERS];
};

static int box_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    *(struct box **)state = *(struct box *const *)arg;
    return 0;
}

static int box_handle(ambit_cx *cx, void *state, const void *message,
                      size_t size)
{
    struct box *box = *(struct box **)state;
    while (count_get(&box->open) == 0) {
        if (ambit_sleep(cx, ambit_us(20)) < 0) {
            return -ECANCELED;
        }
    }
    WANT_EQ(size, sizeof(int));
    box->order[count_get(&box->handled)] = *(const int *)message;
    count_up(&box->handled);
    return AMBIT_CONTINUE;
}

static ambit_actor_ref start_box(ambit_cx *cx, ambit_region *region,
                                 struct box *box, uint32_t mailbox_max)
{
    static struct ambit_actor_type type;
    ambit_actor_ref ref = {NULL, 0, 0};
    type = (struct ambit_actor_type){.size_ = sizeof type,
                                     .name = "box",
                                     .state_size = sizeof(struct box *),
                                     .mailbox_max = mailbox_max,
                                     .init = box_init,
                                     .handle = box_handle};
    WANT_EQ(ambit_actor_start(cx, region, &type, &box, sizeof box, &ref), 0);
    return ref;
}

/* --- machines that send ---------------------------------------------------- */

enum manner { SENDS, RESERVES, DROPS, PANICS };

struct poster {
    struct ambit_await wait;
    struct ambit_permit permit;
    struct box *box;
    ambit_actor_ref to;
    enum manner manner;
    int number, letters, wanted, step;
    bool may_pass; /* room may come before the end */
    bool hurries;  /* room may come at any time: no second look */
};

static int post(ambit_cx *cx, struct poster *s)
{
    if (s->manner == SENDS) {
        return ambit_await_actor_send(cx, &s->wait, s->to, &s->number,
                                      sizeof s->number);
    }
    int rc = ambit_await_actor_reserve(cx, &s->wait, s->to, sizeof s->number,
                                       &s->permit);
    if (rc == 0) {
        memcpy(s->permit.message, &s->number, sizeof s->number);
        rc = ambit_commit(&s->permit);
    }
    return rc;
}

/* Woken by the grant; does not look, or gives up too late. */
static int second_step(ambit_cx *cx, struct poster *s)
{
    if (s->manner == PANICS) {
        ambit_panic(cx, "without a look");
    }
    WANT_EQ(ambit_await_drop(&s->wait), -EBUSY);
    WANT_EQ(ambit_await_actor_reserve(cx, &s->wait, s->to, sizeof s->number,
                                      &s->permit), 0);
    ambit_abort(&s->permit);
    count_up(&s->box->ended);
    return 0;
}

static int poster_step(ambit_cx *cx, void *state)
{
    struct poster *s = state;
    int rc = 0;
    if (s->manner >= DROPS && s->step > 0) {
        return second_step(cx, s);
    }
    while (s->letters > 0 && (rc = post(cx, s)) == 0) {
        s->letters--;
        s->number++;
    }
    if (rc == AMBIT_PENDING) {
        if (!s->hurries) {
            WANT_EQ(post(cx, s), AMBIT_PENDING); /* again: nothing changes */
        }
        if (s->step++ == 0) {
            count_up(&s->box->begun);
        }
        return rc;
    }
    if (!s->may_pass || rc != 0) {
        WANT_EQ(rc, s->wanted);
    }
    count_up(&s->box->ended);
    return rc == -ECANCELED ? rc : 0;
}

static int post_as_fiber(ambit_cx *cx, void *arg)
{
    struct poster *s = arg;
    for (; s->letters > 0; s->letters--) {
        WANT_EQ(ambit_send(cx, s->to, &s->number, sizeof s->number), 0);
        s->number++;
    }
    count_up(&s->box->ended);
    return 0;
}

/* One worker, one place: who came first is known. */
static int post_in_order(ambit_cx *cx, void *arg)
{
    struct box box = {.handled = {0}};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, region, &rc) {
        ambit_actor_ref ref = start_box(cx, region, &box, 1);
        struct poster p = {.box = &box, .to = ref, .letters = 1};
        WANT_EQ(ambit_try_send(ref, &p.number, sizeof p.number), 0);
        p.number = 1;
        WANT_EQ(ambit_spawn_poll(region, poster_step, &p), 0);
        WANT(until(cx, &box.begun, 1));
        p.number = 2;
        WANT_EQ(ambit_spawn(region, post_as_fiber, &p), 0);
        let_others_run(cx);
        p.number = 3;
        p.manner = RESERVES;
        WANT_EQ(ambit_spawn_poll(region, poster_step, &p), 0);
        WANT(until(cx, &box.begun, 2));
        count_up(&box.open);
        WANT(until(cx, &box.handled, 4));
        WANT_EQ(ambit_actor_stop(ref), 0);
    }
    for (int i = 0; i < 4; i++) {
        WANT_EQ(box.order[i], i);
    }
    return rc;
}

static int post_crowded(ambit_cx *cx, void *arg)
{
    static int last[8];
    struct box box = {.open = {1}};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, region, &rc) {
        ambit_actor_ref ref = start_box(cx, region, &box, 2);
        ambit_scope (cx, posters, &rc) {
            for (int i = 0; i < 8; i++) {
                struct poster p = {.box = &box, .to = ref, .letters = 50,
                                   .hurries = true, .number = i * 1000,
                                   .manner = i % 2 == 0 ? SENDS : RESERVES};
                last[i] = p.number;
                WANT_EQ(i < 6 ? ambit_spawn_poll(posters, poster_step, &p)
                              : ambit_spawn(posters, post_as_fiber, &p), 0);
            }
        }
        WANT_EQ(ambit_actor_stop(ref), 0);
    }
    WANT_EQ(count_get(&box.ended), 8);
    WANT_EQ(count_get(&box.handled), 400);
    for (int i = 0; i < 400; i++) {
        WANT_EQ(box.order[i], last[box.order[i] / 1000]++);
    }
    return rc;
}

static int post_to_an_end(ambit_cx *cx, void *arg)
{
    struct box box = {.handled = {0}};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, region, &rc, .policy = AMBIT_ISOLATE) {
        ambit_actor_ref ref = start_box(cx, region, &box, 1);
        /* The letter at hand leaves its place as the actor ends: who waits may
         * get it before the mailbox closes, and his letter is disposed of. */
        struct poster p = {.box = &box, .to = ref, .letters = 1,
                           .wanted = -EPIPE, .may_pass = true};
        WANT_EQ(ambit_try_send(ref, &p.number, sizeof p.number), 0);
        WANT_EQ(ambit_spawn_poll(region, poster_step, &p), 0);
        p.manner = RESERVES;
        WANT_EQ(ambit_spawn_poll(region, poster_step, &p), 0);
        WANT(until(cx, &box.begun, 2));
        WANT_EQ(ambit_actor_kill(ref, "enough"), 0);
        WANT(until(cx, &box.ended, 2));
        p.to = (ambit_actor_ref){NULL, 0, 0};
        p.wanted = -ESTALE;
        p.may_pass = false;
        WANT_EQ(ambit_spawn_poll(region, poster_step, &p), 0);
    }
    WANT_EQ(count_get(&box.ended), 3);
    return rc;
}

/* Goal: machines get room as fibers do.  Method: machines and a fiber behind
 * one another for one place; a crowd of both for two, with the order of each
 * kept; a mailbox that ends, and one that is no more. */
Spec(AWAIT_ROOM_1, machines_get_room_in_turn)
{
    spec_on(1, post_in_order);
    spec_on_1_and_2_workers(post_crowded);
    spec_on_1_and_2_workers(post_to_an_end);
    spec_end("AWAIT_ROOM_1");
}

static int give_room_back(ambit_cx *cx, void *arg)
{
    struct box box = {.handled = {0}};
    struct ambit_permit permits[2];
    int rc = 0, inner = 0;
    (void)arg;
    ambit_scope (cx, region, &rc, .policy = AMBIT_ISOLATE) {
        ambit_actor_ref ref = start_box(cx, region, &box, 2);
        struct poster p = {.box = &box, .to = ref, .letters = 1, .number = 5};
        for (int i = 0; i < 2; i++) {
            WANT_EQ(ambit_try_send(ref, &i, sizeof i), 0);
        }
        ambit_scope (cx, first, &inner) {
            p.wanted = -ECANCELED;
            WANT_EQ(ambit_spawn_poll(first, poster_step, &p), 0);
            WANT(until(cx, &box.begun, 1));
            ambit_cancel(first, "enough");
        }
        p.wanted = 0;
        p.manner = PANICS;
        WANT_EQ(ambit_spawn_poll(region, poster_step, &p), 0);
        p.manner = DROPS;
        WANT_EQ(ambit_spawn_poll(region, poster_step, &p), 0);
        WANT(until(cx, &box.begun, 3));
        p.manner = SENDS;
        WANT_EQ(ambit_spawn_poll(region, poster_step, &p), 0);
        WANT(until(cx, &box.begun, 4));
        count_up(&box.open);
        WANT(until(cx, &box.handled, 3));
        WANT(until(cx, &box.ended, 3));
        for (int i = 0; i < 2; i++) {
            WANT_EQ(ambit_reserve(cx, ref, 4, &permits[i]), 0);
        }
        for (int i = 0; i < 2; i++) {
            ambit_abort(&permits[i]);
        }
        WANT_EQ(ambit_actor_stop(ref), 0);
    }
    WANT_EQ(box.order[2], 5);
    return rc;
}

/* Goal: no room is lost.  Method: behind a full mailbox one machine is
 * cancelled, one panics as it is granted, one gives it back, one sends; after
 * that all places can be had at once. */
Spec(AWAIT_ROOM_2, no_room_is_lost)
{
    spec_on_1_and_2_workers(give_room_back);
    spec_end("AWAIT_ROOM_2");
}

/* --- calls ----------------------------------------------------------------- */

enum wish { ADD, FAIL, STALL, LATER, CRASH };

struct sum_call {
    enum wish wish;
    int value;
};

struct sum_reply {
    int twice;
    unsigned char rest[60];
};

struct sum {
    struct count *stalled, *open, *sum;
};

static int sum_init(ambit_cx *cx, struct sum *state, const void *arg)
{
    (void)cx;
    *state = *(const struct sum *)arg;
    return 0;
}

static int answer_later(ambit_cx *cx, void *arg)
{
    struct sum_reply reply = {.twice = 66};
    WANT_EQ(ambit_sleep(cx, ambit_us(50)), 0);
    WANT_EQ(ambit_reply_send(*(ambit_reply *)arg, 1, &reply, sizeof reply), 0);
    return 0;
}

static int sum_handle_call(ambit_cx *cx, struct sum *state,
                           const struct sum_call *call,
                           struct sum_reply *ret_reply)
{
    ambit_reply later;
    count_add(state->sum, call->value);
    memset(ret_reply, 0xee, sizeof *ret_reply);
    ret_reply->twice = 2 * call->value;
    switch (call->wish) {
    case FAIL:
        return -EIO;
    case CRASH:
        ambit_panic(cx, "as asked");
    case LATER:
        later = ambit_reply_later(cx);
        WANT_EQ(ambit_spawn(ambit_cx_region(cx), answer_later, &later), 0);
        return AMBIT_NO_REPLY;
    case STALL:
        count_up(state->stalled);
        while (count_get(state->open) == 0) {
            WANT_EQ(ambit_sleep(cx, ambit_us(20)), 0);
        }
        return 0;
    case ADD:
        break;
    }
    return 0;
}

AMBIT_SERVER(sum, struct sum, struct sum_call, struct sum_reply,
             .limits = {.mailbox_max = 2}, .init = sum_init,
             .handle_call = sum_handle_call);

struct asker {
    struct ambit_await wait;
    struct sum_call call;
    ambit_actor_ref server;
    struct count *begun, *ended;
    ambit_waker *leaves;
    struct sum_reply reply;
    int wanted, times, step;
    enum manner manner;
};

static int asker_step(ambit_cx *cx, void *state)
{
    struct asker *s = state;
    int rc = 0;
    while (s->times > 0 &&
           (rc = sum_await_call(cx, &s->wait, s->server, &s->reply,
                                s->call)) == 0) {
        WANT_EQ(s->reply.twice, 2 * s->call.value);
        s->times--;
    }
    if (rc == AMBIT_PENDING) {
        if (s->leaves != NULL && s->step == 0) {
            *s->leaves = ambit_cx_waker(cx);
        }
        if (s->step++ == 0) {
            count_up(s->begun);
            return rc;
        }
        if (s->manner == DROPS) {
            WANT_EQ(ambit_await_drop(&s->wait), 0);
            count_up(s->ended);
            return 0;
        }
        if (s->manner == PANICS) {
            count_up(s->ended);
            ambit_panic(cx, "in the middle of a call");
        }
        return rc;
    }
    WANT_EQ(rc, s->wanted);
    count_up(s->ended);
    return rc == -ECANCELED ? rc : 0;
}

static int ask_as_fiber(ambit_cx *cx, void *arg)
{
    struct asker *s = arg;
    for (; s->times > 0; s->times--) {
        WANT_EQ(sum_call(cx, s->server, &s->reply, s->call), 0);
        WANT_EQ(s->reply.twice, 2 * s->call.value);
    }
    return 0;
}

static int ask(ambit_cx *cx, void *arg)
{
    struct count sum = {0}, begun = {0}, ended = {0};
    struct sum state = {&begun, &begun, &sum};
    int rc = 0, asked = 0;
    (void)arg;
    ambit_scope (cx, region, &rc, .policy = AMBIT_ISOLATE) {
        struct asker a = {.begun = &begun, .ended = &ended, .times = 40};
        WANT_EQ(sum_start(cx, region, &state, sizeof state, &a.server), 0);
        ambit_scope (cx, askers, &rc) {
            for (int i = 1; i <= 8; i++) {
                a.call.value = i;
                asked += 40 * i;
                WANT_EQ(i < 7 ? ambit_spawn_poll(askers, asker_step, &a)
                              : ambit_spawn(askers, ask_as_fiber, &a), 0);
            }
        }
        WANT_EQ(count_get(&sum), asked);
        a.times = 1;
        a.call = (struct sum_call){FAIL, 1};
        a.wanted = -EIO;
        WANT_EQ(ambit_spawn_poll(region, asker_step, &a), 0);
        a.call = (struct sum_call){LATER, 33};
        a.wanted = 0;
        WANT_EQ(ambit_spawn_poll(region, asker_step, &a), 0);
        WANT(until(cx, &ended, 8));
        a.call = (struct sum_call){CRASH, 0};
        a.wanted = -EOWNERDEAD;
        WANT_EQ(ambit_spawn_poll(region, asker_step, &a), 0);
        WANT(until(cx, &ended, 9));
        a.server = (ambit_actor_ref){NULL, 0, 0};
        a.wanted = -ESTALE;
        WANT_EQ(ambit_spawn_poll(region, asker_step, &a), 0);
    }
    WANT_EQ(count_get(&ended), 10);
    return rc;
}

/* Goal: a call of a machine is a call.  Method: machines and fibers at a server
 * with two places: each gets the answer to its own, and all are counted; calls
 * that fail, are answered later (by 1, which means pending elsewhere), crash the
 * server, or name none. */
Spec(AWAIT_CALL_1, a_machine_gets_its_reply)
{
    spec_on_1_and_2_workers(ask);
    spec_end("AWAIT_CALL_1");
}

static int leave(ambit_cx *cx, void *arg)
{
    struct count sum = {0}, stalled = {0}, open = {0}, begun = {0}, ended = {0};
    struct sum state = {&stalled, &open, &sum};
    struct ambit_runtime_stats stats;
    ambit_waker leaves;
    int rc = 0, inner = 0;
    enum manner manner = *(enum manner *)arg;
    ambit_scope (cx, region, &rc, .policy = AMBIT_ISOLATE) {
        struct asker a = {.begun = &begun, .ended = &ended, .times = 1,
                          .call = {STALL, 7}, .manner = manner,
                          .wanted = -ECANCELED, .leaves = &leaves};
        WANT_EQ(sum_start(cx, region, &state, sizeof state, &a.server), 0);
        ambit_scope (cx, askers, &inner, .policy = AMBIT_ISOLATE) {
            WANT_EQ(ambit_spawn_poll(askers, asker_step, &a), 0);
            WANT(until(cx, &stalled, 1));
            WANT(until(cx, &begun, 1));
            if (manner == SENDS) {
                ambit_cancel(askers, "enough");
            } else {
                WANT_EQ(ambit_wake(leaves), 0);
            }
        }
        WANT_EQ(count_get(&ended), 1);
        count_up(&open);
        a.manner = SENDS;
        a.wanted = 0;
        a.leaves = NULL;
        WANT_EQ(ambit_spawn_poll(region, asker_step, &a), 0);
        WANT(until(cx, &ended, 2));
        ambit_runtime_stats(ambit_cx_runtime(cx), &stats);
        WANT_EQ(stats.late_replies, 1);
        WANT_EQ(ambit_actor_stop(a.server), 0);
    }
    return rc;
}

/* Goal: a reply nobody waits for reaches nobody.  Method: a machine in a call
 * that has begun is cancelled, drops it, panics; the reply that comes then is
 * late, and the next call gets its own. */
Spec(AWAIT_CALL_2, a_late_reply_reaches_nobody)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        enum manner manners[] = {SENDS, DROPS, PANICS};
        for (int i = 0; i < 3; i++) {
            WANT_EQ(spec_run(leave, &manners[i], .workers = workers), 0);
        }
    }
    spec_end("AWAIT_CALL_2");
}
