/* SPDX-License-Identifier: MIT */
/*
 * doubles.h -- a boundary whose tasks double what they are asked.
 */
#ifndef AMBIT_TESTS_SPEC_DOUBLES_H
#define AMBIT_TESTS_SPEC_DOUBLES_H

#include "tests/spec/common.h"

static ambit_boundary *make(uint32_t capacity)
{
    ambit_boundary *b = NULL;
    WANT_EQ(ambit_boundary_create(&b, .capacity = capacity, .request_max = 16,
                                  .reply_max = 16),
            0);
    return b;
}

static struct ambit_boundary_stats stats_of(ambit_boundary *b)
{
    struct ambit_boundary_stats stats;
    ambit_boundary_stats(b, &stats);
    return stats;
}

__attribute__((unused)) static struct ambit_boundary_ticket
ask(ambit_boundary *b, int value, ambit_time deadline)
{
    struct ambit_boundary_ticket ticket = {0};
    WANT_EQ(ambit_boundary_try_call(b, &value, sizeof value, deadline, &ticket),
            0);
    return ticket;
}

/* Doubles what it is asked, until nobody asks. */
static int serve_doubles(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = *(ambit_boundary **)arg;
    struct ambit_boundary_request request;
    int rc;
    while ((rc = ambit_boundary_receive(cx, b, &request)) == 0) {
        int64_t value = 0;
        memcpy(&value, request.data, sizeof(int));
        value *= 2;
        WANT_EQ(ambit_boundary_respond(&request, &value, sizeof value), 0);
    }
    return rc == -EPIPE ? 0 : rc;
}

__attribute__((unused)) static int
serve_with(ambit_cx *cx, ambit_boundary *b, int tasks)
{
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        WANT_EQ(ambit_boundary_serve(s, b), 0);
        for (int i = 0; i < tasks; i++) {
            WANT_EQ(ambit_spawn(s, serve_doubles, &b), 0);
        }
    }
    return rc;
}

#endif
