/* SPDX-License-Identifier: MIT */
/*
 * pair.h -- two ends of a TCP connection, and the listener they met at.
 */
#ifndef AMBIT_TESTS_SPEC_PAIR_H
#define AMBIT_TESTS_SPEC_PAIR_H

#include "tests/spec/common.h"

struct pair {
    ambit_tcp *listener, *here, *there;
    char address[64];
};

static inline void pair_open(ambit_cx *cx, struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &pair->listener), 0);
    WANT_EQ(ambit_tcp_local(pair->listener, pair->address,
                            sizeof pair->address), 0);
    WANT_EQ(ambit_tcp_connect(cx, pair->address, &pair->here), 0);
    WANT_EQ(ambit_tcp_accept(cx, pair->listener, &pair->there), 0);
}

/* What is still open; nobody uses it any more. */
static inline void pair_close(struct pair *pair)
{
    ambit_tcp_discard(pair->here);
    ambit_tcp_discard(pair->there);
    ambit_tcp_discard(pair->listener);
}

#endif
