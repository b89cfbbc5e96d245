/* SPDX-License-Identifier: MIT */
/*
 * conduct.c -- a campaign in its child process.
 */
#include "tests/lab/conduct.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void *share(size_t size)
{
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return made == MAP_FAILED ? NULL : made;
}

double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- one run --------------------------------------------------------------- */

static unsigned zero_choose(struct lab_picker *picker, enum lab_choice what,
                            unsigned n, const uint32_t *ids)
{
    (void)picker, (void)what, (void)n, (void)ids;
    return 0;
}

/* Schedule 0 never preempts; the others are random walks. */
void run_base(struct exploration *e, uint64_t base)
{
    struct lab_picker zero = {zero_choose, NULL};
    struct random_picker random;
    random_picker_init(&random, base);
    run_once(e, base, base == 0 ? &zero : &random.picker);
}

/* Schedules into which one thing is injected. */
uint64_t bases(const struct campaign *c)
{
    return c->size >= 100 ? 3 : 1;
}

static void describe(const struct campaign *c, char *text, size_t room)
{
    char line[1024];
    replay_print(&c->e, line, sizeof line);
    snprintf(text, room, "%s; AMBIT_REPLAY='%s'", c->e.shared->text, line);
}

/* Runs the body in a child, and keeps what came of it. */
void conduct(struct campaign *c, void (*body)(struct exploration *))
{
    double began = now_s();
    c->e.fn = c->s->fn;
    c->e.kernel.may_fail |= (c->s->flags & STOPS) != 0;
    c->e.options.name = c->s->name;
    c->e.options.workers = c->s->workers;
    c->e.shared = share(sizeof *c->e.shared);
    struct figures *in_child = share(sizeof *in_child);
    struct figures *ret = c->ret;
    if (c->e.shared == NULL || in_child == NULL) {
        ret->failed = true;
        return;
    }
    c->ret = in_child;
    run_in_child(&c->e, body);
    c->ret = ret;
    figures_add(ret, in_child);
    ret->runs += c->e.shared->runs;
    ret->points += c->e.shared->points;
    ret->schedules += c->e.shared->schedules.len;
    ret->outcomes = c->e.shared->outcomes.len;
    ret->complete = c->e.shared->complete;
    ret->seconds += now_s() - began;
    if (c->e.shared->failed && !ret->failed) {
        ret->failed = true;
        describe(c, ret->text, sizeof ret->text);
    }
    if (c->keep != NULL) {
        for (size_t i = 0; i < SET_MAX * 2; i++) {
            if (c->e.shared->outcomes.slot[i] != 0) {
                set_add(c->keep, c->e.shared->outcomes.slot[i]);
            }
        }
    }
    munmap(in_child, sizeof *in_child);
    munmap(c->e.shared, sizeof *c->e.shared);
}

void seeds_body(struct exploration *e)
{
    struct campaign *c = campaign_of(e);
    for (uint64_t seed = 1; seed <= c->size; seed++) {
        run_base(e, seed);
    }
}

