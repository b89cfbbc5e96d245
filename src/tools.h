/* SPDX-License-Identifier: MIT */
/*
 * tools.h -- which checking tool this build is made for.
 *
 * A tool that follows stacks or heaps has to be told about ours.  What it is
 * told costs nothing in a build made without it: the three macros below are 0
 * or 1, and every hook sits behind one of them.
 *
 *   TOOL_ASAN       AddressSanitizer, gcc's and clang's
 *   TOOL_TSAN       ThreadSanitizer, gcc's and clang's
 *   TOOL_VALGRIND   on demand (-DAMBIT_VALGRIND), and in checked builds where
 *                   the header is installed; a few idle instructions otherwise
 */
#ifndef AMBIT_SRC_TOOLS_H
#define AMBIT_SRC_TOOLS_H

#if defined(__has_feature)
#define TOOL_FEATURE(name) __has_feature(name)
#else
#define TOOL_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || TOOL_FEATURE(address_sanitizer)
#define TOOL_ASAN 1
#else
#define TOOL_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || TOOL_FEATURE(thread_sanitizer)
#define TOOL_TSAN 1
#else
#define TOOL_TSAN 0
#endif

#if TOOL_ASAN || TOOL_TSAN
#define TOOL_VALGRIND 0
#elif defined(AMBIT_VALGRIND)
#define TOOL_VALGRIND 1
#elif defined(AMBIT_CHECKED) && __has_include(<valgrind/valgrind.h>)
#define TOOL_VALGRIND 1
#else
#define TOOL_VALGRIND 0
#endif

/* For functions that tell a tool about the stack they stand on: the tool must
 * not put calls of its own into them. */
#if !TOOL_ASAN && !TOOL_TSAN
#define TOOL_UNSEEN
#elif defined(__clang__) && __has_attribute(disable_sanitizer_instrumentation)
#define TOOL_UNSEEN __attribute__((disable_sanitizer_instrumentation, noinline))
#elif TOOL_ASAN
#define TOOL_UNSEEN __attribute__((no_sanitize("address"), noinline))
#else
#define TOOL_UNSEEN __attribute__((no_sanitize("thread"), noinline))
#endif

/* For functions that use memory which they have poisoned for all others. */
#if TOOL_ASAN
#define TOOL_READS_POISON __attribute__((no_sanitize("address"), noinline))
#else
#define TOOL_READS_POISON
#endif

#if TOOL_VALGRIND
#include <valgrind/memcheck.h>
#endif

#if TOOL_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* liburing maps and unmaps rings without the C library, so TSan does not see
 * that a mapping is gone before another one takes its place, on whatever
 * thread.  `what` stands for all mappings of a kind. */
static inline void tool_will_unmap(const void *what)
{
#if TOOL_TSAN
    __tsan_release((void *)(uintptr_t)what);
#else
    (void)what;
#endif
}

static inline void tool_has_mapped(const void *what)
{
#if TOOL_TSAN
    __tsan_acquire((void *)(uintptr_t)what);
#else
    (void)what;
#endif
}

/* Valgrind lets one thread run at a time, and takes a wait inside of
 * io_uring_enter(2) for running: wait in poll(2) instead. */
static inline bool tool_stops_on_ring_wait(void)
{
#if TOOL_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

/* The kernel wrote there behind the tool's back. */
static inline void tool_mark_written(void *memory, size_t len)
{
#if TOOL_VALGRIND
    VALGRIND_MAKE_MEM_DEFINED(memory, len);
#else
    (void)memory;
    (void)len;
#endif
}

#endif
