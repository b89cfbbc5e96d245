/* SPDX-License-Identifier: MIT */
/*
 * capability_calls_test.c -- which call needs what: CAP-1 of spec/capability.md.
 *
 * The table of that page is walked row by row: each call is made where one
 * capability is missing, and must be refused exactly where the table says so.
 */
#include "tests/spec/pair.h"

#include <fcntl.h>
#include <sys/socket.h>

enum { CAPS = 6 };

#define IGNORE(a, b) ((void)(a), (void)(b))

/* What the calls work on. */
struct stage {
    struct pair pair;
    ambit_file *file;
    char path[64];
    struct count effects;
};

struct quiet {
    int unused;
};

static int quiet_handle_cast(ambit_cx *cx, struct quiet *state,
                             const struct quiet *cast)
{
    IGNORE(cx, state);
    return cast == NULL;
}

AMBIT_SERVER(quiet, struct quiet, struct quiet, struct quiet,
             .handle_cast = quiet_handle_cast);

static int plain_handle(ambit_cx *cx, void *state, const void *message,
                        size_t size)
{
    (void)cx;
    (void)state;
    (void)message;
    (void)size;
    return 0;
}

static const struct ambit_actor_type plain_type = {
    .name = "plain",
    .handle = plain_handle,
};

/* --- the rows ------------------------------------------------------------- */

static int by_sleep(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    IGNORE(s, region);
    return ambit_sleep(cx, ambit_ns(1));
}

static int by_sleep_nothing(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    IGNORE(s, region);
    return ambit_sleep(cx, ambit_ns(0));
}

static int by_sleep_until(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    IGNORE(s, region);
    return ambit_sleep_until(cx, (ambit_time){1});
}

static int by_now(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    IGNORE(s, region);
    ambit_time now = {-7};
    int rc = ambit_cx_now(cx, &now);
    WANT((now.ns == -7) == (rc < 0));
    return rc;
}

static int by_deadline(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    IGNORE(s, region);
    int rc = 0;
    ambit_scope (cx, timed, &rc, .deadline = ambit_never()) {
        WANT_EQ(ambit_region_tasks(timed), 0);
    }
    return rc;
}

static int by_set_deadline(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)cx;
    (void)s;
    return ambit_set_deadline(region, ambit_never());
}

static int by_listen(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)cx;
    IGNORE(s, region);
    ambit_tcp *socket = NULL;
    int rc = ambit_tcp_listen("127.0.0.1:0", &socket);
    ambit_tcp_discard(socket);
    return rc;
}

static int dial(ambit_cx *cx, void *arg)
{
    struct stage *s = *(struct stage **)arg;
    ambit_tcp *socket;
    WANT_EQ(ambit_tcp_connect(cx, s->pair.address, &socket), 0);
    return ambit_tcp_close(cx, socket);
}

/* Somebody dials from outside of what is narrowed: see `dialled`. */
static int by_accept(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)region;
    ambit_tcp *socket = NULL;
    int rc = ambit_tcp_accept(cx, s->pair.listener, &socket);
    ambit_tcp_discard(socket);
    return rc;
}

static int by_connect(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)region;
    ambit_tcp *here = NULL, *there = NULL;
    int rc = ambit_tcp_connect(cx, s->pair.address, &here);
    if (rc == 0) {
        rc = ambit_tcp_accept(cx, s->pair.listener, &there);
    }
    ambit_tcp_discard(here);
    ambit_tcp_discard(there);
    return rc;
}

static int by_write(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)region;
    ssize_t n = ambit_tcp_write(cx, s->pair.there, "x", 1);
    count_add(&s->effects, n > 0);
    return n < 0 ? (int)n : 0;
}

static int by_write_all(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)region;
    int rc = ambit_tcp_write_all(cx, s->pair.there, "y", 1, NULL);
    count_add(&s->effects, rc == 0);
    return rc;
}

static int by_read(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)region;
    char byte;
    ssize_t n = ambit_tcp_read(cx, s->pair.here, &byte, 1);
    count_add(&s->effects, n > 0 ? -1 : 0);
    return n < 0 ? (int)n : 0;
}

static int by_file_open(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)region;
    char fresh[80];
    ambit_file *file = NULL;
    snprintf(fresh, sizeof fresh, "%s.new", s->path);
    int rc = ambit_file_open(cx, fresh, O_CREAT | O_EXCL | O_RDWR, 0600, &file);
    ambit_file_discard(file);
    WANT_EQ(unlink(fresh) == 0, rc == 0);
    return rc;
}

static int by_file_write(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)region;
    ssize_t n = ambit_file_write(cx, s->file, "abc", 3, 0);
    return n < 0 ? (int)n : 0;
}

static int by_file_write_all(ambit_cx *cx, struct stage *s,
                             ambit_region *region)
{
    (void)region;
    return ambit_file_write_all(cx, s->file, "abc", 3, 0, NULL);
}

static int by_file_read(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)region;
    char text[3];
    ssize_t n = ambit_file_read(cx, s->file, text, sizeof text, 0);
    return n < 0 ? (int)n : 0;
}

static int by_file_sync(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)region;
    return ambit_file_sync(cx, s->file);
}

static int by_file_datasync(ambit_cx *cx, struct stage *s,
                            ambit_region *region)
{
    (void)region;
    return ambit_file_datasync(cx, s->file);
}

static int by_file_truncate(ambit_cx *cx, struct stage *s,
                            ambit_region *region)
{
    (void)region;
    uint64_t before = 77, after = 77;
    WANT_EQ(ambit_file_size(s->file, &before), 0);
    int rc = ambit_file_truncate(cx, s->file, before + 1);
    WANT_EQ(ambit_file_size(s->file, &after), 0);
    WANT_EQ(after, before + (rc == 0));
    return rc;
}

static int note_effect(ambit_cx *cx, void *arg)
{
    (void)cx;
    count_up(&(*(struct stage **)arg)->effects);
    return 0;
}

static int note_step(ambit_cx *cx, void *state)
{
    return note_effect(cx, state);
}

/* The effect is awaited, and taken back for the books. */
static int settle(ambit_cx *cx, struct stage *s, int64_t before, int rc)
{
    if (rc == 0) {
        WANT(until(cx, &s->effects, before + 1));
        count_add(&s->effects, -1);
    }
    return rc;
}

static int by_spawn(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    int64_t before = count_get(&s->effects);
    return settle(cx, s, before, ambit_spawn(region, note_effect, &s));
}

static int by_spawn_poll(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    int64_t before = count_get(&s->effects);
    return settle(cx, s, before, ambit_spawn_poll(region, note_step, &s));
}

static int by_spawn_blocking(ambit_cx *cx, struct stage *s,
                             ambit_region *region)
{
    int64_t before = count_get(&s->effects);
    return settle(cx, s, before,
                  ambit_spawn_with(region, note_effect, &s,
                                   .tier = AMBIT_BLOCKING));
}

static int note_job(void *arg)
{
    struct stage *s = arg;
    count_up(&s->effects);
    return 0;
}

static int by_blocking(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)region;
    int64_t before = count_get(&s->effects);
    return settle(cx, s, before, ambit_blocking(cx, note_job, s));
}

static int by_actor_start(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)s;
    ambit_actor_ref ref;
    int rc = ambit_actor_start(cx, region, &plain_type, NULL, 0, &ref);
    return rc < 0 ? rc : ambit_actor_stop(ref);
}

static int by_server_start(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)s;
    ambit_actor_ref ref;
    int rc = quiet_start(cx, region, NULL, 0, &ref);
    return rc < 0 ? rc : ambit_actor_stop(ref);
}

static int by_supervise(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    (void)s;
    ambit_actor_ref ref;
    const struct ambit_child children[] = {
        {.name = "quiet", .server = &quiet_type, .ret_ref = &ref},
    };
    int rc = ambit_supervise(cx, region, children, 1);
    ambit_cancel(region, "nothing else ends it");
    return rc;
}

static int by_random(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    IGNORE(s, region);
    uint64_t a = 7, b = 7;
    int rc = ambit_random(cx, &a);
    WANT_EQ(ambit_random(cx, &b), rc);
    WANT((a == b) == (rc < 0));
    return rc;
}

static int by_signal(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    IGNORE(s, region);
    int rc = 0;
    ambit_scope (cx, door, &rc, .until_signal = SIGUSR2) {
        WANT_EQ(ambit_region_tasks(door), 0);
    }
    return rc;
}

static int by_free_calls(ambit_cx *cx, struct stage *s, ambit_region *region)
{
    int rc = 0;
    char text[64];
    uint64_t size;
    WANT_EQ(ambit_checkpoint(cx), 0);
    WANT_EQ(ambit_yield(cx), 0);
    WANT_EQ(ambit_tcp_local(s->pair.listener, text, sizeof text), 0);
    WANT_EQ(ambit_file_size(s->file, &size), 0);
    WANT_EQ(ambit_tcp_nodelay(s->pair.here, true), 0);
    ambit_scope (cx, inner, &rc) {
        WANT_EQ(ambit_region_tasks(inner), 0);
    }
    ambit_cancel(region, "allowed to all");
    return rc;
}

static const struct {
    const char *name;
    int (*make)(ambit_cx *cx, struct stage *s, ambit_region *region);
    unsigned needs;
} calls[] = {
    {"sleep", by_sleep, AMBIT_CAP_TIME},
    {"sleep for nothing", by_sleep_nothing, AMBIT_CAP_TIME},
    {"sleep_until", by_sleep_until, AMBIT_CAP_TIME},
    {"cx_now", by_now, AMBIT_CAP_TIME},
    {"scope with a deadline", by_deadline, AMBIT_CAP_TIME},
    {"set_deadline", by_set_deadline, AMBIT_CAP_TIME},
    {"listen", by_listen, AMBIT_CAP_IO},
    {"accept", by_accept, AMBIT_CAP_IO},
    {"connect", by_connect, AMBIT_CAP_IO},
    {"write", by_write, AMBIT_CAP_IO},
    {"read", by_read, AMBIT_CAP_IO},
    {"write_all", by_write_all, AMBIT_CAP_IO},
    {"read the other", by_read, AMBIT_CAP_IO},
    {"file_open", by_file_open, AMBIT_CAP_IO},
    {"file_write", by_file_write, AMBIT_CAP_IO},
    {"file_write_all", by_file_write_all, AMBIT_CAP_IO},
    {"file_read", by_file_read, AMBIT_CAP_IO},
    {"file_sync", by_file_sync, AMBIT_CAP_IO},
    {"file_datasync", by_file_datasync, AMBIT_CAP_IO},
    {"file_truncate", by_file_truncate, AMBIT_CAP_IO},
    {"spawn", by_spawn, AMBIT_CAP_SPAWN},
    {"spawn_poll", by_spawn_poll, AMBIT_CAP_SPAWN},
    {"spawn, BLOCKING", by_spawn_blocking, AMBIT_CAP_SPAWN | AMBIT_CAP_BLOCKING},
    {"blocking", by_blocking, AMBIT_CAP_BLOCKING},
    {"actor_start", by_actor_start, AMBIT_CAP_SPAWN},
    {"server_start", by_server_start, AMBIT_CAP_SPAWN},
    {"supervise", by_supervise, AMBIT_CAP_SPAWN},
    {"random", by_random, AMBIT_CAP_RANDOM},
    {"until_signal", by_signal, AMBIT_CAP_SIGNALS},
    {"all others", by_free_calls, 0},
};

/* --- the walk ------------------------------------------------------------- */

static void stage_open(ambit_cx *cx, struct stage *s)
{
    pair_open(cx, &s->pair);
    snprintf(s->path, sizeof s->path, "/tmp/ambit-caps-%d", (int)getpid());
    WANT_EQ(ambit_file_open(cx, s->path, O_CREAT | O_RDWR | O_TRUNC, 0600,
                            &s->file), 0);
    WANT_EQ(ambit_file_write_all(cx, s->file, "abcdef", 6, 0, NULL), 0);
}

static void stage_close(ambit_cx *cx, struct stage *s)
{
    WANT_EQ(ambit_file_close(cx, s->file), 0);
    unlink(s->path);
    pair_close(&s->pair);
    WANT_EQ(count_get(&s->effects), 0);
}

/* One row in a scope without that set; `deep`: in one inside of it. */
static void try_row(ambit_cx *cx, struct stage *s, size_t row,
                    unsigned without, bool deep)
{
    int rc = 0, got = -1;
    bool refused = (calls[row].needs & without) != 0;
    ambit_scope (cx, narrow, &rc, .without = without,
                 .policy = AMBIT_ISOLATE) {
        WANT_EQ(ambit_cx_caps(cx), AMBIT_CAP_ALL & ~without);
        if (deep) {
            ambit_scope (cx, inner, &rc, .policy = AMBIT_ISOLATE) {
                WANT_EQ(ambit_cx_caps(cx), AMBIT_CAP_ALL & ~without);
                got = calls[row].make(cx, s, inner);
            }
        } else {
            got = calls[row].make(cx, s, narrow);
        }
    }
    WANT_EQ(rc, 0);
    if (got != (refused ? -EPERM : 0)) {
        fprintf(stderr, "%s without %#x answered %d\n", calls[row].name,
                without, got);
    }
    WANT_EQ(got, refused ? -EPERM : 0);
}

static bool is_accept(size_t row)
{
    return strcmp(calls[row].name, "accept") == 0;
}

static void try_row_dialled(ambit_cx *cx, struct stage *s, size_t row,
                            unsigned without, bool deep)
{
    int rc = 0;
    ambit_scope (cx, around, &rc) {
        if (is_accept(row) && (without & AMBIT_CAP_IO) == 0) {
            WANT_EQ(ambit_spawn(around, dial, &s), 0);
        }
        try_row(cx, s, row, without, deep);
    }
    WANT_EQ(rc, 0);
}

static int walk(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct stage s = {.file = NULL};
    stage_open(cx, &s);
    for (size_t row = 0; row < ARRAY_LEN(calls); row++) {
        for (unsigned cap = 0; cap < CAPS; cap++) {
            try_row_dialled(cx, &s, row, 1u << cap, false);
            try_row_dialled(cx, &s, row, ~(1u << cap) & AMBIT_CAP_ALL, true);
        }
        try_row_dialled(cx, &s, row, 0, false);
        try_row_dialled(cx, &s, row, AMBIT_CAP_ALL, true);
    }
    stage_close(cx, &s);
    return 0;
}

/* Goal: each call asks for its capability, and for nothing else.
 * Method: the table, row by row: without that one, without all others, without
 * any, without all; effects are counted. */
Spec(CAP_1, a_call_without_its_capability_has_no_effect)
{
    spec_on_1_and_2_workers(walk);
    spec_end("CAP_1");
}

/* --- CAP-1 under a cancel, and on foreign threads -------------------------- */

static int refused_when_cancelled(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, narrow, &rc, .without = AMBIT_CAP_ALL) {
        ambit_cancel(narrow, "no difference");
        WANT_EQ(ambit_sleep(cx, ambit_s(1)), -EPERM);
        WANT_EQ(ambit_blocking(cx, note_job, NULL), -EPERM);
        WANT_EQ(ambit_yield(cx), -ECANCELED);
        WANT_EQ(ambit_checkpoint(cx), -ECANCELED);
    }
    WANT_EQ(rc, 0);
    struct ambit_scope_block block;
    struct ambit_scope_options odd = {.size_ = sizeof odd,
                                      .without = AMBIT_CAP_ALL + 1};
    WANT_EQ(ambit_scope_open(cx, &block, &odd), -EINVAL);
    return 0;
}

/* Goal: what is refused is refused at all times.
 * Method: calls in a scope that is cancelled as well. */
Spec(CAP_1, a_missing_capability_comes_before_a_cancel)
{
    spec_on_1_and_2_workers(refused_when_cancelled);
    spec_end("CAP_1");
}
