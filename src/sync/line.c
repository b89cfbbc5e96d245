/* SPDX-License-Identifier: MIT */
/*
 * line.c -- arrive, be granted, be called off.
 *
 * Owner: a waiter is its task's until it waits, the lock's until it is granted,
 * and the granter's until it is woken.
 */
#include "src/sync/line.h"

#include "src/await.h"
#include "src/runtime.h"
#include "src/task.h"
#include "src/worker.h"

static __thread char thread_mark __attribute__((tls_model("initial-exec")));

const void *line_caller(void)
{
    struct worker *worker = worker_self;
    return LIKELY(worker != NULL && worker->current != NULL)
               ? (const void *)worker->current
               : (const void *)&thread_mark;
}

static inline void line_remove(struct line *line, struct line_waiter *waiter)
{
    ASSERT(waiter->waiting);
    ASSERT(line->len > 0);
    *(waiter->prev != NULL ? &waiter->prev->next : &line->first) = waiter->next;
    *(waiter->next != NULL ? &waiter->next->prev : &line->last) = waiter->prev;
    waiter->waiting = false;
    line->len--;
}

static inline void line_append(struct line *line, struct line_waiter *waiter)
{
    RULE(SYNC_FIFO_1);
    waiter->next = NULL;
    waiter->prev = line->last;
    *(line->last != NULL ? &line->last->next : &line->first) = waiter;
    line->last = waiter;
    waiter->waiting = true;
    line->len++;
}

HOT_PATH void line_grant(struct line *line, struct line_waiter *waiter,
                         int64_t value, struct line_woken *woken)
{
    line_remove(line, waiter);
    waiter->value = value;
    waiter->next = NULL;
    *(woken->last != NULL ? &woken->last->next : &woken->first) = waiter;
    woken->last = waiter;
}

void line_grant_all(struct line *line, int64_t value,
                    struct line_woken *woken)
{
    while (line->first != NULL) {
        line_grant(line, line->first, value, woken);
    }
}

void line_wake(struct line_waiter *waiter)
{
    /* Each may be gone once it is woken. */
    while (waiter != NULL) {
        struct line_waiter *next = waiter->next;
        if (UNLIKELY(waiter->polled)) {
            await_granted(waiter);
        } else {
            task_wake(waiter->task, waiter->value);
        }
        waiter = next;
    }
}

bool line_call_off(struct line_waiter *waiter)
{
    struct line *guard = waiter->guard;
    struct line_woken woken = {0};
    line_lock(guard);
    if (!waiter->waiting) {
        RULE(SYNC_CANCEL_2);
        spin_unlock(&guard->lock);
        return false;
    }
    line_remove(waiter->line, waiter);
    if (waiter->left != NULL) {
        RULE(SYNC_CANCEL_1);
        waiter->left(waiter->line, &woken);
    }
    line_unlock(guard, &woken);
    return true;
}

static enum park_answer line_abort(struct task *task, void *arg)
{
    (void)task;
    return line_call_off(arg) ? PARK_ABORTED : PARK_BUSY;
}

HOT_PATH int64_t line_wait_under(struct line *guard, struct line *line,
                                 struct line_waiter *waiter, struct task *task,
                                 enum park_kind kind)
{
    waiter->line = line;
    waiter->guard = guard;
    waiter->task = task;
    line_append(line, waiter);
    bool polled = waiter->polled; /* it may be gone after the unlock */
    spin_unlock(&guard->lock);
    return polled ? AMBIT_PENDING : park(task, kind, line_abort, waiter);
}

int64_t line_wait(struct line *line, struct line_waiter *waiter,
                  struct task *task, enum park_kind kind)
{
    return line_wait_under(line, line, waiter, task, kind);
}

void line_log_left(const char *object, uint64_t left, const char *what)
{
    if (worker_self != NULL) {
        log_line(worker_self->runtime, AMBIT_LOG_WARNING,
                 "%s has ended with %llu %s that nobody received", object,
                 (unsigned long long)left, what);
    }
}
