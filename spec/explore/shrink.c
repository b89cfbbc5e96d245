/* SPDX-License-Identifier: MIT */
/*
 * shrink.c -- a failing schedule with as few decisions as can be found.
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
