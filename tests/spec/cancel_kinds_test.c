/* SPDX-License-Identifier: MIT */
/*
 * cancel_kinds_test.c -- CAN-3: every way to wait has its way out.
 *
 * Walks the closed list of spec/cancel.md.  A world is set up in which each
 * call would wait for ever; a task makes the call in a scope of its own, and
 * the scope is cancelled before the call, while it waits, and from another
 * worker.  The kinds that cannot be interrupted have tests of their own:
 * scope close (REG-CLOSE-4) and socket close (IO-CLOSE-1).
 */
#include "tests/spec/common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* --- a world in which nothing ends ---------------------------------------- */

struct stuck {
    int unused;
};

static int stuck_handle_call(ambit_cx *cx, struct stuck *state,
                             const struct stuck *call,
                             struct stuck *ret_reply)
{
    (void)state;
    (void)call;
    (void)ret_reply;
    return ambit_sleep_until(cx, ambit_never());
}

static int stuck_handle_init(ambit_cx *cx, struct stuck *state, const void *arg)
{
    (void)state;
    return arg == NULL ? 0 : ambit_sleep_until(cx, ambit_never());
}

AMBIT_SERVER(stuck, struct stuck, struct stuck, struct stuck,
             .limits = {.mailbox_max = 2}, .init = stuck_handle_init,
             .handle_call = stuck_handle_call);

/* Room for all the calls that their callers give up. */
AMBIT_SERVER(patient, struct stuck, struct stuck, struct stuck,
             .handle_call = stuck_handle_call);

struct world {
    ambit_region *region; /* of all that is stuck */
    ambit_task running;
    ambit_tcp *listener, *here, *there;
    int full_sockets[8]; /* a listener whose queue is full, and who filled it */
    char full_address[64];
    ambit_actor_ref server, full_server;
    struct count begun, let_go;
};

static int world_job(void *arg)
{
    struct world *w = arg;
    count_up(&w->begun);
    WANT(spin_until(&w->let_go, 1));
    return 0;
}

static int keep_pool_busy(ambit_cx *cx, void *arg)
{
    (void)cx;
    return world_job(*(struct world **)arg);
}

/* A port whose queue of connections is full: the next connect waits. */
static void fill_a_listener(struct world *w)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof to;
    for (size_t i = 0; i < ARRAY_LEN(w->full_sockets); i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        w->full_sockets[i] = fd;
        if (i > 0) {
            (void)connect(fd, (struct sockaddr *)&to, len);
            continue;
        }
        WANT_EQ(bind(fd, (struct sockaddr *)&to, len), 0);
        WANT_EQ(listen(fd, 0), 0);
        WANT_EQ(getsockname(fd, (struct sockaddr *)&to, &len), 0);
        snprintf(w->full_address, sizeof w->full_address, "127.0.0.1:%d",
                 ntohs(to.sin_port));
    }
}

static int call_for_ever(ambit_cx *cx, void *arg)
{
    struct stuck reply;
    return stuck_call_now(cx, *(ambit_actor_ref *)arg, &reply,
                          (struct stuck){0});
}

static void world_open(ambit_cx *cx, struct world *w, ambit_region *region)
{
    static struct count never, cancelled;
    struct waiter idle = {&never, &cancelled};
    char address[64];
    w->region = region;
    WANT_EQ(ambit_spawn_with(region, wait_for_ever, &idle,
                             .ret_task = &w->running), 0);
    WANT_EQ(ambit_spawn_with(region, keep_pool_busy, &w,
                             .tier = AMBIT_BLOCKING), 0);
    WANT(until(cx, &w->begun, 1));
    WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &w->listener), 0);
    WANT_EQ(ambit_tcp_local(w->listener, address, sizeof address), 0);
    WANT_EQ(ambit_tcp_connect(cx, address, &w->here), 0);
    WANT_EQ(ambit_tcp_accept(cx, w->listener, &w->there), 0);
    fill_a_listener(w);
    WANT_EQ(patient_start(cx, region, NULL, 0, &w->server), 0);
    WANT_EQ(stuck_start(cx, region, NULL, 0, &w->full_server), 0);
    for (int i = 0; i < 3; i++) { /* one being handled, two in the mailbox */
        WANT_EQ(ambit_spawn(region, call_for_ever, &w->full_server), 0);
        let_others_run(cx);
    }
    uint32_t taken = 0;
    ambit_time end = ambit_after(ambit_s(SPEC_PATIENCE_S));
    while (taken < 2 && ambit_now().ns < end.ns) {
        WANT_EQ(ambit_yield(cx), 0);
        WANT_EQ(ambit_actor_depth(w->full_server, &taken), 0);
    }
    WANT_EQ(taken, 2);
}

static void world_close(ambit_cx *cx, struct world *w)
{
    count_up(&w->let_go);
    WANT_EQ(ambit_tcp_close(cx, w->here), 0);
    WANT_EQ(ambit_tcp_close(cx, w->there), 0);
    WANT_EQ(ambit_tcp_close(cx, w->listener), 0);
    for (size_t i = 0; i < ARRAY_LEN(w->full_sockets); i++) {
        close(w->full_sockets[i]);
    }
    ambit_cancel(w->region, "the walk is over");
}

/* --- the kinds ------------------------------------------------------------ */

static int by_yield(ambit_cx *cx, struct world *w)
{
    (void)w;
    int rc = 0;
    while (rc == 0) {
        rc = ambit_yield(cx);
    }
    return rc;
}

static int by_sleep(ambit_cx *cx, struct world *w)
{
    (void)w;
    return ambit_sleep(cx, ambit_s(100));
}

static int by_sleep_for_ever(ambit_cx *cx, struct world *w)
{
    (void)w;
    return ambit_sleep_until(cx, ambit_never());
}

static int by_join(ambit_cx *cx, struct world *w)
{
    int result;
    return ambit_join(cx, w->running, &result);
}

static int by_accept(ambit_cx *cx, struct world *w)
{
    ambit_tcp *socket;
    return ambit_tcp_accept(cx, w->listener, &socket);
}

static int by_connect(ambit_cx *cx, struct world *w)
{
    ambit_tcp *socket;
    return ambit_tcp_connect(cx, w->full_address, &socket);
}

static int by_read(ambit_cx *cx, struct world *w)
{
    char buffer[16];
    return (int)ambit_tcp_read(cx, w->here, buffer, sizeof buffer);
}

static int by_write(ambit_cx *cx, struct world *w)
{
    static const char much[8 << 20];
    return ambit_tcp_write_all(cx, w->there, much, sizeof much, NULL);
}

static int by_blocking(ambit_cx *cx, struct world *w)
{
    return ambit_blocking(cx, world_job, w);
}

static int by_reserve(ambit_cx *cx, struct world *w)
{
    struct ambit_permit permit;
    return ambit_reserve(cx, w->full_server, 16, &permit);
}

static int by_send(ambit_cx *cx, struct world *w)
{
    return ambit_send(cx, w->full_server, "x", 1);
}

static int by_call(ambit_cx *cx, struct world *w)
{
    struct stuck reply;
    return patient_call_now(cx, w->server, &reply, (struct stuck){0});
}

static int by_call_full(ambit_cx *cx, struct world *w)
{
    struct stuck reply, call = {0};
    return ambit_call(cx, w->full_server, &call, sizeof call, &reply,
                      sizeof reply);
}

static int by_start(ambit_cx *cx, struct world *w)
{
    ambit_actor_ref ref;
    int wait = 1;
    return stuck_start(cx, w->region, &wait, sizeof wait, &ref);
}

static int by_supervise(ambit_cx *cx, struct world *w)
{
    ambit_actor_ref good, bad;
    int wait = 1;
    const struct ambit_child children[] = {
        {.name = "good", .server = &stuck_type, .ret_ref = &good},
        {.name = "bad", .server = &stuck_type, .ret_ref = &bad, .arg = &wait,
         .arg_size = sizeof wait},
    };
    return ambit_supervise(cx, w->region, children, ARRAY_LEN(children));
}

static const struct {
    const char *name;
    int (*wait)(ambit_cx *cx, struct world *w);
} kinds[] = {
    {"yield", by_yield},
    {"sleep", by_sleep},
    {"sleep for ever", by_sleep_for_ever},
    {"join", by_join},
    {"accept", by_accept},
    {"connect", by_connect},
    {"read", by_read},
    {"write", by_write},
    {"blocking", by_blocking},
    {"reserve", by_reserve},
    {"send", by_send},
    {"call", by_call},
    {"call on a full mailbox", by_call_full},
    {"start", by_start},
    {"supervise", by_supervise},
};

/* --- the walk ------------------------------------------------------------- */

struct probe {
    struct world *world;
    size_t kind;
    ambit_region *own; /* set: cancel it before the call */
    struct count *started, *answered;
};

static int probe_run(ambit_cx *cx, void *arg)
{
    struct probe *p = arg;
    count_up(p->started);
    if (p->own != NULL) {
        ambit_cancel(p->own, "before the call");
    }
    int rc = kinds[p->kind].wait(cx, p->world);
    if (rc != -ECANCELED) {
        fprintf(stderr, "%s answered %d\n", kinds[p->kind].name, rc);
    }
    WANT_EQ(rc, -ECANCELED);
    WANT_EQ(ambit_checkpoint(cx), -ECANCELED);
    count_up(p->answered);
    return rc;
}

enum moment { BEFORE, PARKED, ELSEWHERE };

static void probe_kind(ambit_cx *cx, struct world *w, size_t kind,
                       enum moment when, int round)
{
    struct count started = {0}, answered = {0};
    int rc = 0;
    ambit_scope (cx, probed, &rc) {
        struct probe p = {w, kind, when == BEFORE ? probed : NULL, &started,
                          &answered};
        if (when == ELSEWHERE) {
            spawn_elsewhere(probed, probe_run, &p, &started);
            for (int i = 0; i < round * 100; i++) {
                cpu_relax();
            }
        } else {
            WANT_EQ(ambit_spawn_with(probed, probe_run, &p,
                                     .tier = AMBIT_FIBER), 0);
            WANT(until(cx, &started, 1));
            for (int i = 0; i < round && when == PARKED; i++) {
                WANT_EQ(ambit_sleep(cx, ambit_us(20)), 0);
            }
        }
        ambit_cancel(probed, "enough");
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&answered), 1);
}

static int walk(ambit_cx *cx, void *arg)
{
    const bool alone = arg != NULL;
    const int rounds = SPEC_SLOWER > 1 ? 10 : 40;
    struct world world = {0};
    int rc = 0;
    ambit_scope (cx, stuck_region, &rc, .policy = AMBIT_ISOLATE) {
        world_open(cx, &world, stuck_region);
        for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
            for (int round = 0; round < rounds; round++) {
                probe_kind(cx, &world, kind, BEFORE, round);
                probe_kind(cx, &world, kind, PARKED, round);
                if (!alone) {
                    probe_kind(cx, &world, kind, ELSEWHERE, round);
                }
            }
        }
        world_close(cx, &world);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: no way to wait is out of a cancel's reach.
 * Method: all kinds, cancelled before, while parked and from another worker,
 * at 40 different moments each. */
Spec(CAN_3, a_cancel_reaches_every_kind_of_wait)
{
    WANT_EQ(spec_run(walk, "alone", .workers = 1, .blocking_threads_max = 1), 0);
    WANT_EQ(spec_run(walk, NULL, .workers = 2, .blocking_threads_max = 1), 0);
    spec_end("CAN_3");
}
