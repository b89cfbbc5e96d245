/* SPDX-License-Identifier: MIT */
/*
 * inner.c -- a runtime inside of a scenario.
 */
#include "tests/lab/inner.h"

static void keep_first(void *user, enum ambit_log_level level,
                       const char *line)
{
    struct inner *inner = user;
    (void)level;
    if (!inner->ran && inner->line[0] == '\0') { /* one thread until it runs */
        snprintf(inner->line, sizeof inner->line, "%s", line);
    }
}

/* All that was spawned has ended, and nothing is lent or under way. */
static void check_ledger(const struct inner *inner)
{
    const struct ambit_runtime_stats *s = &inner->stats;
    always(s->spawned == s->completed + s->cancelled + s->panicked);
    always(s->ops_submitted == s->ops_completed);
    always(s->stacks_lent == 0);
}

void inner_here(struct inner *inner)
{
    ambit_runtime *runtime;
    inner->options.size_ = sizeof inner->options;
    if (inner->options.log == NULL) {
        inner->options.log = keep_first;
        inner->options.log_user = inner;
    }
    inner->made = ambit_runtime_create(&runtime, &inner->options);
    if (inner->made < 0) {
        return;
    }
    inner->ran = true;
    unsigned runs = inner->runs != 0 ? inner->runs : 1;
    for (unsigned i = 0; i < runs; i++) {
        inner->rc = ambit_runtime_run(runtime, inner->fn, inner->arg);
    }
    ambit_runtime_stats(runtime, &inner->stats);
    check_ledger(inner);
    ambit_runtime_destroy(runtime);
}

static int inner_job(void *arg)
{
    inner_here(arg);
    return 0;
}

bool inner_run(ambit_cx *cx, struct inner *inner)
{
    int rc = ambit_blocking(cx, inner_job, inner);
    want(rc == 0);
    return inner->ran;
}
