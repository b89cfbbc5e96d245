/* SPDX-License-Identifier: MIT */
/*
 * overflow.h -- a sentence before a stack overflow ends the process.
 *
 *     overflow_install();                             once per runtime
 *     overflow_thread_init(&arena, describe);         once per worker thread
 *     ...
 *     overflow_thread_fini();
 *     overflow_uninstall();
 *
 * A fiber that runs into its guard raises SIGSEGV.  The handler, on a stack of
 * its own, looks the address up in the arena of the thread, says which task it
 * was, puts the previous action back and lets the instruction fault again: so
 * core dumps, sanitizers and crash reporters see the fault as if we had never
 * been there.  Any other fault goes to the previous action at once.
 *
 * Workers must not block SIGSEGV or SIGBUS: the kernel kills a thread that
 * faults with them blocked, and nothing is said.
 *
 * Signal actions belong to the process, so this is one of the few places with
 * state of the process: which action was there before, and how many runtimes
 * rely on ours.
 */
#ifndef AMBIT_SRC_OVERFLOW_H
#define AMBIT_SRC_OVERFLOW_H

#include "src/stack.h"

/* Installs the handler for SIGSEGV and SIGBUS; further calls only count.
 * Any thread.  0 or -errno, and then nothing is installed. */
int overflow_install(void);

/* Takes one call of overflow_install() back; the last puts the previous actions
 * in place.  Where somebody else has installed a handler since then, ours stays
 * behind it and only passes on.  Any thread. */
void overflow_uninstall(void);

/* Makes overflows of the arena's stacks known on the calling thread, and gives
 * the thread a signal stack unless it has one.  The arena must stay until
 * overflow_thread_fini().
 *
 * describe() writes the name of the task that borrows the stack,
 * NUL-terminated, into buf; it runs in the signal handler and must be
 * async-signal-safe.  NULL is allowed, and names nobody.
 *
 * 0, or -ENOMEM. */
int overflow_thread_init(struct stack_arena *arena,
                         void (*describe)(struct stack *stack, char *buf,
                                          size_t len));

/* On the same thread, not on a fiber.  Harmless without a successful init. */
void overflow_thread_fini(void);

#endif
