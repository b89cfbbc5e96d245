/* SPDX-License-Identifier: MIT */
/*
 * told.c -- what was told, to the trace and to every oracle.
 */
#include "spec/oracle/oracle.h"

#include "regions/region.h"
#include "src/task.h"

#include <stdio.h>

_Static_assert(offsetof(struct region, owner) == 0,
               "the owner of a task is found as its region");

struct kind {
    const char *word;
    const char *link; /* to the other, where there may be none */
    uint8_t subject; /* enum thing_kind */
    uint8_t other;
    bool born;       /* the subject begins here */
    bool gone;       /* the subject ends here */
    bool other_born;
    bool other_gone;
};

static const struct kind kinds[TOLD_KINDS] = {
    [TOLD_TASK_MADE] = {"is made", " for", THING_TASK, THING_REGION,
                        .born = true},
    [TOLD_TASK_RUNS] = {"runs", "", .subject = THING_TASK},
    [TOLD_TASK_PARKS] = {"parks", "", .subject = THING_TASK},
    [TOLD_TASK_RESTS] = {"rests", "", .subject = THING_TASK},
    [TOLD_TASK_ENDED] = {"has ended", "", .subject = THING_TASK},
    [TOLD_TASK_GONE] = {"is gone", "", THING_TASK, .gone = true},
    [TOLD_REGION_OPENED] = {"opens", " in", THING_REGION, THING_REGION,
                            .born = true},
    [TOLD_REGION_CANCELLED] = {"is cancelled", "", .subject = THING_REGION},
    [TOLD_REGION_JOINED] = {"has joined its children", "",
                            .subject = THING_REGION},
    [TOLD_REGION_CLOSED] = {"is closed", "", .subject = THING_REGION},
    [TOLD_COMBINED] = {"has its result", "", .subject = THING_REGION},
    [TOLD_FINALIZER_PUSHED] = {"takes", "", THING_REGION, THING_FINALIZER,
                               .other_born = true},
    [TOLD_FINALIZER_RUNS] = {"runs", "", THING_REGION, THING_FINALIZER,
                             .other_gone = true},
    [TOLD_MAILBOX_OPENED] = {"opens", "", THING_MAILBOX, .born = true},
    [TOLD_MAILBOX_GONE] = {"is gone", "", THING_MAILBOX, .gone = true},
    [TOLD_PERMIT_RESERVED] = {"has room for", "", THING_MAILBOX, THING_MESSAGE,
                              .other_born = true},
    [TOLD_PERMIT_ABORTED] = {"is spared", "", THING_MAILBOX, THING_MESSAGE,
                             .other_gone = true},
    [TOLD_MESSAGE_PUSHED] = {"gets", "", THING_MAILBOX, .other = THING_MESSAGE},
    [TOLD_MESSAGE_HANDLED] = {"hands out", "", THING_MAILBOX, THING_MESSAGE,
                              .other_gone = true},
    [TOLD_MESSAGE_DISPOSED] = {"disposes of", "", THING_MAILBOX, THING_MESSAGE,
                               .other_gone = true},
    [TOLD_CALL_MADE] = {"is made", " by", THING_CALL, THING_TASK, .born = true},
    [TOLD_CALL_ANSWERED] = {"is answered", "", .subject = THING_CALL},
    [TOLD_CALL_LEFT] = {"is given up", "", .subject = THING_CALL},
    [TOLD_CALL_CLOSED] = {"is over", "", THING_CALL, .gone = true},
    [TOLD_TIMER_ARMED] = {"is armed", "", THING_TIMER, .born = true},
    [TOLD_TIMER_FIRES] = {"fires", "", .subject = THING_TIMER},
    [TOLD_TIMER_DISARMED] = {"is idle", "", THING_TIMER, .gone = true},
    [TOLD_DUTY_MADE] = {"is made", " for", THING_DUTY, THING_REGION,
                        .born = true},
    [TOLD_DUTY_MOVED] = {"moves to", "", THING_DUTY, .other = THING_REGION},
    [TOLD_DUTY_RESOLVED] = {"is resolved", "", .subject = THING_DUTY},
    [TOLD_HEAP_ALLOCATED] = {"is lent by", "", THING_BLOCK, THING_REGION,
                             .born = true},
    [TOLD_HEAP_FREED] = {"is given back", "", THING_BLOCK, .gone = true},
};

enum thing_kind told_subject(enum told what)
{
    return (enum thing_kind)kinds[what].subject;
}

enum thing_kind told_other(enum told what)
{
    return (enum thing_kind)kinds[what].other;
}

const char *told_word(enum told what)
{
    return kinds[what].word;
}

const char *told_link(enum told what)
{
    return kinds[what].link;
}

/* Names may be set after the record was made, and go with it. */
static void take_name(struct thing *thing)
{
    const char *name = NULL;
    if (!thing->here) {
        return;
    }
    if (thing->kind == THING_TASK) {
        name = task_name(thing->at);
    } else if (thing->kind == THING_REGION) {
        name = ((const struct region *)thing->at)->name;
    }
    snprintf(thing->name, sizeof thing->name, "%s", name != NULL ? name : "");
}

static bool names_itself(enum told what)
{
    return what == TOLD_TASK_RUNS || what == TOLD_TASK_ENDED ||
           what == TOLD_REGION_OPENED;
}

/* What this thread runs from here on. */
static void note_runner(struct lab *lab, const struct telling *t)
{
    switch (t->what) {
    case TOLD_TASK_RUNS:
        lab->current->task = t->subject;
        break;
    case TOLD_TASK_PARKS:
    case TOLD_TASK_RESTS:
    case TOLD_TASK_ENDED:
        lab->current->task = NULL;
        break;
    default:
        break;
    }
}

static void judge(struct lab *lab, const struct telling *t)
{
    oracle_clock(lab, t);
    oracle_tree(lab, t);
    oracle_losers(lab, t);
    oracle_finalizers(lab, t);
    oracle_messages(lab, t);
    oracle_duties(lab, t);
    oracle_heap(lab, t);
}

static struct thing *meet(struct things *things, const void *at,
                          enum thing_kind kind, bool born)
{
    if (at == NULL || kind == THING_NONE) {
        return NULL;
    }
    return born ? thing_born(things, at, kind) : thing_find(things, at, kind);
}

static uint32_t number_of(const struct thing *thing)
{
    return thing != NULL ? thing->number : 0;
}

void lab_told(enum told what, const void *subject, const void *other,
              int64_t number)
{
    struct lab *lab = lab_self;
    const struct kind *kind = &kinds[what];
    if (lab->quiet) {
        return;
    }
    struct telling t = {
        .what = what,
        .other = meet(lab->things, other, (enum thing_kind)kind->other,
                      kind->other_born),
        .number = number,
        .by = lab->current->task,
    };
    if (kind->born) {
        tree_place_is_free(lab, subject, (enum thing_kind)kind->subject);
    }
    t.subject = meet(lab->things, subject, (enum thing_kind)kind->subject,
                     kind->born);
    if (t.subject == NULL) {
        return; /* of something that began before it was told of */
    }
    if (names_itself(what)) {
        take_name(t.subject);
    }
    lab_trace(lab, TRACE_TOLD,
              (uint64_t)what << 32 | t.subject->number,
              (uint64_t)number_of(t.other) << 40 ^ (uint64_t)number);
    RULE(LAB_ORACLE_1);
    judge(lab, &t);
    note_runner(lab, &t);
    if (kind->gone) {
        thing_gone(lab->things, t.subject);
    }
    if (kind->other_gone && t.other != NULL) {
        thing_gone(lab->things, t.other);
    }
}

size_t oracle_describe_tasks(struct lab *lab, char *ret_text, size_t room)
{
    size_t at = 0;
    ret_text[0] = '\0';
    list_for_each(node, &lab->things->all)
    {
        struct thing *thing = CONTAINER_OF(node, struct thing, node);
        if (thing->kind != THING_TASK || !thing->here ||
            thing->phase != PHASE_PARKED || at >= room) {
            continue;
        }
        const struct task *task = thing->at;
        const struct ambit_site *site = task->cx.at;
        at += (size_t)snprintf(
            ret_text + at, room - at, "; %s in %s waits for %s at %s:%d",
            thing_name(thing), thing_name(thing->owner),
            park_kind_name((enum park_kind)task->kind),
            site != NULL ? site->file : "?", site != NULL ? site->line : 0);
    }
    return at < room ? at : room - 1;
}
