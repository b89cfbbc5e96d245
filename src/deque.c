/* SPDX-License-Identifier: MIT */
/*
 * deque.c -- the deque of Chase and Lev, on sequentially consistent accesses.
 *
 * Items live at the indices top .. bottom - 1 of an endless array, folded into
 * a ring.  Both indices only count; the owner moves bottom, and whoever takes
 * the item at top moves top.
 *
 *     ring:  . . . a b c d . .
 *                  ^       ^
 *                 top    bottom
 *
 * The owner takes from the bottom without asking, unless it is the last item;
 * for that one it must win top like any thief.  The one danger is that the
 * owner takes item i without asking while a thief takes it too.  The owner
 * first writes bottom = i, then reads top; the thief first reads top, then
 * bottom.  These four are seq_cst, hence in one order that all agree on:
 *
 *   The owner read top < i.  So at that moment nobody had moved top to i, and
 *   the thief that reads top == i does so later in that order.  It then reads
 *   bottom later still, finds i or a value written after it, and either sees an
 *   empty deque or an item i pushed anew.
 *
 * The common form of this algorithm has relaxed accesses and a fence between
 * them.  ThreadSanitizer cannot follow fences, and on x86 the cost is the same:
 * one locked instruction in pop.
 *
 * A ring that was outgrown is kept until fini: a thief may have read the
 * pointer and not yet the item.  Rings double, so all the smaller ones together
 * are smaller than the one in use.  Once the deque is empty it may become small
 * again: whoever still reads a larger ring has seen a top that has moved since, and
 * fails to move it, so what it has read does not matter.  So the pages of that ring
 * can go, and it can be used again when the deque grows.
 */
#include "src/deque.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE_CAPACITY 65536 /* half a mebibyte of items */

#ifdef AMBIT_CHECKED
#define RING_CAPACITY_FIRST 4
#else
#define RING_CAPACITY_FIRST 256
#endif

struct deque_ring {
    struct deque_ring *larger; /* or NULL */
    int64_t capacity;          /* power of two */
    _Atomic(void *) slots[];   /* any thread: ORDER(deque-slot) */
};

static struct deque_ring *ring_create(int64_t capacity)
{
    size_t size =
        sizeof(struct deque_ring) + (size_t)capacity * sizeof(_Atomic(void *));
    struct deque_ring *ring = malloc(size);
    if (ring != NULL) {
        ring->larger = NULL;
        ring->capacity = capacity;
    }
    return ring;
}

static void *ring_get(struct deque_ring *ring, int64_t index)
{
    /* ORDER(deque-slot): relaxed.  Pairs with ring_put().  A thief keeps what
     * it read only if its exchange of top succeeds, which says that the item
     * was not taken, so the slot was not written again; and ORDER(deque-bottom)
     * made the item visible. */
    return atomic_load_explicit(&ring->slots[index & (ring->capacity - 1)],
                                memory_order_relaxed);
}

static void ring_put(struct deque_ring *ring, int64_t index, void *item)
{
    /* ORDER(deque-slot): relaxed.  Pairs with ring_get().  It is published by
     * the store to bottom, or to ring, that follows. */
    atomic_store_explicit(&ring->slots[index & (ring->capacity - 1)], item,
                          memory_order_relaxed);
}

int deque_init(struct deque *deque)
{
    struct deque_ring *ring = ring_create(RING_CAPACITY_FIRST);
    if (ring == NULL) {
        return -ENOMEM;
    }
    atomic_init(&deque->top, 0);
    atomic_init(&deque->bottom, 0);
    atomic_init(&deque->ring, ring);
    deque->rings = ring;
    deque->top_seen = 0;
    return 0;
}

/* The owner's own view of what only it writes. */
static int64_t own_bottom(struct deque *deque)
{
    /* ORDER(deque-bottom): relaxed.  Reads what this thread wrote last. */
    return atomic_load_explicit(&deque->bottom, memory_order_relaxed);
}

static struct deque_ring *own_ring(struct deque *deque)
{
    /* ORDER(deque-ring): relaxed.  Reads what this thread wrote last. */
    return atomic_load_explicit(&deque->ring, memory_order_relaxed);
}

void deque_fini(struct deque *deque)
{
    if (deque == NULL) {
        return;
    }
    while (deque->rings != NULL) {
        struct deque_ring *ring = deque->rings;
        deque->rings = ring->larger;
        free(ring);
    }
    memset(deque, 0, sizeof *deque);
}

/* From now on the items are looked for in that ring. */
static void use_ring(struct deque *deque, struct deque_ring *ring)
{
    /* ORDER(deque-ring): release.  Pairs with the acquire in deque_steal().
     * Publishes the capacity and the copied slots; relaxed would let a thief
     * read a slot that is not filled yet. */
    atomic_store_explicit(&deque->ring, ring, memory_order_release);
}

/* Doubles the ring; the items keep their indices. */
static struct deque_ring *grow(struct deque *deque, int64_t bottom)
{
    struct deque_ring *old = own_ring(deque);
    if (old->larger == NULL) {
        old->larger = ring_create(old->capacity * 2);
    }
    struct deque_ring *ring = old->larger;
    if (ring == NULL) {
        return NULL;
    }
    for (int64_t i = deque->top_seen; i < bottom; i++) {
        ring_put(ring, i, ring_get(old, i));
    }
    use_ring(deque, ring);
    return ring;
}

static inline void publish(struct deque *deque, struct deque_ring *ring,
                           int64_t bottom, void *item)
{
    ring_put(ring, bottom, item);
    /* ORDER(deque-bottom): release.  Pairs with the load in deque_steal().
     * Publishes the slot, what item points to, and the ring it is in. */
    atomic_store_explicit(&deque->bottom, bottom + 1, memory_order_release);
}

/* It looks full; thieves may have made room. */
static NOINLINE int push_full(struct deque *deque, void *item)
{
    int64_t bottom = own_bottom(deque);
    struct deque_ring *ring = own_ring(deque);
    /* ORDER(deque-top): acquire.  Pairs with the exchange in deque_steal(): a
     * thief has read its slot before the owner writes it again. */
    deque->top_seen = atomic_load_explicit(&deque->top, memory_order_acquire);
    if (bottom - deque->top_seen >= ring->capacity) {
        ring = grow(deque, bottom);
        if (ring == NULL) {
            return -ENOMEM;
        }
    }
    publish(deque, ring, bottom, item);
    return 0;
}

ALWAYS_INLINE int deque_push(struct deque *deque, void *item)
{
    ASSERT(item != NULL);
    int64_t bottom = own_bottom(deque);
    struct deque_ring *ring = own_ring(deque);
    if (UNLIKELY(bottom - deque->top_seen >= ring->capacity)) {
        return push_full(deque, item);
    }
    publish(deque, ring, bottom, item);
    return 0;
}

/* Takes the item at index `top`, unless somebody else does. */
static bool win_top(struct deque *deque, int64_t top)
{
    /* ORDER(deque-top): seq_cst.  Pairs with itself, so that one of many gets
     * the item, and with the load in deque_pop(): see the proof above.  The
     * failure order is relaxed: the value read is not used. */
    return atomic_compare_exchange_strong_explicit(
        &deque->top, &top, top + 1, memory_order_seq_cst, memory_order_relaxed);
}

static void set_bottom(struct deque *deque, int64_t bottom)
{
    /* ORDER(deque-bottom): relaxed.  Pairs with the load in deque_steal().  Top
     * is not below this value any more, so a thief that reads it takes nothing
     * because of it: its exchange of top fails.  What is pushed next is
     * published by that push. */
    atomic_store_explicit(&deque->bottom, bottom, memory_order_relaxed);
}

void *deque_pop(struct deque *deque)
{
    int64_t last = own_bottom(deque) - 1;
    /* ORDER(deque-top): relaxed.  Pairs with win_top().  Only to leave early:
     * top never goes back, so a top above last means empty for good. */
    if (atomic_load_explicit(&deque->top, memory_order_relaxed) > last) {
        return NULL;
    }
    /* ORDER(deque-bottom): seq_cst.  Pairs with the loads in deque_steal(): see
     * the proof above; with less, the load of top below could go first. */
    atomic_store_explicit(&deque->bottom, last, memory_order_seq_cst);
    /* ORDER(deque-top): seq_cst.  Pairs with win_top() in deque_steal(). */
    int64_t top = atomic_load_explicit(&deque->top, memory_order_seq_cst);
    if (top < last) {
        return ring_get(own_ring(deque), last);
    }
    void *item = NULL;
    if (top == last && win_top(deque, top)) {
        item = ring_get(own_ring(deque), last);
    }
    set_bottom(deque, last + 1);
    return item;
}

ALWAYS_INLINE void *deque_pop_alone(struct deque *deque)
{
    int64_t last = own_bottom(deque) - 1;
    /* ORDER(deque-top): relaxed.  Moved by this thread only. */
    if (atomic_load_explicit(&deque->top, memory_order_relaxed) > last) {
        return NULL;
    }
    set_bottom(deque, last);
    return ring_get(own_ring(deque), last);
}

ALWAYS_INLINE const void *deque_ahead(struct deque *deque, int64_t others)
{
    int64_t at = own_bottom(deque) - 1 - others;
    return at >= deque->top_seen ? ring_get(own_ring(deque), at) : NULL;
}

HOT_PATH void *deque_take_alone(struct deque *deque)
{
    /* ORDER(deque-top): relaxed.  Moved by this thread only. */
    int64_t top = atomic_load_explicit(&deque->top, memory_order_relaxed);
    if (top >= own_bottom(deque)) {
        return NULL;
    }
    void *item = ring_get(own_ring(deque), top);
    /* ORDER(deque-top): relaxed.  As above. */
    atomic_store_explicit(&deque->top, top + 1, memory_order_relaxed);
    return item;
}

HOT_PATH const void *deque_behind(struct deque *deque, int64_t others)
{
    /* ORDER(deque-top): relaxed.  A guess: what is there may be taken. */
    int64_t at =
        atomic_load_explicit(&deque->top, memory_order_relaxed) + others;
    return at < own_bottom(deque) ? ring_get(own_ring(deque), at) : NULL;
}

void *deque_steal(struct deque *deque, bool *ret_again)
{
    *ret_again = false;
    /* ORDER(deque-top): seq_cst.  Pairs with the store of bottom in
     * deque_pop(): must come before the load of bottom. */
    int64_t top = atomic_load_explicit(&deque->top, memory_order_seq_cst);
    /* ORDER(deque-bottom): seq_cst, which includes the acquire that pairs with
     * deque_push(). */
    int64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_seq_cst);
    if (top >= bottom) {
        return NULL;
    }
    /* ORDER(deque-ring): acquire.  Pairs with the release in grow(). */
    struct deque_ring *ring =
        atomic_load_explicit(&deque->ring, memory_order_acquire);
    void *item = ring_get(ring, top);
    if (!win_top(deque, top)) {
        *ret_again = true;
        return NULL;
    }
    return item;
}

size_t deque_len(struct deque *deque)
{
    /* ORDER(deque-bottom): seq_cst.  Nothing is read because of it, but a
     * worker that falls asleep relies on it: pairs with the fence in
     * idle_alert(), which comes after a push. */
    int64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_seq_cst);
    /* ORDER(deque-top): relaxed.  A guess. */
    int64_t top = atomic_load_explicit(&deque->top, memory_order_relaxed);
    return bottom > top ? (size_t)(bottom - top) : 0;
}

bool deque_is_large(struct deque *deque)
{
    return own_ring(deque)->capacity >= LARGE_CAPACITY;
}

/* All whole pages of its slots. */
static void ring_cool(struct deque_ring *ring)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t low = (uintptr_t)ring->slots;
    uintptr_t high = low + (size_t)ring->capacity * sizeof ring->slots[0];
    low = (low + page - 1) / page * page;
    high = high / page * page;
    if (low < high) {
        madvise((void *)low, high - low, MADV_DONTNEED);
    }
}

void deque_cool(struct deque *deque)
{
    /* ORDER(deque-top): acquire.  Pairs with the exchange in deque_steal(): who
     * took the last item has read its slot. */
    deque->top_seen = atomic_load_explicit(&deque->top, memory_order_acquire);
    if (deque->top_seen < own_bottom(deque)) {
        return;
    }
    use_ring(deque, deque->rings);
    for (struct deque_ring *ring = deque->rings->larger; ring != NULL;
         ring = ring->larger) {
        ring_cool(ring);
    }
}
