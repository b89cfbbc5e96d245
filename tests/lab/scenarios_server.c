/* SPDX-License-Identifier: MIT */
/*
 * scenarios_server.c -- calls, casts, replies kept and late; supervisors.
 */
#include "tests/lab/scenario.h"

enum order { ADD, GET, KEEP, SLOW, CRASH, STOP, SELF };

struct desk_call {
    enum order order;
    int n;
};

struct desk_reply {
    int sum;
};

struct desk {
    int sum;
    bool kept;
    ambit_reply reply;
};

static int desk_handle_call(ambit_cx *cx, struct desk *desk,
                            const struct desk_call *call,
                            struct desk_reply *ret_reply);

static int desk_handle_cast(ambit_cx *cx, struct desk *desk,
                            const struct desk_call *cast)
{
    (void)cx;
    desk->sum += cast->n;
    return AMBIT_CONTINUE;
}

static int desk_handle_idle(ambit_cx *cx, struct desk *desk)
{
    int rc = desk->kept ? ambit_yield(cx) : 0;
    if (desk->kept) {
        struct desk_reply reply = {desk->sum};
        desk->kept = false;
        int sent = ambit_reply_send(desk->reply, 0, &reply, sizeof reply);
        always(sent == 0 || sent == -ESTALE);
    }
    (void)rc;
    return AMBIT_CONTINUE;
}

AMBIT_SERVER(desk, struct desk, struct desk_call, struct desk_reply,
             .handle_call = desk_handle_call, .handle_cast = desk_handle_cast,
             .handle_idle = desk_handle_idle, .limits = {.mailbox_max = 4});

static int desk_handle_call(ambit_cx *cx, struct desk *desk,
                            const struct desk_call *call,
                            struct desk_reply *ret_reply)
{
    desk->sum += call->n;
    ret_reply->sum = desk->sum;
    switch (call->order) {
    case KEEP:
        if (desk->kept) {
            return -EBUSY;
        }
        desk->reply = ambit_reply_later(cx);
        desk->kept = true;
        return AMBIT_NO_REPLY;
    case SLOW:
        (void)ambit_sleep(cx, ambit_ms(2));
        return 0;
    case CRASH:
        (void)ambit_yield(cx);
        ambit_panic(cx, "a bad call");
    case STOP:
        return AMBIT_STOP;
    case SELF:
        return ambit_call(cx, ambit_self(cx), call, sizeof *call, ret_reply,
                          sizeof *ret_reply);
    default:
        return 0;
    }
}

static int open_desk(ambit_cx *cx, ambit_region *region,
                     ambit_actor_ref *ret_desk)
{
    int rc = desk_start(cx, region, NULL, 0, ret_desk);
    want(rc == 0);
    return rc;
}

static int ask(ambit_cx *cx, ambit_actor_ref desk, enum order order, int n,
               int *ret_sum)
{
    struct desk_reply reply = {-1};
    int rc = desk_call(cx, desk, &reply, (struct desk_call){order, n});
    if (ret_sum != NULL) {
        *ret_sum = reply.sum;
    }
    always(rc == 0 || reply.sum == -1);
    return rc;
}

static int adds(ambit_cx *cx, void *arg)
{
    ambit_actor_ref desk = *(ambit_actor_ref *)arg;
    int rc = 0;
    for (int i = 0; i < 2 && rc == 0; i++) {
        rc = ask(cx, desk, ADD, 1, NULL);
        if (rc == 0) {
            rc = desk_cast(cx, desk, (struct desk_call){ADD, 10});
        }
    }
    want(rc == 0);
    return rc;
}

static int server_calls(ambit_cx *cx, void *arg)
{
    ambit_actor_ref desk;
    int rc = 0, inner_rc = 0, sum = -1;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (open_desk(cx, s, &desk) < 0) {
            break;
        }
        ambit_scope (cx, clients, &inner_rc) {
            ambit_spawn(clients, adds, &desk);
            ambit_spawn(clients, adds, &desk);
        }
        want(ask(cx, desk, GET, 0, &sum) == 0);
        int stopped = ask(cx, desk, STOP, 0, NULL);
        want(stopped == 0);
        int gone = ask(cx, desk, GET, 0, NULL);
        want(gone == -EPIPE || gone == -ESTALE);
        if (stopped < 0) {
            ambit_cancel(s, "it would not stop");
        }
    }
    want(rc == 0 && sum == 44);
    return rc;
}

static int keeps_waiting(ambit_cx *cx, void *arg)
{
    ambit_actor_ref desk = *(ambit_actor_ref *)arg;
    int rc = ask(cx, desk, KEEP, 1, NULL);
    want(rc == 0 || rc == -EBUSY || rc == -EOWNERDEAD || rc == -EPIPE ||
         rc == -ESTALE);
    return disturbed ? 0 : rc == -EBUSY ? 0 : rc;
}

static int server_kept_reply(ambit_cx *cx, void *arg)
{
    ambit_actor_ref desk;
    int rc = 0, inner_rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (open_desk(cx, s, &desk) < 0) {
            break;
        }
        ambit_scope (cx, clients, &inner_rc) {
            ambit_spawn(clients, keeps_waiting, &desk);
            ambit_spawn(clients, keeps_waiting, &desk);
        }
        ambit_cancel(s, "served");
    }
    want(rc == 0 && inner_rc == 0);
    return rc;
}

/* The caller leaves by its deadline; the server lives on. */
static int server_late_reply(ambit_cx *cx, void *arg)
{
    ambit_actor_ref desk;
    int rc = 0, inner_rc = 0, late = 0, sum = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (open_desk(cx, s, &desk) < 0) {
            break;
        }
        ambit_scope (cx, hurry, &inner_rc,
                     .deadline = ambit_after(ambit_ms(1))) {
            late = ask(cx, desk, SLOW, 1, NULL);
        }
        want(is_called_off(late));
        want(ask(cx, desk, GET, 0, &sum) == 0 && sum <= 1);
        ambit_cancel(s, "served");
    }
    want(rc == 0 && inner_rc == -ETIMEDOUT);
    ambit_observe(sum);
    return rc;
}

static int server_crash(ambit_cx *cx, void *arg)
{
    ambit_actor_ref desk;
    int rc = 0, crashed = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        if (open_desk(cx, s, &desk) < 0) {
            break;
        }
        ambit_spawn(s, keeps_waiting, &desk);
        crashed = ask(cx, desk, CRASH, 1, NULL);
        want(crashed == -EOWNERDEAD);
        if (crashed != -EOWNERDEAD) {
            ambit_cancel(s, "it would not crash");
        }
        int gone = ask(cx, desk, GET, 0, NULL);
        want(gone == -EPIPE || gone == -ESTALE || gone == -EOWNERDEAD);
    }
    want(rc == -EOWNERDEAD || rc == -EPIPE || rc == -ESTALE);
    return disturbed ? rc : 0;
}

static int server_self_call(ambit_cx *cx, void *arg)
{
    ambit_actor_ref desk;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (open_desk(cx, s, &desk) < 0) {
            break;
        }
        want(ask(cx, desk, SELF, 0, NULL) == -EDEADLK);
        ambit_cancel(s, "served");
    }
    want(rc == 0);
    return rc;
}

/* --- supervisors ----------------------------------------------------------- */

static struct tally starts;

static int short_life(ambit_cx *cx, void *arg)
{
    tally_up(&starts);
    int rc = ambit_yield(cx);
    return rc < 0 ? rc : **(int **)arg;
}

static int supervise_types(ambit_cx *cx, void *arg)
{
    static const int normal = 0, bad = -EIO;
    const int *fine = &normal, *broken = &bad;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
        const struct ambit_child children[] = {
            {.name = "transient", .task = short_life, .arg = &fine,
             .arg_size = sizeof fine, .restart = AMBIT_TRANSIENT},
            {.name = "temporary", .task = short_life, .arg = &broken,
             .arg_size = sizeof broken, .restart = AMBIT_TEMPORARY},
        };
        (void)ambit_supervise(cx, s, children, 2, .intensity = 1);
        (void)ambit_sleep(cx, ambit_ms(1));
        ambit_cancel(s, "seen enough");
    }
    want(rc == 0);
    return rc;
}

static int supervise_gives_up(ambit_cx *cx, void *arg)
{
    static const int bad = -EIO;
    const int *broken = &bad;
    int64_t before = tally_get(&starts);
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        const struct ambit_child children[] = {
            {.name = "broken", .task = short_life, .arg = &broken,
             .arg_size = sizeof broken, .restart = AMBIT_PERMANENT},
        };
        if (ambit_supervise(cx, s, children, 1, .intensity = 3) < 0) {
            break;
        }
        always(is_called_off(ambit_sleep_until(cx, ambit_never())));
    }
    want(rc == -EOWNERDEAD && tally_get(&starts) - before == 4);
    return disturbed ? rc : 0;
}

/* The same ref reaches the server after its crash. */
static int supervise_server(ambit_cx *cx, void *arg)
{
    ambit_actor_ref desk = {0};
    int rc = 0, sum = -1;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        const struct ambit_child children[] = {
            {.name = "desk", .server = &desk_type, .ret_ref = &desk}};
        if (ambit_supervise(cx, s, children, 1, .intensity = 3) < 0) {
            break;
        }
        want(ask(cx, desk, ADD, 5, &sum) == 0 && sum == 5);
        want(ask(cx, desk, CRASH, 0, NULL) == -EOWNERDEAD);
        want(ask(cx, desk, ADD, 2, &sum) == 0 && sum == 2);
        ambit_cancel(s, "served");
    }
    want(rc == 0);
    return rc;
}

static int supervise_against_cancel(ambit_cx *cx, void *arg)
{
    static const int bad = -EIO;
    const int *broken = &bad;
    ambit_actor_ref desk = {0};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .deadline = ambit_after(ambit_us(60))) {
        const struct ambit_child children[] = {
            {.name = "desk", .server = &desk_type, .ret_ref = &desk},
            {.name = "broken", .task = short_life, .arg = &broken,
             .arg_size = sizeof broken, .restart = AMBIT_PERMANENT},
        };
        (void)ambit_supervise(cx, s, children, 2, .intensity = 100);
        (void)ask(cx, desk, CRASH, 0, NULL);
        (void)ask(cx, desk, GET, 0, NULL);
    }
    want(rc == -ETIMEDOUT || rc == -EOWNERDEAD);
    ambit_observe(rc);
    return disturbed ? rc : 0;
}

SCENARIOS(server, {"server_calls", server_calls, 2, CORE},
          {"server_kept_reply", server_kept_reply, 2, 0},
          {"server_late_reply", server_late_reply, 2, TIMED},
          {"server_crash", server_crash, 2, 0},
          {"server_self_call", server_self_call, 1, 0},
          {"supervise_types", supervise_types, 2, TIMED},
          {"supervise_gives_up", supervise_gives_up, 2, 0},
          {"supervise_server", supervise_server, 2, CORE},
          {"supervise_against_cancel", supervise_against_cancel, 2, TIMED});
