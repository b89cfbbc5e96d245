/* SPDX-License-Identifier: MIT */
/*
 * oracle.h -- what is known of the library's objects, and who judges.
 *
 * The library tells what happens (spec/lab/told.h).  Each address is turned
 * into a thing with a number: "task 3".  Then every oracle looks at it:
 *
 *   tree.c        no task or child outlives its region; close means quiescence
 *   finalizers.c  last in, first out; once; after the last child
 *   losers.c      a combinator's branches have ended when it returns
 *   messages.c    committed = handled + disposed + queued; credits; order
 *   duties.c      calls and obligations are resolved exactly once
 *   clock.c       no timer early, no time backwards
 *   heap.c        no block outlives its region, none overlaps another
 *
 * An oracle that finds a promise broken ends the run with a sentence.  It has
 * a model of its own, fed by what is told; it believes no field of the library
 * but names and places.
 */
#ifndef AMBIT_SPEC_ORACLE_ORACLE_H
#define AMBIT_SPEC_ORACLE_ORACLE_H

#include "spec/lab/lab.h"
#include "spec/lab/told.h"

enum thing_kind {
    THING_NONE,
    THING_TASK,
    THING_REGION,
    THING_FINALIZER,
    THING_MAILBOX,
    THING_MESSAGE,
    THING_CALL,
    THING_TIMER,
    THING_DUTY,
    THING_BLOCK,
    THING_KINDS,
};

enum task_phase {
    PHASE_MADE,
    PHASE_RUNS,
    PHASE_PARKED,
    PHASE_RESTS,
    PHASE_ENDED,
};

enum message_phase {
    MESSAGE_RESERVED,
    MESSAGE_QUEUED,
};

enum region_phase {
    REGION_OPEN,
    REGION_JOINED,
    REGION_GONE,
};

struct thing {
    struct thing *next;      /* things.bucket */
    struct list_node node;   /* things.all */
    const void *at;
    enum thing_kind kind;
    uint32_t number;         /* of its kind, from 1 */
    bool here;               /* `at` still means it */
    char name[32];

    struct list_node of;     /* what a region, a mailbox has: owner.has */
    struct list_node has;
    struct thing *owner;     /* task, finalizer, duty, block: its region;
                                region: its parent; message: its mailbox */
    uint8_t phase;           /* enum task_phase, region_phase, message_phase */
    int64_t number_told;     /* timer: when; mailbox: credits; block: bytes */

    uint32_t tasks;          /* region: not ended */
    uint32_t children;       /* region: not closed */
    uint32_t held;           /* mailbox: reserved or queued */
    uint64_t committed;      /* mailbox */
    uint64_t handled;
    uint64_t disposed;
    const struct thing *sender; /* message: the task that committed it */
    uint32_t resolved;       /* call, duty: how often */
};

#define THING_BUCKETS 4096

struct things {
    struct thing *bucket[THING_BUCKETS];
    struct list_node all;
    uint32_t count[THING_KINDS];
};

/* What was told, in terms of things.  other may be NULL: none, or unknown. */
struct telling {
    enum told what;
    struct thing *subject;
    struct thing *other;
    int64_t number;
    struct thing *by;        /* the task on this thread; NULL: none */
};

/* things.c */
struct things *things_begin(void);
void things_end(struct things *things);
/* The one that is here, or NULL. */
struct thing *thing_find(const struct things *things, const void *at,
                         enum thing_kind kind);
struct thing *thing_born(struct things *things, const void *at,
                         enum thing_kind kind);
/* Its address means nothing any more; forgotten, but for tasks and regions,
 * which a report may still name. */
void thing_gone(struct things *things, struct thing *thing);
void thing_owned_by(struct thing *thing, struct thing *owner);
/* 'task 3 "probe"' into one of a few static buffers; NULL: "nobody". */
const char *thing_name(const struct thing *thing);
/* By number, for the trace; NULL when it was forgotten. */
const struct thing *thing_by_number(const struct things *things,
                                    enum thing_kind kind, uint32_t number);

/* told.c -- the kind of the subject, and of the other; the words. */
enum thing_kind told_subject(enum told what);
enum thing_kind told_other(enum told what);
const char *told_word(enum told what);
const char *told_link(enum told what); /* " for", before the other */

/* Before something is born: a region's place must be free. */
void tree_place_is_free(struct lab *lab, const void *at, enum thing_kind kind);

/* "; task 3 ... waits for a timer at file:line" of each that is parked. */
size_t oracle_describe_tasks(struct lab *lab, char *ret_text, size_t room);

/* The judges; each ends the run when it finds a promise broken. */
void oracle_tree(struct lab *lab, const struct telling *t);
void oracle_losers(struct lab *lab, const struct telling *t);
void oracle_finalizers(struct lab *lab, const struct telling *t);
void oracle_messages(struct lab *lab, const struct telling *t);
void oracle_duties(struct lab *lab, const struct telling *t);
void oracle_clock(struct lab *lab, const struct telling *t);
void oracle_heap(struct lab *lab, const struct telling *t);

/* Ends the run: the rule, and what happened. */
#define oracle_broken(rule, format, ...) \
    lab_fail("%s is broken: " format, (rule), __VA_ARGS__)

#endif
