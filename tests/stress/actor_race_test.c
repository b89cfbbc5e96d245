/* SPDX-License-Identifier: MIT */
/*
 * actor_race_test.c -- actors that end while others start, stop, kill, call
 * and send to them, on as many workers as there are.
 */
#include "tests/spec/common.h"

enum { ROUNDS = 400 / SPEC_SLOWER, BACKLOG = 20 };

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* --- a stop that meets a stop --------------------------------------------- */

struct slow {
    struct count *handled, *ending, *go_on;
};

static int slow_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    *(struct slow *)state = *(const struct slow *)arg;
    return 0;
}

static int slow_handle(ambit_cx *cx, void *state, const void *message,
                       size_t size)
{
    (void)cx, (void)message, (void)size;
    count_up(((struct slow *)state)->handled);
    return AMBIT_CONTINUE;
}

static void slow_terminate(ambit_cx *cx, void *state, int reason)
{
    struct slow *slow = state;
    (void)reason;
    count_up(slow->ending);
    WANT(until(cx, slow->go_on, 1));
}

static struct count slow_disposed;

static void slow_dispose(void *message, size_t size)
{
    (void)message, (void)size;
    count_up(&slow_disposed);
}

static const struct ambit_actor_type slow_type = {
    .size_ = sizeof slow_type,
    .name = "slow",
    .state_size = sizeof(struct slow),
    .init = slow_init,
    .handle = slow_handle,
    .terminate = slow_terminate,
    .dispose = slow_dispose,
};

static int stop_while_it_ends(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count handled = {0}, ending = {0}, go_on = {0};
    struct slow slow = {&handled, &ending, &go_on};
    count_set(&slow_disposed, 0);
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        ambit_actor_ref ref;
        WANT_EQ(ambit_actor_start(cx, s, &slow_type, &slow, sizeof slow, &ref),
                0);
        WANT_EQ(ambit_actor_stop(ref), 0);
        WANT(until(cx, &ending, 1));
        for (int i = 0; i < BACKLOG; i++) {
            WANT_EQ(ambit_send(cx, ref, &i, sizeof i), 0);
            WANT_EQ(ambit_actor_stop(ref), 0);
        }
        count_set(&go_on, 1);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&handled) + count_get(&slow_disposed), BACKLOG);
    return 0;
}

/* Goal: a stop asked of an actor that is just stopping loses no message.
 * Method: its terminate is held while messages and stops arrive. */
Test(actor_race, a_stop_during_the_end_loses_no_message)
{
    spec_on_1_and_2_workers(stop_while_it_ends);
    spec_end("MBX_STOP_1");
}

static int stop_and_restart(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count handled = {0}, ending = {0}, go_on = {1};
    struct slow slow = {&handled, &ending, &go_on};
    ambit_actor_ref ref;
    struct ambit_child child = {
        .name = "slow", .actor = &slow_type, .arg = &slow,
        .arg_size = sizeof slow, .ret_ref = &ref,
    };
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_supervise(cx, s, &child, 1, .intensity = 1000000), 0);
        for (int i = 0; i < 10 * ROUNDS; i++) {
            WANT_EQ(ambit_send(cx, ref, &i, sizeof i), 0);
            if (i % 3 != 0) {
                WANT_EQ(ambit_actor_stop(ref), 0);
            }
            if (i % 7 == 0) {
                (void)ambit_yield(cx);
            }
        }
        WANT(until(cx, &handled, 10 * ROUNDS));
        ambit_cancel(s, "done");
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: stops and restarts lose no message and no stop twists the queue. */
Test(actor_race, every_message_survives_orderly_restarts)
{
    spec_on_1_and_2_workers(stop_and_restart);
    spec_end("SUP_REF_1");
}

/* --- starts that are cancelled -------------------------------------------- */

static int lazy_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)state;
    uint32_t yields = *(const uint32_t *)arg % 4;
    for (uint32_t i = 0; i < yields; i++) {
        int rc = ambit_yield(cx);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static const struct ambit_actor_type lazy_type = {
    .size_ = sizeof lazy_type, .name = "lazy", .state_size = 16,
    .init = lazy_init, .handle = slow_handle,
};

static int idle_child(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_sleep_until(cx, ambit_never());
}

static int start_one(ambit_cx *cx, void *arg)
{
    ambit_region *region = *(ambit_region **)arg;
    uint32_t seed = (uint32_t)(uintptr_t)cx;
    ambit_actor_ref refs[2];
    uint32_t yields = next_random(&seed);
    if (yields % 2 == 0) {
        (void)ambit_actor_start(cx, region, &lazy_type, &yields, sizeof yields,
                                refs);
        return 0;
    }
    struct ambit_child children[] = {
        {.actor = &lazy_type, .arg = &yields, .arg_size = sizeof yields,
         .ret_ref = &refs[0]},
        {.task = idle_child},
        {.actor = &lazy_type, .arg = &yields, .arg_size = sizeof yields,
         .ret_ref = &refs[1]},
    };
    (void)ambit_supervise(cx, region, children, 3);
    return 0;
}

static int cancel_after(ambit_cx *cx, void *arg)
{
    struct { ambit_region *region; uint32_t yields; } *c = arg;
    for (uint32_t i = 0; i < c->yields; i++) {
        (void)ambit_yield(cx);
    }
    ambit_cancel(c->region, "race");
    return 0;
}

static int cancel_starts(ambit_cx *cx, void *arg)
{
    (void)arg;
    uint32_t seed = 7;
    for (int round = 0; round < ROUNDS; round++) {
        int rc = 0;
        ambit_scope (cx, home, &rc, .policy = AMBIT_ISOLATE) {
            int inner_rc = 0;
            ambit_scope (cx, inner, &inner_rc, .policy = AMBIT_ISOLATE) {
                struct { ambit_region *region; uint32_t yields; } c = {
                    inner, next_random(&seed) % 12};
                for (int i = 0; i < 4; i++) {
                    WANT_EQ(ambit_spawn(inner, start_one, &home), 0);
                }
                WANT_EQ(ambit_spawn(inner, cancel_after, &c), 0);
            }
            ambit_cancel(home, "next round");
        }
    }
    return 0;
}

/* Goal: a start that is cancelled at any moment leaves nothing behind, writes
 * nothing into its caller's dead frame, and never hangs. */
Test(actor_race, starts_are_cancelled_at_any_moment)
{
    spec_on(1, cancel_starts);
    spec_on(2, cancel_starts);
    spec_on(4, cancel_starts);
    spec_end("SUP_TREE_1");
}

/* --- everything at once --------------------------------------------------- */

struct churn_call { uint32_t what; };
struct churn_reply { uint32_t what; };
struct churn { ambit_reply late; };

static int churn_call_h(ambit_cx *cx, struct churn *state,
                        const struct churn_call *call,
                        struct churn_reply *ret_reply)
{
    ret_reply->what = call->what;
    switch (call->what % 8) {
    case 0:
        return ambit_yield(cx);
    case 1:
        state->late = ambit_reply_later(cx);
        return AMBIT_NO_REPLY;
    case 2:
        (void)ambit_reply_send(state->late, 0, ret_reply, sizeof *ret_reply);
        return 0;
    case 3:
        return ambit_sleep(cx, ambit_us(20));
    case 4:
        if (call->what % 64 == 4) {
            ambit_panic(cx, "told to");
        }
        return 0;
    default:
        return 0;
    }
}

static int churn_idle(ambit_cx *cx, struct churn *state)
{
    (void)cx;
    struct churn_reply reply = {0};
    (void)ambit_reply_send(state->late, 0, &reply, sizeof reply);
    return 0;
}

AMBIT_SERVER(churn, struct churn, struct churn_call, struct churn_reply,
             .handle_call = churn_call_h, .handle_idle = churn_idle,
             .limits = {.mailbox_max = 4, .batch_max = 3});

struct churner {
    ambit_actor_ref *refs;
    uint32_t seed;
};

static int churn_client(ambit_cx *cx, void *arg)
{
    struct churner c = *(struct churner *)arg;
    for (int i = 0; i < 60; i++) {
        ambit_actor_ref to = c.refs[next_random(&c.seed) % 3];
        struct churn_call call = {next_random(&c.seed)};
        struct churn_reply reply = {0};
        int rc = 0;
        switch (next_random(&c.seed) % 16) {
        case 0:
            (void)ambit_actor_stop(to);
            break;
        case 1:
            (void)ambit_actor_kill(to, "at random");
            break;
        case 2:
            (void)churn_cast_now(to, call);
            break;
        case 3: {
            struct ambit_permit permit;
            if (ambit_reserve(cx, to, 600, &permit) == 0) {
                (void)ambit_yield(cx);
                if (call.what % 2) {
                    (void)ambit_commit(&permit);
                } else {
                    ambit_abort(&permit);
                }
            }
            break;
        }
        default:
            ambit_scope (cx, cut, &rc,
                         .deadline = ambit_after(ambit_us(call.what % 400))) {
                int got = churn_call(cx, to, &reply, call);
                WANT(got <= 0);
                if (got == 0 && call.what % 8 != 1) {
                    WANT_EQ(reply.what, call.what);
                }
            }
        }
    }
    return 0;
}

static int churn_all(ambit_cx *cx, void *arg)
{
    uint32_t seed = *(uint32_t *)arg;
    for (int round = 0; round < ROUNDS / 20 + 1; round++) {
        int rc = 0;
        ambit_actor_ref refs[3];
        struct ambit_child children[] = {
            {.server = &churn_type, .ret_ref = &refs[0]},
            {.server = &churn_type, .ret_ref = &refs[1]},
            {.task = idle_child, .restart = AMBIT_TRANSIENT},
        };
        ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
            WANT_EQ(ambit_supervise(cx, s, children, 3,
                                    .intensity = 100000), 0);
            WANT_EQ(churn_start(cx, s, NULL, 0, &refs[2]), 0);
            int clients_rc = 0;
            ambit_scope (cx, clients, &clients_rc,
                         .deadline = ambit_after(ambit_s(30))) {
                for (int i = 0; i < 6; i++) {
                    struct churner c = {refs, next_random(&seed)};
                    WANT_EQ(ambit_spawn(clients, churn_client, &c), 0);
                }
            }
            WANT_EQ(clients_rc, 0);
            ambit_cancel(s, "round over");
        }
    }
    return 0;
}

/* Goal: calls, casts, permits, late replies, panics, stops, kills, deadlines
 * and restarts together neither hang nor give a wrong reply. */
Test(actor_race, all_that_actors_do_at_once)
{
    for (uint32_t seed = 1; seed <= 4; seed++) {
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
            uint32_t s = seed * 100 + workers;
            WANT_EQ(spec_run(churn_all, &s, .workers = workers), 0);
        }
    }
    spec_end("SRV_CALL_1");
}

/* --- threads that are no workers ------------------------------------------ */

struct strangers {
    struct count round, idle, sent, stop; /* round: odd when refs are good */
    ambit_actor_ref ref;
};

/* True when a message was committed: from then on it is the actor's. */
static bool strange_send(ambit_actor_ref ref, size_t size, bool commit)
{
    struct ambit_permit permit;
    if (ambit_try_reserve(ref, size, &permit) < 0) {
        return false;
    }
    memset(permit.message, 1, size);
    sched_yield();
    if (commit) {
        (void)ambit_commit(&permit); /* disposed of, when it comes late */
    } else {
        ambit_abort(&permit);
    }
    return commit;
}

static bool strange_act(ambit_actor_ref ref, uint32_t what)
{
    uint32_t depth;
    switch (what % 8) {
    case 0:
        return strange_send(ref, 100, what % 16 != 0);
    case 1:
        (void)ambit_actor_depth(ref, &depth);
        return false;
    case 2:
        if (what % 64 == 2) {
            (void)ambit_actor_stop(ref);
        }
        return false;
    case 3:
        if (what % 128 == 3) {
            (void)ambit_actor_kill(ref, "by a stranger");
        }
        return false;
    default:
        return strange_send(ref, sizeof what, true);
    }
}

static void *strange_thread(void *arg)
{
    struct strangers *s = arg;
    uint32_t seed = (uint32_t)(uintptr_t)&seed;
    int64_t seen = 0;
    while (count_get(&s->stop) == 0) {
        int64_t round = count_get(&s->round);
        if (round == seen) {
            sched_yield();
            continue;
        }
        seen = round;
        ambit_actor_ref ref = s->ref;
        for (int i = 0; i < 100; i++) {
            count_add(&s->sent, strange_act(ref, next_random(&seed)));
        }
        count_up(&s->idle);
    }
    return NULL;
}

static int meet_strangers(ambit_cx *cx, void *arg)
{
    (void)arg;
    enum { THREADS = 3 };
    struct strangers s = {0};
    pthread_t threads[THREADS];
    struct count handled = {0}, ending = {0}, go_on = {1};
    struct slow slow = {&handled, &ending, &go_on};
    count_set(&slow_disposed, 0);
    for (int i = 0; i < THREADS; i++) {
        WANT_EQ(pthread_create(&threads[i], NULL, strange_thread, &s), 0);
    }
    for (int round = 1; round <= ROUNDS; round++) {
        int rc = 0;
        ambit_scope (cx, home, &rc, .policy = AMBIT_ISOLATE) {
            WANT_EQ(ambit_actor_start(cx, home, &slow_type, &slow, sizeof slow,
                                      &s.ref), 0);
            count_set(&s.round, round);
            for (int i = round % 5; i > 0; i--) {
                (void)ambit_yield(cx);
            }
            if (round % 3 == 0) {
                ambit_cancel(home, "this round is over");
            } else {
                (void)ambit_actor_stop(s.ref);
            }
        }
        WANT(until(cx, &s.idle, (int64_t)round * THREADS));
    }
    count_set(&s.stop, 1);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    WANT_EQ(count_get(&handled) + count_get(&slow_disposed),
            count_get(&s.sent));
    return 0;
}

/* Goal: threads that are no workers may use a ref in every moment of the
 * actor's life and after it; each message is handled or disposed once. */
Test(actor_race, strangers_use_a_ref_to_the_end_and_beyond)
{
    spec_on(1, meet_strangers);
    spec_on(2, meet_strangers);
    spec_on(4, meet_strangers);
    spec_end("MBX_ONCE_1");
}
