/* SPDX-License-Identifier: MIT */
/*
 * server_life_test.c -- init, terminate, idle, and replies that come late:
 * SRV-INIT, SRV-TERM, SRV-IDLE, SRV-CALL-4 of spec/server.md.
 */
#include "tests/spec/common.h"

/* --- a server that keeps a diary ------------------------------------------ */

struct diary {
    struct count inits, terminated, reason, idle, disposed;
    struct count calls, since_idle, most_since_idle;
    int init_result;
    bool init_panics;
};

struct writer {
    struct diary *diary;
};

static int writer_handle_init(ambit_cx *cx, struct writer *state,
                              const void *arg)
{
    WANT(state->diary == NULL); /* the state begins zeroed */
    state->diary = *(struct diary *const *)arg;
    WANT_EQ(ambit_sleep(cx, ambit_us(200)), 0);
    count_up(&state->diary->inits);
    if (state->diary->init_panics) {
        ambit_panic(cx, "in init");
    }
    return state->diary->init_result;
}

/* A call says how to go on: 0, AMBIT_STOP, or a panic when it is negative. */
static int writer_handle_call(ambit_cx *cx, struct writer *state,
                              const int64_t *call, int64_t *ret_reply)
{
    struct diary *diary = state->diary;
    int64_t since = count_up(&diary->since_idle) + 1;
    if (since > count_get(&diary->most_since_idle)) {
        count_set(&diary->most_since_idle, since);
    }
    count_up(&diary->calls);
    *ret_reply = *call;
    if (*call < 0) {
        ambit_panic(cx, "call %d", (int)*call);
    }
    return (int)*call;
}

static int writer_handle_cast(ambit_cx *cx, struct writer *state,
                              const int64_t *cast)
{
    (void)cx;
    (void)state;
    return (int)*cast;
}

static int writer_handle_idle(ambit_cx *cx, struct writer *state)
{
    (void)cx;
    count_up(&state->diary->idle);
    count_set(&state->diary->since_idle, 0);
    return 0;
}

static void writer_handle_terminate(ambit_cx *cx, struct writer *state,
                                    int reason)
{
    WANT_EQ(ambit_sleep(cx, ambit_us(50)), 0);
    count_set(&state->diary->reason, reason);
    count_up(&state->diary->terminated);
}

AMBIT_SERVER(writer, struct writer, int64_t, int64_t,
             .limits = {.mailbox_max = 64, .batch_max = 8},
             .init = writer_handle_init, .handle_call = writer_handle_call,
             .handle_cast = writer_handle_cast,
             .handle_idle = writer_handle_idle,
             .terminate = writer_handle_terminate);

static int writer_open(ambit_cx *cx, ambit_region *region,
                       struct diary *diary, ambit_actor_ref *ret_ref)
{
    return writer_start(cx, region, &diary, sizeof diary, ret_ref);
}

/* --- SRV-INIT-1 ----------------------------------------------------------- */

static int start_good_and_bad(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < 20; i++) {
            struct diary good = {0}, bad = {.init_result = -EACCES};
            struct diary worse = {.init_panics = true};
            ambit_actor_ref ref = {0}, none = {0};
            WANT_EQ(writer_open(cx, all, &good, &ref), 0);
            WANT_EQ(count_get(&good.inits), 1);
            WANT_EQ(writer_open(cx, all, &bad, &none), -EACCES);
            WANT_EQ(writer_open(cx, all, &worse, &none), -EOWNERDEAD);
            WANT(none.slot == NULL);
            WANT_EQ(count_get(&bad.terminated), 0);
            WANT_EQ(count_get(&worse.terminated), 0);
            WANT_EQ(ambit_actor_stop(ref), 0);
            WANT(until(cx, &good.terminated, 1));
        }
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a start tells how init went, and a failed one leaves nothing.
 * Method: inits that succeed, fail and panic; the census at the end. */
Spec(SRV_INIT_1, a_start_returns_after_init_with_its_result)
{
    spec_on_1_and_2_workers(start_good_and_bad);
    spec_end("SRV_INIT_1");
}

/* --- SRV-TERM-1 ----------------------------------------------------------- */

enum way_out { STOPPED, STOPS, FAILS, PANICS, KILLED, CANCELLED, WAYS };

static void end_one_way(ambit_cx *cx, enum way_out how)
{
    static const int reasons[WAYS] = {0, 0, -EIO, -EOWNERDEAD, -EOWNERDEAD,
                                      -ECANCELED};
    struct diary diary = {0};
    ambit_actor_ref ref = {0};
    int64_t reply;
    int rc = 0;
    ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE) {
        WANT_EQ(writer_open(cx, all, &diary, &ref), 0);
        WANT_EQ(writer_call(cx, ref, &reply, 0), 0);
        switch (how) {
        case STOPPED:
            WANT_EQ(ambit_actor_stop(ref), 0);
            break;
        case STOPS:
            WANT_EQ(writer_call(cx, ref, &reply, AMBIT_STOP), 0);
            break;
        case FAILS:
            WANT_EQ(writer_cast(cx, ref, -EIO), 0);
            break;
        case PANICS:
            WANT_EQ(writer_call(cx, ref, &reply, -1), -EOWNERDEAD);
            break;
        case KILLED:
            WANT_EQ(ambit_actor_kill(ref, "killed"), 0);
            break;
        default:
            ambit_cancel(all, "cancelled");
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&diary.inits), 1);
    WANT_EQ(count_get(&diary.terminated), 1);
    WANT_EQ(count_get(&diary.reason), reasons[how]);
}

static int end_all_ways(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        for (enum way_out how = STOPPED; how < WAYS; how++) {
            end_one_way(cx, how);
        }
    }
    return 0;
}

/* Goal: what init acquired is released on every way out, once.
 * Method: six ways out; the count and the reason. */
Spec(SRV_TERM_1, terminate_runs_once_on_every_way_out)
{
    spec_on_1_and_2_workers(end_all_ways);
    spec_end("SRV_TERM_1");
}

/* --- SRV-IDLE-1 ----------------------------------------------------------- */

struct client {
    ambit_actor_ref to;
    int calls;
};

static int call_on_and_on(ambit_cx *cx, void *arg)
{
    struct client *c = arg;
    int64_t reply;
    for (int i = 0; i < c->calls; i++) {
        WANT_EQ(writer_call(cx, c->to, &reply, 0), 0);
    }
    return 0;
}

static int flush_in_batches(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct diary diary = {0};
    ambit_actor_ref ref = {0};
    int64_t reply;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(writer_open(cx, all, &diary, &ref), 0);
        WANT_EQ(count_get(&diary.idle), 0);
        WANT_EQ(writer_call(cx, ref, &reply, 0), 0);
        WANT(until(cx, &diary.idle, 1));
        ambit_scope (cx, callers, &rc) {
            struct client c = {ref, 1000 / SPEC_SLOWER};
            for (int i = 0; i < 32; i++) {
                WANT_EQ(ambit_spawn(callers, call_on_and_on, &c), 0);
            }
        }
        WANT_EQ(ambit_actor_stop(ref), 0);
    }
    WANT_EQ(rc, 0);
    WANT(count_get(&diary.most_since_idle) <= 8);
    WANT(count_get(&diary.idle) >= count_get(&diary.calls) / 8);
    return 0;
}

/* Goal: a batch is flushed when there is a pause, and without one as well.
 * Method: 32 callers keep the mailbox full; the most calls between two idles. */
Spec(SRV_IDLE_1, idle_comes_in_a_pause_and_after_each_batch)
{
    spec_on_1_and_2_workers(flush_in_batches);
    spec_end("SRV_IDLE_1");
}

/* --- SRV-CALL-4 ----------------------------------------------------------- */

/* Answers numbered calls after a while; one that says so keeps its replies. */
struct late {
    struct count *handled;
};

static int late_handle_init(ambit_cx *cx, struct late *state, const void *arg)
{
    (void)cx;
    state->handled = *(struct count *const *)arg;
    return 0;
}

static int late_handle_call(ambit_cx *cx, struct late *state,
                            const int64_t *call, int64_t *ret_reply)
{
    for (int64_t i = 0; i < *call % 5; i++) {
        (void)ambit_yield(cx);
    }
    for (int64_t i = 0; i < *call * 13 % 500; i++) {
        cpu_relax();
    }
    count_up(state->handled);
    *ret_reply = *call;
    return 0;
}

AMBIT_SERVER(late, struct late, int64_t, int64_t, .init = late_handle_init,
             .handle_call = late_handle_call);

struct race {
    ambit_region *region;
    int spins, yields;
};

static int cancel_soon(ambit_cx *cx, void *arg)
{
    struct race *r = arg;
    for (int i = 0; i < r->yields; i++) {
        (void)ambit_yield(cx);
    }
    for (int i = 0; i < r->spins; i++) {
        cpu_relax();
    }
    ambit_cancel(r->region, "no patience");
    return 0;
}

static int reply_against_cancel(ambit_cx *cx, void *arg)
{
    int64_t *answered = *(int64_t **)arg;
    enum { ROUNDS = 5000 / SPEC_SLOWER };
    struct count handled = {0}, *phandled = &handled;
    ambit_actor_ref ref;
    int64_t made = 0;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(late_start(cx, all, &phandled, sizeof phandled, &ref), 0);
        for (int64_t i = 0; i < ROUNDS; i++) {
            int64_t reply = -1;
            int result = 0;
            ambit_scope (cx, hurried, &rc) {
                struct race r = {hurried, (int)(i * 7 % 700), (int)(i % 6)};
                WANT_EQ(ambit_spawn(hurried, cancel_soon, &r), 0);
                result = late_call(cx, ref, &reply, i);
            }
            WANT(result == 0 || result == -ECANCELED);
            WANT_EQ(reply, result == 0 ? i : -1);
            *answered += result == 0;
            /* the next call gets its own reply, not the late one */
            WANT_EQ(late_call(cx, ref, &reply, i + 1000000), 0);
            WANT_EQ(reply, i + 1000000);
            made += 2;
        }
        WANT_EQ(ambit_actor_stop(ref), 0);
    }
    WANT_EQ(rc, 0);
    WANT(count_get(&handled) <= made);
    *answered += made / 2;
    WANT(count_get(&handled) >= *answered);
    *answered = count_get(&handled) - *answered; /* answered too late */
    return 0;
}

/* Goal: a reply comes in time or to nobody, and is counted.
 * Method: calls against their cancel; each is followed by one whose reply must
 * be its own; handled = answered + late. */
Spec(SRV_CALL_4, a_late_reply_is_counted_and_delivered_to_nobody)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        ambit_runtime *runtime;
        struct ambit_runtime_stats stats;
        int64_t late = 0, *plate = &late;
        const struct ambit_runtime_options options = {
            .size_ = sizeof options, .workers = workers, .log = spec_log_line};
        WANT_EQ(ambit_runtime_create(&runtime, &options), 0);
        WANT_EQ(ambit_runtime_run(runtime, reply_against_cancel, &plate), 0);
        ambit_runtime_stats(runtime, &stats);
        WANT_EQ(stats.late_replies, late);
        spec_ledger(runtime);
        ambit_runtime_destroy(runtime);
    }
    spec_end("SRV_CALL_4");
}
