/* SPDX-License-Identifier: MIT */
/*
 * replay.c -- a run as a line, and back.
 *
 *     w2 s17 41:1 97:2     two workers, seed 17, two decisions that were not 0
 *     s17                  the schedule of the seed, all of it
 *
 * What else the run depended on stands between the seed and the decisions:
 *
 *     p3,812               no decisions, but PCT of that depth, for runs of so
 *                          many steps
 *     e1                   one of an exhaustive search
 *     q1                   the kernel completes at once, in full
 *     a5 a5+               request 5 for memory is refused; and all after it
 *     c3 c3,8 i3           a cancel of the root at suspension 3, and at 8; of
 *                          the innermost region
 *     o2,1,4               operation 2, which way, which error of its table
 *     f1                   operations fail at random
 *     k8,4,0,1,0           a kernel: ring, completion queue, flags refused,
 *                          enter fails, error of io_uring_setup()
 */
#include "spec/explore/explore.h"

#include <stdio.h>
#include <stdlib.h>

#define PLACES_MAX 5

static void print_search(const struct exploration *e, FILE *to)
{
    if (e->options.search == AMBIT_SEARCH_EXHAUSTIVE) {
        fprintf(to, " e1");
    }
    if (e->options.plain_kernel) {
        fprintf(to, " q1");
    }
}

static void print_injection(const struct exploration *e, FILE *to)
{
    const struct ambit_explore_options *o = &e->options;
    const struct lab_injection *in = &e->shared->inject;
    const struct kernel_faults *k = &e->kernel;
    if (e->shared->alloc_at != 0) {
        fprintf(to, " a%llu%s", (unsigned long long)e->shared->alloc_at,
                e->shared->alloc_on ? "+" : "");
    }
    if (in->cancel_at[0] != 0) {
        fprintf(to, " %c%llu,%llu", in->inner ? 'i' : 'c',
                (unsigned long long)in->cancel_at[0],
                (unsigned long long)in->cancel_at[1]);
    }
    if (in->op_at != 0) {
        fprintf(to, " o%llu,%d,%u", (unsigned long long)in->op_at,
                (int)in->way, in->error);
    }
    if (o->faults != 0) {
        fprintf(to, " f%u", o->faults);
    }
    if (k->ring_entries != 0 || k->cq_entries != 0 || k->enter_faults ||
        k->refuse_ring_flags != 0 || k->ring_error != 0) {
        fprintf(to, " k%u,%u,%u,%d,%d", k->ring_entries, k->cq_entries,
                k->refuse_ring_flags, (int)k->enter_faults, k->ring_error);
    }
}

/* The whole line, however long. */
static void print_line(const struct exploration *e, bool with_decisions,
                       FILE *to)
{
    const struct decisions *d = &e->shared->decisions;
    fprintf(to, "w%u s%llu", e->options.workers,
            (unsigned long long)e->shared->seed);
    print_search(e, to);
    print_injection(e, to);
    if (!with_decisions) {
        if (e->shared->pct_depth != 0) {
            fprintf(to, " p%u,%llu", e->shared->pct_depth,
                    (unsigned long long)e->shared->pct_length);
        }
        return;
    }
    if (d->len == 0) {
        fprintf(to, " 0:0"); /* no decision matters */
    }
    for (uint32_t i = 0; i < d->len; i++) {
        fprintf(to, " %u:%u", d->d[i].at, d->d[i].value);
    }
}

void replay_print(const struct exploration *e, char *ret_line, size_t room)
{
    char *line = NULL;
    size_t len = 0;
    RULE(LAB_REPLAY_1);
    /* Too long a line is left to the seed: it leads there, too. */
    for (int whole = !e->shared->decisions.cut; whole >= 0; whole--) {
        FILE *to = open_memstream(&line, &len);
        if (to != NULL) {
            print_line(e, whole != 0, to);
            fclose(to);
        }
        if (line == NULL || len < room) {
            break;
        }
        free(line);
        line = NULL;
    }
    snprintf(ret_line, room, "%s", line != NULL ? line : "");
    free(line);
}

/* --- and back -------------------------------------------------------------- */

/* Up to five numbers with commas between them; how many. */
static unsigned parse_places(const char **at, uint64_t *ret_n)
{
    unsigned count = 0;
    char *end;
    do {
        *at += count > 0;
        ret_n[count] = strtoull(*at, &end, 10);
        if (end == *at) {
            return 0;
        }
        *at = end;
        count++;
    } while (**at == ',' && count < PLACES_MAX);
    return count;
}

static void take_cancel(struct exploration *e, const uint64_t *n, bool inner)
{
    e->shared->inject.cancel_at[0] = n[0];
    e->shared->inject.cancel_at[1] = n[1];
    e->shared->inject.inner = inner;
}

static void take_kernel(struct exploration *e, const uint64_t *n)
{
    e->kernel.ring_entries = (unsigned)n[0];
    e->kernel.cq_entries = (unsigned)n[1];
    e->kernel.refuse_ring_flags = (unsigned)n[2];
    e->kernel.enter_faults = n[3] != 0;
    e->kernel.ring_error = (int)n[4];
}

/* False: it is none of the search. */
static bool take_search(struct exploration *e, char kind, const uint64_t *n)
{
    switch (kind) {
    case 'w':
        e->options.workers = (unsigned)n[0];
        return true;
    case 's':
        e->shared->seed = n[0];
        return true;
    case 'p':
        e->shared->pct_depth = (unsigned)n[0];
        e->shared->pct_length = n[1];
        return true;
    case 'e':
        e->options.search = AMBIT_SEARCH_EXHAUSTIVE;
        return true;
    case 'q':
        e->options.plain_kernel = true;
        return true;
    case 'k':
        take_kernel(e, n);
        return true;
    default:
        return false;
    }
}

/* False: there is no such thing to inject. */
static bool take_place(struct exploration *e, char kind, const uint64_t *n,
                       const char **at)
{
    switch (kind) {
    case 'a':
        e->shared->alloc_at = n[0];
        e->shared->alloc_on = **at == '+';
        *at += **at == '+';
        break;
    case 'c':
    case 'i':
        take_cancel(e, n, kind == 'i');
        break;
    case 'o':
        e->shared->inject.op_at = n[0];
        e->shared->inject.way = (enum lab_way)n[1];
        e->shared->inject.error = (unsigned)n[2];
        break;
    case 'f':
        e->options.faults = (unsigned)n[0];
        break;
    default:
        return take_search(e, kind, n);
    }
    e->kernel.may_fail = true;
    return true;
}

static bool replay_parse(const char *line, struct exploration *e)
{
    struct decisions *d = &e->shared->decisions;
    const char *at = line;
    d->len = 0;
    while (*at != '\0') {
        uint64_t n[PLACES_MAX] = {0};
        char kind = *at;
        bool is_decision = kind >= '0' && kind <= '9';
        at += !is_decision;
        if (parse_places(&at, n) == 0) {
            return false;
        }
        if (is_decision) {
            if (*at++ != ':' || d->len == DECISIONS_MAX ||
                parse_places(&at, &n[1]) != 1) {
                return false;
            }
            d->d[d->len++] = (struct decision){(uint32_t)n[0], (uint32_t)n[1]};
        } else if (!take_place(e, kind, n, &at)) {
            return false;
        }
        at += *at == ' ';
    }
    return true;
}

void replay_run(struct exploration *e)
{
    static struct decisions given;
    struct replay_picker replay;
    struct random_picker random;
    given = e->shared->decisions;
    replay_picker_init(&replay, &given);
    struct pct_picker pct;
    random_picker_init(&random, e->shared->seed);
    pct_picker_init(&pct, e->shared->seed,
                    e->shared->pct_depth > 0 ? e->shared->pct_depth : 1,
                    e->shared->pct_length);
    run_once(e, e->shared->seed,
             given.len > 0              ? &replay.picker
             : e->shared->pct_depth > 0 ? &pct.picker
                                        : &random.picker);
}

/* --- in a file ------------------------------------------------------------- */

bool replay_save(const struct exploration *e, const char *path)
{
    FILE *file = e->shared->decisions.cut ? NULL : fopen(path, "w");
    if (file == NULL) {
        return false;
    }
    print_line(e, true, file);
    bool good = ferror(file) == 0;
    return fclose(file) == 0 && good;
}

static bool replay_load(const char *path, struct exploration *e)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    bool good = file != NULL && getline(&line, &room, file) > 0;
    if (good) {
        line[strcspn(line, "\n")] = '\0';
        good = replay_parse(line, e);
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return good;
}

bool replay_take(const char *line, struct exploration *e)
{
    return line[0] == '@' ? replay_load(line + 1, e) : replay_parse(line, e);
}
