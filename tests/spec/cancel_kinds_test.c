/* SPDX-License-Identifier: MIT */
/*
 * cancel_kinds_test.c -- CAN-3: every way to wait has its way out.
 *
 * Walks the closed list of spec/cancel.md.  A world is set up in which each
 * call would wait for ever; a task makes the call in a scope of its own, and
 * the scope is cancelled before the call, while it waits, and from another
 * worker.  The kinds that cannot be interrupted have tests of their own:
 * scope close (REG-CLOSE-4), socket close (IO-CLOSE-1) and the end of a ring
 * (RING-END-1).
 *
 * Each entry says which kinds of src/park.h it waits in, and the walk fails
 * when one is left over.
 */
#include "tests/spec/stuck_sync.h"

#include "src/park.h"

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
    ambit_token *token;
    ambit_ring *silent_ring, *full_ring;
    int gate[2]; /* a pipe: what reads from it goes on at the end */
    struct count begun, crashes;
};

static int world_job(void *arg)
{
    struct world *w = arg;
    char none;
    count_up(&w->begun);
    WANT_EQ(read(w->gate[0], &none, 1), 0);
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
    stuck_sync_open();
    WANT_EQ(ambit_ring_open(region, &w->silent_ring, .name = "silent"), 0);
    WANT_EQ(ambit_ring_open(region, &w->full_ring, .capacity = 1), 0);
    WANT_EQ(pipe(w->gate), 0);
    WANT_EQ(ambit_spawn_with(region, wait_for_ever, &idle,
                             .ret_task = &w->running), 0);
    WANT_EQ(ambit_spawn_with(region, keep_pool_busy, &w,
                             .tier = AMBIT_BLOCKING), 0);
    WANT(until(cx, &w->begun, 1));
    WANT_EQ(ambit_token_create(NULL, &w->token), 0);
    WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &w->listener), 0);
    WANT_EQ(ambit_tcp_local(w->listener, address, sizeof address), 0);
    WANT_EQ(ambit_tcp_connect(cx, address, &w->here), 0);
    WANT_EQ(ambit_tcp_accept(cx, w->listener, &w->there), 0);
    fill_a_listener(w);
    int none = 0;
    WANT_EQ(ambit_spawn(region, begin_for_ever, &none), 0);
    let_others_run(cx);
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
    close(w->gate[1]);
    WANT_EQ(ambit_tcp_close(cx, w->here), 0);
    WANT_EQ(ambit_tcp_close(cx, w->there), 0);
    WANT_EQ(ambit_tcp_close(cx, w->listener), 0);
    for (size_t i = 0; i < ARRAY_LEN(w->full_sockets); i++) {
        close(w->full_sockets[i]);
    }
    WANT_EQ(ambit_token_waiters(w->token), 0);
    ambit_token_unref(w->token);
    stuck_sync_close();
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

static int sleep_branch(ambit_cx *cx, void *arg, void *ret)
{
    (void)arg;
    (void)ret;
    return ambit_sleep_until(cx, ambit_never());
}

static int by_race(ambit_cx *cx, struct world *w)
{
    struct ambit_branch branch = {.fn = sleep_branch};
    (void)w;
    return ambit_race2(cx, branch, branch, NULL);
}

static int by_token(ambit_cx *cx, struct world *w)
{
    return ambit_token_wait(cx, w->token);
}

static int by_ring(ambit_cx *cx, struct world *w)
{
    struct ambit_ring_message message;
    return ambit_ring_next(cx, w->silent_ring, &message);
}

static int by_ring_room(ambit_cx *cx, struct world *w)
{
    (void)ambit_ring_try_send(w->full_ring, 0, 1, 1);
    return ambit_ring_send(cx, w->full_ring, 0, 1, 2);
}

static int idle_child(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_sleep_until(cx, ambit_never());
}

static int crash_once(ambit_cx *cx, void *arg)
{
    struct world *w = *(struct world **)arg;
    return count_up(&w->crashes) == 0 ? -EIO : idle_child(cx, NULL);
}

static void cancel_at_restart(void *region,
                              const struct ambit_supervisor_event *event)
{
    WANT(!event->gave_up);
    ambit_cancel(region, "told of a restart");
}

/* The wait of the supervisor itself, whose task is one of our region: were it
 * out of reach, the region would never close. */
static int by_child(ambit_cx *cx, struct world *w)
{
    (void)w;
    const struct ambit_child child = {.task = idle_child};
    int rc = ambit_supervise(cx, ambit_cx_region(cx), &child, 1);
    return rc < 0 ? rc : ambit_sleep_until(cx, ambit_never());
}

/* The same, cancelled by the supervisor's own task just before it waits. */
static int by_child_told(ambit_cx *cx, struct world *w)
{
    const struct ambit_child child = {.task = crash_once, .arg = &w,
                                      .arg_size = sizeof w};
    ambit_region *own = ambit_cx_region(cx);
    count_set(&w->crashes, 0);
    int rc = ambit_supervise(cx, own, &child, 1, .observe = cancel_at_restart,
                             .observe_user = own);
    return rc < 0 ? rc : ambit_sleep_until(cx, ambit_never());
}

#define KIND(kind) (UINT64_C(1) << (kind))

static const struct {
    const char *name;
    int (*wait)(ambit_cx *cx, struct world *w);
    uint64_t covers;
} kinds[] = {
    {"yield", by_yield, KIND(PARK_NONE)},
    {"sleep", by_sleep, KIND(PARK_SLEEP)},
    {"sleep for ever", by_sleep_for_ever, KIND(PARK_SLEEP)},
    {"join", by_join, KIND(PARK_JOIN)},
    {"accept", by_accept, KIND(PARK_OP)},
    {"connect", by_connect, KIND(PARK_OP)},
    {"read", by_read, KIND(PARK_OP)},
    {"write", by_write, KIND(PARK_OP)},
    {"blocking", by_blocking, KIND(PARK_BLOCKING)},
    {"reserve", by_reserve, KIND(PARK_RESERVE)},
    {"send", by_send, KIND(PARK_RESERVE)},
    {"call", by_call, KIND(PARK_REPLY)},
    {"call on a full mailbox", by_call_full, KIND(PARK_RESERVE)},
    {"start", by_start, KIND(PARK_START)},
    {"supervise", by_supervise, KIND(PARK_START)},
    {"child", by_child, KIND(PARK_CHILD)},
    {"branch", by_race, KIND(PARK_BRANCH)},
    {"token", by_token, KIND(PARK_TOKEN)},
    {"semaphore", by_semaphore, KIND(PARK_SEMAPHORE)},
    {"mutex", by_mutex, KIND(PARK_MUTEX)},
    {"mutex on record", by_hold, KIND(PARK_MUTEX)},
    {"rwlock to read", by_read_lock, KIND(PARK_READ)},
    {"rwlock to write", by_write_lock, KIND(PARK_WRITE)},
    {"notify", by_notify, KIND(PARK_NOTIFY)},
    {"barrier", by_barrier, KIND(PARK_BARRIER)},
    {"once", by_once, KIND(PARK_ONCE)},
    {"channel send", by_channel_send, KIND(PARK_SEND)},
    {"channel reserve", by_channel_reserve, KIND(PARK_SEND)},
    {"channel receive", by_channel_receive, KIND(PARK_RECEIVE)},
    {"oneshot", by_oneshot, KIND(PARK_ONESHOT)},
    {"watch", by_watch, KIND(PARK_WATCH)},
    {"broadcast receive", by_broadcast, KIND(PARK_RECEIVE)},
    {"unbounded receive", by_unbounded, KIND(PARK_RECEIVE)},
    {"ring message", by_ring, KIND(PARK_RING)},
    {"room in a ring", by_ring_room, KIND(PARK_RING_ROOM)},
    {"child that ended", by_child_told, KIND(PARK_CHILD)},
};

/* Those that are no wait, or not interruptible. */
#define KINDS_APART \
    (KIND(PARK_NONE) | KIND(PARK_CLOSE) | KIND(PARK_SHUT) | \
     KIND(PARK_RING_END))

static void want_all_kinds(void)
{
    uint64_t covered = KINDS_APART;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        covered |= kinds[i].covers;
    }
    for (int kind = 0; kind < PARK_KINDS; kind++) {
        if ((covered & KIND(kind)) == 0) {
            fprintf(stderr, "park_kind %d has no entry in the walk\n", kind);
            WANT(!"every kind of wait is walked");
        }
    }
}

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
            int slept = 0; /* some cancel the region themselves */
            for (int i = 0; i < round && when == PARKED && slept == 0; i++) {
                slept = ambit_sleep(cx, ambit_us(20));
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
    close(world.gate[0]);
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: no way to wait is out of a cancel's reach.
 * Method: all kinds, cancelled before, while parked and from another worker,
 * at 40 different moments each. */
Spec(CAN_3, a_cancel_reaches_every_kind_of_wait)
{
    want_all_kinds();
    WANT_EQ(spec_run(walk, "alone", .workers = 1, .blocking_threads_max = 1), 0);
    WANT_EQ(spec_run(walk, NULL, .workers = 2, .blocking_threads_max = 1), 0);
    spec_end("CAN_3");
}
