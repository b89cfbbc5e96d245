/* SPDX-License-Identifier: MIT */
/*
 * overflow_test.c -- the last sentence of a process, and who hears of it.
 *
 * Every test lets a child fault, and looks at what it wrote and how it ended.
 */
#include "tests/harness/test.h"

#include "src/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define SLOT ((size_t)64 << 10)
#define CHAINED 33 /* exit status of the previous handler */

static struct fiber thread;
static struct stack_arena arena;

struct outcome {
    int status;
    char said[1024];
};

/* Runs what() in a child with the default actions, and collects its stderr. */
static struct outcome outcome_of(void (*what)(void))
{
    struct outcome outcome = {.status = -1};
    int ends[2];
    fflush(NULL);
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        signal(SIGSEGV, SIG_DFL); /* a sanitizer may have been here */
        signal(SIGBUS, SIG_DFL);
        what();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t got;
    while ((got = read(ends[0], outcome.said + len,
                       sizeof outcome.said - 1 - len)) > 0) {
        len += (size_t)got;
    }
    close(ends[0]);
    cr_assert_eq(waitpid(child, &outcome.status, 0), child);
    return outcome;
}

static bool died_of(const struct outcome *outcome, int signal_number)
{
    return WIFSIGNALED(outcome->status) &&
           WTERMSIG(outcome->status) == signal_number;
}

static void describe(struct stack *stack, char *buf, size_t len)
{
    const char *name = (const char *)stack->task;
    for (size_t i = 0; i + 1 < len && name[i] != '\0'; i++) {
        buf[i] = name[i];
        buf[i + 1] = '\0';
    }
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

static void deep_body(void *arg)
{
    (void)arg;
    _exit((int)(recurse(1000000) & 1));
}

static void init_all(void)
{
    fiber_init_thread(&thread);
    ASSERT(stack_arena_init(&arena, SLOT, 10) == 0);
    ASSERT(overflow_install() == 0);
    ASSERT(overflow_thread_init(&arena, describe) == 0);
}

static void overflow_as(const char *name)
{
    struct stack *stack = stack_lend(&arena, deep_body);
    stack->task = (struct task *)(uintptr_t)name;
    fiber_switch(&thread, &stack->fiber);
}

static void overflow_named(void)
{
    init_all();
    overflow_as("parser\n17");
}

/* Valgrind has a say of its own about each fault. */
static void skip_under_valgrind(void)
{
    const char *valgrind = getenv("VALGRIND");
    if (valgrind != NULL && *valgrind != '\0') {
        cr_skip_test("Valgrind reports every fault itself");
    }
}

/* Goal: an overflow is reported with the task's name and the stack's size, and
 * the process still dies of the fault.  Method: recurse in a child; the name
 * has a line break, which must not reach the log. */
Test(overflow, is_reported_with_the_name_of_the_task)
{
    struct outcome outcome = outcome_of(overflow_named);
    cr_assert(died_of(&outcome, SIGSEGV));
    const char *wanted = "ambit: stack overflow in task \"parser?17\" (stack "
                         "64 KiB); ";
    cr_assert(strncmp(outcome.said, wanted, strlen(wanted)) == 0, "%s",
              outcome.said);
    cr_assert_not_null(strstr(outcome.said, ".stack_size"));
    cr_assert_eq(strchr(outcome.said, '\n')[1], '\0');
}

static void overflow_with_a_long_name(void)
{
    static char name[4096];
    memset(name, 'x', sizeof name - 1);
    init_all();
    overflow_as(name);
}

/* Goal: a name cannot overflow the report.  Method: one of 4 KiB. */
Test(overflow, cuts_a_long_name)
{
    struct outcome outcome = outcome_of(overflow_with_a_long_name);
    cr_assert(died_of(&outcome, SIGSEGV));
    cr_assert_not_null(strstr(outcome.said, "xxx\" (stack 64 KiB)"));
}

static void *overflow_on_thread(void *arg)
{
    (void)arg;
    init_all();
    overflow_as("worker");
    return NULL;
}

static void overflow_elsewhere(void)
{
    pthread_t other;
    pthread_create(&other, NULL, overflow_on_thread, NULL);
    pthread_join(other, NULL);
}

/* Goal: each thread has its own signal stack and arena.  Method: overflow on a
 * second thread. */
Test(overflow, is_reported_on_any_worker_thread)
{
    struct outcome outcome = outcome_of(overflow_elsewhere);
    cr_assert(died_of(&outcome, SIGSEGV));
    cr_assert_not_null(strstr(outcome.said, "\"worker\""));
}

static void exit_chained(int number, siginfo_t *info, void *context)
{
    (void)context;
    _exit(number == SIGSEGV && info->si_addr != NULL ? CHAINED : 1);
}

static void handler_install(void)
{
    struct sigaction action = {.sa_sigaction = exit_chained,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
}

static void overflow_with_previous(void)
{
    handler_install();
    init_all();
    overflow_as("first");
}

/* Goal: who was there before us hears of an overflow, too.  Method: a previous
 * handler that exits; ours must have spoken first. */
Test(overflow, goes_on_to_the_previous_handler)
{
    struct outcome outcome = outcome_of(overflow_with_previous);
    cr_assert(WIFEXITED(outcome.status));
    cr_assert_eq(WEXITSTATUS(outcome.status), CHAINED);
    cr_assert_not_null(strstr(outcome.said, "\"first\""));
}

/* A page that may not be touched and is no guard. */
static void touch_forbidden(void)
{
    volatile char *page =
        mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[7] = 1;
}

static void fault_with_previous(void)
{
    handler_install();
    init_all();
    touch_forbidden();
}

static void fault_alone(void)
{
    init_all();
    touch_forbidden();
}

static void send_to_self(void)
{
    init_all();
    kill(getpid(), SIGSEGV);
    for (;;) {
        pause();
    }
}

static void send_ignored(void)
{
    signal(SIGSEGV, SIG_IGN);
    init_all();
    raise(SIGSEGV);
    _exit(CHAINED);
}

/* Goal: a fault that is no overflow is none of our business.  Method: a wild
 * write and sent signals, with a previous handler, without one, ignored. */
Test(overflow, passes_on_what_is_none)
{
    skip_under_valgrind();
    struct outcome outcome = outcome_of(fault_with_previous);
    cr_assert(WIFEXITED(outcome.status));
    cr_assert_eq(WEXITSTATUS(outcome.status), CHAINED);
    cr_assert_str_eq(outcome.said, "");
    outcome = outcome_of(fault_alone);
    cr_assert(died_of(&outcome, SIGSEGV));
    cr_assert_str_eq(outcome.said, "");
    outcome = outcome_of(send_to_self);
    cr_assert(died_of(&outcome, SIGSEGV));
    outcome = outcome_of(send_ignored);
    cr_assert(WIFEXITED(outcome.status));
    cr_assert_eq(WEXITSTATUS(outcome.status), CHAINED);
}

static void uninstall_restores(void)
{
    struct sigaction now;
    handler_install();
    ASSERT(overflow_install() == 0);
    ASSERT(overflow_install() == 0);
    overflow_uninstall();
    sigaction(SIGSEGV, NULL, &now);
    ASSERT(now.sa_sigaction != exit_chained);
    overflow_uninstall();
    sigaction(SIGSEGV, NULL, &now);
    ASSERT(now.sa_sigaction == exit_chained);
    ASSERT(overflow_install() == 0);
    sigaction(SIGSEGV, NULL, &now);
    ASSERT(now.sa_sigaction != exit_chained);
}

static struct sigaction below;

static void on_top(int number, siginfo_t *info, void *context)
{
    below.sa_sigaction(number, info, context);
}

static void uninstall_below_another(void)
{
    struct sigaction top = {.sa_sigaction = on_top,
                            .sa_flags = SA_SIGINFO | SA_ONSTACK};
    handler_install();
    ASSERT(overflow_install() == 0);
    sigaction(SIGSEGV, &top, &below);
    overflow_uninstall();
    ASSERT(overflow_install() == 0); /* must not put itself on top again */
    overflow_uninstall();
    touch_forbidden();
}

/* Goal: the previous action comes back with the last user, and one that was
 * installed above ours stays.  Method: count installs; chain through us. */
Test(overflow, uninstall_gives_the_action_back)
{
    skip_under_valgrind();
    struct outcome outcome = outcome_of(uninstall_restores);
    cr_assert(WIFEXITED(outcome.status), "%s", outcome.said);
    cr_assert_eq(WEXITSTATUS(outcome.status), 0);
    outcome = outcome_of(uninstall_below_another);
    cr_assert(WIFEXITED(outcome.status), "%s", outcome.said);
    cr_assert_eq(WEXITSTATUS(outcome.status), CHAINED);
}

/* Goal: a thread can come and go many times.  Method: init and fini in turn;
 * the signal stack must not pile up. */
Test(overflow, threads_may_come_and_go)
{
    cr_assert_eq(stack_arena_init(&arena, SLOT, 10), 0);
    cr_assert_eq(overflow_install(), 0);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(overflow_thread_init(&arena, NULL), 0);
        stack_t now;
        cr_assert_eq(sigaltstack(NULL, &now), 0);
        cr_assert((now.ss_flags & SS_DISABLE) == 0);
        overflow_thread_fini();
    }
    overflow_thread_fini();
    overflow_uninstall();
    stack_arena_fini(&arena);
}
