/* SPDX-License-Identifier: MIT */
/*
 * panic.c -- the end of a task whose invariants are broken.
 *
 * The frames of the task are still there, below us on its stack, so its open
 * scopes are closed from here, innermost first; then the stack is dropped.
 *
 *   TASK-PANIC-1  A panic closes every scope the task has open.
 *   TASK-PANIC-2  A panic ends its task only; the worker goes on.
 */
#include "regions/budget.h"

#include <stdarg.h>
#include <stdio.h>

static void say(struct task *task, const char *format, va_list args)
{
    char text[512];
    const struct ambit_site *at = task->cx.at;
    vsnprintf(text, sizeof text, format, args);
    log_line(task_runtime(task), AMBIT_LOG_ERROR,
             "task \"%s\" panicked: %s (%s:%d)", task_name(task), text,
             at != NULL ? at->file : "?",
             at != NULL ? at->line : 0);
}

static void close_scopes(struct task *task)
{
    RULE(REG_MASK_4);
    mask_drop_all(task);
    while (task->scope != task->owner) {
        RULE(TASK_PANIC_1);
        region_close(region_of_owner(task->scope), true);
    }
}

void ambit_panic(ambit_cx *cx, const char *format, ...)
{
    struct task *task = task_of(cx);
    va_list args;
    va_start(args, format);
    say(task, format, args);
    va_end(args);
    RULE(TASK_PANIC_2);
    if (task_is_at_large(task)) {
        task_jump_out(task);
    }
    if (task->hooks != NULL && task->hooks->panic_begins != NULL) {
        task->hooks->panic_begins(task);
    }
    close_scopes(task);
    if (task->hooks != NULL) {
        task->hooks->panic_ends(task);
        worker_drop_stack(worker_self);
    }
    task_exit_now(task, TASK_PANICKED, -EOWNERDEAD);
}
