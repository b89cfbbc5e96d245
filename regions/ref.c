/* SPDX-License-Identifier: MIT */
/*
 * ref.c -- references that outlive what they refer to.
 *
 * A reference is a slot and the generation of its use.  Slots lie eight to a
 * page; the words of a page are kept bytes of the slab (see slab.h), so a stale
 * reference may look at its word until the runtime goes, and finds that the
 * generation is another.
 *
 *   63 .... 18   generation: which use of the slot
 *   17           waited: the closing host is parked until the last unpin
 *   16           ending: no pins any more
 *   15 ..... 0   pins
 *
 *   live --pins 0: end()--> live, next generation
 *     '---- pinned: end()--> ending --last unpin--> live, next generation
 *
 * A generation of 46 bits is used up after 70 * 10^12 uses of one slot.  A slot
 * that is would be mistaken for its first use, so it is not used again, and
 * its page is not given back.
 *
 *   HEAP-REF-1  A reference is stale once its region has closed.
 *   HEAP-REF-2  What is pinned is there until it is unpinned.
 *   HEAP-REF-3  A dropped reference is stale, its slot may be used again.
 *   HEAP-REF-4  A generation never comes back.
 *
 * Making and dropping: under the region's lock.  The words: any thread.
 */
#include "regions/heap.h"

#define PAGE_REFS 8
#define PAGE_SIZE 512
#define PINS_MAX ((UINT64_C(1) << 16) - 1)
#define WORD_ENDING (UINT64_C(1) << 16)
#define WORD_WAITED (UINT64_C(1) << 17)
#define GENERATION_SHIFT 18
#define GENERATION_MAX ((UINT64_C(1) << 46) - 1)

struct ref_word {
    _Atomic uint64_t word; /* any thread: ORDER(ref) */
};

struct ref_page {
    struct ref_word words[PAGE_REFS]; /* kept by the slab */
    struct ref_page *next;            /* heap.pages */
    struct task *host;                /* of the region: whom to wake */
    union {
        void *memory;
        struct ref_word *spare;       /* heap.spare, of a dropped one */
    } slots[PAGE_REFS];
    uint32_t sizes[PAGE_REFS];
};

_Static_assert(PAGE_REFS * sizeof(struct ref_word) <= SLAB_KEPT_SIZE,
               "a stale reference may look at its word");
_Static_assert(sizeof(struct ref_page) <= PAGE_SIZE, "what a slab object holds");

/* Objects of a slab are aligned to their size. */
static struct ref_page *page_of(struct ref_word *slot)
{
    uintptr_t at = (uintptr_t)slot;
    return (struct ref_page *)(void *)((char *)slot - at % PAGE_SIZE);
}

static unsigned index_of(struct ref_word *slot)
{
    return (unsigned)(slot - page_of(slot)->words);
}

static uint64_t generation_of(uint64_t word)
{
    return word >> GENERATION_SHIFT;
}

/* Nobody's, and the next generation; the last one stays. */
static uint64_t ended(uint64_t word)
{
    uint64_t generation = generation_of(word);
    RULE(HEAP_REF_4);
    return (generation + (generation < GENERATION_MAX)) << GENERATION_SHIFT;
}

static uint64_t slot_load(struct ref_word *slot)
{
    /* ORDER(ref): acquire.  Pairs with slot_move(). */
    return atomic_load_explicit(&slot->word, memory_order_acquire);
}

static bool slot_move(struct ref_word *slot, uint64_t *from, uint64_t to)
{
    /* ORDER(ref): acq_rel.  Pairs with itself: who pins sees what was there
     * when the reference was made; who ends a slot, and frees the memory, sees
     * that every reader has done with it. */
    return atomic_compare_exchange_weak_explicit(
        &slot->word, from, to, memory_order_acq_rel, memory_order_acquire);
}

/* --- make and drop -------------------------------------------------------- */

/* Lock held.  NULL: all slots are in use. */
static struct ref_word *slot_take(struct heap *heap)
{
    struct ref_word *slot = heap->spare;
    if (slot != NULL) {
        heap->spare = page_of(slot)->slots[index_of(slot)].spare;
        return slot;
    }
    if (heap->pages == NULL || heap->page_used == PAGE_REFS) {
        return NULL;
    }
    return &heap->pages->words[heap->page_used++];
}

/* Lock held. */
static void page_add(struct heap *heap, struct ref_page *page)
{
    /* The rest of the newest one, when two tasks add at once. */
    while (heap->pages != NULL && heap->page_used < PAGE_REFS) {
        struct ref_word *rest = &heap->pages->words[heap->page_used];
        heap->pages->slots[heap->page_used++].spare = heap->spare;
        heap->spare = rest;
    }
    page->next = heap->pages;
    heap->pages = page;
    heap->page_used = 0;
}

static bool refs_grow(struct region *region, struct heap *heap)
{
    struct task *host = region->host;
    struct ref_page *page = runtime_alloc(task_runtime(host), SLAB_HANDLE_512);
    if (page == NULL) {
        return false;
    }
    page->host = host;
    spin_lock(&region->owner.lock);
    page_add(heap, page);
    spin_unlock(&region->owner.lock);
    return true;
}

static struct ref_word *slot_make(struct region *region, struct heap *heap,
                                  void *memory, size_t size)
{
    struct ref_word *slot;
    do {
        spin_lock(&region->owner.lock);
        slot = slot_take(heap);
        spin_unlock(&region->owner.lock);
    } while (slot == NULL && refs_grow(region, heap));
    if (slot != NULL) {
        page_of(slot)->slots[index_of(slot)].memory = memory;
        page_of(slot)->sizes[index_of(slot)] = (uint32_t)size;
    }
    return slot;
}

int ambit_ref_make(ambit_region *public, void *memory, size_t size,
                   ambit_ref *ret_ref)
{
    struct region *region = region_of(public);
    if (size > AMBIT_ALLOC_MAX) {
        return -E2BIG;
    }
    struct heap *heap = heap_of(region);
    struct ref_word *slot =
        heap != NULL ? slot_make(region, heap, memory, size) : NULL;
    if (slot == NULL) {
        return -ENOMEM;
    }
    *ret_ref = (ambit_ref){slot, generation_of(slot_load(slot))};
    return 0;
}

int ambit_ref_drop(ambit_region *public, ambit_ref ref)
{
    struct region *region = region_of(public);
    struct ref_word *slot = ref.slot;
    uint64_t word = slot != NULL ? slot_load(slot) : 0;
    do {
        if (slot == NULL || generation_of(word) != ref.generation) {
            RULE(HEAP_REF_3);
            return -ESTALE;
        }
        if ((word & PINS_MAX) != 0) {
            return -EBUSY;
        }
    } while (!slot_move(slot, &word, ended(word)));
    if (generation_of(ended(word)) < GENERATION_MAX) {
        spin_lock(&region->owner.lock);
        page_of(slot)->slots[index_of(slot)].spare = region->heap->spare;
        region->heap->spare = slot;
        spin_unlock(&region->owner.lock);
    }
    return 0;
}

/* --- use ------------------------------------------------------------------ */

static int pin(ambit_ref ref, struct ref_word **ret_slot)
{
    struct ref_word *slot = ref.slot;
    if (slot == NULL) {
        return -ESTALE;
    }
    uint64_t word = slot_load(slot);
    do {
        if (generation_of(word) != ref.generation ||
            ref.generation == GENERATION_MAX || (word & WORD_ENDING) != 0) {
            RULE(HEAP_REF_1);
            return -ESTALE;
        }
        if ((word & PINS_MAX) == PINS_MAX) {
            return -EAGAIN;
        }
    } while (!slot_move(slot, &word, word + 1));
    *ret_slot = slot;
    return 0;
}

static void unpin(struct ref_word *slot)
{
    struct task *host = page_of(slot)->host;
    uint64_t word = slot_load(slot);
    uint64_t next;
    do {
        REQUIRE((word & PINS_MAX) > 0, "a reference is unpinned once");
        bool last = (word & WORD_ENDING) != 0 && (word & PINS_MAX) == 1;
        next = last ? ended(word) : word - 1;
    } while (!slot_move(slot, &word, next));
    if ((next & PINS_MAX) == 0 && (word & WORD_WAITED) != 0) {
        task_wake(host, 0);
    }
}

int ambit_ref_read(ambit_ref ref, void *ret_copy, size_t size)
{
    struct ref_word *slot;
    int rc = pin(ref, &slot);
    if (rc < 0) {
        return rc;
    }
    rc = size > page_of(slot)->sizes[index_of(slot)] ? -E2BIG : 0;
    if (rc == 0 && size > 0) {
        memcpy(ret_copy, page_of(slot)->slots[index_of(slot)].memory, size);
    }
    unpin(slot);
    return rc;
}

int ambit_ref_pin(ambit_ref ref, void **ret_memory)
{
    struct ref_word *slot;
    int rc = pin(ref, &slot);
    if (rc == 0) {
        *ret_memory = page_of(slot)->slots[index_of(slot)].memory;
    }
    return rc;
}

void ambit_ref_unpin(ambit_ref ref)
{
    struct ref_word *slot = ref.slot;
    REQUIRE(slot != NULL &&
                generation_of(slot_load(slot)) == ref.generation,
            "a reference is unpinned by who has it pinned");
    unpin(slot);
}

int ambit_ref_get(ambit_ref ref, void **ret_memory)
{
    int rc = ambit_ref_pin(ref, ret_memory);
    if (rc == 0) {
        unpin(ref.slot);
    }
    return rc;
}

/* --- the end -------------------------------------------------------------- */

/* No pins from now on; the next generation at once when there are none. */
static void slot_end(struct ref_word *slot)
{
    uint64_t word = slot_load(slot);
    bool pinned;
    do {
        pinned = (word & PINS_MAX) != 0;
    } while (!slot_move(slot, &word,
                        pinned ? word | WORD_ENDING : ended(word)));
}

static void slot_wait(struct task *host, struct ref_word *slot)
{
    uint64_t word = slot_load(slot);
    do {
        if ((word & WORD_ENDING) == 0) {
            return;
        }
    } while (!slot_move(slot, &word, word | WORD_WAITED));
    RULE(HEAP_REF_2);
    park(host, PARK_CLOSE, NULL, NULL);
}

static void page_free(struct runtime *runtime, struct ref_page *page)
{
    for (unsigned i = 0; i < PAGE_REFS; i++) {
        if (generation_of(slot_load(&page->words[i])) == GENERATION_MAX) {
            return; /* see above */
        }
    }
    runtime_free(runtime, SLAB_HANDLE_512, page);
}

void refs_close(struct region *region, struct heap *heap)
{
    struct task *host = region->host;
    for (struct ref_page *page = heap->pages; page; page = page->next) {
        for (unsigned i = 0; i < PAGE_REFS; i++) {
            slot_end(&page->words[i]);
        }
    }
    while (heap->pages != NULL) {
        struct ref_page *page = heap->pages;
        heap->pages = page->next;
        for (unsigned i = 0; i < PAGE_REFS; i++) {
            slot_wait(host, &page->words[i]);
        }
        page_free(task_runtime(host), page);
    }
}
