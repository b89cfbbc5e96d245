/* SPDX-License-Identifier: MIT */
/*
 * boundary.c -- a thread of yours asks, a task answers.
 *
 * The thread knows nothing of Ambit: it calls, and sleeps until the answer is
 * there.  When it is done, it gives its end back, and the server's loop ends.
 */
#include <ambit.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

static int square(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = *(ambit_boundary **)arg;
    struct ambit_boundary_request request;
    int rc;
    while ((rc = ambit_boundary_receive(cx, b, &request)) == 0) {
        int n = *(const int *)request.data;
        long answer = (long)n * n;
        (void)ambit_boundary_respond(&request, &answer, sizeof answer);
    }
    return rc;
}

static int serve(ambit_cx *cx, void *arg)
{
    ambit_boundary *b = arg;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        rc = ambit_boundary_serve(s, b);
        if (rc == 0) {
            rc = ambit_spawn(s, square, &b);
        }
    }
    return rc;
}

static void *ask(void *arg)
{
    ambit_boundary *b = arg;
    long sum = 0, answer;
    for (int n = 1; n <= 100; n++) {
        if (ambit_boundary_call(b, &n, sizeof n, ambit_after(ambit_s(10)),
                                &answer, sizeof answer) < 0) {
            break;
        }
        sum += answer;
    }
    printf("sum of squares: %ld\n", sum);
    ambit_boundary_close(b); /* the server has no more to do */
    return NULL;
}

int main(void)
{
    ambit_boundary *b;
    pthread_t thread;
    int n = 1;
    long answer;
    if (ambit_boundary_create(&b, .capacity = 16) < 0 ||
        pthread_create(&thread, NULL, ask, b) != 0) {
        return 1;
    }
    int rc = ambit_run(serve, b);
    pthread_join(thread, NULL);
    int late = ambit_boundary_call(b, &n, sizeof n, ambit_never(), &answer,
                                   sizeof answer);
    printf("after the run: %s\n", ambit_strerror(late));
    ambit_boundary_unref(b);
    return rc == -EPIPE ? 0 : 1;
}
