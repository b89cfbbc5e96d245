/* SPDX-License-Identifier: MIT */
/*
 * oracle_test.c -- each oracle bites, and says what it saw.
 *
 * The stories below are told to the lab as if the library had told them, each
 * with one promise broken; the run has to end with a sentence that names the
 * rule and the things.
 */
#include <ambit/spec.h>
#undef Spec

#include "tests/harness/test.h"

#include "regions/region.h"
#include "spec/lab/lab.h"
#include "spec/lab/told.h"

struct stage {
    struct region outer;
    struct region inner;
    struct task task;
    struct task_extras extras; /* of the task */
    int64_t room[8]; /* finalizers, messages, calls, timers: addresses */
};

/* Shared by the stories; a run is a process of its own. */
static struct stage s = {
    .outer = {.name = "outer"},
    .inner = {.name = "inner"},
    .task = {.has_extras = true},
    .extras = {.name = "probe"},
};

static void tell(enum told what, const void *subject, const void *other,
                 int64_t number)
{
    lab_told(what, subject, other, number);
}

static void closes_on_a_task(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_TASK_MADE, &s.task, &s.outer, 0);
    tell(TOLD_TASK_RUNS, &s.task, NULL, 0);
    tell(TOLD_REGION_JOINED, &s.outer, NULL, 0);
}

static void closes_on_a_child(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_REGION_OPENED, &s.inner, &s.outer, 0);
    tell(TOLD_REGION_CLOSED, &s.outer, NULL, 0);
}

static void admits_when_joined(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_REGION_JOINED, &s.outer, NULL, 0);
    tell(TOLD_TASK_MADE, &s.task, &s.outer, 0);
}

static void opens_in_a_closed_one(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_REGION_CLOSED, &s.outer, NULL, 0);
    tell(TOLD_REGION_OPENED, &s.inner, &s.outer, 0);
}

static void runs_after_its_end(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_TASK_MADE, &s.task, &s.outer, 0);
    tell(TOLD_TASK_RUNS, &s.task, NULL, 0);
    tell(TOLD_TASK_ENDED, &s.task, NULL, 0);
    tell(TOLD_TASK_RUNS, &s.task, NULL, 0);
}

static void forgets_to_close(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
}

static void returns_before_the_losers(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_TASK_MADE, &s.task, &s.outer, 0);
    tell(TOLD_COMBINED, &s.outer, NULL, 0);
}

static void finalizes_in_order_of_pushing(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_FINALIZER_PUSHED, &s.outer, &s.room[0], 0);
    tell(TOLD_FINALIZER_PUSHED, &s.outer, &s.room[1], 0);
    tell(TOLD_REGION_JOINED, &s.outer, NULL, 0);
    tell(TOLD_FINALIZER_RUNS, &s.outer, &s.room[0], 0);
}

static void finalizes_twice(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_FINALIZER_PUSHED, &s.outer, &s.room[0], 0);
    tell(TOLD_REGION_JOINED, &s.outer, NULL, 0);
    tell(TOLD_FINALIZER_RUNS, &s.outer, &s.room[0], 0);
    tell(TOLD_FINALIZER_RUNS, &s.outer, &s.room[0], 0);
}

static void finalizes_before_the_last_child(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_FINALIZER_PUSHED, &s.outer, &s.room[0], 0);
    tell(TOLD_FINALIZER_RUNS, &s.outer, &s.room[0], 0);
}

static void skips_a_finalizer(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_FINALIZER_PUSHED, &s.outer, &s.room[0], 0);
    tell(TOLD_REGION_JOINED, &s.outer, NULL, 0);
    tell(TOLD_REGION_CLOSED, &s.outer, NULL, 0);
}

static void mailbox(int64_t credits, unsigned reserve, unsigned commit)
{
    tell(TOLD_MAILBOX_OPENED, &s, NULL, credits);
    for (unsigned i = 0; i < reserve; i++) {
        tell(TOLD_PERMIT_RESERVED, &s, &s.room[i], 0);
    }
    for (unsigned i = 0; i < commit; i++) {
        tell(TOLD_MESSAGE_PUSHED, &s, &s.room[i], 0);
    }
}

static void reserves_too_many(void)
{
    mailbox(2, 3, 0);
}

static void handles_twice(void)
{
    mailbox(2, 1, 1);
    tell(TOLD_MESSAGE_HANDLED, &s, &s.room[0], 0);
    tell(TOLD_MESSAGE_DISPOSED, &s, &s.room[0], 0);
}

static void handles_what_was_not_committed(void)
{
    mailbox(2, 1, 0);
    tell(TOLD_MESSAGE_HANDLED, &s, &s.room[0], 0);
}

static void loses_a_message(void)
{
    mailbox(2, 2, 2);
    tell(TOLD_MESSAGE_HANDLED, &s, &s.room[0], 0);
    tell(TOLD_MAILBOX_GONE, &s, NULL, 0);
}

static void reorders_messages(void)
{
    mailbox(2, 2, 2);
    tell(TOLD_MESSAGE_HANDLED, &s, &s.room[1], 0);
}

static void aborts_what_it_committed(void)
{
    mailbox(2, 1, 1);
    tell(TOLD_PERMIT_ABORTED, &s, &s.room[0], 0);
}

static void answers_twice(void)
{
    tell(TOLD_CALL_MADE, &s.room[0], NULL, 0);
    tell(TOLD_CALL_ANSWERED, &s.room[0], NULL, 0);
    tell(TOLD_CALL_LEFT, &s.room[0], NULL, 0);
}

static void never_answers(void)
{
    tell(TOLD_CALL_MADE, &s.room[0], NULL, 0);
    tell(TOLD_CALL_CLOSED, &s.room[0], NULL, 0);
}

static void fulfils_twice(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_DUTY_MADE, &s.room[0], &s.outer, 0);
    tell(TOLD_DUTY_RESOLVED, &s.room[0], NULL, 0);
    tell(TOLD_DUTY_RESOLVED, &s.room[0], NULL, 1);
}

static void closes_on_an_obligation(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_REGION_OPENED, &s.inner, NULL, 0);
    tell(TOLD_DUTY_MADE, &s.room[0], &s.outer, 0);
    tell(TOLD_DUTY_MOVED, &s.room[0], &s.inner, 0);
    tell(TOLD_REGION_CLOSED, &s.outer, NULL, 0);
    tell(TOLD_REGION_CLOSED, &s.inner, NULL, 0);
}

static void fires_early(void)
{
    tell(TOLD_TIMER_ARMED, &s.room[0], NULL, lab_self->now_ns + 5);
    tell(TOLD_TIMER_FIRES, &s.room[0], NULL, lab_self->now_ns + 5);
}

static void goes_back_in_time(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    lab_self->now_ns -= 7;
    tell(TOLD_REGION_CLOSED, &s.outer, NULL, 0);
}

static void lends_a_byte_twice(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_HEAP_ALLOCATED, &s.room[0], &s.outer, 9);
    tell(TOLD_HEAP_ALLOCATED, &s.room[1], &s.outer, 8);
}

static void lends_when_closed(void)
{
    tell(TOLD_REGION_OPENED, &s.outer, NULL, 0);
    tell(TOLD_REGION_CLOSED, &s.outer, NULL, 0);
    tell(TOLD_HEAP_ALLOCATED, &s.room[0], &s.outer, 9);
}

static const struct story {
    void (*tell)(void);
    const char *rule;
    const char *words; /* of the sentence */
} stories[] = {
    {closes_on_a_task, "REG-CLOSE-1", "task 2 \"probe\" of it is still there"},
    {closes_on_a_child, "REG-CLOSE-1", "region 3 \"inner\" of it is still"},
    {admits_when_joined, "REG-ADMIT-1", "was admitted to region 2 \"outer\""},
    {opens_in_a_closed_one, "REG-ADMIT-1", "opens in region 2 \"outer\", which"},
    {runs_after_its_end, "TASK-PARK-1", "task 2 \"probe\" runs, but it has"},
    {forgets_to_close, "REG-CLOSE-1", "region 2 \"outer\" was left without"},
    {returns_before_the_losers, "COMB-DRAIN-1", "1 of its branches"},
    {finalizes_in_order_of_pushing, "REG-FIN-2", "finalizer 2 was pushed later"},
    {finalizes_twice, "REG-FIN-1", "not in its list any more"},
    {finalizes_before_the_last_child, "REG-FIN-6", "before the last child"},
    {skips_a_finalizer, "REG-FIN-1", "finalizer 1 never ran"},
    {reserves_too_many, "MBX-CREDIT-1", "has 3 messages reserved or queued"},
    {handles_twice, "MBX-ONCE-1", "disposes of a message that is not in it"},
    {handles_what_was_not_committed, "MBX-ONCE-1", "hands out a message"},
    {loses_a_message, "MBX-ONCE-1", "goes with 1 messages"},
    {reorders_messages, "MBX-ORDER-1", "hands out message 2 before message 1"},
    {aborts_what_it_committed, "MBX-CREDIT-3", "that is not open"},
    {answers_twice, "SRV-CALL-1", "call 1 is resolved 2 times"},
    {never_answers, "SRV-CALL-1", "nobody answered or gave it up"},
    {fulfils_twice, "OBL-ONCE-1", "obligation 1 is resolved 2 times"},
    {closes_on_an_obligation, "OBL-CLOSE-1", "region 3 \"inner\" is closed"},
    {fires_early, "TIME-1", "timer 1 fires 5 ns early"},
    {goes_back_in_time, "TIME-1", "time went back by 7 ns"},
    {lends_a_byte_twice, "HEAP-ALIGN-1", "block 1 and block 2 of region 2"},
    {lends_when_closed, "HEAP-CLOSE-1", "region 2 \"outer\", which is closed"},
};

static int play(ambit_cx *cx, void *arg)
{
    const struct story *story = arg;
    (void)cx;
    story->tell();
    return 0;
}

/* Goal: what an oracle looks for, it finds, and says.
 * Method: each story in a run of its own; one that is fine before them. */
Spec(LAB_ORACLE_1, a_broken_promise_ends_the_run_with_a_sentence)
{
    struct ambit_exploration e;
    for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
        int rc = ambit_explore(play, (void *)(uintptr_t)&stories[i], &e,
                               .seeds = 1, .workers = 1);
        cr_assert(rc == -ENOTRECOVERABLE, "story %zu: %d", i, rc);
        cr_assert(strncmp(e.text, stories[i].rule, strlen(stories[i].rule)) ==
                      0,
                  "story %zu: %s", i, e.text);
        cr_assert(strstr(e.text, stories[i].words) != NULL, "story %zu: %s", i,
                  e.text);
        cr_assert(strstr(e.story, "task 1 \"main\" runs") != NULL, "%s",
                  e.story);
    }
}

/* --- what the library really tells ------------------------------------------ */

static int holds_memory(ambit_cx *cx, void *arg)
{
    ambit_region *region = *(ambit_region **)arg;
    void *memory[8];
    int rc = 0;
    for (int i = 0; rc == 0 && i < 8; i++) {
        rc = ambit_alloc(region, 24 + 100 * (size_t)i, &memory[i]);
    }
    rc = rc == 0 ? ambit_yield(cx) : rc;
    for (int i = 0; rc == 0 && i < 8; i += 2) {
        ambit_free(region, memory[i], 24 + 100 * (size_t)i);
    }
    return rc;
}

static int much_memory(ambit_cx *cx, void *arg)
{
    int rc = 0;
    (void)arg;
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < 4; i++) {
            ambit_spawn(all, holds_memory, &all);
        }
    }
    return rc;
}

/* Goal: no oracle cries where nothing is wrong. */
Test(oracles, memory_of_a_region_in_four_tasks)
{
    struct ambit_exploration e;
    cr_assert(ambit_explore(much_memory, NULL, &e, .seeds = 200) == 0, "%s",
              e.text);
}
