/* SPDX-License-Identifier: MIT */
/*
 * sentinel.c -- keeping a reply for ever.
 */
#include "sentinel.h"

struct sentinel {
    uint64_t watchers;
};

struct watch {
    uint64_t unused;
};

static int sentinel_handle_call(ambit_cx *cx, struct sentinel *sentinel,
                                const struct watch *call,
                                struct watch *ret_reply)
{
    (void)call;
    (void)ret_reply;
    ambit_reply_later(cx); /* an obligation that ends with the server */
    sentinel->watchers++;
    return AMBIT_NO_REPLY;
}

AMBIT_SERVER(sentinel, struct sentinel, struct watch, struct watch,
             .handle_call = sentinel_handle_call);

const struct ambit_server_type *const sentinel_server = &sentinel_type;

int sentinel_wait(ambit_cx *cx, ambit_actor_ref sentinel)
{
    struct watch reply;
    return sentinel_call(cx, sentinel, &reply, (struct watch){0});
}
