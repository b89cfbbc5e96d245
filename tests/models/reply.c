/* SPDX-License-Identifier: MIT */
/*
 * reply.c -- actors/reply.c: one answer, or none; late ones touch nothing.
 *
 * With: actors/reply.c
 * Fault: actors/reply.c /^static enum park_answer reply_abort/,/^}/s/REPLY_CLAIMED/REPLY_WAITED/
 * Fault: actors/reply.c /^static void reply_retire/,/^}/s/generation + 1/generation/
 */
#include "actors/reply.h"

#define KIT_REUSE
#include "tests/models/kit.h"
#include "tests/models/no_await.h"

static struct task caller;
static struct bell answered;
static ambit_reply reply;
static bool cancelled;
static int rc, value;
static int answers[THREADS];
static _Atomic int handed_on;

void task_wake(struct task *task, int64_t with)
{
    task->wake_value = with;
    bell_ring(&answered);
}

int64_t park(struct task *task, enum park_kind kind, park_abort_fn *abort_fn,
             void *arg)
{
    (void)kind;
    if (cancelled && abort_fn(task, arg) == PARK_ABORTED) {
        return -ECANCELED;
    }
    bell_wait(&answered);
    return task->wake_value;
}

static void setup(void)
{
    kit_begin();
    memset(&answered, 0, sizeof answered);
    memset(answers, 0, sizeof answers);
    memset(&caller, 0, sizeof caller);
    atomic_init(&caller.home, task_at_large(&kit_runtime));
    cancelled = false;
    rc = value = 0;
    struct reply_slot *slot = reply_open(&caller, &value, sizeof value);
    reply = reply_handle(slot);
}

static void setup_cancelled(void)
{
    setup();
    cancelled = true;
}

static void waits(void)
{
    rc = reply_wait(reply.slot);
    /* The room for the answer is the caller's again. */
    int had = value;
    value = 0;
    MUST(rc < 0 || had == rc);
}

static void answer(void)
{
    int me = (int)explore_self();
    answers[me] = reply_resolve(reply, me, &me, sizeof me, true) == 0;
}

/* The slot is used again at once: a late answer must not meet the new call. */
static void waits_and_calls_again(void)
{
    waits();
    cancelled = true;
    struct reply_slot *slot = reply_open(&caller, &value, sizeof value);
    MUST(slot == reply.slot);
    MUST(reply_wait(slot) == -ECANCELED);
}

/* Hands the handle on with no order at all, as a user may. */
static void calls(void)
{
    (void)reply_open(&caller, &value, sizeof value);
    atomic_store_explicit(&handed_on, 1, memory_order_relaxed);
    waits();
}

static void answers_if_asked(void)
{
    if (atomic_load_explicit(&handed_on, memory_order_relaxed) == 1) {
        answer();
    }
}

static void setup_unasked(void)
{
    setup_cancelled();
    /* As an earlier caller left it. */
    MUST(reply_wait(reply.slot) == -ECANCELED);
    reply.generation++;
    kit_freed = 0;
    atomic_init(&handed_on, 0);
}

static int count(void)
{
    int n = 0;
    for (int i = 0; i < THREADS; i++) {
        n += answers[i];
    }
    return n;
}

static void one_answer(void)
{
    MUST(count() == 1);
    MUST(rc > 0 && answers[rc] == 1);
    MUST(kit_freed == 1);
}

static void one_answer_or_none(void)
{
    MUST(count() == (rc == -ECANCELED ? 0 : 1));
    MUST(kit_freed == 1);
}

static void one_answer_then_none(void)
{
    MUST(count() == 1);
    MUST(kit_freed == 2);
}

static const struct scenario scenarios[] = {
    {"an answer", setup, {waits, answer}, one_answer, 5, 3},
    {"two answers", setup, {waits, answer, answer}, one_answer, 4, 2},
    {"a caller who leaves",
     setup_cancelled,
     {waits, answer, answer},
     one_answer_or_none,
     4,
     2},
    {"a call, and another one in its place",
     setup,
     {waits_and_calls_again, answer, answer},
     one_answer_then_none,
     4,
     2},
    {"a handle handed on without order",
     setup_unasked,
     {calls, answers_if_asked},
     one_answer_or_none,
     4,
     2},
};

KIT_MAIN(scenarios)
