/* SPDX-License-Identifier: MIT */
/*
 * explore.c -- the search: which runs, until when, and what came of it.
 */
#include "spec/explore/explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static void by_seeds(struct exploration *e)
{
    const struct ambit_explore_options *o = &e->options;
    for (uint64_t i = 0; i < o->seeds; i++) {
        struct random_picker random;
        random_picker_init(&random, o->first_seed + i);
        run_once(e, o->first_seed + i, &random.picker);
    }
}

void run_pct(struct exploration *e, uint64_t seed, unsigned depth)
{
    struct pct_picker pct;
    e->shared->pct_depth = depth;
    e->shared->pct_length = e->shared->longest;
    pct_picker_init(&pct, seed, depth, e->shared->longest);
    run_once(e, seed, &pct.picker);
    e->shared->pct_depth = 0;
}

/* The first run tells how long one is. */
static void by_pct(struct exploration *e)
{
    const struct ambit_explore_options *o = &e->options;
    for (uint64_t i = 0; i < o->seeds; i++) {
        run_pct(e, o->first_seed + i, i == 0 ? 1 : o->depth);
    }
}

static void by_all(struct exploration *e)
{
    static struct tree_picker tree;
    tree.preemptions_max = e->options.preemptions;
    bool more = true;
    for (uint64_t i = 0; more && i < e->options.runs_max; i++) {
        tree_picker_begin(&tree);
        run_once(e, i + 1, &tree.picker);
        more = tree_picker_next(&tree);
    }
    e->shared->complete = !more;
}

static uint64_t seeds_wanted(void)
{
    const char *given = getenv("AMBIT_SEEDS");
    uint64_t seeds = given != NULL ? strtoull(given, NULL, 10) : 0;
    return seeds > 0 ? seeds : 200;
}

static int take_options(struct exploration *e,
                        const struct ambit_explore_options *given)
{
    struct ambit_explore_options *o = &e->options;
    size_t known = given->size_ < sizeof *o ? given->size_ : sizeof *o;
    memcpy(o, given, known);
    if ((unsigned)o->search > AMBIT_SEARCH_EXHAUSTIVE ||
        o->workers > WORKERS_MAX) {
        return -EINVAL;
    }
    o->name = o->name != NULL ? o->name : "exploration";
    o->workers = o->workers != 0 ? o->workers : 2;
    o->seeds = o->seeds != 0 ? o->seeds : seeds_wanted();
    o->first_seed = o->first_seed != 0 ? o->first_seed : 1;
    o->depth = o->depth != 0 ? o->depth : 3;
    o->preemptions = o->preemptions != 0 ? o->preemptions : 2;
    o->runs_max = o->runs_max != 0 ? o->runs_max : 100000;
    return 0;
}

static int search(struct exploration *e)
{
    const char *line = getenv("AMBIT_REPLAY");
    if (line != NULL) {
        if (!replay_take(line, e)) {
            fprintf(stderr, "AMBIT_REPLAY: not a line to replay: %s\n", line);
            return -EINVAL;
        }
        return run_in_child(e, replay_run);
    }
    switch (e->options.search) {
    case AMBIT_SEARCH_PCT:
        return run_in_child(e, by_pct);
    case AMBIT_SEARCH_EXHAUSTIVE:
        return run_in_child(e, by_all);
    default:
        return run_in_child(e, by_seeds);
    }
}

/* In one run at most: each step another of n threads, d-1 places to guess. */
static double pct_miss(const struct exploration *e)
{
    double p = 1.0 / (e->shared->threads + 1.0);
    for (unsigned i = 1; i < e->options.depth; i++) {
        p /= (double)(e->shared->longest > 0 ? e->shared->longest : 1);
    }
    return 1.0 - p;
}

static void tell(const struct exploration *e, struct ambit_exploration *ret)
{
    const struct shared *shared = e->shared;
    *ret = (struct ambit_exploration){
        .runs = shared->runs,
        .points = shared->points,
        .choices = shared->choices,
        .schedules = shared->schedules.len,
        .outcomes = shared->outcomes.len,
        .allocations = shared->allocations,
        .complete = shared->complete,
        .failed = shared->failed,
        .failing_seed = shared->failed ? shared->seed : 0,
    };
    ret->fingerprint = shared->of_all;
    if (e->options.search == AMBIT_SEARCH_PCT) {
        ret->depth = e->options.depth;
        ret->threads = shared->threads + 1;
        ret->steps = shared->longest;
        ret->miss = pct_miss(e);
        ret->miss_all = 1;
        for (uint64_t i = 1; i < ret->runs; i++) { /* the first one measured */
            ret->miss_all *= ret->miss;
        }
    }
    if (shared->failed) {
        memcpy(ret->text, shared->text, sizeof ret->text);
        memcpy(ret->story, shared->story, sizeof ret->story);
        const char *save = getenv("AMBIT_SAVE");
        if (save != NULL && replay_save(e, save)) {
            snprintf(ret->replay, sizeof ret->replay, "@%s", save);
        } else {
            replay_print(e, ret->replay, sizeof ret->replay);
        }
    }
}

int ambit_explore_(ambit_task_fn *fn, void *arg,
                   const struct ambit_explore_options *options,
                   struct ambit_exploration *ret)
{
    struct exploration e = {.fn = fn, .arg = arg};
    struct ambit_exploration unseen;
    int rc = take_options(&e, options);
    if (rc < 0) {
        return rc;
    }
    e.shared = mmap(NULL, sizeof *e.shared, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (e.shared == MAP_FAILED) {
        return -ENOMEM;
    }
    e.shared->alloc_at = e.options.fail_alloc_at;
    e.shared->alloc_on = e.options.fail_alloc_on;
    rc = search(&e);
    if (rc == 0 && e.shared->failed && getenv("AMBIT_REPLAY") == NULL) {
        shrink(&e);
    }
    tell(&e, ret != NULL ? ret : &unseen);
    if (rc == 0 && e.shared->failed) {
        rc = -ENOTRECOVERABLE;
    }
    munmap(e.shared, sizeof *e.shared);
    return rc;
}

void ambit_exploration_print(const char *name,
                             const struct ambit_exploration *e)
{
    printf("lab %s: %llu runs, %llu points, %llu choices, %llu schedules, "
           "%llu outcomes%s",
           name, (unsigned long long)e->runs, (unsigned long long)e->points,
           (unsigned long long)e->choices, (unsigned long long)e->schedules,
           (unsigned long long)e->outcomes, e->complete ? ", complete" : "");
    if (e->miss > 0) {
        printf("; PCT: n = %u threads, k = %llu steps, d = %u: one run misses a "
               "bug of that depth with p <= 1 - %.3g, all with p <= %.3g",
               e->threads, (unsigned long long)e->steps, e->depth, 1 - e->miss,
               e->miss_all);
    }
    printf("\n");
    if (e->failed) {
        printf("lab %s: FAILED at seed %llu: %s\n", name,
               (unsigned long long)e->failing_seed, e->text);
        printf("%s", e->story);
        printf("lab %s: replay with AMBIT_REPLAY='%s'\n", name, e->replay);
        printf("lab %s: under gdb with AMBIT_LAB_NOFORK=1 besides, which stops "
               "where it fails (set follow-fork-mode child)\n", name);
    }
    fflush(stdout);
}
