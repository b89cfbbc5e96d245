/* SPDX-License-Identifier: MIT */
/*
 * counts.c -- runs the paths one after the other.
 *
 *   ambit-counts            all, for run.sh
 *   ambit-counts PATH...    these
 *
 * Each path runs once uncounted, so that slabs and stacks are there.
 */
#include "tests/bench/counts/counts.h"

#include <stdio.h>
#include <string.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#error "needs Valgrind's headers: tests/deps.sh valgrind"
#endif

struct request {
    char **names;
    int names_len;
    bool counted;
    char label[64]; /* of the run that is counted */
};
static struct request request;

void counts_begin(void)
{
    CALLGRIND_ZERO_STATS;
}

void counts_end(void)
{
    if (request.counted) {
        CALLGRIND_DUMP_STATS_AT(request.label);
    }
}

static int run_counted(ambit_cx *cx, const struct counts_path *path, unsigned n)
{
    snprintf(request.label, sizeof request.label, "%s %u", path->name, n);
    request.counted = true;
    int rc = path->run(cx, n);
    request.counted = false;
    return rc;
}

static int run_path(ambit_cx *cx, const struct counts_path *path)
{
    int rc = path->run(cx, 2 * path->n);
    if (rc == 0) {
        rc = run_counted(cx, path, path->n);
    }
    if (rc == 0) {
        rc = run_counted(cx, path, 2 * path->n);
    }
    if (rc < 0) {
        fprintf(stderr, "%s failed: %s\n", path->name, ambit_strerror(rc));
    }
    return rc;
}

static bool is_wanted(const char *name)
{
    for (int i = 0; i < request.names_len; i++) {
        if (strcmp(request.names[i], name) == 0) {
            return true;
        }
    }
    return request.names_len == 0;
}

static int run_paths(ambit_cx *cx, void *arg)
{
    static const struct counts_path *const lists[] = {
        counts_tasks,
        counts_sync,
        counts_actors,
    };
    (void)arg;
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const struct counts_path *p = lists[i]; p->name != NULL; p++) {
            int rc = is_wanted(p->name) ? run_path(cx, p) : 0;
            if (rc < 0) {
                return rc;
            }
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    request.names = argv + 1;
    request.names_len = argc - 1;
    return ambit_run(run_paths, NULL, .workers = 1, .blocking_threads_max = 1,
                     .spin = ambit_ns(-1)) < 0;
}
