/* SPDX-License-Identifier: MIT */
/* counter.c -- a supervised gen-server: it crashes, and the ref still answers. */
#include <ambit.h>
#include <stdio.h>

enum { COUNTER_ADD, COUNTER_CRASH };

struct counter {
    int total;
};

struct counter_call {
    int what;
    int by;
};

struct counter_reply {
    int total;
};

static int counter_init(ambit_cx *cx, struct counter *state, const void *arg)
{
    (void)cx;
    state->total = *(const int *)arg;
    printf("counter starts at %d\n", state->total);
    return 0;
}

static int counter_handle_call(ambit_cx *cx, struct counter *state,
                               const struct counter_call *call,
                               struct counter_reply *ret_reply)
{
    if (call->what == COUNTER_CRASH) {
        ambit_panic(cx, "asked to crash at %d", state->total);
    }
    state->total += call->by;
    ret_reply->total = state->total;
    return 0;
}

AMBIT_SERVER(counter, struct counter, struct counter_call,
             struct counter_reply, .init = counter_init,
             .handle_call = counter_handle_call);

static void add(ambit_cx *cx, ambit_actor_ref counter, int by)
{
    struct counter_reply reply;
    int rc = counter_call(cx, counter, &reply,
                          (struct counter_call){COUNTER_ADD, by});
    if (rc < 0) {
        printf("add %d: %s\n", by, ambit_strerror(rc));
    } else {
        printf("add %d: %d\n", by, reply.total);
    }
}

int ambit_main(ambit_cx *cx, int argc, char **argv)
{
    ambit_actor_ref counter;
    int start = 1;
    int rc = 0;
    (void)argc;
    (void)argv;
    ambit_scope (cx, service, &rc) {
        struct ambit_child children[] = {
            {.name = "counter",
             .server = &counter_type,
             .arg = &start,
             .arg_size = sizeof start,
             .ret_ref = &counter},
        };
        rc = ambit_supervise(cx, service, children, 1, .intensity = 3);
        if (rc < 0) {
            break;
        }
        add(cx, counter, 41);
        struct counter_reply reply;
        int crashed = counter_call(cx, counter, &reply,
                                   (struct counter_call){COUNTER_CRASH, 0});
        printf("crash: %s\n", ambit_strerror(crashed));
        add(cx, counter, 1); /* the same ref, the next incarnation */
        ambit_cancel(service, "done");
    }
    return rc;
}
