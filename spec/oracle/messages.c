/* SPDX-License-Identifier: MIT */
/*
 * messages.c -- what is sent arrives once, or is disposed of once.
 *
 *   MBX-CREDIT-1  Never more reserved and queued than the mailbox takes.
 *   MBX-ONCE-1    Committed = handled + disposed + queued.
 *   MBX-ORDER-1   Messages of one sender are handled in order of commit.
 */
#include "spec/oracle/oracle.h"

static void reserved(const struct telling *t)
{
    struct thing *mailbox = t->subject;
    thing_owned_by(t->other, mailbox);
    t->other->phase = MESSAGE_RESERVED;
    mailbox->held++;
    if (mailbox->held > mailbox->number_told) {
        oracle_broken("MBX-CREDIT-1",
                      "%s has %u messages reserved or queued, and credits for "
                      "%lld",
                      thing_name(mailbox), mailbox->held,
                      (long long)mailbox->number_told);
    }
}

/* The order in `has` is the order of reserving until a message is pushed, which
 * moves it to the end. */
static void pushed(const struct telling *t)
{
    if (t->other == NULL) {
        return; /* one that belongs to the actor */
    }
    if (t->other->phase != MESSAGE_RESERVED) {
        oracle_broken("MBX-ONCE-1", "%s was committed to %s twice",
                      thing_name(t->other), thing_name(t->subject));
    }
    t->other->phase = MESSAGE_QUEUED;
    t->other->sender = t->by;
    thing_owned_by(t->other, t->subject);
    t->subject->committed++;
}

static void must_be_its_turn(const struct telling *t)
{
    list_for_each(node, &t->subject->has)
    {
        const struct thing *earlier = CONTAINER_OF(node, struct thing, of);
        if (earlier == t->other) {
            return;
        }
        if (earlier->phase == MESSAGE_QUEUED && t->other->sender != NULL &&
            earlier->sender == t->other->sender) {
            oracle_broken("MBX-ORDER-1",
                          "%s hands out %s before %s, which %s sent earlier",
                          thing_name(t->subject), thing_name(t->other),
                          thing_name(earlier), thing_name(earlier->sender));
        }
    }
}

static void left(const struct telling *t, uint64_t *count)
{
    struct thing *mailbox = t->subject;
    if (t->other == NULL || t->other->owner != mailbox ||
        t->other->phase != MESSAGE_QUEUED) {
        oracle_broken("MBX-ONCE-1",
                      "%s %s a message that is not in it (%llu committed, "
                      "%llu handled, %llu disposed of)",
                      thing_name(mailbox), told_word(t->what),
                      (unsigned long long)mailbox->committed,
                      (unsigned long long)mailbox->handled,
                      (unsigned long long)mailbox->disposed);
    }
    if (t->what == TOLD_MESSAGE_HANDLED) {
        must_be_its_turn(t);
    }
    (*count)++;
    mailbox->held--;
}

static void mailbox_gone(const struct thing *mailbox)
{
    if (mailbox->held > 0 ||
        mailbox->committed != mailbox->handled + mailbox->disposed) {
        oracle_broken("MBX-ONCE-1",
                      "%s goes with %u messages reserved or queued: %llu were "
                      "committed, %llu handled, %llu disposed of",
                      thing_name(mailbox), mailbox->held,
                      (unsigned long long)mailbox->committed,
                      (unsigned long long)mailbox->handled,
                      (unsigned long long)mailbox->disposed);
    }
}

void oracle_messages(struct lab *lab, const struct telling *t)
{
    (void)lab;
    switch (t->what) {
    case TOLD_MAILBOX_OPENED:
        t->subject->number_told = t->number;
        break;
    case TOLD_PERMIT_RESERVED:
        reserved(t);
        break;
    case TOLD_PERMIT_ABORTED:
        if (t->other == NULL || t->other->phase != MESSAGE_RESERVED) {
            oracle_broken("MBX-CREDIT-3",
                          "a permit of %s is aborted that is not open",
                          thing_name(t->subject));
        }
        t->subject->held--;
        break;
    case TOLD_MESSAGE_PUSHED:
        pushed(t);
        break;
    case TOLD_MESSAGE_HANDLED:
        left(t, &t->subject->handled);
        break;
    case TOLD_MESSAGE_DISPOSED:
        left(t, &t->subject->disposed);
        break;
    case TOLD_MAILBOX_GONE:
        mailbox_gone(t->subject);
        break;
    default:
        break;
    }
}
