/* SPDX-License-Identifier: MIT */
/*
 * c11.h -- put in front of a production file (-include): its atomics, its plain
 * accesses and its memory are then the model's.
 *
 * The file itself is compiled as it is.  The macros of <stdatomic.h> become
 * calls that say what, in which order and where; -fsanitize=thread, without
 * the library that belongs to it, makes each plain access a call as well.
 * What those calls do is memory.c and explore.c.
 */
#ifndef AMBIT_TESTS_MODELS_C11_H
#define AMBIT_TESTS_MODELS_C11_H

#include "src/base.h"

#include "tests/models/model.h"

/* Before the macros below could change what they declare. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

/* The value without _Atomic. */
#define C11_TYPE(p) __typeof__((void)0, *(p))

/* One of these for each place in the source; the checker weakens by it. */
#define C11_SITE(what, text, order, failing) \
    static struct site site_ = {what, #text, __FILE__, __func__, order, \
                                failing, NULL, 0, 0, false, false}

#undef atomic_init
#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit
#undef atomic_thread_fence

#define atomic_init(p, value) \
    __extension__({ \
        C11_TYPE(p) value_ = (value); \
        memory_init((void *)(uintptr_t)(p), sizeof value_, to_word(value_)); \
    })

#define atomic_load_explicit(p, order) \
    __extension__({ \
        C11_SITE(SITE_LOAD, p, order, 0); \
        C11_TYPE(p) value_; \
        from_word(value_, memory_load(&site_, (void *)(uintptr_t)(p), \
                                      sizeof value_)); \
        value_; \
    })

#define atomic_store_explicit(p, value, order) \
    __extension__({ \
        C11_SITE(SITE_STORE, p, order, 0); \
        C11_TYPE(p) value_ = (value); \
        memory_store(&site_, (void *)(uintptr_t)(p), sizeof value_, \
                     to_word(value_)); \
    })

#define C11_RMW(p, operand, order, op, what) \
    __extension__({ \
        C11_SITE(what, p, order, 0); \
        C11_TYPE(p) value_ = (C11_TYPE(p))(operand); \
        from_word(value_, \
                  memory_rmw(&site_, (void *)(uintptr_t)(p), sizeof value_, \
                             op, to_word(value_))); \
        value_; \
    })

#define atomic_exchange_explicit(p, value, order) \
    C11_RMW(p, value, order, RMW_PUT, SITE_RMW)
#define atomic_fetch_add_explicit(p, value, order) \
    C11_RMW(p, value, order, RMW_ADD, SITE_RMW)
#define atomic_fetch_sub_explicit(p, value, order) \
    C11_RMW(p, value, order, RMW_SUB, SITE_RMW)
#define atomic_fetch_or_explicit(p, value, order) \
    C11_RMW(p, value, order, RMW_OR, SITE_RMW)
#define atomic_fetch_and_explicit(p, value, order) \
    C11_RMW(p, value, order, RMW_AND, SITE_RMW)

#define C11_CAS(p, expected, value, order, failing, weak) \
    __extension__({ \
        C11_SITE(SITE_CAS, p, order, failing); \
        C11_TYPE(p) value_ = (value); \
        C11_TYPE(p) expected_ = *(expected); \
        uint64_t word_ = to_word(expected_); \
        bool moved_ = \
            memory_cas(&site_, (void *)(uintptr_t)(p), sizeof value_, &word_, \
                       to_word(value_), weak); \
        from_word(expected_, word_); \
        *(expected) = expected_; \
        moved_; \
    })

#define atomic_compare_exchange_strong_explicit(p, e, v, order, failing) \
    C11_CAS(p, e, v, order, failing, false)
#define atomic_compare_exchange_weak_explicit(p, e, v, order, failing) \
    C11_CAS(p, e, v, order, failing, true)

#define atomic_thread_fence(order) \
    __extension__({ \
        C11_SITE(SITE_FENCE, , order, 0); \
        memory_fence(&site_); \
    })

#define to_word(value) \
    __extension__({ \
        uint64_t bits_ = 0; \
        __builtin_memcpy(&bits_, &(value), sizeof(value)); \
        bits_; \
    })
#define from_word(value, word) \
    do { \
        uint64_t bits_ = (word); \
        __builtin_memcpy(&(value), &bits_, sizeof(value)); \
    } while (0)

/* Counting is not what is looked at here. */
#undef RULE
#define RULE(rule) ((void)0)

/* Whoever waits in a loop lets others go on. */
#define cpu_relax() explore_yield()
#define sched_yield() explore_yield()

/* Memory is given out once in a run, so that what was freed is known. */
#define malloc(size) memory_alloc(size)
#define aligned_alloc(align, size) memory_alloc(size)
#define free(p) memory_free(p)

/* Calls of the library, which the compiler does not look into. */
#define memcpy(to, from, size) memory_copy(to, from, size)
#define memset(to, byte, size) memory_set(to, byte, size)

/* Without its count of the locks that a thread holds: all model threads are one
 * to the compiler. */
#pragma push_macro("AMBIT_CHECKED")
#undef AMBIT_CHECKED
#include "src/spin.h"
#pragma pop_macro("AMBIT_CHECKED")

#endif
