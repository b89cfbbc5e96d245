/* SPDX-License-Identifier: MIT */
/*
 * sums_server_test.c -- each call and cast has one fate, also when its reply is
 * kept for later, and when the server crashes, at every capacity from 1.
 *
 *     answered                    handled once
 *     -EOWNERDEAD                 handled, and its reply kept; or disposed of
 *     -EPIPE, of a call           disposed of
 *     -EAGAIN, -ESTALE            never there
 */
#include "tests/stress/sums.h"

enum {
    FIBERS = 4,
    MACHINES = 4,
    ASKERS = FIBERS + MACHINES,
    EACH = 60 / SPEC_SLOWER + 10,
    TOTAL = ASKERS * EACH,
    KEPT = 3,
};

enum fate { NEVER_THERE, ANSWERED, OWNERDEAD, PIPE, CAST, CAST_PIPE, DROPPED };

/* dispose has no argument of its own */
static struct desk {
    struct count handled[TOTAL], disposed[TOTAL];
    enum fate fates[TOTAL]; /* each by its asker */
    struct count offered, inits, dropped;
    struct ambit_server_type type; /* who knows it, disposes of what is left */
    bool crashes, supervised;
} desk;

static bool is_crash(int64_t value)
{
    return desk.crashes && value % 41 == 5;
}

/* --- the server -------------------------------------------------------------- */

struct clerk {
    struct errand {
        ambit_reply reply;
        int64_t value;
    } kept[KEPT];
    int n;
};

static void answer(const struct errand *errand)
{
    int64_t reply = -errand->value;
    int rc = ambit_reply_send(errand->reply, 0, &reply, sizeof reply);
    WANT(rc == 0 || rc == -ESTALE); /* given up by its caller */
}

/* The last one first. */
static void answer_kept(struct clerk *clerk)
{
    while (clerk->n > 0) {
        answer(&clerk->kept[--clerk->n]);
    }
}

static int answers_later(ambit_cx *cx, void *arg)
{
    (void)ambit_yield(cx);
    answer(arg);
    return 0;
}

static int clerk_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx, (void)arg;
    memset(state, 0, sizeof(struct clerk));
    count_up(&desk.inits);
    return 0;
}

static int keep(ambit_cx *cx, struct clerk *clerk, int64_t value)
{
    clerk->kept[clerk->n++] = (struct errand){ambit_reply_later(cx), value};
    if (clerk->n == KEPT) {
        answer_kept(clerk);
    }
    return AMBIT_NO_REPLY;
}

static int delegate(ambit_cx *cx, int64_t value)
{
    struct errand errand = {ambit_reply_later(cx), value};
    WANT_EQ(ambit_spawn(ambit_cx_region(cx), answers_later, &errand), 0);
    return AMBIT_NO_REPLY;
}

static int clerk_call(ambit_cx *cx, void *state, const void *call,
                      void *ret_reply)
{
    int64_t value = *(const int64_t *)call;
    if (is_crash(value)) {
        ambit_panic(cx, "as it was asked to");
    }
    count_up(&desk.handled[value]);
    *(int64_t *)ret_reply = -value;
    switch (value % 6) {
    case 1:
        return keep(cx, state, value);
    case 2:
        return delegate(cx, value);
    case 3:
        return -EIO;
    case 4:
        return ambit_yield(cx);
    default:
        return 0;
    }
}

static int clerk_cast(ambit_cx *cx, void *state, const void *cast)
{
    (void)cx, (void)state;
    count_up(&desk.handled[*(const int64_t *)cast]);
    return AMBIT_CONTINUE;
}

/* Nobody is kept waiting when there is nothing else to do. */
static int clerk_idle(ambit_cx *cx, void *state)
{
    (void)cx;
    answer_kept(state);
    return AMBIT_CONTINUE;
}

/* A stop may come before he is idle; what he keeps at a crash is lost to him. */
static void clerk_terminate(ambit_cx *cx, void *state, int reason)
{
    (void)cx;
    if (reason == 0) {
        answer_kept(state);
    }
}

static void clerk_dispose(void *call)
{
    count_up(&desk.disposed[*(int64_t *)call]);
}

static struct ambit_server_type type_for(const struct ambit_server_limits *l)
{
    return (struct ambit_server_type){
        .size_ = sizeof(struct ambit_server_type), .name = "clerk",
        .state_size = sizeof(struct clerk), .call_size = sizeof(int64_t),
        .reply_size = sizeof(int64_t), .limits = l, .init = clerk_init,
        .handle_call = clerk_call, .handle_cast = clerk_cast,
        .handle_idle = clerk_idle, .terminate = clerk_terminate,
        .dispose = clerk_dispose};
}

/* --- who asks ------------------------------------------------------------------- */

static void offer(int64_t value, enum fate fate)
{
    desk.fates[value] = fate;
    count_up(&desk.offered);
}

static enum fate fate_of_call(int rc, int64_t value, int64_t reply)
{
    switch (rc) {
    case 0:
        WANT_EQ(reply, -value);
        return ANSWERED;
    case -EIO:
        WANT_EQ(value % 6, 3);
        return ANSWERED;
    case -EOWNERDEAD: /* it, or who was to answer it, was in his hands */
        WANT(is_crash(value) || value % 6 == 1 || value % 6 == 2);
        return OWNERDEAD;
    case -EPIPE:
        return PIPE;
    default:
        WANT(rc == -EAGAIN || (rc == -ESTALE && !desk.supervised));
        return NEVER_THERE;
    }
}

static enum fate fate_of_cast(int rc)
{
    WANT(rc == 0 || rc == -EAGAIN || rc == -EPIPE || rc == -ESTALE);
    return rc == 0 ? CAST : rc == -EPIPE ? CAST_PIPE : NEVER_THERE;
}

static enum fate ask_some_way(ambit_cx *cx, ambit_actor_ref to, int64_t value)
{
    int64_t reply = 0;
    int rc;
    switch (value / 6 % 4) { /* as each kind of answer is a rest of 6 */
    case 0:
        rc = ambit_call_as_(cx, &desk.type, to, &value, sizeof value, &reply,
                            sizeof reply, false);
        return fate_of_call(rc, value, reply);
    case 1:
        return fate_of_cast(value % 2 == 0
                                ? ambit_cast(cx, to, &value, sizeof value)
                                : ambit_cast_now(to, &value, sizeof value));
    default:
        rc = ambit_call_as_(cx, &desk.type, to, &value, sizeof value, &reply,
                            sizeof reply, true);
        return fate_of_call(rc, value, reply);
    }
}

struct asker {
    struct ambit_await wait;
    ambit_actor_ref to;
    int64_t value, end, reply;
};

static int asks_as_fiber(ambit_cx *cx, void *arg)
{
    struct asker *s = arg;
    for (; s->value < s->end; s->value++) {
        offer(s->value, ask_some_way(cx, s->to, s->value));
    }
    return 0;
}

static int await_call(ambit_cx *cx, struct asker *s)
{
    return ambit_await_call_as_(cx, &s->wait, &desk.type, s->to, &s->value,
                                sizeof s->value, &s->reply, sizeof s->reply);
}

/* A call that is given up on the way: its reply comes for nobody. */
static int call_or_drop(ambit_cx *cx, struct asker *s, bool *ret_dropped)
{
    int rc = await_call(cx, s);
    *ret_dropped = false;
    if (rc == AMBIT_PENDING && s->value % 13 == 0 && !is_crash(s->value)) {
        rc = ambit_await_drop(&s->wait);
        WANT(rc == 0 || rc == -EBUSY);
        *ret_dropped = rc == 0;
        if (rc == -EBUSY) {
            rc = await_call(cx, s);
        }
    }
    return rc;
}

static int asks_as_machine(ambit_cx *cx, void *state)
{
    struct asker *s = state;
    for (; s->value < s->end; s->value++) {
        bool dropped;
        int rc = call_or_drop(cx, s, &dropped);
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        count_add(&desk.dropped, dropped);
        offer(s->value, dropped ? DROPPED
                                : fate_of_call(rc, s->value, s->reply));
    }
    return 0;
}

/* --- what became of them ----------------------------------------------------------- */

static void look_at(int64_t handled, int64_t disposed, enum fate fate)
{
    switch (fate) {
    case NEVER_THERE:
        WANT_EQ(handled + disposed, 0);
        break;
    case ANSWERED:
        WANT_EQ(handled, 1);
        WANT_EQ(disposed, 0);
        break;
    case OWNERDEAD:
    case CAST:
        WANT_EQ(handled + disposed, 1);
        break;
    case PIPE:
        WANT_EQ(handled, 0);
        WANT_EQ(disposed, 1);
        break;
    case CAST_PIPE:
        WANT_EQ(handled, 0);
        WANT(disposed <= 1);
        break;
    case DROPPED:
        WANT(handled + disposed <= 1);
    }
}

static void look_at_all(ambit_cx *cx)
{
    struct ambit_runtime_stats stats;
    int64_t n[DROPPED + 1] = {0}, for_nobody = 0;
    for (int i = 0; i < TOTAL; i++) {
        n[desk.fates[i]]++;
        for_nobody += desk.fates[i] == DROPPED && count_get(&desk.handled[i]);
        look_at(count_get(&desk.handled[i]), count_get(&desk.disposed[i]),
                desk.fates[i]);
    }
    ambit_runtime_stats(ambit_cx_runtime(cx), &stats);
    WANT_EQ(count_get(&desk.offered), TOTAL);
    WANT_EQ(count_get(&desk.dropped), n[DROPPED]);
    /* A reply may come to one who was told of the crash, too. */
    WANT((int64_t)stats.late_replies <= for_nobody + n[OWNERDEAD]);
    WANT_EQ(desk.crashes ? for_nobody : (int64_t)stats.late_replies,
            for_nobody);
    WANT(n[ANSWERED] > 0 || (desk.crashes && !desk.supervised));
    WANT(desk.crashes == (n[OWNERDEAD] > 0));
    /* Whoever is started again is who he was. */
    WANT((desk.crashes && !desk.supervised) || n[PIPE] + n[CAST_PIPE] == 0);
}

static void ask_all(ambit_cx *cx, ambit_actor_ref to)
{
    int rc = 0;
    ambit_scope (cx, askers, &rc) {
        for (int i = 0; i < ASKERS; i++) {
            struct asker asker = {.to = to, .value = i * EACH,
                                  .end = (i + 1) * EACH};
            WANT_EQ(i < FIBERS
                        ? ambit_spawn(askers, asks_as_fiber, &asker)
                        : ambit_spawn_poll(askers, asks_as_machine, &asker),
                    0);
        }
    }
    WANT_EQ(rc, 0);
}

/* Without a supervisor the first crash is the end. */
static int through_a_server(ambit_cx *cx, uint32_t capacity, bool crashes,
                            bool supervised)
{
    const struct ambit_server_limits limits = {.mailbox_max = capacity};
    int rc = 0;
    memset(&desk, 0, sizeof desk);
    desk.type = type_for(&limits);
    desk.crashes = crashes;
    desk.supervised = supervised;
    ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
        ambit_actor_ref to;
        struct ambit_child child = {.name = "clerk", .server = &desk.type,
                                    .restart = AMBIT_TRANSIENT,
                                    .ret_ref = &to};
        WANT_EQ(supervised
                    ? ambit_supervise(cx, s, &child, 1, .intensity = TOTAL)
                    : ambit_server_start(cx, s, &desk.type, NULL, 0, &to), 0);
        ask_all(cx, to);
        int stopped = ambit_actor_stop(to);
        WANT(stopped == 0 || (crashes && !supervised));
        if (supervised) {
            ambit_cancel(s, "the supervisor waits for children");
        }
    }
    WANT(crashes && supervised ? count_get(&desk.inits) > 1
                               : count_get(&desk.inits) == 1);
    look_at_all(cx);
    return 0;
}

static int kept_for_later(ambit_cx *cx, void *arg)
{
    return through_a_server(cx, *(uint32_t *)arg, false, false);
}

static int crashes_once(ambit_cx *cx, void *arg)
{
    return through_a_server(cx, *(uint32_t *)arg, true, false);
}

static int crashes_and_is_restarted(ambit_cx *cx, void *arg)
{
    return through_a_server(cx, *(uint32_t *)arg, true, true);
}

/* Goal: no call is lost, whenever it is answered.
 * Method: fibers and machines that call, cast, and give up; a server that answers,
 * fails, keeps replies and delegates them; the fate of each, at each capacity, on
 * one worker and two. */
Spec(AWAIT_CALL_1, each_call_has_one_fate_whenever_it_is_answered)
{
    sums_at_every_capacity(kept_for_later);
    spec_end("AWAIT_CALL_1");
}

/* Goal, method: the same of a server that crashes, with replies in its hands. */
Spec(SRV_CALL_3, each_call_has_one_fate_when_the_server_crashes)
{
    sums_at_every_capacity(crashes_once);
    spec_end("SRV_CALL_3");
}

/* Goal, method: the same of one that is started again each time. */
Spec(SUP_REF_1, each_call_has_one_fate_over_many_crashes)
{
    sums_at_every_capacity(crashes_and_is_restarted);
    spec_end("SUP_REF_1");
}
