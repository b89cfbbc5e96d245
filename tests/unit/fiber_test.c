/* SPDX-License-Identifier: MIT */
/*
 * fiber_test.c -- what a fiber keeps over a switch, and that it starts clean.
 */
#include "tests/harness/test.h"

#include "src/fiber.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unwind.h>

#define STACK ((size_t)1 << 20)

/* Two fibers that play into each other's hands: the test's own thread, and one
 * on a stack of its own. */
static struct fiber thread;
static struct fiber other;
static unsigned long seen;

static void *stack_create(size_t size)
{
    void *low = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(low != MAP_FAILED);
    return low;
}

static void other_init(void (*entry)(void *), void *arg)
{
    fiber_init_thread(&thread);
    fiber_init(&other, stack_create(STACK), STACK, entry, arg);
}

static void other_fini(void)
{
    fiber_fini(&other);
    munmap(other.stack_low, other.stack_size);
    fiber_fini_thread(&thread);
}

static void to_other(void)
{
    fiber_switch(&thread, &other);
}

static void to_thread(void)
{
    fiber_switch(&other, &thread);
}

/* For the assembly below. */
void switch_called(struct fiber *from, struct fiber *to);
void switch_called(struct fiber *from, struct fiber *to)
{
    fiber_switch(from, to);
}

/* registers_across(from, to, values): loads the callee-saved registers with
 * values, switches, and stores what it finds in them then. */
void registers_across(struct fiber *from, struct fiber *to, uint64_t *values);
#if defined(__x86_64__)
#define REGISTERS 6
__asm__(".text\n"
        "registers_across:\n"
        "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n"
        "  push %r14\n  push %r15\n  push %rdx\n"
        "  mov 0(%rdx), %rbx\n  mov 8(%rdx), %rbp\n  mov 16(%rdx), %r12\n"
        "  mov 24(%rdx), %r13\n  mov 32(%rdx), %r14\n  mov 40(%rdx), %r15\n"
        "  call switch_called\n"
        "  pop %rdx\n"
        "  mov %rbx, 0(%rdx)\n  mov %rbp, 8(%rdx)\n  mov %r12, 16(%rdx)\n"
        "  mov %r13, 24(%rdx)\n  mov %r14, 32(%rdx)\n  mov %r15, 40(%rdx)\n"
        "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n"
        "  pop %rbx\n  pop %rbp\n"
        "  ret\n");
#elif defined(__aarch64__)
#define REGISTERS 18
__asm__(".text\n"
        "registers_across:\n"
        "  sub sp, sp, #176\n"
        "  stp x19, x20, [sp]\n  stp x21, x22, [sp, #16]\n"
        "  stp x23, x24, [sp, #32]\n  stp x25, x26, [sp, #48]\n"
        "  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n"
        "  stp d12, d13, [sp, #128]\n  stp d14, d15, [sp, #144]\n"
        "  str x2, [sp, #160]\n"
        "  ldp x19, x20, [x2]\n  ldp x21, x22, [x2, #16]\n"
        "  ldp x23, x24, [x2, #32]\n  ldp x25, x26, [x2, #48]\n"
        "  ldp x27, x28, [x2, #64]\n"
        "  ldp d8, d9, [x2, #80]\n  ldp d10, d11, [x2, #96]\n"
        "  ldp d12, d13, [x2, #112]\n  ldp d14, d15, [x2, #128]\n"
        "  bl switch_called\n"
        "  ldr x2, [sp, #160]\n"
        "  stp x19, x20, [x2]\n  stp x21, x22, [x2, #16]\n"
        "  stp x23, x24, [x2, #32]\n  stp x25, x26, [x2, #48]\n"
        "  stp x27, x28, [x2, #64]\n"
        "  stp d8, d9, [x2, #80]\n  stp d10, d11, [x2, #96]\n"
        "  stp d12, d13, [x2, #112]\n  stp d14, d15, [x2, #128]\n"
        "  ldp x19, x20, [sp]\n  ldp x21, x22, [sp, #16]\n"
        "  ldp x23, x24, [sp, #32]\n  ldp x25, x26, [sp, #48]\n"
        "  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
        "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n"
        "  ldp d12, d13, [sp, #128]\n  ldp d14, d15, [sp, #144]\n"
        "  add sp, sp, #176\n"
        "  ret\n");
#endif

static void fill(uint64_t *values, uint64_t seed)
{
    for (size_t i = 0; i < REGISTERS; i++) {
        values[i] = seed * 0x9e3779b97f4a7c15u + i;
    }
}

static void registers_body(void *arg)
{
    (void)arg;
    for (uint64_t round = 0;; round++) {
        uint64_t values[REGISTERS];
        uint64_t wanted[REGISTERS];
        fill(values, ~round);
        fill(wanted, ~round);
        registers_across(&other, &thread, values);
        seen += memcmp(values, wanted, sizeof wanted) == 0;
    }
}

/* Goal: every callee-saved register belongs to its fiber.  Method: both sides
 * load all of them with values of their own, and compare after each switch. */
Test(fiber, keeps_the_callee_saved_registers)
{
    other_init(registers_body, NULL);
    to_other();
    for (uint64_t round = 0; round < 1000; round++) {
        uint64_t values[REGISTERS];
        uint64_t wanted[REGISTERS];
        fill(values, round);
        fill(wanted, round);
        registers_across(&thread, &other, values);
        cr_assert(memcmp(values, wanted, sizeof wanted) == 0);
    }
    cr_assert_eq(seen, 1000);
    other_fini();
}

/* The floating point control words, as one number of ours. */
#if defined(__x86_64__)
#define CONTROL_DEFAULT 0x037f1f80u /* x87, then mxcsr */
#define CONTROL_UP 0x0b7f5f80u
#define CONTROL_DOWN 0x077f3f80u
#define CONTROL_SPLIT 0x077f5f80u /* x87 rounds down, the rest up */

static uint32_t control_get(void)
{
    uint32_t mxcsr;
    uint16_t x87;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return (uint32_t)x87 << 16 | (mxcsr & 0xffc0); /* without its flags */
}

static void control_set(uint32_t control)
{
    uint32_t mxcsr = control & 0xffff;
    uint16_t x87 = (uint16_t)(control >> 16);
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    __asm__ volatile("fldcw %0" : : "m"(x87));
}
#elif defined(__aarch64__)
#define CONTROL_DEFAULT 0u
#define CONTROL_UP (1u << 22)
#define CONTROL_DOWN (2u << 22)
#define CONTROL_SPLIT (3u << 22) /* towards zero */

static uint32_t control_get(void)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return (uint32_t)fpcr;
}

static void control_set(uint32_t control)
{
    uint64_t fpcr = control;
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
}
#endif

/* Noinline: the compiler believes that a division needs no control word. */
static NOINLINE double third(void)
{
    volatile double one = 1.0;
    volatile double three = 3.0;
    return one / three;
}

struct rounding {
    uint32_t control_first;
    uint32_t control_later;
    double first;
    double later;
};

static void rounding_body(void *arg)
{
    struct rounding *found = arg;
    found->control_first = control_get();
    found->first = third();
    control_set(CONTROL_UP);
    to_thread();
    found->later = third();
    control_set(CONTROL_SPLIT);
    to_thread();
    found->control_later = control_get();
    to_thread();
}

/* Goal: the control words are the fiber's own, and a new fiber has the default
 * ones.  Method: each side sets others, and divides. */
Test(fiber, keeps_its_floating_point_control)
{
    struct rounding found;
    double nearest = third();
    other_init(rounding_body, &found);
    control_set(CONTROL_DOWN);
    double down = third();
    to_other();
    cr_assert_eq(control_get(), CONTROL_DOWN);
    cr_assert(third() == down);
    control_set(CONTROL_DEFAULT);
    to_other();
    cr_assert_eq(control_get(), CONTROL_DEFAULT);
    cr_assert(third() == nearest);
    control_set(CONTROL_UP);
    to_other();
    cr_assert_eq(control_get(), CONTROL_UP);
    double up = third();
    control_set(CONTROL_DEFAULT);
    cr_assert_eq(found.control_first, CONTROL_DEFAULT);
    cr_assert_eq(found.control_later, CONTROL_SPLIT);
    cr_assert(found.first == nearest);
    cr_assert(found.later == up);
    cr_assert(up >= down); /* equal under Valgrind, which always rounds alike */
    other_fini();
}

static void errno_body(void *arg)
{
    int *found = arg;
    found[0] = errno;
    errno = ENOENT;
    to_thread();
    found[1] = errno;
    to_thread();
}

/* Goal: errno is the fiber's own, and clear at first.  Method: both sides set
 * it and switch. */
Test(fiber, keeps_its_errno)
{
    int found[2] = {-1, -1};
    other_init(errno_body, found);
    errno = EINTR;
    to_other();
    cr_assert_eq(errno, EINTR);
    errno = EIO;
    to_other();
    cr_assert_eq(errno, EIO);
    cr_assert_eq(found[0], 0);
    cr_assert_eq(found[1], ENOENT);
    other_fini();
}

static void count_body(void *arg)
{
    unsigned long *count = arg;
    for (;;) {
        ++*count;
        to_thread();
    }
}

/* Goal: nothing leaks or drifts per switch.  Method: a million there and back,
 * and the stack pointer is where it was. */
Test(fiber, switches_a_million_times)
{
    unsigned long count = 0;
    unsigned long rounds = (unsigned long)test_rounds(1000000);
    other_init(count_body, &count);
    to_other();
    void *parked_at = other.sp;
    for (unsigned long i = 1; i < rounds; i++) {
        to_other();
    }
    cr_assert_eq(count, rounds);
    cr_assert_eq(other.sp, parked_at);
    other_fini();
}

static NOINLINE unsigned long descend(unsigned long depth)
{
    volatile unsigned long here[8] = {depth};
    if (depth == 0) {
        to_thread();
        return 0;
    }
    unsigned long below = descend(depth - 1);
    cr_assert_eq(here[0], depth);
    return below + 1;
}

static void descend_body(void *arg)
{
    unsigned long *result = arg;
    *result = descend(500);
    to_thread();
}

/* Goal: all frames are still there after a switch deep below them.  Method:
 * recurse, switch at the bottom, and check each frame on the way up. */
Test(fiber, comes_back_from_deep_recursion)
{
    unsigned long result = 0;
    other_init(descend_body, &result);
    to_other();
    cr_assert_eq(result, 0);
    to_other();
    cr_assert_eq(result, 500);
    other_fini();
}

static void aligned_body(void *arg)
{
    char *text = arg;
    _Alignas(16) volatile char line[16];
    cr_assert_eq((uintptr_t)line % 16, 0);
    cr_assert_eq((uintptr_t)__builtin_frame_address(0) % 16, 0);
    /* The variable-argument prologue spills vector registers, aligned. */
    snprintf(text, 64, "%.2f %.2f %d", 1.5, 2.25, 3);
    to_thread();
}

/* Goal: the first frame is aligned as the ABI says, whatever the memory given.
 * Method: odd bounds, and a call that spills vector registers. */
Test(fiber, starts_on_an_aligned_stack)
{
    char *low = stack_create(STACK);
    for (size_t cut = 0; cut < 32; cut++) {
        char text[64] = "";
        fiber_init_thread(&thread);
        fiber_init(&other, low, STACK - cut, aligned_body, text);
        to_other();
        cr_assert_str_eq(text, "1.50 2.25 3");
        fiber_fini(&other);
    }
    munmap(low, STACK);
}

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context,
                                       void *arg)
{
    int *count = arg;
    (void)context;
    return ++*count < 100 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static void unwind_body(void *arg)
{
    int *found = arg;
    found[0] = (int)_Unwind_Backtrace(count_frame, &found[1]);
    to_thread();
}

/* Goal: unwinders stop at a fiber's first frame.  Method: walk up from inside
 * one; it must end by itself after a handful of frames. */
Test(fiber, ends_a_backtrace)
{
    int found[2] = {-1, 0};
    other_init(unwind_body, found);
    to_other();
    cr_assert_eq(found[0], _URC_END_OF_STACK);
    cr_assert(found[1] >= 2 && found[1] <= 6, "%d frames", found[1]);
    other_fini();
}

static void abandoned_body(void *arg)
{
    char frame[512];
    memset(frame, 1, sizeof frame);
    *(char **)arg = frame;
    to_thread();
    base_die(__FILE__, __LINE__, "an abandoned fiber was continued");
}

/* Goal: a fiber that is parked can be forgotten and its stack used for another.
 * Method: many fibers on one stack, each abandoned in mid-frame; ASan
 * and TSan keep books on each. */
Test(fiber, may_be_abandoned_while_parked)
{
    char *low = stack_create(STACK);
    fiber_init_thread(&thread);
    long rounds = test_rounds(2000);
    for (long i = 0; i < rounds; i++) {
        char *frame = NULL;
        fiber_init(&other, low, STACK, abandoned_body, &frame);
        to_other();
        fiber_fini(&other);
        fiber_fini(&other);
        cr_assert_not_null(frame);
        memset(low + STACK - 8192, 0, 8192); /* may be written again */
    }
    munmap(low, STACK);
    fiber_fini_thread(&thread);
    test_no_leaks();
}

#define RING 8

struct ring {
    struct fiber fibers[RING];
    unsigned next;
    unsigned visits[RING];
};

static void ring_body(void *arg)
{
    struct ring *ring = arg;
    for (;;) {
        unsigned self = ring->next;
        ring->visits[self]++;
        ring->next = (self + 1) % RING;
        struct fiber *to =
            ring->next == 0 ? &thread : &ring->fibers[ring->next];
        fiber_switch(&ring->fibers[self], to);
    }
}

/* Goal: a fiber may switch to any other, not only back to a parent.  Method: a
 * ring of fibers, each going on to the next. */
Test(fiber, switches_to_any_other_fiber)
{
    struct ring ring = {.next = 0};
    fiber_init_thread(&thread);
    for (unsigned i = 0; i < RING; i++) {
        fiber_init(&ring.fibers[i], stack_create(STACK), STACK, ring_body,
                   &ring);
    }
    for (unsigned round = 1; round <= 100; round++) {
        fiber_switch(&thread, &ring.fibers[0]);
        for (unsigned i = 0; i < RING; i++) {
            cr_assert_eq(ring.visits[i], round);
        }
    }
    for (unsigned i = 0; i < RING; i++) {
        fiber_fini(&ring.fibers[i]);
        munmap(ring.fibers[i].stack_low, STACK);
    }
    fiber_fini_thread(&thread);
    test_no_leaks();
}

/* Goal: fini accepts what was never made.  Method: NULL and zeroed memory. */
Test(fiber, fini_accepts_null_and_zero)
{
    struct fiber zero = {0};
    fiber_fini(NULL);
    fiber_fini(&zero);
    fiber_fini_thread(NULL);
    fiber_fini_thread(&zero);
}
