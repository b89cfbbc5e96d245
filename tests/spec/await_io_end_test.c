/* SPDX-License-Identifier: MIT */
/*
 * await_io_end_test.c -- operations of poll tasks whose socket is closed, or
 * whose task panics: AWAIT-IO-3 and 4 of spec/await.md.
 */
#include "tests/spec/pair.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* --- closed by another ----------------------------------------------------- */

enum { READERS = 6 };

struct scene {
    struct pair pair;
    struct count begun, looked, told, closed, late;
    struct count shied, may_look;
    ambit_waker shy;
};

struct reader {
    struct ambit_await wait;
    struct scene *scene;
    size_t count;
    bool is_begun, is_shy;
    char byte;
};

/* A shy one does not look before it may. */
static int until_closed(ambit_cx *cx, void *state)
{
    struct reader *s = state;
    struct scene *scene = s->scene;
    if (s->is_begun && s->is_shy && count_get(&scene->may_look) == 0) {
        count_up(&scene->shied);
        return AMBIT_PENDING;
    }
    if (s->is_begun) {
        count_up(&scene->looked); /* before: a close goes on within the look */
    }
    int rc = ambit_await_tcp_read(cx, &s->wait, scene->pair.here, &s->byte, 1,
                                  &s->count);
    if (rc == AMBIT_PENDING) {
        if (!s->is_begun) {
            s->is_begun = true;
            if (s->is_shy) {
                scene->shy = ambit_cx_waker(cx);
            }
            count_up(&scene->begun);
        }
        return AMBIT_PENDING;
    }
    WANT_EQ(rc, -ESHUTDOWN);
    count_up(&scene->told);
    return 0;
}

static void start_readers(ambit_region *region, struct scene *scene)
{
    for (int i = 0; i < READERS; i++) {
        struct reader reader = {.scene = scene};
        WANT_EQ(ambit_spawn_poll(region, until_closed, &reader), 0);
    }
}

/* On two workers the readers began on the other one. */
static int close_under_readers(ambit_cx *cx, bool elsewhere)
{
    struct scene scene = {.closed = {0}};
    int rc = 0;
    pair_open(cx, &scene.pair);
    ambit_scope (cx, region, &rc) {
        start_readers(region, &scene);
        WANT(elsewhere ? spin_until(&scene.begun, READERS)
                       : until(cx, &scene.begun, READERS));
        WANT_EQ(ambit_tcp_close(cx, scene.pair.here), 0);
        WANT(count_get(&scene.looked) >= READERS);
    }
    WANT_EQ(count_get(&scene.told), READERS);
    scene.pair.here = NULL;
    pair_close(&scene.pair);
    return rc;
}

static int close_here(ambit_cx *cx, void *arg)
{
    (void)arg;
    return close_under_readers(cx, false);
}

static int close_elsewhere(ambit_cx *cx, void *arg)
{
    (void)arg;
    return close_under_readers(cx, true);
}

/* --- closed by a machine --------------------------------------------------- */

struct closer {
    struct ambit_await wait;
    struct scene *scene;
    bool is_begun;
};

/* Cancelled meanwhile, and dropped; it goes on all the same. */
static int close_step(ambit_cx *cx, void *state)
{
    struct closer *s = state;
    struct scene *scene = s->scene;
    int rc = ambit_await_tcp_close(cx, &s->wait, scene->pair.here);
    if (rc == AMBIT_PENDING) {
        if (!s->is_begun) {
            s->is_begun = true;
            WANT_EQ(ambit_await_drop(&s->wait), AMBIT_PENDING);
            count_up(&scene->begun);
        }
        return rc;
    }
    WANT_EQ(rc, 0);
    WANT(count_get(&scene->looked) > READERS);
    count_up(&scene->closed);
    return 0;
}

static int close_too_late(ambit_cx *cx, void *state)
{
    struct closer *s = state;
    size_t none;
    char byte;
    WANT_EQ(ambit_await_tcp_close(cx, &s->wait, s->scene->pair.here),
            -EALREADY);
    WANT_EQ(ambit_await_tcp_read(cx, &s->wait, s->scene->pair.here, &byte, 1,
                                 &none), -ESHUTDOWN);
    count_up(&s->scene->late);
    return 0;
}

static int close_by_a_machine(ambit_cx *cx, void *arg)
{
    struct scene scene = {.closed = {0}};
    int rc = 0, inner = 0;
    (void)arg;
    pair_open(cx, &scene.pair);
    ambit_scope (cx, region, &rc) {
        struct reader shy = {.scene = &scene, .is_shy = true};
        struct closer closer = {.scene = &scene};
        start_readers(region, &scene);
        WANT_EQ(ambit_spawn_poll(region, until_closed, &shy), 0);
        WANT(until(cx, &scene.begun, READERS + 1));
        ambit_scope (cx, closers, &inner) {
            WANT_EQ(ambit_spawn_poll(closers, close_step, &closer), 0);
            WANT(until(cx, &scene.begun, READERS + 2));
            WANT(until(cx, &scene.told, READERS));
            WANT(until(cx, &scene.shied, 1)); /* else it might look by itself */
            WANT_EQ(ambit_spawn_poll(closers, close_too_late, &closer), 0);
            WANT(until(cx, &scene.late, 1));
            ambit_cancel(closers, "does not help");
            let_others_run(cx);
            WANT_EQ(count_get(&scene.closed), 0);
            count_up(&scene.may_look);
            WANT_EQ(ambit_wake(scene.shy), 0);
        }
        WANT_EQ(count_get(&scene.closed), 1);
    }
    WANT_EQ(inner, 0);
    scene.pair.here = NULL;
    pair_close(&scene.pair);
    return rc;
}

/* --- closed by itself ------------------------------------------------------ */

struct selfish {
    struct ambit_await in, out;
    struct scene *scene;
    size_t count;
    int step;
    char byte;
};

static int close_ones_own(ambit_cx *cx, void *state)
{
    struct selfish *s = state;
    ambit_tcp *socket = s->scene->pair.here;
    if (s->step++ == 0) {
        WANT_EQ(ambit_await_tcp_read(cx, &s->in, socket, &s->byte, 1,
                                     &s->count), AMBIT_PENDING);
        WANT_EQ(ambit_tcp_close(cx, socket), -EDEADLK);
        WANT_EQ(ambit_await_tcp_close(cx, &s->out, socket), -EDEADLK);
        WANT_EQ(ambit_await_drop(&s->in), AMBIT_PENDING);
        return AMBIT_PENDING;
    }
    int rc = ambit_await_drop(&s->in);
    if (rc == AMBIT_PENDING) {
        return rc;
    }
    WANT_EQ(rc, 0);
    WANT_EQ(ambit_await_tcp_close(cx, &s->out, socket), 0);
    s->scene->pair.here = NULL;
    count_up(&s->scene->closed);
    return 0;
}

static int close_by_itself(ambit_cx *cx, void *arg)
{
    struct scene scene = {.closed = {0}};
    int rc = 0;
    (void)arg;
    pair_open(cx, &scene.pair);
    ambit_scope (cx, region, &rc) {
        struct selfish selfish = {.scene = &scene};
        WANT_EQ(ambit_spawn_poll(region, close_ones_own, &selfish), 0);
    }
    WANT_EQ(count_get(&scene.closed), 1);
    pair_close(&scene.pair);
    return rc;
}

/* Goal: a close ends what machines await, and waits for them.  Method: readers
 * that began here or on the other worker; a machine that closes, is cancelled,
 * and has to wait for one reader that takes its time; one that would have to
 * wait for itself. */
Spec(AWAIT_IO_3, a_close_ends_what_machines_await_and_waits_for_them)
{
    spec_on(1, close_here);
    spec_on(2, close_elsewhere);
    spec_on_1_and_2_workers(close_by_a_machine);
    spec_on_1_and_2_workers(close_by_itself);
    spec_end("AWAIT_IO_3");
}

/* --- a panic --------------------------------------------------------------- */

enum kind { ACCEPT, CONNECT, READ, OPEN, OPEN_FIFO, KINDS };

struct house {
    struct pair pair;
    char path[64], fifo[64];
    struct count begun;
};

struct hothead {
    struct ambit_await wait;
    struct house *house;
    ambit_tcp *socket;
    ambit_file *file;
    size_t count;
    enum kind kind;
    bool is_begun, at_once;
    char byte;
};

static int begin(ambit_cx *cx, struct hothead *s)
{
    struct house *house = s->house;
    switch (s->kind) {
    case ACCEPT:
        return ambit_await_tcp_accept(cx, &s->wait, house->pair.listener,
                                      &s->socket);
    case CONNECT:
        return ambit_await_tcp_connect(cx, &s->wait, house->pair.address,
                                       &s->socket);
    case READ:
        return ambit_await_tcp_read(cx, &s->wait, house->pair.here, &s->byte, 1,
                                    &s->count);
    case OPEN:
        return ambit_await_file_open(cx, &s->wait, house->path,
                                     O_RDWR | O_CREAT, 0600, &s->file);
    case OPEN_FIFO:
        return ambit_await_file_open(cx, &s->wait, house->fifo,
                                     O_RDONLY | O_CREAT, 0600, &s->file);
    case KINDS:
        break;
    }
    return -ENOSYS;
}

/* Either while it is under way, or when it is over and was not looked at. */
static int begin_then_panic(ambit_cx *cx, void *state)
{
    struct hothead *s = state;
    if (s->is_begun) {
        ambit_panic(cx, "no more of this");
    }
    s->is_begun = true;
    WANT_EQ(begin(cx, s), AMBIT_PENDING);
    count_up(&s->house->begun);
    if (s->at_once) {
        ambit_panic(cx, "in the same step");
    }
    return AMBIT_PENDING;
}

static void house_open(ambit_cx *cx, struct house *house)
{
    memset(house, 0, sizeof *house);
    pair_open(cx, &house->pair);
    snprintf(house->path, sizeof house->path, "/tmp/ambit-panic-%d",
             (int)getpid());
    snprintf(house->fifo, sizeof house->fifo, "/tmp/ambit-panic-%d-fifo",
             (int)getpid());
    WANT_EQ(mkfifo(house->fifo, 0600), 0);
}

static void house_close(struct house *house)
{
    unlink(house->path);
    unlink(house->fifo);
    pair_close(&house->pair); /* dies when somebody still uses one */
}

/* All of them were under way; what comes now, others get. */
static int panic_under_way(ambit_cx *cx, void *arg)
{
    struct house house;
    ambit_tcp *client = NULL, *taken = NULL;
    char byte = 0;
    int rc = 0;
    (void)arg;
    house_open(cx, &house);
    ambit_scope (cx, region, &rc, .policy = AMBIT_COLLECT, .fds_max = 4,
                 .ops_max = 5) {
        for (enum kind kind = ACCEPT; kind < KINDS; kind++) {
            struct hothead hothead = {.house = &house, .kind = kind,
                                      .at_once = true};
            if (kind == CONNECT) {
                continue; /* it would be a client for the accept */
            }
            WANT_EQ(ambit_spawn_poll(region, begin_then_panic, &hothead), 0);
        }
        WANT(until(cx, &house.begun, KINDS - 1));
        while (ambit_region_tasks(region) > 0) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        WANT_EQ(ambit_region_used(region, AMBIT_LIMIT_FDS), 0);
        WANT_EQ(ambit_region_used(region, AMBIT_LIMIT_OPS), 0);
    }
    WANT_EQ(rc, -EOWNERDEAD);
    WANT_EQ(ambit_tcp_connect(cx, house.pair.address, &client), 0);
    WANT_EQ(ambit_tcp_accept(cx, house.pair.listener, &taken), 0);
    WANT_EQ(ambit_tcp_write(cx, house.pair.there, "y", 1), 1);
    WANT_EQ(ambit_tcp_read(cx, house.pair.here, &byte, 1), 1);
    WANT_EQ(byte, 'y');
    ambit_tcp_discard(client);
    ambit_tcp_discard(taken);
    house_close(&house);
    return 0;
}

/* All of them were over, with something, and their task had not looked. */
static int panic_with_what_came(ambit_cx *cx, void *arg)
{
    struct house house;
    ambit_tcp *client = NULL;
    char byte = 0;
    int rc = 0;
    (void)arg;
    house_open(cx, &house);
    ambit_scope (cx, region, &rc, .policy = AMBIT_COLLECT, .fds_max = 4) {
        struct hothead hothead = {.house = &house, .kind = ACCEPT};
        WANT_EQ(ambit_spawn_poll(region, begin_then_panic, &hothead), 0);
        WANT(until(cx, &house.begun, 1));
        WANT_EQ(ambit_region_used(region, AMBIT_LIMIT_FDS), 1);
        WANT_EQ(ambit_tcp_connect(cx, house.pair.address, &client), 0);
        ssize_t n = ambit_tcp_read(cx, client, &byte, 1);
        WANT(n == 0 || n == -ECONNRESET); /* it was taken in, and closed */
        hothead.kind = CONNECT;
        WANT_EQ(ambit_spawn_poll(region, begin_then_panic, &hothead), 0);
        hothead.kind = OPEN;
        WANT_EQ(ambit_spawn_poll(region, begin_then_panic, &hothead), 0);
        while (ambit_region_tasks(region) > 0) {
            WANT_EQ(ambit_yield(cx), 0);
        }
        ambit_tcp_discard(client);
        WANT_EQ(ambit_region_used(region, AMBIT_LIMIT_FDS), 0);
    }
    WANT_EQ(rc, -EOWNERDEAD);
    house_close(&house);
    return 0;
}

/* --- a panic of one that closes -------------------------------------------- */

static int close_then_panic(ambit_cx *cx, void *state)
{
    struct closer *s = state;
    WANT_EQ(ambit_await_tcp_close(cx, &s->wait, s->scene->pair.here),
            AMBIT_PENDING);
    ambit_panic(cx, "without looking back");
}

static int panic_and_close(ambit_cx *cx, void *arg)
{
    struct scene scene = {.closed = {0}};
    int rc = 0;
    (void)arg;
    pair_open(cx, &scene.pair);
    ambit_scope (cx, region, &rc, .policy = AMBIT_COLLECT) {
        struct closer closer = {.scene = &scene};
        start_readers(region, &scene);
        WANT(until(cx, &scene.begun, READERS));
        WANT_EQ(ambit_spawn_poll(region, close_then_panic, &closer), 0);
    }
    WANT_EQ(rc, -EOWNERDEAD);
    WANT_EQ(count_get(&scene.told), READERS);
    scene.pair.here = NULL;
    pair_close(&scene.pair);
    return 0;
}

/* Goal: a panic leaves nothing of an operation behind.  Method: machines that
 * panic with one of each kind under way, or over and not looked at: a client
 * sees the end, descriptors and places are back, sockets can be closed; and one
 * that panics while it closes. */
Spec(AWAIT_IO_4, a_panic_leaves_nothing_of_an_operation_behind)
{
    spec_on_1_and_2_workers(panic_under_way);
    spec_on_1_and_2_workers(panic_with_what_came);
    spec_on_1_and_2_workers(panic_and_close);
    spec_end("AWAIT_IO_4");
}
