/* SPDX-License-Identifier: MIT */
/*
 * examples_test.c -- the programs of docs/examples do what the docs say.
 *
 * Goal: no example is stale.  Method: each is run as a user would run it, and
 * its output and exit status are compared; drain gets real clients.
 */
#include "tests/harness/test.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static FILE *start(const char *command)
{
    char line[512];
    snprintf(line, sizeof line, "%s/docs/examples/%s", test_build_dir(),
             command);
    FILE *out = popen(line, "r");
    cr_assert_not_null(out);
    return out;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The whole output; the exit status in *ret_status. */
static const char *run(const char *command, int *ret_status)
{
    static char text[4096];
    FILE *out = start(command);
    size_t n = fread(text, 1, sizeof text - 1, out);
    text[n] = '\0';
    *ret_status = WEXITSTATUS(pclose(out));
    return text;
}

Test(examples, hello_greets_both_and_then_ends)
{
    int status;
    const char *text = run("hello me", &status);
    cr_assert_eq(status, 0);
    cr_assert_not_null(strstr(text, "hello, world\n"));
    cr_assert_not_null(strstr(text, "hello, me\n"));
    cr_assert_not_null(strstr(text, "both have ended\n"));
}

/* The same, again where it said something else and took so long that others were
 * due as well. */
static const char *run_within(const char *command, int64_t ms,
                              const char *wanted, int *ret_status)
{
    const char *text = "";
    for (int tries = 0; tries < 20; tries++) {
        int64_t begun_ms = now_ms();
        text = run(command, ret_status);
        if (strstr(text, wanted) != NULL || now_ms() - begun_ms < ms) {
            break;
        }
    }
    return text;
}

Test(examples, race_has_one_winner)
{
    int status;
    const char *text = run_within("race", 700, "alpha answered\n", &status);
    cr_assert_str_eq(text, "alpha answered\n");
    cr_assert_eq(status, 0);
}

Test(examples, race_times_out_with_a_sentence)
{
    int status;
    const char *text =
        run_within("race 20 2>&1", 300, "its own deadline passed", &status);
    cr_assert_eq(status, 1);
    cr_assert_not_null(strstr(text, "its own deadline passed"), "%s", text);
}

Test(examples, mirrors_answer_in_all_ways)
{
    int status;
    const char *text = run("mirrors", &status);
    cr_assert_eq(status, 0);
    cr_assert_not_null(strstr(text, "race: alpha, number 1\n"), "%s", text);
    cr_assert_not_null(strstr(text, "hedge: delta, number 1\n"), "%s", text);
    cr_assert_not_null(strstr(text, "quorum: fine\n  alpha\n"), "%s", text);
    cr_assert_not_null(strstr(text, "  delta\n"), "%s", text);
    cr_assert_not_null(strstr(text, "timeout: its own deadline passed\n"), "%s",
                       text);
    cr_assert_not_null(strstr(text, "retry: Connection refused\n"), "%s", text);
}

Test(examples, pipeline_does_all_jobs_or_says_what_is_left)
{
    int status;
    cr_assert_str_eq(run("pipeline", &status), "open\n"
                                               "sum 338350\n"
                                               "all done: sent = done + left\n");
    cr_assert_eq(status, 0);
    for (long i = 0; i < test_rounds(20); i++) {
        cr_assert_str_eq(run("pipeline 30", &status),
                         "open\ngiven up: sent = done + left\n");
        cr_assert_eq(status, 0);
    }
}

Test(examples, boundary_answers_a_thread)
{
    int status;
    cr_assert_str_eq(run("boundary", &status),
                     "sum of squares: 338350\n"
                     "after the run: the other side is gone for good\n");
    cr_assert_eq(status, 0);
}

/* The caller is told at once; whether it says so before the next incarnation
 * says that it starts is up to their workers. */
Test(examples, counter_answers_after_its_crash)
{
#define BEFORE "counter starts at 1\nadd 41: 42\n"
#define CRASH "crash: the task or server that was waited for panicked\n"
#define AGAIN "counter starts at 1\n"
#define AFTER "add 1: 2\n"
    int status;
    const char *said = run("counter 2>/dev/null", &status);
    cr_assert(strcmp(said, BEFORE CRASH AGAIN AFTER) == 0 ||
              strcmp(said, BEFORE AGAIN CRASH AFTER) == 0, "%s", said);
    cr_assert_eq(status, 0);
}

static int connect_to(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void echo(int fd, const char *text)
{
    char back[64] = "";
    size_t len = strlen(text);
    size_t got = 0;
    cr_assert_eq(write(fd, text, len), (ssize_t)len);
    while (got < len) {
        ssize_t n = read(fd, back + got, sizeof back - 1 - got);
        cr_assert_gt(n, 0);
        got += (size_t)n;
    }
    cr_assert_str_eq(back, text);
}

Test(examples, drain_serves_who_is_in_and_shuts_the_door)
{
    char line[128];
    unsigned port = 0;
    int pid = 0;
    char command[512];
    snprintf(command, sizeof command, "echo $$; exec %s/docs/examples/drain",
             test_build_dir());
    FILE *out = popen(command, "r");
    (void)!fgets(line, sizeof line, out);
    pid = atoi(line);
    (void)!fgets(line, sizeof line, out);
    cr_assert_eq(sscanf(line, "listening on port %u", &port), 1, "%s", line);
    int guest = connect_to(port);
    echo(guest, "before");
    cr_assert_eq(kill(pid, SIGTERM), 0);
    (void)!fgets(line, sizeof line, out);
    cr_assert_str_eq(line, "draining 1 clients\n");
    echo(guest, "while draining");
    close(guest);
    (void)!fgets(line, sizeof line, out);
    cr_assert_str_eq(line, "drained\n");
    cr_assert_eq(WEXITSTATUS(pclose(out)), 0);
}

Test(examples, machines_hand_in_all_their_numbers)
{
    int status;
    const char *text = run("machines 30", &status);
    cr_assert_eq(status, 0);
    cr_assert_not_null(strstr(text, "30 clients of "));
    cr_assert_not_null(strstr(text, "sum 465\n"));
}
