/* SPDX-License-Identifier: MIT */
/*
 * harness_test.c -- the words of the harness mean the same on Criterion and on
 * the lite runner, and the censuses count.
 */
#include "tests/harness/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int prepared;

static void prepare(void)
{
    prepared = 1;
}

Test(harness, assertions_hold_with_and_without_a_message)
{
    const char *text = "one";
    cr_assert(1);
    cr_assert(1, "a message");
    cr_assert_eq(2, 2, "a message with %d", 2);
    cr_assert_neq(1, 2);
    cr_assert_lt(1, 2);
    cr_assert_leq(2, 2);
    cr_assert_gt(2, 1);
    cr_assert_geq(2, 2);
    cr_assert_str_eq(text, "one");
    cr_assert_null(NULL);
    cr_assert_not_null(text);
    cr_assert_float_eq(0.1 + 0.2, 0.3, 1e-9);
    cr_assert_arr_eq(text, "one", 4);
    cr_expect(1);
    cr_expect_eq(1, 1, "never said");
    cr_log_info("seen only when asked for");
}

Test(harness, init_runs_before_the_body, .init = prepare)
{
    cr_assert_eq(prepared, 1);
}

Test(harness, each_test_is_a_process_of_its_own)
{
    cr_assert_eq(prepared, 0);
}

Test(harness, a_disabled_test_does_not_run, .disabled = true)
{
    cr_assert(0);
}

Test(harness, an_expected_signal_passes, .signal = SIGABRT)
{
    abort();
}

Test(harness, an_expected_status_passes, .exit_code = 3)
{
    exit(3);
}

Test(harness, the_census_sees_an_open_fd)
{
    int before = test_open_fds();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(test_open_fds(), before + 1);
    close(fd);
    cr_assert(test_fds_back_to(before));
}

static void *wait_for_byte(void *arg)
{
    char byte;
    ssize_t got = read(*(int *)arg, &byte, 1);
    (void)got;
    return NULL;
}

Test(harness, the_census_sees_a_thread)
{
    int pipe_fds[2];
    cr_assert_eq(pipe(pipe_fds), 0);
    int before = test_threads();
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, wait_for_byte, pipe_fds), 0);
    cr_assert_eq(test_threads(), before + 1);
    cr_assert_eq(write(pipe_fds[1], "x", 1), 1);
    pthread_join(thread, NULL);
    cr_assert(test_threads_back_to(before));
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void pass_a_rule(void)
{
    RULE(TEST_HARNESS_0);
}

/* Goal: a mark counts only once its line has run. */
Test(harness, a_rule_is_reached_when_its_line_ran)
{
#ifdef AMBIT_CHECKED
    cr_assert_not(test_rule_reached("TEST_HARNESS_0"));
#endif
    pass_a_rule();
    cr_assert(test_rule_reached("TEST_HARNESS_0"));
    cr_assert(test_rule_reached("TEST_HARNESS_0"));
}

Test(harness, freed_memory_is_no_leak)
{
    void *volatile block = malloc(64);
    free(block);
    test_no_leaks();
}
