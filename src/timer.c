/* SPDX-License-Identifier: MIT */
/*
 * timer.c -- a pairing heap: a tree in which no child is due before its parent.
 *
 * Two trees are melded by making the one that is due later the first child of
 * the other.  Arming melds with a tree of one; taking the root out melds its
 * children, first in pairs from left to right, then the pairs from right to
 * left.  That order is what makes the amortised cost logarithmic.
 *
 *   root
 *    |child
 *    v
 *    a <--> b <--> c        next and prev; prev of a is root
 *    |
 *    v
 *    d <--> e               prev of d is a
 *
 * Most deadlines are met, so the common life is arm, disarm, with nothing
 * below: two links written, two unlinked.
 *
 * A crowd that does fire, a million that sleep for a second, would go through a
 * heap too large for the caches.  So once TIMER_CROWD are armed, those due
 * within the next second are only filed, by the millisecond; each slot goes
 * into the heap when its time begins, and there it is put in order.
 *
 *   now |slot|slot|slot| ... |slot| later
 *   heap      slots_ns ...          heap
 *
 * While timer_fire() runs, a timer armed for a past time is put under the
 * present one.  Its arming order is higher than that of any timer armed
 * before, so it sorts behind all that were due when the call began, and the
 * first such timer at the root ends the call.
 *
 * Owner: one thread.  No atomics.
 */
#include "src/timer.h"

#define NOT_FIRING INT64_MIN

void timer_heap_init(struct timer_heap *heap)
{
    *heap = (struct timer_heap){.firing_ns = NOT_FIRING};
}

void timer_init(struct timer *timer, void (*fired)(struct timer *))
{
    ASSERT(fired != NULL);
    *timer = (struct timer){.fired = fired};
}

void timer_init_about(struct timer_about *timer,
                      void (*fired)(struct timer *), void *what)
{
    timer_init(&timer->timer, fired);
    timer->timer.about = true;
    timer->what = what;
}

static bool is_before(const struct timer *a, const struct timer *b)
{
    if (a->when_ns != b->when_ns) {
        return a->when_ns < b->when_ns;
    }
    RULE(TIME_2);
    return a->order < b->order;
}

/* Melds two roots, either of which may be NULL.  A root's next and prev are
 * not looked at; the result's are left as they were. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    if (a == NULL || b == NULL) {
        return a == NULL ? b : a;
    }
    if (is_before(b, a)) {
        struct timer *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child != NULL) {
        a->child->prev = b;
    }
    a->child = b;
    return a;
}

/* Melds a row of siblings into one tree, in two passes. */
static struct timer *meld_row(struct timer *first)
{
    struct timer *pairs = NULL; /* linked by next, the rightmost first */
    while (first != NULL) {
        struct timer *second = first->next;
        struct timer *rest = second != NULL ? second->next : NULL;
        struct timer *pair = meld(first, second);
        pair->next = pairs;
        pairs = pair;
        first = rest;
    }
    struct timer *root = NULL;
    while (pairs != NULL) {
        struct timer *rest = pairs->next;
        root = meld(root, pairs);
        pairs = rest;
    }
    return root;
}

static void root_set(struct timer_heap *heap, struct timer *root)
{
    heap->root = root;
    if (root != NULL) {
        root->next = NULL;
        root->prev = NULL;
    }
}

/* Cuts a tree out from below its parent. */
static void cut(struct timer *timer)
{
    if (timer->prev->child == timer) {
        timer->prev->child = timer->next;
    } else {
        timer->prev->next = timer->next;
    }
    if (timer->next != NULL) {
        timer->next->prev = timer->prev;
    }
}

/* --- slots -------------------------------------------------------------- */

#define SLOT_NS (INT64_C(1) << TIMER_SLOT_SHIFT)
#define SLOTS_NS (TIMER_SLOTS * SLOT_NS)

static unsigned slot_of(int64_t when_ns)
{
    return (unsigned)(when_ns >> TIMER_SLOT_SHIFT) % TIMER_SLOTS;
}

static bool may_file(const struct timer_heap *heap, int64_t when_ns)
{
    return heap->armed >= TIMER_CROWD && when_ns >= heap->slots_ns &&
           when_ns - heap->slots_ns < SLOTS_NS;
}

static void file(struct timer_heap *heap, struct timer *timer)
{
    unsigned slot = slot_of(timer->when_ns);
    timer->filed = true;
    timer->prev = NULL;
    timer->next = heap->slots[slot];
    if (timer->next != NULL) {
        timer->child = timer->next->next; /* a hint: src/timer.h */
        timer->next->prev = timer;
    }
    heap->slots[slot] = timer;
    heap->filled[slot / 64] |= UINT64_C(1) << slot % 64;
    heap->filed++;
}

static void unfile(struct timer_heap *heap, struct timer *timer)
{
    unsigned slot = slot_of(timer->when_ns);
    timer->filed = false;
    heap->filed--;
    if (timer->next != NULL) {
        timer->next->prev = timer->prev;
    }
    if (timer->prev != NULL) {
        timer->prev->next = timer->next;
        return;
    }
    heap->slots[slot] = timer->next;
    if (timer->next == NULL) {
        heap->filled[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    }
}

/* When the first filled slot begins; INT64_MAX: none is filled. */
static int64_t first_slot(const struct timer_heap *heap)
{
    unsigned first = slot_of(heap->slots_ns);
    for (unsigned at = 0; heap->filed > 0 && at < TIMER_SLOTS;) {
        unsigned slot = (first + at) % TIMER_SLOTS;
        uint64_t rest = heap->filled[slot / 64] >> slot % 64;
        if (rest != 0) {
            return heap->slots_ns + (at + __builtin_ctzll(rest)) * SLOT_NS;
        }
        at += 64 - slot % 64;
    }
    return INT64_MAX;
}

/* A slot is small: what is in there will fire soon. */
static inline void fetch_about(const struct timer *timer)
{
    if (timer->about) {
        fetch_lines(CONTAINER_OF(timer, const struct timer_about, timer)->what,
                    2);
    }
}

/* Into the heap, where they are put in order. */
static void empty_slot(struct timer_heap *heap, unsigned slot)
{
    struct timer *timer = heap->slots[slot];
    heap->slots[slot] = NULL;
    heap->filled[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    while (timer != NULL) {
        struct timer *next = timer->next;
        fetch_lines(timer->child, 1);
        fetch_about(timer);
        timer->child = NULL;
        timer->filed = false;
        heap->filed--;
        root_set(heap, meld(heap->root, timer));
        timer = next;
    }
}

/* Empties the slots that have begun; the first one is then still to come. */
static void empty_slots(struct timer_heap *heap, int64_t now_ns)
{
    int64_t begins;
    while ((begins = first_slot(heap)) <= now_ns && begins != INT64_MAX) {
        empty_slot(heap, slot_of(begins));
    }
    if (now_ns >= heap->slots_ns && now_ns < INT64_MAX - 2 * SLOTS_NS) {
        heap->slots_ns = (now_ns / SLOT_NS + 1) * SLOT_NS;
    }
}

/* --- arm and disarm ----------------------------------------------------- */

/* An armed one with nothing below that may stay where it is: it is due later
 * than before, or not before its parent, where it can be seen who that is. */
static bool may_stay(const struct timer_heap *heap, const struct timer *timer,
                     int64_t when_ns)
{
    if (timer->filed) {
        return when_ns >> TIMER_SLOT_SHIFT ==
               timer->when_ns >> TIMER_SLOT_SHIFT;
    }
    if (timer->child != NULL) {
        return false;
    }
    return timer == heap->root || when_ns >= timer->when_ns ||
           (timer->prev->child == timer && when_ns >= timer->prev->when_ns);
}

void timer_arm(struct timer_heap *heap, struct timer *timer, int64_t when_ns)
{
    ASSERT(timer->fired != NULL);
    when_ns = when_ns < heap->firing_ns ? heap->firing_ns : when_ns;
    bool stays = timer->armed && may_stay(heap, timer, when_ns);
    if (stays) {
        TELL(TIMER_DISARMED, timer, NULL, 0);
    } else if (timer->armed) {
        timer_disarm(heap, timer);
    }
    timer->when_ns = when_ns;
    timer->order = heap->armed_ever++;
    TELL(TIMER_ARMED, timer, NULL, when_ns);
    if (stays) {
        return;
    }
    timer->armed = true;
    timer->child = NULL;
    if (may_file(heap, when_ns)) {
        file(heap, timer);
    } else {
        root_set(heap, meld(heap->root, timer));
    }
    heap->armed++;
}

static void leave_heap(struct timer_heap *heap, struct timer *timer)
{
    struct timer *below = timer->child != NULL ? meld_row(timer->child) : NULL;
    if (heap->root == timer) {
        root_set(heap, below);
    } else {
        cut(timer);
        if (below != NULL) {
            root_set(heap, meld(heap->root, below));
        }
    }
}

bool timer_disarm(struct timer_heap *heap, struct timer *timer)
{
    if (!timer->armed) {
        return false;
    }
    ASSERT(heap->armed > 0);
    if (timer->filed) {
        unfile(heap, timer);
    } else {
        leave_heap(heap, timer);
    }
    timer->child = NULL;
    timer->next = NULL;
    timer->prev = NULL;
    timer->armed = false;
    heap->armed--;
    TELL(TIMER_DISARMED, timer, NULL, 0);
    return true;
}

/* The first slot may hold the earliest: then it goes into the heap early. */
int64_t timer_next(struct timer_heap *heap)
{
    int64_t when_ns = heap->root != NULL ? heap->root->when_ns : INT64_MAX;
    int64_t begins = heap->filed > 0 ? first_slot(heap) : INT64_MAX;
    if (LIKELY(when_ns <= begins)) {
        return when_ns;
    }
    empty_slot(heap, slot_of(begins));
    return heap->root->when_ns;
}

int64_t timer_wake(struct timer_heap *heap)
{
    int64_t next = timer_next(heap);
    if (heap->armed < TIMER_CROWD || next > INT64_MAX - TIMER_SLACK_NS) {
        return next;
    }
    RULE(TIME_7);
    return next + TIMER_SLACK_NS;
}

size_t timer_fire(struct timer_heap *heap, int64_t now_ns)
{
    ASSERT(heap->firing_ns == NOT_FIRING);
    size_t fired = 0;
    uint64_t order_end = heap->armed_ever;
    heap->firing_ns = now_ns;
    empty_slots(heap, now_ns);
    for (;;) {
        struct timer *timer = heap->root;
        if (timer == NULL || timer->when_ns > now_ns ||
            timer->order >= order_end) {
            break;
        }
        TELL(TIMER_FIRES, timer, NULL, timer->when_ns);
        timer_disarm(heap, timer);
        timer->fired(timer);
        fired++;
    }
    heap->firing_ns = NOT_FIRING;
    return fired;
}
