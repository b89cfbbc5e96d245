/* SPDX-License-Identifier: MIT */
/*
 * base.h -- what every file of Ambit stands on.
 *
 *   ASSERT   always on: a bug in Ambit, or one of the caller's that no race
 *            can cause, ends the process with a sentence.
 *   CHECK    checked builds only: walks whole structures.
 *   RULE     marks the line that enforces a numbered rule of spec/.  Empty in
 *            release builds; in checked builds each passage is counted, so a
 *            test can show that the line was reached.
 */
#ifndef AMBIT_SRC_BASE_H
#define AMBIT_SRC_BASE_H

/* Inside the library the suspending calls are plain functions. */
#define AMBIT_NO_SITES 1

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CACHE_LINE 64

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NOINLINE __attribute__((noinline))
/* Worth a copy where it is called, in other files too: see WHOLE in the
 * Makefile. */
#define HOT_PATH inline
/* On a hot path, and called from a cold one besides. */
#define ALWAYS_INLINE __attribute__((always_inline)) inline
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) \
    ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* Ends the process; the sentence goes to stderr with one write(2). */
_Noreturn void base_die(const char *file, int line, const char *what);

#define ASSERT(cond) \
    do { \
        if (UNLIKELY(!(cond))) { \
            base_die(__FILE__, __LINE__, #cond); \
        } \
    } while (0)

/* A bug of the caller's that no race can cause: a sentence, then abort. */
#define REQUIRE(cond, sentence) \
    do { \
        if (UNLIKELY(!(cond))) { \
            base_die(__FILE__, __LINE__, sentence); \
        } \
    } while (0)

#ifdef AMBIT_CHECKED
#define CHECK(cond) ASSERT(cond)
struct rule_mark {
    const char *id;
    const char *file;
    int line;
    _Atomic unsigned long passed; /* any thread: ORDER(rule-count) */
};
void rule_pass(struct rule_mark *mark);
#define RULE(rule) \
    do { \
        static struct rule_mark mark_ \
            __attribute__((section("ambit_rules"), used)) = {#rule, __FILE__, \
                                                             __LINE__, 0}; \
        rule_pass(&mark_); \
    } while (0)
#else
#define CHECK(cond) ((void)0)
#define RULE(rule) ((void)0)
#endif

/* Tells the lab what happens, at the moment it does: spec/lab/told.h.  Nothing,
 * and nothing evaluated, in every other build. */
#ifdef AMBIT_LAB
#define TELL(what, subject, other, number) \
    lab_tell(TOLD_##what, (subject), (other), (int64_t)(number))
#else
#define TELL(what, subject, other, number) ((void)0)
#endif

ALWAYS_INLINE static void copy_word(void *to, const void *from, size_t at)
{
    uint64_t word;
    memcpy(&word, (const char *)from + at, 8);
    memcpy((char *)to + at, &word, 8);
}

/* memcpy() of what is a few words most often: a call costs more than they do, and
 * what was just written word by word is slow to be read by the vector. */
ALWAYS_INLINE static void copy_bytes(void *to, const void *from, size_t size)
{
    if (size >= 8 && size <= 16) {
        copy_word(to, from, 0);
        copy_word(to, from, size - 8);
    } else if (size > 16 && size <= 32) {
        copy_word(to, from, 0);
        copy_word(to, from, 8);
        copy_word(to, from, size - 16);
        copy_word(to, from, size - 8);
    } else {
        memcpy(to, from, size);
    }
}

static inline void cpu_relax(void)
{
#if defined(AMBIT_LAB)
    lab_relax(); /* spec/lab/os.h: whoever is waited for has to run */
#elif defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Leaves a line that two want to the other for a while.  Nobody is waited for:
 * in the lab it is nothing. */
static inline void cpu_step_back(unsigned pauses)
{
#ifdef AMBIT_LAB
    (void)pauses;
#else
    for (unsigned i = 0; i < pauses; i++) {
        cpu_relax();
    }
#endif
}

/* Has so many lines fetched that will be wanted soon: a crowd that was parked for
 * long is in no cache.  A hint; it may be anything.  The empty line of assembly is
 * none: a function that does nothing but fetch has no effect for gcc, which drops
 * the calls of it. */
ALWAYS_INLINE static void fetch_lines(const void *first, unsigned lines)
{
#pragma GCC unroll 8
    for (unsigned i = 0; i < lines; i++) {
        __builtin_prefetch((const char *)first + i * CACHE_LINE);
        __asm__ volatile("");
    }
}

#endif
