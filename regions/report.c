/* SPDX-License-Identifier: MIT */
/*
 * report.c -- a close that takes long says for whom it waits, and where.
 *
 * What a task waits for is known to its own worker only, so each worker is
 * asked, by a note that counts as a child of the region until it has answered.
 *
 *   REG-CLOSE-5  A close that waits longer than close_warn names the tasks.
 */
#include "regions/region.h"

#include <stdio.h>
#include <stdlib.h>

#define REPORT_TASKS 8

struct report_note {
    struct note note;
    struct region *region;
};

static const char *region_name(const struct region *region)
{
    return region->name != NULL ? region->name : "scope";
}

static int describe(const struct task *task, char *text, size_t room)
{
    const struct ambit_site *at = task->cx.at;
    return snprintf(text, room, "; task \"%s\" waits for %s, last seen at %s:%d",
                    task_name(task), park_kind_name((enum park_kind)task->kind),
                    at != NULL ? at->file : "?", at != NULL ? at->line : 0);
}

/* Under the lock: up to REPORT_TASKS of this worker's tasks in words. */
static unsigned collect(struct region *region, struct worker *worker,
                        char *text, size_t room)
{
    unsigned found = 0;
    size_t at = 0;
    list_for_each(node, &region->owner.tasks)
    {
        struct task *task = CONTAINER_OF(node, struct task, sibling);
        if (!task_is_at(task, worker) || ++found > REPORT_TASKS) {
            continue;
        }
        int n = describe(task, text + at, room - at);
        at = n > 0 && at + (size_t)n < room ? at + (size_t)n : at;
    }
    return found;
}

static void report_deliver(struct worker *worker, struct note *note)
{
    struct report_note *ask = CONTAINER_OF(note, struct report_note, note);
    struct region *region = ask->region;
    char text[900] = "";
    free(ask);
    spin_lock(&region->owner.lock);
    unsigned found = collect(region, worker, text, sizeof text);
    spin_unlock(&region->owner.lock);
    if (found > 0) {
        log_line(worker->runtime, AMBIT_LOG_WARNING,
                 "region \"%s\" waits for %u tasks on worker %u%s",
                 region_name(region), found, worker->index, text);
    }
    region_leave(region, REGION_CHILD);
}

static void ask_worker(struct region *region, struct worker *worker)
{
    struct report_note *ask = malloc(sizeof *ask);
    if (ask == NULL) {
        return; /* a report less */
    }
    *ask = (struct report_note){{.deliver = report_deliver}, region};
    word_hold(&region->word); /* for as long as the note is on its way */
    worker_post(worker, &ask->note);
}

void report_fired(struct timer *timer)
{
    struct region *region = CONTAINER_OF(timer, struct region, close_timer);
    struct runtime *runtime = task_runtime(region->host);
    uint64_t word = word_load(&region->word);
    RULE(REG_CLOSE_5);
    log_line(runtime, AMBIT_LOG_WARNING,
             "region \"%s\" has been closing for %.3f s: %u tasks and %u child "
             "regions have not ended",
             region_name(region),
             (double)region->close_warn_ns / 1e9 *
                 (double)((UINT64_C(2) << region->warned) - 1),
             (unsigned)seats_tasks(region),
             (unsigned)((word & REGION_COUNTS) >> 28));
    if ((word & REGION_COUNTS) == 0) {
        return; /* the host is about to wake */
    }
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        ask_worker(region, runtime->workers[i]);
    }
    region->warned += region->warned < 20;
    int64_t times = INT64_C(1) << region->warned;
    worker_timer_arm(
        timer, ambit_after(ambit_scaled_(region->close_warn_ns, times)).ns);
}
