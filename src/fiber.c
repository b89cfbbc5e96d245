/* SPDX-License-Identifier: MIT */
/*
 * fiber.c -- a fiber's first frame, and what has to go along with a switch.
 *
 * The switch itself is fiber_switch_bare() in fiber_<machine>.S: it pushes what
 * a called function must preserve, exchanges the stack pointers and pops.  A
 * new fiber is made to look as if it had been parked that way: fiber_init()
 * writes the frame that the switch will pop, with fiber_entry() as the place
 * to go on from.
 *
 *   high end   0, 0                  ends a walk along frame pointers
 *              struct fiber_frame    <- fiber.sp
 *   low end    ...
 *
 * Around the bare switch travels errno: both fibers use one errno location as
 * long as one thread runs them, and what is in it belongs to the one that
 * runs.  It costs less than a nanosecond, and a task can suspend between a
 * failed call and its look at errno.
 *
 * Owner: the thread that runs the fiber.  No atomics.
 */
#include "src/fiber.h"

#include "src/tools.h"

#if TOOL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if TOOL_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if TOOL_VALGRIND
#include <valgrind/valgrind.h>
#endif

#define STACK_ALIGN 16
#define STACK_SIZE_MIN 1024

/* What fiber_switch_bare() leaves on the stack of a parked fiber, and what
 * fiber_entry() expects in the registers popped from it. */
#if defined(__x86_64__)
struct fiber_frame {
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t unused;
    void *r15;
    void *r14;
    void (*r13)(void *arg); /* entry */
    void *r12;              /* arg */
    void *rbx;
    void *rbp;
    void (*resume_at)(void);
};
_Static_assert(sizeof(struct fiber_frame) == 64, "fiber_x86_64.S knows this");
#elif defined(__aarch64__)
struct fiber_frame {
    void *x19;              /* arg */
    void (*x20)(void *arg); /* entry */
    void *x21_to_x28[8];
    void *x29;
    void (*x30)(void); /* where to go on */
    double d8_to_d15[8];
    uint64_t fpcr;
    uint64_t unused;
};
_Static_assert(sizeof(struct fiber_frame) == 176, "fiber_aarch64.S knows this");
#else
#error "fiber.c knows x86_64 and aarch64"
#endif

_Static_assert(offsetof(struct fiber, sp) == 0, "the assembly knows this");
_Static_assert(sizeof(struct fiber_frame) % STACK_ALIGN == 0, "kept aligned");

void fiber_switch_bare(struct fiber *from, struct fiber *to);
void fiber_entry(void);

static void frame_fill(struct fiber_frame *frame, void (*entry)(void *),
                       void *arg);
static void tools_init(struct fiber *fiber);
static void tools_fini(struct fiber *fiber);

void fiber_init_thread(struct fiber *fiber)
{
    *fiber = (struct fiber){0};
#if TOOL_TSAN
    fiber->tsan = __tsan_get_current_fiber();
#endif
}

void fiber_fini_thread(struct fiber *fiber)
{
    if (fiber != NULL) {
        ASSERT(fiber->stack_low == NULL);
        *fiber = (struct fiber){0};
    }
}

#if TOOL_ASAN
static void asan_begin(void *fiber);
#endif

void fiber_init(struct fiber *fiber, void *stack_low, size_t stack_size,
                void (*entry)(void *arg), void *arg)
{
    ASSERT(stack_low != NULL);
    ASSERT(stack_size >= STACK_SIZE_MIN);
    *fiber = (struct fiber){
        .stack_low = stack_low,
        .stack_size = stack_size,
        .entry = entry,
        .arg = arg,
    };
    tools_init(fiber);
    uintptr_t high = (uintptr_t)stack_low + stack_size;
    uint64_t *end = (uint64_t *)(high / STACK_ALIGN * STACK_ALIGN) - 2;
    end[0] = 0;
    end[1] = 0;
    struct fiber_frame *frame = (struct fiber_frame *)(void *)end - 1;
#if TOOL_ASAN
    frame_fill(frame, asan_begin, fiber);
#else
    frame_fill(frame, entry, arg);
#endif
    fiber->sp = frame;
}

void fiber_fini(struct fiber *fiber)
{
    if (fiber != NULL && fiber->sp != NULL) {
        tools_fini(fiber);
        fiber->sp = NULL;
    }
}

static void frame_fill(struct fiber_frame *frame, void (*entry)(void *),
                       void *arg)
{
#if defined(__x86_64__)
    /* The control words a process starts with: every exception masked,
     * round to nearest, full x87 precision. */
    *frame = (struct fiber_frame){
        .mxcsr = 0x1f80,
        .x87_control = 0x037f,
        .r13 = entry,
        .r12 = arg,
        .resume_at = fiber_entry,
    };
#else
    *frame = (struct fiber_frame){
        .x19 = arg,
        .x20 = entry,
        .x30 = fiber_entry,
    };
#ifdef __ARM_FEATURE_PAC_DEFAULT
    /* The switch will check this address against the stack pointer that it
     * ends with, so sign it as the switch would have. */
    register uintptr_t x17 __asm__("x17") = (uintptr_t)fiber_entry;
    register uintptr_t x16 __asm__("x16") = (uintptr_t)(frame + 1);
    __asm__("hint #8" : "+r"(x17) : "r"(x16)); /* pacia1716 */
    frame->x30 = (void (*)(void))x17;
#endif
#endif
}

static inline void errno_exchange(struct fiber *from, struct fiber *to,
                                  int *error)
{
    from->error = *error;
    *error = to->error;
}

#if TOOL_ASAN

/* ASan checks stack addresses against the range of the running fiber, and may
 * keep a fake stack for it.  The range of a thread's own stack is known to
 * ASan alone: whoever arrives next is told, and writes it down. */
static inline void asan_arrive(struct fiber *fiber)
{
    const void *low;
    size_t size;
    __sanitizer_finish_switch_fiber(fiber->asan_fake, &low, &size);
    if (fiber->asan_from->asan_low == NULL) {
        fiber->asan_from->asan_low = low;
        fiber->asan_from->asan_size = size;
    }
}

TOOL_UNSEEN static void asan_begin(void *arg)
{
    struct fiber *fiber = arg;
    asan_arrive(fiber);
    fiber->entry(fiber->arg);
    base_die(__FILE__, __LINE__, "a fiber's entry returned");
}

TOOL_UNSEEN void fiber_switch_with(struct fiber *from, struct fiber *to, int *error)
{
    to->asan_from = from;
    errno_exchange(from, to, error);
    __sanitizer_start_switch_fiber(&from->asan_fake, to->asan_low,
                                   to->asan_size);
    fiber_switch_bare(from, to);
    asan_arrive(from);
}

/* A fake stack is freed by the fiber that leaves for the last time.  A parked
 * one cannot, so pretend to be it for a moment. */
TOOL_UNSEEN static void asan_bury(struct fiber *fiber)
{
    void *mine;
    const void *low;
    size_t size;
    __sanitizer_start_switch_fiber(&mine, fiber->asan_low, fiber->asan_size);
    __sanitizer_finish_switch_fiber(fiber->asan_fake, &low, &size);
    __sanitizer_start_switch_fiber(NULL, low, size);
    __sanitizer_finish_switch_fiber(mine, NULL, NULL);
}

static void tools_init(struct fiber *fiber)
{
    fiber->asan_low = fiber->stack_low;
    fiber->asan_size = fiber->stack_size;
}

static void tools_fini(struct fiber *fiber)
{
    if (fiber->asan_fake != NULL) {
        asan_bury(fiber);
        fiber->asan_fake = NULL;
    }
    /* The frames on it never returned, so they left their red zones. */
    __asan_unpoison_memory_region(fiber->stack_low, fiber->stack_size);
}

#elif TOOL_TSAN

/* The call must be the last thing before the switch, in a function that TSan
 * does not instrument: it exchanges the shadow stacks at once. */
TOOL_UNSEEN void fiber_switch_with(struct fiber *from, struct fiber *to, int *error)
{
    errno_exchange(from, to, error);
    __tsan_switch_to_fiber(to->tsan, 0);
    fiber_switch_bare(from, to);
}

static void tools_init(struct fiber *fiber)
{
    fiber->tsan = __tsan_create_fiber(0);
}

static void tools_fini(struct fiber *fiber)
{
    ASSERT(fiber->tsan != __tsan_get_current_fiber());
    __tsan_destroy_fiber(fiber->tsan);
}

#else

void fiber_switch_with(struct fiber *from, struct fiber *to, int *error)
{
    errno_exchange(from, to, error);
    fiber_switch_bare(from, to);
}

static void tools_init(struct fiber *fiber)
{
#if TOOL_VALGRIND
    char *low = fiber->stack_low;
    fiber->valgrind_id = VALGRIND_STACK_REGISTER(low, low + fiber->stack_size);
#else
    (void)fiber;
#endif
}

static void tools_fini(struct fiber *fiber)
{
#if TOOL_VALGRIND
    VALGRIND_STACK_DEREGISTER(fiber->valgrind_id);
#else
    (void)fiber;
#endif
}

#endif
