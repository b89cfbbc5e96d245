/* SPDX-License-Identifier: MIT */
/*
 * scenarios_task.c -- joins, yields, sleeps, blocking jobs, poll tasks, files.
 */
#include "tests/lab/scenario.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int answers(ambit_cx *cx, void *arg)
{
    int n = *(int *)arg;
    uint64_t me = ambit_running();
    for (int i = 0; i < n; i++) {
        int rc = ambit_yield(cx);
        always(ambit_running() == me);
        if (rc < 0) {
            return rc;
        }
    }
    return n;
}

static int join_in_reverse(ambit_cx *cx, void *arg)
{
    ambit_task tasks[3] = {{0}};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            int spawned = ambit_spawn_with(s, answers, &i, .ret_task = &tasks[i]);
            want(spawned == 0);
        }
        for (int i = 2; i >= 0; i--) {
            int result = -1;
            int joined = ambit_join(cx, tasks[i], &result);
            want(joined == 0 && result == i);
            want(ambit_join(cx, tasks[i], &result) == -ESTALE);
        }
    }
    want(rc == 0);
    return rc;
}

static int fails(ambit_cx *cx, void *arg)
{
    int rc = ambit_yield(cx);
    (void)arg;
    return rc < 0 ? rc : -EIO;
}

static int fails_after(ambit_cx *cx, void *arg)
{
    int result = 0;
    int rc = ambit_join(cx, **(ambit_task **)arg, &result);
    want(rc == 0 && result == -EIO);
    return rc < 0 ? rc : -EPIPE;
}

/* Who hears of a failure is not the first to fail: REG-OUTCOME-2. */
static int joiner_fails_after(ambit_cx *cx, void *arg)
{
    ambit_task first = {0}, *here = &first;
    struct ambit_outcome outcome;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT, .ret_outcome = &outcome) {
        want(ambit_spawn_with(s, fails, &here, .placement = AMBIT_PINNED,
                              .worker = 1, .ret_task = &first) == 0);
        want(ambit_spawn_with(s, fails_after, &here, .placement = AMBIT_PINNED,
                              .worker = 0) == 0);
    }
    want(rc == -EIO && outcome.root.code == -EIO);
    return 0;
}

struct pair {
    ambit_task task;
    struct tally joined, busy, stale, off;
};

static int joins(ambit_cx *cx, void *arg)
{
    struct pair *pair = *(struct pair **)arg;
    int result = 0;
    int rc = ambit_join(cx, pair->task, &result);
    tally_up(rc == 0 ? &pair->joined
             : rc == -EBUSY ? &pair->busy
             : rc == -ESTALE ? &pair->stale : &pair->off);
    want(rc != 0 || result == 2);
    return 0;
}

/* Two want the result: one has it, the other is told why not. */
static int two_joiners(ambit_cx *cx, void *arg)
{
    struct pair pair = {0}, *here = &pair;
    int rc = 0, two = 2, spawned = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (ambit_spawn_with(s, answers, &two, .ret_task = &pair.task) < 0) {
            break;
        }
        spawned += ambit_spawn(s, joins, &here) == 0;
        spawned += ambit_spawn(s, joins, &here) == 0;
    }
    want(spawned == 2);
    always(tally_get(&pair.joined) <= 1);
    want(tally_get(&pair.joined) == 1 && tally_get(&pair.off) == 0);
    ambit_observe(tally_get(&pair.busy));
    return rc;
}

static int join_against_cancel(ambit_cx *cx, void *arg)
{
    ambit_task task = {0};
    int rc = 0, inner_rc = 0, two = 2, result = -1;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (ambit_spawn_with(s, answers, &two, .ret_task = &task) < 0) {
            break;
        }
        ambit_scope (cx, inner, &inner_rc) {
            ambit_cancel(inner, "do not wait");
            want(ambit_join(cx, task, &result) == -ECANCELED);
        }
        int joined = ambit_join(cx, task, &result);
        want(joined == 0 && result == 2);
    }
    want(rc == 0 && inner_rc == 0);
    return rc;
}

static int yield_ring(ambit_cx *cx, void *arg)
{
    int rc = 0, five = 5;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            ambit_spawn_with(s, answers, &five,
                             .tier = i == 1 ? AMBIT_FIBER : AMBIT_SEND);
        }
    }
    want(rc == 0);
    return rc;
}

struct line {
    struct tally next;
};

struct sleeper {
    struct line *line;
    int place;
};

static int sleeps(ambit_cx *cx, void *arg)
{
    struct sleeper *self = arg;
    ambit_time began = ambit_after(ambit_ns(0));
    int rc = ambit_sleep(cx, ambit_ms(self->place));
    ambit_time ended = ambit_after(ambit_ns(0));
    if (rc == 0) {
        always(ended.ns - began.ns >= self->place * 1000000);
        tally_up(&self->line->next);
    }
    return rc;
}

static int sleepers(ambit_cx *cx, void *arg)
{
    struct line line = {{0}};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 3; i > 0; i--) {
            ambit_spawn(s, sleeps, (&(struct sleeper){&line, i}));
        }
    }
    want(rc == 0 && tally_get(&line.next) == 3);
    return rc;
}

/* --- the blocking pool ----------------------------------------------------- */

static int job(void *arg)
{
    tally_up(arg);
    return 7;
}

static int blocks(ambit_cx *cx, void *arg)
{
    int rc = ambit_blocking(cx, job, *(struct tally **)arg);
    want(rc == 7 || rc == -ECANCELED);
    return rc == 7 ? 0 : rc;
}

static int blocking_body(ambit_cx *cx, void *arg)
{
    (void)cx;
    tally_up(*(struct tally **)arg);
    return 0;
}

static int blocking_jobs(ambit_cx *cx, void *arg)
{
    struct tally done = {0}, *here = &done;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_spawn(s, blocks, &here);
        ambit_spawn(s, blocks, &here);
        ambit_spawn_with(s, blocking_body, &here, .tier = AMBIT_BLOCKING);
    }
    want(rc == 0 && tally_get(&done) == 3);
    return rc;
}

static int blocking_against_cancel(ambit_cx *cx, void *arg)
{
    struct tally done = {0}, *here = &done;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_spawn(s, blocks, &here);
        ambit_spawn_with(s, blocking_body, &here, .tier = AMBIT_BLOCKING);
        (void)ambit_yield(cx);
        ambit_cancel(s, "enough");
    }
    want(rc == 0);
    ambit_observe(tally_get(&done));
    return rc;
}

/* --- poll tasks ------------------------------------------------------------ */

struct station {
    struct tally armed, wakes, steps, inside, gone;
    ambit_waker waker;
    int wanted;
};

static int step(ambit_cx *cx, void *state)
{
    struct station *station = *(struct station **)state;
    always(tally_up(&station->inside) == 0);
    if (tally_up(&station->steps) == 0) {
        station->waker = ambit_cx_waker(cx);
        tally_up(&station->armed);
    }
    int rc = ambit_checkpoint(cx);
    if (rc == 0 && tally_get(&station->wakes) < station->wanted) {
        rc = AMBIT_PENDING;
    }
    tally_down(&station->inside);
    return rc;
}

static int wakes(ambit_cx *cx, void *arg)
{
    struct station *station = *(struct station **)arg;
    int rc = 0;
    while (rc == 0 && tally_get(&station->armed) == 0) {
        rc = ambit_sleep(cx, ambit_us(10));
    }
    if (rc == 0) {
        tally_up(&station->wakes);
        int woken = ambit_wake(station->waker);
        always(woken == 0 || woken == -ESTALE);
    }
    return rc;
}

static int poll_and_wakers(ambit_cx *cx, void *arg)
{
    struct station station = {.wanted = 2}, *here = &station;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (ambit_spawn_poll(s, step, &here) < 0 ||
            ambit_spawn(s, wakes, &here) < 0 ||
            ambit_spawn(s, wakes, &here) < 0) {
            break;
        }
    }
    want(rc == 0);
    always(tally_get(&station.steps) <= tally_get(&station.wakes) + 1 ||
           disturbed);
    if (tally_get(&station.armed) == 1) {
        always(ambit_wake(station.waker) == -ESTALE);
    }
    return rc;
}

static int poll_against_cancel(ambit_cx *cx, void *arg)
{
    struct station station = {.wanted = 9}, *here = &station;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        ambit_spawn_poll(s, step, &here);
        ambit_spawn(s, wakes, &here);
        (void)ambit_sleep(cx, ambit_us(30));
        ambit_cancel(s, "enough");
    }
    want(rc == 0);
    return rc;
}

/* One for all: what has no state cannot be told where to look. */
static struct halves {
    struct tally calls, noted, ended;
    int64_t count;
    ambit_waker wakers[3];
} *halves;

static int suspends(ambit_cx *cx)
{
    int64_t call = tally_up(&halves->calls);
    int rc = ambit_yield(cx);
    always(rc == 0 || rc == -ECANCELED);
    if (rc == 0) {
        rc = ambit_sleep(cx, ambit_us(5));
        always(rc == 0 || rc == -ECANCELED);
    }
    if (rc == 0 && call < halves->count) {
        halves->wakers[call] = ambit_cx_waker(cx);
        tally_up(&halves->noted);
        return AMBIT_PENDING;
    }
    tally_up(&halves->ended);
    return rc;
}

static int suspends_without_state(ambit_cx *cx, void *state)
{
    always(state == NULL);
    return suspends(cx);
}

static int suspends_with_state(ambit_cx *cx, void *state)
{
    always(*(int *)state == 7);
    return suspends(cx);
}

/* Two without a state lie side by side. */
static int suspend_in_steps(ambit_cx *cx)
{
    const int seven = 7;
    int rc = 0;
    ambit_scope (cx, s, &rc) {
        if (ambit_spawn_poll(s, suspends_without_state, (char *)NULL) < 0 ||
            ambit_spawn_poll(s, suspends_with_state, &seven) < 0 ||
            ambit_spawn_poll(s, suspends_without_state, (char *)NULL) < 0) {
            break;
        }
        while (rc == 0 && tally_get(&halves->noted) < halves->count) {
            rc = ambit_sleep(cx, ambit_us(10));
        }
        for (int64_t i = 0; rc == 0 && i < halves->count; i++) {
            int woken = ambit_wake(halves->wakers[i]);
            always(woken == 0 || woken == -ESTALE);
        }
    }
    return rc;
}

static int steps_that_suspend(ambit_cx *cx, void *arg)
{
    struct halves here = {.count = 3};
    (void)arg;
    halves = &here;
    int rc = suspend_in_steps(cx);
    want(rc == 0 && tally_get(&here.calls) == 2 * here.count &&
         tally_get(&here.ended) == here.count);
    return rc;
}

/* --- files ----------------------------------------------------------------- */

static int use_file(ambit_cx *cx, const char *path)
{
    ambit_file *file;
    char in[100], out[100];
    size_t written = 0;
    int rc = ambit_file_open(cx, path, O_RDWR | O_CREAT, 0600, &file);
    if (rc < 0) {
        return rc;
    }
    memset(out, 'x', sizeof out);
    rc = ambit_file_write_all(cx, file, out, sizeof out, 0, &written);
    always((rc == 0) == (written == sizeof out));
    size_t got = 0;
    while (rc == 0 && got < sizeof in) {
        ssize_t n = ambit_file_read(cx, file, in + got, sizeof in - got, got);
        rc = n > 0 ? 0 : n < 0 ? (int)n : -EIO;
        got += n > 0 ? (size_t)n : 0;
    }
    always(rc < 0 || memcmp(in, out, sizeof in) == 0);
    int synced = rc < 0 ? rc : ambit_file_datasync(cx, file);
    int closed = ambit_file_close(cx, file);
    want(closed == 0);
    return synced < 0 ? synced : closed;
}

static int file_task(ambit_cx *cx, void *arg)
{
    char path[64];
    snprintf(path, sizeof path, P_tmpdir "/ambit-lab-%d-%d", (int)getpid(),
             *(int *)arg);
    int rc = use_file(cx, path);
    unlink(path);
    want(rc == 0);
    return rc;
}

static int files(ambit_cx *cx, void *arg)
{
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 2; i++) {
            ambit_spawn(s, file_task, &i);
        }
    }
    want(rc == 0);
    return rc;
}

SCENARIOS(task, {"join_in_reverse", join_in_reverse, 2, 0},
          {"joiner_fails_after", joiner_fails_after, 2, SMALL},
          {"two_joiners", two_joiners, 2, 0},
          {"join_against_cancel", join_against_cancel, 2, SMALL},
          {"yield_ring", yield_ring, 2, 0}, {"sleepers", sleepers, 2, 0},
          {"blocking_jobs", blocking_jobs, 2, 0},
          {"blocking_against_cancel", blocking_against_cancel, 2, 0},
          {"poll_and_wakers", poll_and_wakers, 2, CORE,
           "POLL-WAKE-1 POLL-WAKE-2 POLL-WAKE-3"},
          {"poll_against_cancel", poll_against_cancel, 2, 0, "POLL-CANCEL-1"},
          {"steps_that_suspend", steps_that_suspend, 2, STACKS, "POLL-SUSPEND-1"},
          {"files", files, 2, 0});
