/* SPDX-License-Identifier: MIT */
/*
 * told.h -- what the library tells the lab, at the moment it happens.
 *
 * A line of the library says TELL(TASK_ENDED, task, NULL, end) right after the
 * atomic step that made it so; others run before an atomic operation only, so
 * nothing comes between a step and its telling.  TELL is empty in every other
 * build (src/base.h).
 *
 * Each has a subject, maybe another object, and a number.
 */
#ifndef AMBIT_SPEC_LAB_TOLD_H
#define AMBIT_SPEC_LAB_TOLD_H

#include <stdint.h>

enum told {
    /* subject: a task */
    TOLD_TASK_MADE,      /* other: its owner */
    TOLD_TASK_RUNS,      /* begins or goes on */
    TOLD_TASK_PARKS,     /* number: enum park_kind */
    TOLD_TASK_RESTS,     /* dormant: lets go of its worker */
    TOLD_TASK_ENDED,     /* number: enum task_end */
    TOLD_TASK_GONE,      /* the record is given back */
    /* subject: a region */
    TOLD_REGION_OPENED,  /* other: its parent */
    TOLD_REGION_CANCELLED, /* number: enum ambit_cancel_kind */
    TOLD_REGION_JOINED,  /* the last child was seen to have left */
    TOLD_REGION_CLOSED,
    TOLD_COMBINED,       /* of a combinator: results are about to go out */
    TOLD_FINALIZER_PUSHED, /* other: the finalizer */
    TOLD_FINALIZER_RUNS, /* other: the finalizer, taken off */
    /* subject: a mailbox */
    TOLD_MAILBOX_OPENED, /* number: its credits */
    TOLD_MAILBOX_GONE,
    TOLD_PERMIT_RESERVED, /* other: the message */
    TOLD_PERMIT_ABORTED, /* other: the message */
    TOLD_MESSAGE_PUSHED, /* other: the message: it has its place */
    TOLD_MESSAGE_HANDLED, /* other: the message */
    TOLD_MESSAGE_DISPOSED, /* other: the message */
    /* subject: the slot of a call */
    TOLD_CALL_MADE,
    TOLD_CALL_ANSWERED,
    TOLD_CALL_LEFT,      /* called off by the caller's side */
    TOLD_CALL_CLOSED,
    /* subject: a timer */
    TOLD_TIMER_ARMED,    /* number: when */
    TOLD_TIMER_FIRES,    /* number: when it was due */
    TOLD_TIMER_DISARMED,
    /* subject: an obligation */
    TOLD_DUTY_MADE,      /* other: the region that waits for it */
    TOLD_DUTY_MOVED,     /* other: the new region */
    TOLD_DUTY_RESOLVED,  /* number: 0, or 1 when it was aborted */
    /* subject: a block of a region's heap; other: the region */
    TOLD_HEAP_ALLOCATED, /* number: bytes */
    TOLD_HEAP_FREED,
    TOLD_KINDS,
};

void lab_told(enum told what, const void *subject, const void *other,
              int64_t number);

#endif
