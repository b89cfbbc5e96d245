/* SPDX-License-Identifier: MIT */
/*
 * mailbox.c -- credits, the queue, and the end of both.
 *
 *   MBX-CREDIT-1  The credits taken never exceed mailbox_max.
 *   MBX-CREDIT-2  A credit that comes back goes to the first who waits.
 *
 * Owner: each function says whose it is in mailbox.h.
 */
#include "actors/mailbox.h"

#include "src/await.h"

#define TURN_SHIFT 30
#define TURN_MASK (UINT64_C(3) << TURN_SHIFT)

static enum turn turn_of(uint64_t word)
{
    return (enum turn)((word & TURN_MASK) >> TURN_SHIFT);
}

static uint64_t with_turn(uint64_t word, enum turn turn)
{
    return (word & ~TURN_MASK) | (uint64_t)turn << TURN_SHIFT;
}

static uint64_t gate_load(struct mailbox *mailbox)
{
    /* ORDER(gate): seq_cst.  After a message was pushed, before the receiver's
     * state is judged; pairs with the moves below. */
    return atomic_load_explicit(&mailbox->gate, memory_order_seq_cst);
}

/* The one way the gate changes. */
static bool gate_move(struct mailbox *mailbox, uint64_t *from, uint64_t to)
{
    /* ORDER(gate): seq_cst.  Pairs with gate_load(): between "the queue is
     * empty, I go idle" and "I pushed, is it idle?" one sees the other. */
    return atomic_compare_exchange_weak_explicit(
        &mailbox->gate, from, to, memory_order_seq_cst, memory_order_seq_cst);
}

void mailbox_open(struct mailbox *mailbox, uint32_t credits_max,
                  struct message *stub)
{
    uint64_t word = gate_load(mailbox);
    if (mailbox->waiters.next == NULL) {
        list_init(&mailbox->waiters); /* its first use ever */
    }
    mailbox->credits_max = credits_max;
    mailbox->head = stub;
    /* ORDER(mailbox-link): relaxed.  Nobody has a ref yet; publishing the ref
     * orders this.  Pairs with the exchange in take_place(). */
    atomic_store_explicit(&stub->next, NULL, memory_order_relaxed);
    /* ORDER(mailbox-link): relaxed.  As above. */
    atomic_store_explicit(&mailbox->tail, stub, memory_order_relaxed);
    uint64_t fresh = (uint64_t)GATE_GENERATION(word) << 32 |
                     (uint64_t)TURN_BUSY << TURN_SHIFT | credits_max;
    bool moved = false;
    while (!moved) {
        moved = gate_move(mailbox, &word, fresh);
    }
    TELL(MAILBOX_OPENED, mailbox, NULL, credits_max);
}

uint32_t mailbox_generation(struct mailbox *mailbox)
{
    return GATE_GENERATION(gate_load(mailbox));
}

static int gate_refusal(uint64_t word, uint32_t generation)
{
    if (GATE_GENERATION(word) != generation) {
        RULE(MBX_END_2);
        return -ESTALE;
    }
    return (word & GATE_CLOSED) != 0 ? -EPIPE : 0;
}

int mailbox_refusal(struct mailbox *mailbox, uint32_t generation)
{
    return gate_refusal(gate_load(mailbox), generation);
}

/* At most a quarter of what is left: who takes in advance must not be the
 * reason that another finds none. */
static uint32_t lot_of(uint32_t left, uint32_t lot)
{
    RULE(MBX_CREDIT_4);
    return left / 4 > lot ? lot : left < 8 ? 1 : left / 4;
}

/* Why it has no credit to give. */
static NOINLINE int credit_refusal(uint64_t word, uint32_t generation)
{
    int rc = gate_refusal(word, generation);
    if (rc < 0) {
        return rc;
    }
    RULE(MBX_CREDIT_1);
    RULE(MBX_TRY_1);
    return -EAGAIN;
}

static inline bool has_credit(uint64_t word, uint32_t generation)
{
    return GATE_GENERATION(word) == generation &&
           (word & (GATE_CLOSED | GATE_QUEUED)) == 0 &&
           (word & GATE_CREDITS) != 0;
}

int mailbox_try_credits(struct mailbox *mailbox, uint32_t generation,
                        uint32_t lot)
{
    uint64_t word = gate_load(mailbox);
    uint32_t count;
    do {
        if (UNLIKELY(!has_credit(word, generation))) {
            return credit_refusal(word, generation);
        }
        count = lot_of((uint32_t)(word & GATE_CREDITS), lot);
    } while (!gate_move(mailbox, &word, word - count));
    return (int)count;
}

/* Credit and turn in one move of the gate, which is then as if the message were
 * there already: who else pushes leaves the start to this sender.  Not closed,
 * so there is a life that the turn is of. */
ALWAYS_INLINE int mailbox_enter(struct mailbox *mailbox, uint32_t generation,
                           bool *ret_start)
{
    uint64_t word = gate_load(mailbox);
    uint64_t next;
    *ret_start = false;
    do {
        if (UNLIKELY(!has_credit(word, generation))) {
            return credit_refusal(word, generation);
        }
        next = turn_of(word) == TURN_IDLE ? with_turn(word, TURN_BUSY) : word;
    } while (!gate_move(mailbox, &word, next - 1));
    *ret_start = turn_of(word) == TURN_IDLE;
    return 1;
}

/* Lock held.  0: got a credit; -EAGAIN: in the queue now; or a refusal. */
static int credit_or_queue(struct mailbox *mailbox, uint32_t generation,
                           struct mailbox_waiter *waiter)
{
    uint64_t word = gate_load(mailbox);
    uint64_t next;
    bool take;
    do {
        int rc = gate_refusal(word, generation);
        if (rc < 0) {
            return rc;
        }
        take = (word & GATE_CREDITS) != 0 && (word & GATE_QUEUED) == 0;
        next = take ? word - 1 : word | GATE_QUEUED;
    } while (!gate_move(mailbox, &word, next));
    if (take) {
        return 0;
    }
    waiter->waiting = true;
    list_push_back(&mailbox->waiters, &waiter->node);
    return -EAGAIN;
}

/* Lock held: nobody waits any more. */
static void gate_unqueue(struct mailbox *mailbox)
{
    uint64_t word = gate_load(mailbox);
    while (!gate_move(mailbox, &word, word & ~GATE_QUEUED)) {
        /* another sender or the receiver moved it */
    }
}

bool mailbox_leave_queue(struct mailbox_waiter *waiter)
{
    struct mailbox *mailbox = waiter->mailbox;
    spin_lock(&mailbox->lock);
    bool ours = waiter->waiting;
    if (ours) {
        waiter->waiting = false;
        list_remove(&waiter->node);
        if (list_is_empty(&mailbox->waiters)) {
            gate_unqueue(mailbox);
        }
    }
    spin_unlock(&mailbox->lock);
    return ours;
}

int mailbox_queue_for_credit(struct mailbox *mailbox, uint32_t generation,
                             struct mailbox_waiter *waiter, struct who *who)
{
    waiter->mailbox = mailbox;
    waiter->who = who;
    waiter->waiting = false;
    list_init(&waiter->node);
    spin_lock(&mailbox->lock);
    if (mailbox->waiters.next == NULL) {
        list_init(&mailbox->waiters);
    }
    int rc = credit_or_queue(mailbox, generation, waiter);
    spin_unlock(&mailbox->lock);
    return rc;
}

static enum park_answer credit_abort(struct task *task, void *arg)
{
    (void)task;
    return mailbox_leave_queue(arg) ? PARK_ABORTED : PARK_BUSY;
}

NOINLINE int mailbox_wait_credit(struct mailbox *mailbox, uint32_t generation,
                                 struct task *task)
{
    struct mailbox_waiter waiter;
    int rc = mailbox_queue_for_credit(mailbox, generation, &waiter,
                                      who_parks(task));
    if (rc != -EAGAIN) {
        return rc;
    }
    return (int)park(task, PARK_RESERVE, credit_abort, &waiter);
}

/* Hands credits to those who wait; returns how many are left over. */
static uint32_t credits_grant(struct mailbox *mailbox, uint32_t count)
{
    spin_lock(&mailbox->lock);
    while (count > 0) {
        struct list_node *node = list_pop_front(&mailbox->waiters);
        if (node == NULL) {
            break;
        }
        struct mailbox_waiter *waiter =
            CONTAINER_OF(node, struct mailbox_waiter, node);
        RULE(MBX_CREDIT_2);
        waiter->waiting = false;
        count--;
        who_wake(waiter->who, 0);
    }
    if (list_is_empty(&mailbox->waiters)) {
        gate_unqueue(mailbox);
    }
    spin_unlock(&mailbox->lock);
    return count;
}

static bool is_last_use(const struct mailbox *mailbox, uint64_t word)
{
    return (word & GATE_DETACHED) != 0 &&
           (word & GATE_CREDITS) == mailbox->credits_max;
}

bool mailbox_give_credits(struct mailbox *mailbox, uint32_t count)
{
    uint64_t word = gate_load(mailbox);
    uint64_t next;
    for (;;) {
        if ((word & GATE_QUEUED) != 0) {
            count = credits_grant(mailbox, count);
            if (count == 0) {
                return false;
            }
            word = gate_load(mailbox);
            continue;
        }
        next = word + count;
        ASSERT((next & GATE_CREDITS) <= mailbox->credits_max);
        bool last = is_last_use(mailbox, next);
        if (gate_move(mailbox, &word, next)) {
            return last;
        }
    }
}

/* Moves the turn as news of that kind does; BUSY where there is none. */
static enum mailbox_push notify(struct mailbox *mailbox, uint32_t generation,
                                enum turn busy)
{
    uint64_t word = gate_load(mailbox);
    enum turn next;
    do {
        if (GATE_GENERATION(word) != generation) {
            return PUSH_FINE; /* handled or disposed, and the actor gone */
        }
        if ((word & GATE_DETACHED) != 0) {
            return PUSH_DEAD;
        }
        enum turn now = turn_of(word);
        next = now == TURN_IDLE ? TURN_BUSY : now == TURN_AGAIN ? now : busy;
        if (now == next && busy == TURN_BUSY) {
            return PUSH_FINE; /* it will look anyway */
        }
        /* A nudge moves it in any case, if to itself: a mere look could be done
         * before the cancel it tells of is seen. */
    } while (!gate_move(mailbox, &word, with_turn(word, next)));
    return turn_of(word) == TURN_IDLE ? PUSH_START : PUSH_FINE;
}

enum mailbox_push mailbox_nudge(struct mailbox *mailbox, uint32_t generation)
{
    return notify(mailbox, generation, TURN_AGAIN);
}

/* Two that send at once would hand the line with the tail to and fro, a hundred
 * nanoseconds for each message.  Who finds that it was moved steps back for some
 * messages' time, and the other goes on at full speed. */
#define PAUSE_MIN 16
#define PAUSE_MAX 128

/* The one before. */
static struct message *take_place(struct mailbox *mailbox,
                                  struct message *message)
{
    /* ORDER(mailbox-link): relaxed.  A guess; the exchange decides. */
    struct message *before =
        atomic_load_explicit(&mailbox->tail, memory_order_relaxed);
    unsigned pause = PAUSE_MIN;
    /* ORDER(mailbox-link): seq_cst.  Takes the place in the queue; before the
     * look at the gate.  Pairs with mailbox_is_empty(). */
    while (!atomic_compare_exchange_weak_explicit(
        &mailbox->tail, &before, message, memory_order_seq_cst,
        memory_order_relaxed)) {
        cpu_step_back(pause);
        pause = pause < PAUSE_MAX ? 2 * pause : pause;
    }
    return before;
}

static inline void chain(struct mailbox *mailbox, struct message *message)
{
    /* ORDER(mailbox-link): relaxed.  Published by the two stores below. */
    atomic_store_explicit(&message->next, NULL, memory_order_relaxed);
    RULE(MBX_ORDER_1);
    struct message *before = take_place(mailbox, message);
    TELL(MESSAGE_PUSHED, mailbox, message, 0);
    /* ORDER(mailbox-link): release.  Publishes the message to mailbox_pop();
     * relaxed would let the receiver see an empty body. */
    atomic_store_explicit(&before->next, message, memory_order_release);
}

ALWAYS_INLINE enum mailbox_push mailbox_push(struct mailbox *mailbox,
                                        uint32_t generation,
                                        struct message *message)
{
    chain(mailbox, message);
    uint64_t word = gate_load(mailbox);
    bool busy = GATE_GENERATION(word) == generation &&
                (word & GATE_DETACHED) == 0 && turn_of(word) != TURN_IDLE;
    return LIKELY(busy) ? PUSH_FINE : notify(mailbox, generation, TURN_BUSY);
}

void mailbox_push_started(struct mailbox *mailbox, struct message *message)
{
    chain(mailbox, message);
}

void mailbox_push_own(struct mailbox *mailbox, struct message *message)
{
    chain(mailbox, message);
}

struct message *mailbox_pop(struct mailbox *mailbox,
                            struct message **ret_spent)
{
    struct message *head = mailbox->head;
    /* ORDER(mailbox-link): acquire.  Pairs with the release in chain(). */
    struct message *next =
        atomic_load_explicit(&head->next, memory_order_acquire);
    *ret_spent = NULL;
    if (next != NULL) {
        __builtin_prefetch(next->ahead);
        RULE(MBX_ONCE_1);
        mailbox->head = next;
        *ret_spent = head;
    }
    return next;
}

static struct message *tail_load(struct mailbox *mailbox)
{
    /* ORDER(mailbox-link): seq_cst.  A sender that took its place but has not
     * linked it yet counts as a message.  Pairs with the exchange there. */
    return atomic_load_explicit(&mailbox->tail, memory_order_seq_cst);
}

bool mailbox_is_empty(struct mailbox *mailbox)
{
    return tail_load(mailbox) == mailbox->head;
}

/* The move to idle.  False: there was a nudge. */
static bool rest(struct mailbox *mailbox, uint32_t credits,
                 uint32_t *ret_generation)
{
    uint64_t word = gate_load(mailbox);
    uint64_t next;
    do {
        while (credits > 0 && UNLIKELY((word & GATE_QUEUED) != 0)) {
            credits = credits_grant(mailbox, credits);
            word = gate_load(mailbox); /* others may have queued meanwhile */
        }
        bool nudged = turn_of(word) == TURN_AGAIN;
        next = with_turn(word, nudged ? TURN_BUSY : TURN_IDLE) + credits;
        ASSERT((next & GATE_CREDITS) <= mailbox->credits_max);
    } while (!gate_move(mailbox, &word, next));
    *ret_generation = GATE_GENERATION(next);
    return turn_of(next) == TURN_IDLE;
}

ALWAYS_INLINE bool mailbox_turn_end(struct mailbox *mailbox, uint32_t credits)
{
    struct message *head = mailbox->head; /* still ours */
    uint32_t generation;
    if (!rest(mailbox, credits, &generation)) {
        return false;
    }
    /* Who pushed before that has seen BUSY, and left it to us; who pushes after
     * it sees IDLE.  From here on the actor may be another's, or gone. */
    return tail_load(mailbox) == head ||
           notify(mailbox, generation, TURN_BUSY) != PUSH_START;
}

static void gate_set(struct mailbox *mailbox, uint64_t flag)
{
    uint64_t word = gate_load(mailbox);
    while (!gate_move(mailbox, &word, word | flag)) {
        /* senders */
    }
}

void mailbox_close(struct mailbox *mailbox)
{
    gate_set(mailbox, GATE_CLOSED);
    spin_lock(&mailbox->lock);
    struct list_node *node;
    while ((node = list_pop_front(&mailbox->waiters)) != NULL) {
        struct mailbox_waiter *waiter =
            CONTAINER_OF(node, struct mailbox_waiter, node);
        waiter->waiting = false;
        who_wake(waiter->who, -EPIPE);
    }
    gate_unqueue(mailbox);
    spin_unlock(&mailbox->lock);
}

bool mailbox_detach(struct mailbox *mailbox, uint32_t credits)
{
    uint64_t word = gate_load(mailbox);
    uint64_t next;
    do {
        next = (word + credits) | GATE_DETACHED;
    } while (!gate_move(mailbox, &word, next));
    return is_last_use(mailbox, next);
}

bool mailbox_lock_dead(struct mailbox *mailbox, uint32_t generation)
{
    spin_lock(&mailbox->lock);
    uint64_t word = gate_load(mailbox);
    if (GATE_GENERATION(word) == generation && (word & GATE_DETACHED) != 0) {
        return true;
    }
    spin_unlock(&mailbox->lock);
    return false;
}

void mailbox_retire(struct mailbox *mailbox)
{
    TELL(MAILBOX_GONE, mailbox, NULL, 0);
    spin_lock(&mailbox->lock);
    uint64_t word = gate_load(mailbox);
    uint64_t next = (uint64_t)(GATE_GENERATION(word) + 1) << 32 | GATE_CLOSED |
                    GATE_DETACHED;
    while (!gate_move(mailbox, &word, next)) {
        /* a stale ref cannot move it; spurious failure only */
    }
    spin_unlock(&mailbox->lock);
}

uint32_t mailbox_taken(struct mailbox *mailbox)
{
    return mailbox->credits_max -
           (uint32_t)(gate_load(mailbox) & GATE_CREDITS);
}
