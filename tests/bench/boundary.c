/* SPDX-License-Identifier: MIT */
/*
 * boundary.c -- a thread that runs no tasks asks a task, and blocks until the
 * answer: half of all calls took no longer than W18_boundary_p50, 99 of 100 no
 * longer than W18_boundary_p99.
 */
#include "tests/bench/bench.h"

#include <pthread.h>

struct asker {
    ambit_boundary *boundary;
    uint64_t calls;
    double *ret_us; /* of each */
    int rc;
};

static int call_all(struct asker *asker)
{
    for (uint64_t i = 0; i < asker->calls; i++) {
        uint64_t answer = 0;
        uint64_t begin = bench_now_ns();
        int n = ambit_boundary_call(asker->boundary, &i, sizeof i,
                                    ambit_never(), &answer, sizeof answer);
        asker->ret_us[i] = (double)(bench_now_ns() - begin) / 1e3;
        if (n < 0) {
            return n;
        }
        BENCH_NEED(n == sizeof answer && answer == i);
    }
    return 0;
}

/* The last client end: with it the server ends. */
static void *ask(void *arg)
{
    struct asker *asker = arg;
    asker->rc = call_all(asker);
    ambit_boundary_unref(asker->boundary);
    return NULL;
}

static int answer_all(ambit_cx *cx, void *arg)
{
    ambit_boundary *boundary = *(ambit_boundary **)arg;
    struct ambit_boundary_request request;
    int rc = 0;
    while (rc == 0) {
        rc = ambit_boundary_receive(cx, boundary, &request);
        if (rc == 0) {
            rc = ambit_boundary_respond(&request, request.data, request.size);
        }
    }
    return rc == -EPIPE ? 0 : rc;
}

static int serve(ambit_cx *cx, void *arg)
{
    int rc = 0;
    ambit_scope (cx, serving, &rc) {
        rc = ambit_boundary_serve(serving, *(ambit_boundary **)arg);
        if (rc == 0) {
            rc = ambit_spawn(serving, answer_all, (ambit_boundary **)arg);
        }
    }
    return rc;
}

static int ask_once(struct asker *asker)
{
    pthread_t thread;
    int rc = ambit_boundary_create(&asker->boundary, .capacity = 64);
    if (rc < 0) {
        return rc;
    }
    rc = pthread_create(&thread, NULL, ask, asker);
    if (rc > 0) {
        ambit_boundary_unref(asker->boundary);
        return -rc;
    }
    rc = bench_run(serve, &asker->boundary);
    pthread_join(thread, NULL);
    return rc < 0 ? rc : asker->rc;
}

static int ask_again(struct asker *asker)
{
    struct bench_row *p50 = bench_row("W18_boundary_p50", "us", false);
    struct bench_row *p99 = bench_row("W18_boundary_p99", "us", false);
    double cpu = bench_cpu_s();
    for (unsigned rep = 0; rep < bench.reps; rep++) {
        int rc = ask_once(asker);
        if (rc < 0) {
            return rc;
        }
        qsort(asker->ret_us, asker->calls, sizeof(double), bench_compare);
        bench_add(p50, asker->ret_us[asker->calls / 2]);
        bench_add(p99, asker->ret_us[asker->calls * 99 / 100]);
    }
    p50->cpu_s = p99->cpu_s = bench_cpu_s() - cpu;
    bench_print(p50);
    bench_print(p99);
    return 0;
}

int bench_boundary(void)
{
    struct asker asker = {.calls = bench_count(20000)};
    asker.ret_us = calloc(asker.calls, sizeof(double));
    if (asker.ret_us == NULL) {
        return -ENOMEM;
    }
    int rc = ask_again(&asker);
    free(asker.ret_us);
    return rc;
}
