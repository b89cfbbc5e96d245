/* SPDX-License-Identifier: MIT */
/*
 * fds_test.c -- the n-th descriptor of a runtime is refused, for every n.
 */
#include "tests/spec/common.h"

#include <sys/resource.h>

static int nothing(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_yield(cx);
}

/* The result of a whole life with room for n more descriptors. */
static int live_with(rlim_t n)
{
    struct rlimit before, limit;
    int next = dup(0);
    WANT(next >= 0);
    close(next);
    WANT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)next + n;
    WANT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int rc = ambit_run(nothing, NULL, .workers = 2, .log = spec_log_line);
    WANT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    return rc;
}

/* Goal: a runtime that lacks a descriptor says so, and leaves none behind.
 * Method: room for none, for one more each time, until it is enough. */
Spec(RT_LEAK_1, each_descriptor_may_be_refused)
{
    int fds = test_open_fds();
    int threads = test_threads();
    rlim_t n = 0;
    int rc = -EMFILE;
    for (; n < 100 && rc != 0; n++) {
        rc = live_with(n);
        WANT(rc == 0 || rc == -EMFILE);
        WANT(test_fds_back_to(fds));
        WANT(test_threads_back_to(threads));
    }
    WANT_EQ(rc, 0);
    WANT(n > 3);
    spec_end("RT_LEAK_1");
}
