/* SPDX-License-Identifier: MIT */
/*
 * await_file_test.c -- files by poll tasks: AWAIT-IO of spec/await.md.
 */
#include "tests/spec/common.h"

#include <fcntl.h>
#include <sys/stat.h>

/* --- each call ------------------------------------------------------------- */

enum { NOT_SET = 77 };

struct clerk {
    struct ambit_await wait;
    struct count *ended;
    ambit_file *file, *none;
    size_t count;
    int at, number;
    char path[64], in[32];
};

static int rc_of(ambit_cx *cx, struct clerk *s, int *ret_wanted,
                 size_t *ret_count)
{
    struct ambit_await *wait = &s->wait;
    size_t *count = &s->count;
    *ret_wanted = 0;
    *ret_count = NOT_SET;
    switch (s->at) {
    case 0:
        *ret_wanted = -ENOENT;
        return ambit_await_file_open(cx, wait, s->path, O_RDWR, 0, &s->none);
    case 1:
        return ambit_await_file_open(cx, wait, s->path, O_RDWR | O_CREAT, 0600,
                                     &s->file);
    case 2:
        *ret_count = 10;
        return ambit_await_file_write_all(cx, wait, s->file, "0123456789", 10,
                                          0, count);
    case 3:
        *ret_count = 3;
        return ambit_await_file_write(cx, wait, s->file, "abc", 3, 5, count);
    case 4:
        return ambit_await_file_sync(cx, wait, s->file);
    case 5:
        return ambit_await_file_datasync(cx, wait, s->file);
    case 6:
        *ret_count = 8;
        return ambit_await_file_read(cx, wait, s->file, s->in, sizeof s->in, 2,
                                     count);
    case 7:
        return ambit_await_file_truncate(cx, wait, s->file, 6);
    case 8:
        *ret_count = 1;
        return ambit_await_file_read(cx, wait, s->file, s->in, sizeof s->in, 5,
                                     count);
    case 9:
        *ret_count = 0;
        return ambit_await_file_read(cx, wait, s->file, s->in, sizeof s->in, 6,
                                     count);
    case 10:
        *ret_wanted = -EINVAL;
        return ambit_await_file_read(cx, wait, s->file, s->in, 1, UINT64_MAX,
                                     count);
    case 11:
        *ret_wanted = -EINVAL;
        return ambit_await_file_truncate(cx, wait, s->file, UINT64_MAX);
    case 12:
        *ret_wanted = -EINVAL;
        *ret_count = 0;
        return ambit_await_file_write_all(cx, wait, s->file, "x", 1, UINT64_MAX,
                                          count);
    case 13:
        *ret_count = 0;
        return ambit_await_file_write_all(cx, wait, s->file, "", 0, 3, count);
    default:
        return ambit_await_file_close(cx, wait, s->file);
    }
}

static int clerk_step(ambit_cx *cx, void *state)
{
    struct clerk *s = state;
    for (;;) {
        int wanted;
        size_t count;
        int rc = rc_of(cx, s, &wanted, &count);
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        WANT_EQ(rc, wanted);
        WANT_EQ(s->count, count);
        WANT(s->none == NULL);
        WANT(s->at != 6 || memcmp(s->in, "234abc89", 8) == 0);
        WANT(s->at != 8 || s->in[0] == 'a');
        s->count = NOT_SET;
        if (s->at++ == 14) {
            count_up(s->ended);
            return 0;
        }
    }
}

enum { CLERKS = 20 };

static int every_call(ambit_cx *cx, void *arg)
{
    struct count ended = {0};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, region, &rc) {
        for (int i = 0; i < CLERKS; i++) {
            struct clerk clerk = {.ended = &ended, .count = NOT_SET};
            snprintf(clerk.path, sizeof clerk.path, "/tmp/ambit-clerk-%d-%d",
                     (int)getpid(), i);
            unlink(clerk.path); /* of a process of this number that crashed */
            WANT_EQ(ambit_spawn_poll(region, clerk_step, &clerk), 0);
        }
    }
    WANT_EQ(count_get(&ended), CLERKS);
    for (int i = 0; i < CLERKS; i++) {
        char path[64];
        struct stat st;
        snprintf(path, sizeof path, "/tmp/ambit-clerk-%d-%d", (int)getpid(), i);
        WANT(stat(path, &st) == 0 && st.st_size == 6);
        unlink(path);
    }
    return rc;
}

/* Goal: poll tasks use files as tasks with a stack do.  Method: many machines
 * that make each call once, on a file each; every answer, count and byte. */
Spec(AWAIT_IO_1, machines_read_and_write_files)
{
    spec_on_1_and_2_workers(every_call);
    spec_end("AWAIT_IO_1");
}

/* --- called off ------------------------------------------------------------ */

struct trial {
    struct ambit_await wait;
    struct count *opened, *cancelled;
    const char *path;
    ambit_file *file;
    bool is_dropped, gives_up;
};

/* Created, if and only if it says so. */
static int open_or_not(ambit_cx *cx, struct trial *s)
{
    return ambit_await_file_open(cx, &s->wait, s->path,
                                 O_RDWR | O_CREAT | O_EXCL, 0600, &s->file);
}

static int trial_step(ambit_cx *cx, void *state)
{
    struct trial *s = state;
    int rc = s->is_dropped ? AMBIT_PENDING : open_or_not(cx, s);
    if (rc == AMBIT_PENDING && s->gives_up) {
        s->is_dropped = true;
        rc = ambit_await_drop(&s->wait);
        rc = rc == -EBUSY ? open_or_not(cx, s) : rc == 0 ? -ECANCELED : rc;
    }
    if (rc == AMBIT_PENDING) {
        return rc;
    }
    WANT(rc == 0 || rc == -ECANCELED);
    WANT_EQ(s->file != NULL, rc == 0);
    count_up(rc == 0 ? s->opened : s->cancelled);
    if (rc == 0) {
        ambit_file_discard(s->file);
    }
    return 0;
}

static int open_against_cancel(ambit_cx *cx, void *arg)
{
    struct count opened = {0}, cancelled = {0};
    char path[64];
    int64_t found = 0, rounds = 600 / SPEC_SLOWER, never = 0;
    (void)arg;
    snprintf(path, sizeof path, "/tmp/ambit-trial-%d", (int)getpid());
    unlink(path);
    for (int64_t round = 0; round < rounds; round++) {
        int rc = 0;
        int64_t before = count_get(&opened) + count_get(&cancelled);
        ambit_scope (cx, region, &rc) {
            struct trial trial = {.opened = &opened, .cancelled = &cancelled,
                                  .path = path, .gives_up = round % 3 == 1};
            WANT_EQ(ambit_spawn_poll(region, trial_step, &trial), 0);
            for (int i = 0; i < round % 5; i++) {
                WANT_EQ(ambit_yield(cx), 0);
            }
            if (round % 3 == 2) {
                ambit_cancel(region, "too late, perhaps");
            }
        }
        WANT_EQ(rc, 0);
        never += count_get(&opened) + count_get(&cancelled) == before;
        found += unlink(path) == 0;
        WANT_EQ(found, count_get(&opened));
    }
    WANT_EQ(count_get(&opened) + count_get(&cancelled) + never, rounds);
    WANT(count_get(&opened) >= rounds / 3);
    return 0;
}

/* --- a truncation that is called off ---------------------------------------- */

struct cutter {
    struct ambit_await wait;
    struct count *ended;
    ambit_file *file;
    bool is_begun;
};

/* Dropped at once: it never was, or it has been done. */
static int cut_step(ambit_cx *cx, void *state)
{
    struct cutter *s = state;
    uint64_t size = 0;
    if (!s->is_begun) {
        s->is_begun = true;
        WANT_EQ(ambit_await_file_truncate(cx, &s->wait, s->file, 10),
                AMBIT_PENDING);
    }
    int rc = ambit_await_drop(&s->wait);
    if (rc == AMBIT_PENDING) {
        return rc;
    }
    WANT(rc == 0 || rc == -EBUSY);
    if (rc == -EBUSY) {
        WANT_EQ(ambit_await_file_truncate(cx, &s->wait, s->file, 10), 0);
    }
    WANT_EQ(ambit_file_size(s->file, &size), 0);
    WANT_EQ(size, rc == 0 ? 100 : 10);
    count_up(s->ended);
    return 0;
}

static int cut_and_drop(ambit_cx *cx, void *arg)
{
    struct count ended = {0};
    struct cutter cutter = {.ended = &ended};
    char path[64];
    int rc = 0;
    (void)arg;
    snprintf(path, sizeof path, "/tmp/ambit-cutter-%d", (int)getpid());
    WANT_EQ(ambit_file_open(cx, path, O_RDWR | O_CREAT, 0600, &cutter.file), 0);
    for (int i = 1; i <= 40; i++) {
        WANT_EQ(ambit_file_truncate(cx, cutter.file, 100), 0);
        ambit_scope (cx, region, &rc) {
            WANT_EQ(ambit_spawn_poll(region, cut_step, &cutter), 0);
        }
        WANT_EQ(count_get(&ended), i);
    }
    WANT_EQ(ambit_file_close(cx, cutter.file), 0);
    unlink(path);
    return rc;
}

/* Goal: a file is created, or cut, if and only if the machine is told so.
 * Method: O_EXCL against cancels and drops, counted by what there is to unlink;
 * truncations that are dropped at once. */
Spec(AWAIT_IO_2, a_file_is_created_or_cut_if_and_only_if_it_is_told)
{
    spec_on_1_and_2_workers(open_against_cancel);
    spec_on_1_and_2_workers(cut_and_drop);
    spec_end("AWAIT_IO_2");
}
