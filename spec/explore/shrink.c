/* SPDX-License-Identifier: MIT */
/*
 * shrink.c -- a failing schedule with as few decisions as can be found, and
 * the line that replays it.
 *
 * Takes chunks of decisions out, large ones first, and keeps what still fails
 * (A. Zeller's ddmin, TSE 2002, without its complements).
 */
#include "spec/explore/explore.h"

#include <stdio.h>
#include <stdlib.h>

#define TRIES_MAX 400

static void replay_body(struct exploration *e)
{
    static struct decisions given;
    struct replay_picker replay;
    given = e->shared->decisions;
    replay_picker_init(&replay, &given);
    run_once(e, e->shared->seed, &replay.picker);
}

/* True when the run fails with those decisions alone; text and the decisions
 * as they were really made are in shared then. */
static bool still_fails(struct exploration *e, const struct decisions *with)
{
    e->shared->decisions = *with;
    e->shared->failed = false;
    return run_in_child(e, replay_body) == 0 && e->shared->failed;
}

/* `from` without the `count` decisions at `at`. */
static void cut_out(const struct decisions *from, uint32_t at, uint32_t count,
                    struct decisions *ret)
{
    ret->cut = from->cut;
    ret->len = from->len - count;
    memcpy(ret->d, from->d, at * sizeof *from->d);
    memcpy(ret->d + at, from->d + at + count,
           (from->len - at - count) * sizeof *from->d);
}

static void shrink_with(struct exploration *e, struct decisions *best,
                        struct decisions *trial)
{
    unsigned tries = 0;
    uint32_t chunk = best->len;
    RULE(LAB_SHRINK_1);
    while (chunk > 0 && tries < TRIES_MAX) {
        bool shorter = false;
        for (uint32_t at = 0; at < best->len && tries < TRIES_MAX;) {
            uint32_t left = best->len - at;
            cut_out(best, at, chunk < left ? chunk : left, trial);
            tries++;
            if (still_fails(e, trial)) {
                *best = *trial;
                shorter = true;
            } else {
                at += chunk;
            }
        }
        chunk = shorter && chunk == 1 ? 1 : chunk / 2;
    }
}

void shrink(struct exploration *e)
{
    struct decisions *best = malloc(sizeof *best);
    struct decisions *trial = malloc(sizeof *trial);
    char text[sizeof e->shared->text];
    if (best != NULL && trial != NULL && !e->shared->decisions.cut) {
        snprintf(text, sizeof text, "%s", e->shared->text);
        *best = e->shared->decisions;
        if (still_fails(e, best)) {
            shrink_with(e, best, trial);
            still_fails(e, best); /* its text */
        } else {
            snprintf(e->shared->text, sizeof text, "%s", text);
        }
        e->shared->decisions = *best;
        e->shared->failed = true;
    }
    free(best);
    free(trial);
}

void replay_print(const struct exploration *e, char *ret_line, size_t room)
{
    const struct decisions *d = &e->shared->decisions;
    size_t at = (size_t)snprintf(ret_line, room, "w%u s%llu",
                                 e->options.workers,
                                 (unsigned long long)e->shared->seed);
    if (e->options.fail_alloc_at != 0) {
        at += (size_t)snprintf(ret_line + at, room - at, " a%llu%s",
                               (unsigned long long)e->options.fail_alloc_at,
                               e->options.fail_alloc_on ? "+" : "");
    }
    size_t seed_only = at;
    if (d->len == 0 && !d->cut) {
        snprintf(ret_line + at, room - at, " 0:0"); /* no decision matters */
    }
    for (uint32_t i = 0; i < d->len && at < room - 32; i++) {
        at += (size_t)snprintf(ret_line + at, room - at, " %u:%u", d->d[i].at,
                               d->d[i].value);
    }
    if (d->cut || at >= room - 32) {
        ret_line[seed_only] = '\0'; /* the seed alone leads there, too */
    }
}

bool replay_parse(const char *line, struct exploration *e)
{
    struct decisions *d = &e->shared->decisions;
    const char *at = line;
    char *end;
    d->len = 0;
    while (*at != '\0') {
        char kind = *at;
        at += kind == 'w' || kind == 's' || kind == 'a';
        uint64_t n = strtoull(at, &end, 10);
        if (end == at) {
            return false;
        }
        at = end;
        if (kind == 'w') {
            e->options.workers = (unsigned)n;
        } else if (kind == 's') {
            e->shared->seed = n;
        } else if (kind == 'a') {
            e->options.fail_alloc_at = n;
            e->options.fail_alloc_on = *at == '+';
            at += *at == '+';
        } else {
            if (*at != ':' || d->len == DECISIONS_MAX) {
                return false;
            }
            uint64_t value = strtoull(at + 1, &end, 10);
            d->d[d->len++] = (struct decision){(uint32_t)n, (uint32_t)value};
            at = end;
        }
        at += *at == ' ';
    }
    return true;
}

/* --- in a file ------------------------------------------------------------- */

bool replay_save(const struct exploration *e, const char *path)
{
    const struct decisions *d = &e->shared->decisions;
    FILE *file = d->cut ? NULL : fopen(path, "w");
    if (file == NULL) {
        return false;
    }
    fprintf(file, "w%u s%llu", e->options.workers,
            (unsigned long long)e->shared->seed);
    if (e->options.fail_alloc_at != 0) {
        fprintf(file, " a%llu%s", (unsigned long long)e->options.fail_alloc_at,
                e->options.fail_alloc_on ? "+" : "");
    }
    if (d->len == 0) {
        fprintf(file, " 0:0");
    }
    for (uint32_t i = 0; i < d->len; i++) {
        fprintf(file, " %u:%u", d->d[i].at, d->d[i].value);
    }
    bool good = ferror(file) == 0;
    return fclose(file) == 0 && good;
}

bool replay_load(const char *path, struct exploration *e)
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
