/* SPDX-License-Identifier: MIT */
/*
 * ambit/heap.h -- memory of a region, and references that know when it is gone.
 *
 *     struct config *config;
 *     rc = ambit_new(region, &config);         // zeroed; nobody frees it
 *
 * All of it goes when the region closes, after its finalizers have run.
 *
 * A reference may be kept by anybody, anywhere, and outlive the region:
 *
 *     typedef AMBIT_REF(struct config) config_ref;
 *     config_ref ref;
 *     rc = ambit_ref_set(region, &ref, config);
 *     ...
 *     struct config copy;
 *     rc = ambit_ref_load(ref, &copy);         // 0, or -ESTALE: it is gone
 *
 *   made --region closes, or ambit_ref_drop()--> stale, for ever
 *
 * What a reference gives, and for how long:
 *
 *   ambit_ref_read()  a copy; any thread, for ever
 *   ambit_ref_pin()   the pointer, until ambit_ref_unpin(): the memory waits
 *   ambit_ref_get()   the pointer, as long as the caller knows the region to
 *                     be open: its opener, its tasks, and all below
 */
#ifndef AMBIT_HEAP_H
#define AMBIT_HEAP_H

#include <ambit/region.h>

AMBIT_BEGIN

#define AMBIT_ALLOC_MAX ((size_t)1 << 30)

/*
 * Memory of the region, aligned to 16 bytes; 0 bytes count as 1.  Does not
 * suspend.  0; -E2BIG above AMBIT_ALLOC_MAX; -EDQUOT at a ceiling on heap bytes
 * of the region or one around it; -ENOMEM.  After a failure *ret_memory is
 * untouched.  The opener, the region's tasks and finalizers, on any thread.
 *
 * What counts for a ceiling is the size rounded up: to a multiple of 16 up to
 * 128 bytes, to a quarter of a power of two up to 4 KiB, of 16 above.
 */
AMBIT_API int ambit_alloc(ambit_region *region, size_t size,
                          void **ret_memory);
AMBIT_API int ambit_alloc_zeroed(ambit_region *region, size_t size,
                                 void **ret_memory);

/* Gives memory of the region back before its close, for use by the next
 * ambit_alloc() of about that size: the size that was asked for.  NULL is
 * fine.  Same callers; does not suspend.  References to it are dropped before:
 * they do not know. */
AMBIT_API void ambit_free(ambit_region *region, void *memory, size_t size);

/* A zeroed object of the type that *ret_pointer points to. */
#define ambit_new(region, ret_pointer) \
    (__extension__({ \
        void *ambit_new_; \
        int ambit_rc_ = ambit_alloc_zeroed( \
            (region), sizeof(**(ret_pointer)), &ambit_new_); \
        if (ambit_rc_ == 0) { \
            *(ret_pointer) = (__typeof__(*(ret_pointer)))ambit_new_; \
        } \
        ambit_rc_; \
    }))

/* Bytes allocated and not given back, rounded as above.  Same callers. */
AMBIT_API uint64_t ambit_region_bytes(ambit_region *region);

/* A value; copy it freely, to any thread.  Zeroed: stale.  Valid to ask until
 * the runtime is destroyed. */
typedef struct ambit_ref {
    void *slot;
    uint64_t generation;
} ambit_ref;

/*
 * A reference to memory that lives as long as the region does, most often of
 * its heap; size is what ambit_ref_read() may copy.  Does not suspend.  0;
 * -E2BIG above AMBIT_ALLOC_MAX; -ENOMEM.  Same callers as ambit_alloc().
 */
AMBIT_API int ambit_ref_make(ambit_region *region, void *memory, size_t size,
                             ambit_ref *ret_ref);

/* Copies the first `size` bytes.  0; -ESTALE; -E2BIG when the object is smaller;
 * -EAGAIN when 65,535 others have it pinned.  The caller sees to it that nobody
 * writes the object meanwhile.  Does not suspend.  Any thread. */
AMBIT_API int ambit_ref_read(ambit_ref ref, void *ret_copy, size_t size);

/*
 * The object itself, until ambit_ref_unpin(): as long as it is pinned, the
 * close of its region waits, everything but the memory being gone.  So be
 * brief; a task that waits while it pins, keeps the region's opener waiting.
 * 0; -ESTALE; -EAGAIN as above.  Each pin is undone once, by any thread.
 */
AMBIT_API int ambit_ref_pin(ambit_ref ref, void **ret_memory);
AMBIT_API void ambit_ref_unpin(ambit_ref ref);

/* The object, not held.  0; -ESTALE; -EAGAIN as above.  For those who know the
 * region to be open for as long as they use the pointer. */
AMBIT_API int ambit_ref_get(ambit_ref ref, void **ret_memory);

/* Makes this one and all its copies stale.  0; -ESTALE; -EBUSY while somebody
 * has it pinned.  Same callers as ambit_alloc(). */
AMBIT_API int ambit_ref_drop(ambit_region *region, ambit_ref ref);

/* The same with the type checked by the compiler; C only. */
#define AMBIT_REF(type) \
    struct { \
        ambit_ref ref; \
        type *type_[0]; \
    }
#define AMBIT_REF_SAME_(typed, pointer) \
    _Static_assert( \
        __builtin_types_compatible_p(__typeof__(*(typed).type_[0]), \
                                     __typeof__(*(pointer))), \
        "the reference is to another type")
#define ambit_ref_set(region, ret_typed, pointer) \
    (__extension__({ \
        AMBIT_REF_SAME_(*(ret_typed), pointer); \
        ambit_ref_make((region), (pointer), sizeof(*(pointer)), \
                       &(ret_typed)->ref); \
    }))
#define ambit_ref_load(typed, ret_copy) \
    (__extension__({ \
        AMBIT_REF_SAME_(typed, ret_copy); \
        ambit_ref_read((typed).ref, (ret_copy), sizeof(*(ret_copy))); \
    }))
#define ambit_ref_hold(typed, ret_pointer) \
    (__extension__({ \
        AMBIT_REF_SAME_(typed, *(ret_pointer)); \
        void *ambit_held_; \
        int ambit_rc_ = ambit_ref_pin((typed).ref, &ambit_held_); \
        if (ambit_rc_ == 0) { \
            *(ret_pointer) = ambit_held_; \
        } \
        ambit_rc_; \
    }))
#define ambit_ref_release(typed) ambit_ref_unpin((typed).ref)

AMBIT_END

#endif
