/* SPDX-License-Identifier: MIT */
/*
 * uv.c -- libuv: callbacks instead of tasks, so only I/O, timers, the thread
 * pool and the wake across threads.
 *
 *   uv W9s|W9a|W10|W13|W15 [PORT or number of cpus]
 */
#include "bench.h"

#include <uv.h>

static char peer[32];
static uv_loop_t *loop;

/* --- W10: echo ------------------------------------------------------------ */

/* One loop, one read at a time: a shared buffer is safe when written at once.
 */
static char shared[65536];

struct late_write {
    uv_write_t request;
    char data[4096];
};

static void on_alloc(uv_handle_t *h, size_t n, uv_buf_t *buf)
{
    (void)h;
    (void)n;
    *buf = uv_buf_init(shared, sizeof shared);
}

static void on_close(uv_handle_t *h)
{
    free(h);
}

static void on_write(uv_write_t *request, int status)
{
    (void)status;
    free(request);
}

/* The fast way first; a queued write for what did not fit. */
static void put(uv_stream_t *stream, const char *data, size_t len)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data, (unsigned)len);
    int done = uv_try_write(stream, &buf, 1);
    if (done == (int)len) {
        return;
    }
    done = done < 0 ? 0 : done;
    struct late_write *late = malloc(sizeof *late);
    memcpy(late->data, data + done, len - (size_t)done);
    buf = uv_buf_init(late->data, (unsigned)(len - (size_t)done));
    uv_write(&late->request, stream, &buf, 1, on_write);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    if (len < 0) {
        uv_close((uv_handle_t *)stream, on_close);
    } else if (len > 0) {
        put(stream, buf->base, (size_t)len);
    }
}

static void on_connection(uv_stream_t *server, int status)
{
    if (status < 0) {
        return;
    }
    uv_tcp_t *client = malloc(sizeof *client);
    uv_tcp_init(loop, client);
    if (uv_accept(server, (uv_stream_t *)client) < 0) {
        uv_close((uv_handle_t *)client, on_close);
        return;
    }
    uv_tcp_nodelay(client, 1);
    uv_read_start((uv_stream_t *)client, on_alloc, on_read);
}

static int serve(int port)
{
    uv_tcp_t server;
    struct sockaddr_in a;
    uv_tcp_init(loop, &server);
    uv_ip4_addr("127.0.0.1", port, &a);
    if (uv_tcp_bind(&server, (void *)&a, 0) < 0 ||
        uv_listen((uv_stream_t *)&server, 4096, on_connection) < 0) {
        return 1;
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}

/* --- W9: timers ----------------------------------------------------------- */

enum {
    SLEEPERS = 1000000,
};

static uint64_t *due;
static int64_t *late;
static uv_timer_t *timers;

static void on_due(uv_timer_t *timer)
{
    late[timer - timers] = (int64_t)(now_ns() - due[timer - timers]);
}

static void on_nothing(uv_timer_t *timer)
{
    (void)timer;
}

static void sleepers(void)
{
    double cpu[REPS_MAX], p99[REPS_MAX];
    uint64_t seed = 88172645463325252u;
    timers = calloc(SLEEPERS, sizeof *timers);
    due = malloc(SLEEPERS * sizeof *due);
    late = malloc(SLEEPERS * sizeof *late);
    for (int i = 0; i < SLEEPERS; i++) {
        uv_timer_init(loop, &timers[i]);
    }
    for (int r = 0; r < reps(); r++) {
        double before = cpu_s();
        for (int i = 0; i < SLEEPERS; i++) {
            uint64_t ms = rng_next(&seed) % 1000;
            if (i % 1024 == 0) {
                uv_update_time(loop);
            }
            due[i] = now_ns() + ms * 1000000;
            uv_timer_start(&timers[i], on_due, ms, 0);
        }
        uv_run(loop, UV_RUN_DEFAULT);
        cpu[r] = cpu_s() - before;
        qsort(late, SLEEPERS, sizeof *late, compare_int64);
        p99[r] = (double)late[SLEEPERS / 100 * 99] / 1e6;
    }
    report("W9_sleep_cpu.1c", peer, cpu, reps(), "cpu_s", 0);
    report("W9_sleep_late_p99.1c", peer, p99, reps(), "ms", 0);
}

static void arm_cancel(void)
{
    enum { N = 5000000 };
    uv_timer_t t;
    uv_timer_init(loop, &t);
    BENCH_NS(
        "W9_arm_cancel.1c", peer, "ns/op", N, for (int i = 0; i < N; i++) {
            uv_timer_start(&t, on_nothing, 1000 + (uint64_t)(i & 1023), 0);
            uv_timer_stop(&t);
        });
}

/* --- W13: the thread pool, four threads ----------------------------------- */

static int left;

static void work(uv_work_t *w)
{
    (void)w;
}

static void after_work(uv_work_t *w, int status)
{
    (void)w;
    (void)status;
    left--;
}

static void blocking(int cpus)
{
    enum { BATCH = 1000 };
    static uv_work_t works[BATCH];
    char name[32];
    snprintf(name, sizeof name, "W13_blocking.%dc", cpus);
    BENCH_NS(name, peer, "ns/op", BATCH, {
        left = BATCH;
        for (int i = 0; i < BATCH; i++) {
            uv_queue_work(loop, &works[i], work, after_work);
        }
        while (left > 0) {
            uv_run(loop, UV_RUN_ONCE);
        }
    });
}

/* --- W15: two loops wake each other --------------------------------------- */

static uv_loop_t loops[2];
static uv_async_t calls[2];
static int hops;

static void on_async(uv_async_t *call)
{
    int me = call == &calls[1];
    if (me == 0 && --hops == 0) {
        uv_stop(&loops[0]);
        uv_stop(&loops[1]);
    }
    uv_async_send(&calls[!me]);
}

static void run_other(void *arg)
{
    (void)arg;
    uv_run(&loops[1], UV_RUN_DEFAULT);
}

static void wake(void)
{
    enum { HOPS = 20000 };
    double v[REPS_MAX];
    for (int r = 0; r < reps(); r++) {
        uv_thread_t other;
        for (int i = 0; i < 2; i++) {
            uv_loop_init(&loops[i]);
            uv_async_init(&loops[i], &calls[i], on_async);
        }
        hops = HOPS;
        uv_thread_create(&other, run_other, NULL);
        uint64_t begin = now_ns();
        uv_async_send(&calls[1]);
        uv_run(&loops[0], UV_RUN_DEFAULT);
        v[r] = (double)(now_ns() - begin) / HOPS;
        uv_async_send(&calls[1]);
        uv_thread_join(&other);
    }
    report("W15_wake_rtt.2c", peer, v, reps(), "ns/rtt", 0);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int number = argc > 2 ? atoi(argv[2]) : 1;
    snprintf(peer, sizeof peer, "libuv-%d.%d", UV_VERSION_MAJOR,
             UV_VERSION_MINOR);
    loop = uv_default_loop();
    if (strcmp(what, "W10") == 0) {
        return serve(number);
    } else if (strcmp(what, "W9s") == 0) {
        sleepers();
    } else if (strcmp(what, "W9a") == 0) {
        arm_cancel();
    } else if (strcmp(what, "W13") == 0) {
        blocking(number);
    } else if (strcmp(what, "W15") == 0) {
        wake();
    } else {
        return 2;
    }
    return 0;
}
