/* SPDX-License-Identifier: MIT */
/*
 * fiber.h -- one stack of execution, and the switch between two.
 *
 *     struct fiber thread, other;
 *     fiber_init_thread(&thread);
 *     fiber_init(&other, low, size, entry, argument);
 *     fiber_switch(&thread, &other);      runs entry(argument) ...
 *     fiber_fini(&other);                 ... until it switched back
 *     fiber_fini_thread(&thread);
 *
 * A fiber is running, or parked inside fiber_switch().  It never ends: when it
 * is wanted no more it is left parked, and fiber_fini() forgets it.
 *
 * What a fiber keeps as its own: the registers the ABI calls callee-saved, the
 * control words of the floating point unit (rounding mode, masked exceptions),
 * and errno.  The signal mask belongs to the thread.
 *
 * A started fiber should be continued by the thread that started it.  Compilers
 * keep the addresses of thread-local variables in registers over a call, and
 * a switch is a call.  Code that runs on fibers which do change threads must
 * reach its thread-local variables through a NOINLINE accessor, asked again
 * after each switch.  errno itself is safe here: its address is taken before
 * the switch, on the thread that both fibers have in common.
 */
#ifndef AMBIT_SRC_FIBER_H
#define AMBIT_SRC_FIBER_H

#include "src/base.h"

struct fiber {
    void *sp;          /* valid while parked; the assembly knows offset 0 */
    void *stack_low;   /* usable range; NULL and 0 for a thread's own stack */
    size_t stack_size; /* bytes */
    int error;         /* errno while parked */

    /* For the tools of tools.h alone. */
    unsigned valgrind_id;
    void *tsan;              /* the fiber as TSan knows it */
    void *asan_fake;         /* its fake stack while parked */
    const void *asan_low;    /* its range as ASan knows it ... */
    size_t asan_size;        /* ... learned late for a thread's own stack */
    struct fiber *asan_from; /* who switched to it last */
    void (*entry)(void *arg);
    void *arg;
};

/* Makes the calling thread's own stack a fiber, so that it can be switched
 * away from.  Does not suspend, cannot fail.  The memory is the caller's and
 * must stay until fiber_fini_thread(). */
void fiber_init_thread(struct fiber *fiber);

/* Forgets a thread's fiber; call it on that thread, running on that fiber.
 * NULL and zeroed memory are allowed. */
void fiber_fini_thread(struct fiber *fiber);

/* Prepares a parked fiber that calls entry(arg) when it is switched to for the
 * first time, with a clear errno and the ABI's default floating point control
 * words.  entry must never return: it switches away for good instead.
 *
 * The memory [stack_low, stack_low + stack_size) is the caller's, at least
 * 1 KiB of it, and must stay mapped until fiber_fini(); its guard page too is
 * the caller's business.  Does not suspend, cannot fail; any thread. */
void fiber_init(struct fiber *fiber, void *stack_low, size_t stack_size,
                void (*entry)(void *arg), void *arg);

/* Forgets a parked fiber, started or not; what was on its stack is lost and
 * the stack may be used again at once; stack_low and stack_size keep their
 * values for that.  Not for the running fiber.  NULL, zeroed memory and a
 * second call are allowed.  Any thread, after the last switch away. */
void fiber_fini(struct fiber *fiber);

/* fiber_switch() where the thread's &errno is at hand: to ask for it is a call. */
void fiber_switch_with(struct fiber *from, struct fiber *to, int *error);

/* Leaves `from`, which must be the running fiber, and continues `to`, which
 * must be parked; returns when somebody switches back to `from`. */
static inline void fiber_switch(struct fiber *from, struct fiber *to)
{
    fiber_switch_with(from, to, &errno);
}

#endif
