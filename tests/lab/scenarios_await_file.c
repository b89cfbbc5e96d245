/* SPDX-License-Identifier: MIT */
/*
 * scenarios_await_file.c -- poll tasks that use files, and one that panics while
 * one is opened for it.
 */
#include "tests/lab/scenario.h"

#include <fcntl.h>
#include <unistd.h>

/* --- files ----------------------------------------------------------------- */

struct clerk {
    struct ambit_await wait;
    struct tally *ended;
    ambit_file *file;
    size_t count, got;
    int at, rc;
    char path[48], out[100], in[100];
};

static int clerk_next(ambit_cx *cx, struct clerk *s)
{
    switch (s->at) {
    case 0:
        return ambit_await_file_open(cx, &s->wait, s->path, O_RDWR | O_CREAT,
                                     0600, &s->file);
    case 1:
        return ambit_await_file_write_all(cx, &s->wait, s->file, s->out,
                                          sizeof s->out, 0, &s->count);
    case 2:
        return ambit_await_file_read(cx, &s->wait, s->file, s->in + s->got,
                                     sizeof s->in - s->got, s->got, &s->count);
    case 3:
        return ambit_await_file_datasync(cx, &s->wait, s->file);
    default:
        return ambit_await_file_close(cx, &s->wait, s->file);
    }
}

/* What comes after a read: more of them, until all is there. */
static int clerk_has_read(struct clerk *s)
{
    s->got += s->count;
    if (s->got < sizeof s->in) {
        s->at = 1;
        return s->count > 0 ? 0 : -EIO;
    }
    always(memcmp(s->in, s->out, sizeof s->in) == 0);
    return 0;
}

static int clerk_step(ambit_cx *cx, void *arg)
{
    struct clerk *s = arg;
    for (;;) {
        int rc = clerk_next(cx, s);
        if (rc == AMBIT_PENDING || (rc < 0 && s->at == 0)) {
            return rc;
        }
        if (s->at == 4) {
            want(rc == 0 && s->rc == 0);
            tally_up(s->ended);
            return s->rc;
        }
        if (s->at == 1) {
            always((rc == 0) == (s->count == sizeof s->out));
        } else if (s->at == 2 && rc == 0) {
            rc = clerk_has_read(s);
        }
        s->rc = rc;
        s->at = rc < 0 ? 4 : s->at + 1;
    }
}

static void clerk_path(char (*ret_path)[48], int number)
{
    snprintf(*ret_path, sizeof *ret_path, P_tmpdir "/ambit-clerk-%d-%d",
             (int)getpid(), number);
}

static int await_files(ambit_cx *cx, void *arg)
{
    struct tally ended = {0};
    char path[48];
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 2; i++) {
            struct clerk clerk = {.ended = &ended};
            clerk_path(&clerk.path, i);
            for (size_t at = 0; at < sizeof clerk.out; at++) {
                clerk.out[at] = (char)at;
            }
            (void)ambit_spawn_poll(s, clerk_step, &clerk);
        }
    }
    want(rc == 0 && tally_get(&ended) == 2);
    for (int i = 0; i < 2; i++) {
        clerk_path(&path, i);
        unlink(path);
    }
    return rc;
}

/* --- a panic --------------------------------------------------------------- */

static int opens_and_panics(ambit_cx *cx, void *arg)
{
    struct clerk *s = arg;
    if (s->at > 0) {
        ambit_panic(cx, "the file may be open");
    }
    int rc = ambit_await_file_open(cx, &s->wait, s->path, O_RDONLY, 0, &s->file);
    if (rc == AMBIT_PENDING) {
        s->at = 1;
        always(ambit_wake(ambit_cx_waker(cx)) == 0);
    } else if (rc == 0) {
        ambit_file_discard(s->file);
    }
    return rc;
}

/* It leaves no file open, which the lab looks after, and no place for one. */
static int await_open_and_panic(ambit_cx *cx, void *arg)
{
    int rc = 0, inner = 0;
    (void)arg;
    ambit_scope (cx, limited, &rc, .fds_max = 1) {
        ambit_scope (cx, s, &inner, .policy = AMBIT_ISOLATE) {
            struct clerk clerk = {.path = "/dev/zero"};
            want(ambit_spawn_poll(s, opens_and_panics, &clerk) == 0);
        }
        always(ambit_region_used(limited, AMBIT_LIMIT_FDS) == 0);
    }
    want(rc == 0);
    return rc;
}

SCENARIOS(await_file,
          {"await_files", await_files, 2, 0,
           "AWAIT-IO-1"},
          {"await_open_and_panic", await_open_and_panic, 2, CORE,
           "AWAIT-IO-4"});
