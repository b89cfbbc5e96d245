/* SPDX-License-Identifier: MIT */
/*
 * stack_test.c -- stacks are apart, guarded, and lent hot.
 *
 * In checked builds a chunk has 4 slots and 4 free stacks stay hot, so that all
 * that happens at those borders happens here.
 */
#include "tests/harness/test.h"

#include "src/stack.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define SLOT ((size_t)64 << 10)
#define GUARD ((size_t)16 << 10)

#ifdef TEST_UNDER_TSAN
#define MANY 1000 /* TSan has a state of its own for each fiber */
#elif defined(TEST_UNDER_VALGRIND)
#define MANY 3000
#else
#define MANY 30000
#endif

/* The fiber of the thread, and the arena; one of each per test process. */
static struct fiber thread;
static struct stack_arena arena;
static unsigned long entered; /* how often a body began */
static unsigned long ran;     /* how often it did its work */

/* A worker's loop in small. */
static void body(void *arg)
{
    struct stack *stack = arg;
    entered++;
    for (;;) {
        ran++;
        fiber_switch(&stack->fiber, &thread);
    }
}

static void arena_init(size_t stacks_max)
{
    fiber_init_thread(&thread);
    cr_assert_eq(stack_arena_init(&arena, SLOT, stacks_max), 0);
}

static void arena_fini(void)
{
    stack_arena_fini(&arena);
    fiber_fini_thread(&thread);
    test_no_leaks();
}

static void run(struct stack *stack)
{
    fiber_switch(&thread, &stack->fiber);
}

static struct stack *lend(void)
{
    struct stack *stack = stack_lend(&arena, body);
    cr_assert_not_null(stack);
    return stack;
}

static long maps(void)
{
    FILE *file = fopen("/proc/self/maps", "re");
    long lines = 0;
    for (int c = fgetc(file); c != EOF; c = fgetc(file)) {
        lines += c == '\n';
    }
    fclose(file);
    return lines;
}

/* Goal: bounds that cannot be kept are refused.  Method: each in turn. */
Test(stack, init_refuses_sizes_it_cannot_make)
{
    struct stack_arena a;
    cr_assert_eq(stack_arena_init(&a, 0, 1), -EINVAL);
    cr_assert_eq(stack_arena_init(&a, 65537, 1), -EINVAL);
    cr_assert_eq(stack_arena_init(&a, 8 << 10, 1), -EINVAL);
    cr_assert_eq(stack_arena_init(&a, (size_t)2 << 30, 1), -EINVAL);
    cr_assert_eq(stack_arena_init(&a, SLOT, 0), -EINVAL);
    cr_assert_eq(stack_arena_init(&a, 16 << 10, 1), 0);
    stack_arena_fini(&a);
    stack_arena_fini(&a);
    stack_arena_fini(NULL);
}

/* Goal: no two stacks share a byte, and each has its guard below.  Method: lend
 * over several chunks, and compare every pair of ranges. */
Test(stack, lent_stacks_are_apart)
{
    struct stack *lent[20];
    arena_init(20);
    for (size_t i = 0; i < ARRAY_LEN(lent); i++) {
        lent[i] = lend();
        bool in_guard = false;
        char *low = lent[i]->fiber.stack_low;
        char *high = low + lent[i]->fiber.stack_size;
        cr_assert(high <= (char *)lent[i]);
        cr_assert(high - low > (long)(SLOT - GUARD - 4096));
        cr_assert_eq(stack_find(&arena, low - 1, &in_guard), lent[i]);
        cr_assert(in_guard);
        cr_assert_eq(stack_find(&arena, low - GUARD, &in_guard), lent[i]);
        cr_assert(in_guard);
        cr_assert_eq(stack_find(&arena, low, &in_guard), lent[i]);
        cr_assert(!in_guard);
        cr_assert_eq(stack_find(&arena, high - 1, &in_guard), lent[i]);
        cr_assert(!in_guard);
        for (size_t j = 0; j < i; j++) {
            char *other = lent[j]->fiber.stack_low;
            cr_assert(low - GUARD >= other + SLOT - GUARD ||
                      other - GUARD >= low + SLOT - GUARD);
        }
    }
    bool in_guard = true;
    cr_assert_null(stack_find(&arena, &arena, &in_guard));
    cr_assert(!in_guard);
    cr_assert_null(stack_lend(&arena, body));
    for (size_t i = 0; i < ARRAY_LEN(lent); i++) {
        stack_return(&arena, lent[i]);
    }
    arena_fini();
}

/* Goal: the warmest stack is lent first.  Method: return in one order, lend in
 * the opposite. */
Test(stack, hot_stacks_are_lent_last_in_first_out)
{
    struct stack *lent[4];
    arena_init(10);
    for (size_t i = 0; i < 4; i++) {
        lent[i] = lend();
    }
    for (size_t i = 0; i < 4; i++) {
        stack_return(&arena, lent[i]);
    }
    cr_assert_eq(arena.free_len, 4);
    for (size_t i = 4; i-- > 0;) {
        cr_assert_eq(lend(), lent[i]);
    }
    cr_assert_eq(arena.made, 4);
    for (size_t i = 0; i < 4; i++) {
        stack_return(&arena, lent[i]);
    }
    arena_fini();
}

/* Goal: a hot stack goes on in its loop, a bare one starts anew.  Method: count
 * the entries of the body against its rounds. */
Test(stack, hot_stacks_continue_and_bare_ones_begin)
{
    arena_init(10);
    for (unsigned long i = 1; i <= 100; i++) {
        struct stack *stack = lend();
        run(stack);
        stack_return(&arena, stack);
        cr_assert_eq(ran, i);
        cr_assert_eq(entered, 1);
    }
    stack_trim(&arena, 0, SIZE_MAX);
    cr_assert_eq(arena.free_len, 0);
    struct stack *stack = lend();
    run(stack);
    cr_assert_eq(ran, 101);
    cr_assert_eq(entered, 2);
    cr_assert_eq(arena.made, 1);
    stack_return(&arena, stack);
    arena_fini();
}

/* Keeps the compiler from making a frame smaller than it is written. */
static void use_all_of(volatile char *frame)
{
    __asm__ volatile("" : : "r"(frame) : "memory");
}

static void deep_body(void *arg)
{
    struct stack *stack = arg;
    for (;;) {
        volatile char frame[30000];
        frame[0] = 1;
        use_all_of(frame);
        fiber_switch(&stack->fiber, &thread);
    }
}

/* Goal: stacks beyond hot_max give their memory back, and are used again before
 * new ones are made.  Method: touch deep, return all, look at what is left. */
Test(stack, stacks_beyond_the_hot_ones_lose_their_memory)
{
    struct stack *lent[24];
    arena_init(24);
    arena.hot_max = 5;
    for (unsigned round = 0; round < 20; round++) {
        for (size_t i = 0; i < ARRAY_LEN(lent); i++) {
            lent[i] = stack_lend(&arena, deep_body);
            run(lent[i]);
            cr_assert(stack_touched(&arena, lent[i]) >= 30000);
        }
        for (size_t i = 0; i < ARRAY_LEN(lent); i++) {
            stack_return(&arena, lent[i]);
        }
        cr_assert_eq(arena.made, ARRAY_LEN(lent));
        cr_assert_eq(arena.free_len, 5);
    }
    for (size_t i = 0; i < ARRAY_LEN(lent); i++) {
        lent[i] = stack_lend(&arena, deep_body);
        if (i >= 5) {
            cr_assert(stack_touched(&arena, lent[i]) <= 8192);
            /* No frame is left on it, not even in the books of ASan. */
            struct fiber *fiber = &lent[i]->fiber;
            memset(fiber->stack_low, 0, fiber->stack_size - 512);
        }
    }
    cr_assert_eq(arena.made, ARRAY_LEN(lent));
    for (size_t i = 0; i < ARRAY_LEN(lent); i++) {
        stack_return(&arena, lent[i]);
    }
    arena_fini();
}

/* Goal: lend and return in any order keep the books.  Method: a random walk
 * against a plain array, with trims and a small hot_max. */
Test(stack, random_lending_keeps_the_books)
{
    struct stack *lent[40];
    size_t count = 0;
    unsigned random = 1;
    arena_init(ARRAY_LEN(lent));
    arena.hot_max = 3;
    for (long i = 0; i < test_rounds(20000); i++) {
        random = random * 1103515245u + 12345;
        unsigned dice = random >> 16;
        if (dice % 2 == 0 && count < ARRAY_LEN(lent)) {
            lent[count] = lend();
            run(lent[count]);
            lent[count]->task = (struct task *)lent[count];
            count++;
        } else if (dice % 2 == 1 && count > 0) {
            size_t at = dice / 2 % count;
            cr_assert_eq((void *)lent[at]->task, (void *)lent[at]);
            stack_return(&arena, lent[at]);
            lent[at] = lent[--count];
        }
        if (dice % 97 == 0) {
            stack_trim(&arena, dice % 3, SIZE_MAX);
            cr_assert(arena.free_len <= dice % 3);
        }
        cr_assert_eq(arena.lent, count);
        cr_assert(arena.made <= ARRAY_LEN(lent));
    }
    while (count > 0) {
        stack_return(&arena, lent[--count]);
    }
    arena_fini();
}

/* Goal: tens of thousands of stacks at once cost no mappings.  Method: lend and
 * run them all; count the lines of /proc/self/maps. */
Test(stack, many_stacks_cost_no_mappings)
{
    struct stack **lent = calloc(MANY, sizeof *lent);
    arena_init(MANY);
    if (!arena.guard_by_madvise) {
        free(lent);
        cr_skip_test("this kernel has no MADV_GUARD_INSTALL");
    }
    long before = maps();
    for (unsigned long i = 0; i < MANY; i++) {
        lent[i] = lend();
        run(lent[i]);
        cr_assert_eq(ran, i + 1);
    }
    cr_assert_null(stack_lend(&arena, body));
#ifndef TEST_UNDER_TSAN
    /* A chunk is one mapping; the kernel joins those that touch. */
    cr_assert(maps() - before < MANY / 100, "%ld mappings", maps() - before);
#else
    (void)before;
#endif
    for (size_t i = 0; i < MANY; i++) {
        stack_return(&arena, lent[i]);
    }
    free(lent);
    arena_fini();
}

/* Goal: where each guard costs a mapping, the arena stops in time and the
 * process can still map.  Method: the other way forced by its flag. */
Test(stack, mprotect_guards_are_capped)
{
    arena_init(1000000);
    arena.guard_by_madvise = false;
    stack_arena_share(&arena, 1);
    size_t alone = arena.lent_max;
    cr_assert(alone < 1000000);
    stack_arena_share(&arena, 4);
    cr_assert_eq(arena.lent_max, alone / 4);
#ifndef TEST_UNDER_TSAN
    struct stack **lent = calloc(alone, sizeof *lent);
    size_t count = 0;
    while (count < alone / 4 && (lent[count] = stack_lend(&arena, body))) {
        count++;
    }
    cr_assert_eq(count, alone / 4);
    cr_assert_null(stack_lend(&arena, body));
    cr_assert(maps() < (long)alone);
    for (size_t i = 0; i < count; i++) {
        stack_return(&arena, lent[i]);
    }
    free(lent);
#endif
    arena_fini();
}

/* What follows ends in a fault, in a child process.  Its handler runs on a
 * stack of its own and tells by the exit status what it found. */
enum verdict { IN_GUARD = 10, ELSEWHERE, NEIGHBOUR_HURT, NO_FAULT };

static struct stack *victim;
static struct stack *neighbour;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    bool in_guard;
    struct stack *found = stack_find(&arena, info->si_addr, &in_guard);
    if (found != victim || !in_guard) {
        _exit(ELSEWHERE);
    }
    const unsigned char *low = neighbour->fiber.stack_low;
    for (size_t i = 0; i < neighbour->fiber.stack_size; i++) {
        if (low[i] != 0x5a) {
            _exit(NEIGHBOUR_HURT);
        }
    }
    _exit(IN_GUARD);
}

static NOINLINE unsigned long recurse(unsigned long depth)
{
    volatile char frame[200];
    frame[depth % sizeof frame] = 1;
    if (depth == 0) {
        return 0;
    }
    return recurse(depth - 1) + (unsigned long)frame[0];
}

static void recursing_body(void *arg)
{
    (void)arg;
    ran = recurse(1000000);
}

/* As large as the whole slot: without -fstack-clash-protection its far end
 * would lie in the neighbour. */
static NOINLINE void large_frame(void)
{
    volatile char frame[64 << 10];
    frame[0] = 1;
    use_all_of(frame);
}

static void large_frame_body(void *arg)
{
    (void)arg;
    large_frame();
    _exit(NO_FAULT);
}

/* In a child: fill the slot below the victim, overflow the victim. */
static void overflow(bool by_madvise, void (*bad_body)(void *))
{
    static char signal_stack[64 << 10];
    stack_t alternative = {.ss_sp = signal_stack,
                           .ss_size = sizeof signal_stack};
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    arena.guard_by_madvise = by_madvise;
    neighbour = stack_lend(&arena, bad_body);
    victim = stack_lend(&arena, bad_body);
    memset(neighbour->fiber.stack_low, 0x5a, neighbour->fiber.stack_size);
    sigaltstack(&alternative, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    fiber_switch(&thread, &victim->fiber);
    _exit(NO_FAULT);
}

static int verdict_of(bool by_madvise, void (*bad_body)(void *))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        overflow(by_madvise, bad_body);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Goal: running off the low end faults in the guard, and hurts nobody.  Method:
 * endless recursion in a child, the slot below filled with a pattern. */
Test(stack, overflow_by_recursion_hits_the_guard)
{
    arena_init(10);
    if (arena.guard_by_madvise) {
        cr_assert_eq(verdict_of(true, recursing_body), IN_GUARD);
    }
    cr_assert_eq(verdict_of(false, recursing_body), IN_GUARD);
    arena_fini();
}

/* Goal: one huge frame does not jump over the guard.  Method: a frame of 64 KiB
 * in this file, which is compiled with -fstack-clash-protection. */
Test(stack, overflow_by_a_large_frame_hits_the_guard)
{
    arena_init(10);
    if (arena.guard_by_madvise) {
        cr_assert_eq(verdict_of(true, large_frame_body), IN_GUARD);
    }
    cr_assert_eq(verdict_of(false, large_frame_body), IN_GUARD);
    arena_fini();
}

/* Goal: stacks that were made a few at a time have their guards, and so have
 * those that were not.  Method: more stacks than are made singly, with the
 * kernel's help and without; the last one overflows. */
Test(stack, stacks_made_ahead_have_their_guard)
{
    for (int ahead = 0; ahead <= 1; ahead++) {
        struct stack *lent[9];
        arena_init(11);
        arena.ahead = arena.ahead && ahead;
        for (size_t i = 0; i < ARRAY_LEN(lent); i++) {
            lent[i] = lend();
            run(lent[i]);
        }
        cr_assert_eq(arena.made, ARRAY_LEN(lent));
        cr_assert_eq(verdict_of(arena.guard_by_madvise, recursing_body),
                     IN_GUARD);
        for (size_t i = 0; i < ARRAY_LEN(lent); i++) {
            stack_return(&arena, lent[i]);
        }
        arena_fini();
    }
}

/* Goal: a guard outlives the memory above it.  Method: make the victim's slot
 * bare and lend it again before it overflows. */
Test(stack, guards_stay_when_memory_is_dropped)
{
    arena_init(10);
    struct stack *first = lend();
    struct stack *second = lend();
    run(first);
    run(second);
    stack_return(&arena, second);
    stack_return(&arena, first);
    stack_trim(&arena, 0, SIZE_MAX);
    cr_assert_eq(arena.made, 2);
    cr_assert_eq(verdict_of(arena.guard_by_madvise, recursing_body), IN_GUARD);
    arena_fini();
}
