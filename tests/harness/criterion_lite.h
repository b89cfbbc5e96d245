/* SPDX-License-Identifier: MIT */
/*
 * criterion_lite.h -- the part of Criterion that our tests use, in one header.
 *
 * Criterion hands each test to a fresh process through a shared arena, which
 * cannot be set up under TSan.  Here a test is a plain fork of a process with
 * one thread: any sanitizer, Valgrind or emulator can watch it.
 *
 *   words      Test, TestSuite, cr_assert*, cr_expect*, cr_skip_test, cr_log_*
 *   options    .init .fini .timeout (s) .signal .exit_code .disabled
 *   arguments  --filter suite/name (shell pattern), --list
 *   result     a "[====] Synthesis" line as Criterion's; status 0 when all pass
 *
 * A failed assertion ends the child at once, from whichever thread or stack it
 * happened on; a failed expectation is remembered until the end.
 */
#ifndef AMBIT_TESTS_HARNESS_CRITERION_LITE_H
#define AMBIT_TESTS_HARNESS_CRITERION_LITE_H

#include <fnmatch.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LITE_TIMEOUT_S 120
#define LITE_SKIPPED 77 /* exit status of a child that called cr_skip_test */

/* What Test() and TestSuite() take after the names, by Criterion's words. */
struct lite_options {
    void (*init)(void);
    void (*fini)(void);
    double timeout;
    int signal;
    int exit_code;
    bool disabled;
    const char *description;
};

struct lite_test {
    const char *suite;
    const char *name; /* NULL: options for all tests of the suite */
    void (*body)(void);
    struct lite_options options;
    struct lite_test *next;
};

enum lite_result { LITE_PASS, LITE_FAIL, LITE_CRASH, LITE_SKIP };

static struct lite_test *lite_first;
static struct lite_test **lite_last = &lite_first;
static _Atomic int lite_expectations_failed;

#define LITE_ADD(id, ...) \
    static struct lite_test lite_##id = __VA_ARGS__; \
    __attribute__((constructor)) static void lite_add_##id(void) \
    { \
        *lite_last = &lite_##id; \
        lite_last = &lite_##id.next; \
    }

#define LITE_TEST(suite_, name_, ...) \
    static void suite_##_##name_##_body(void); \
    LITE_ADD(suite_##_##name_, {.suite = #suite_, \
                                .name = #name_, \
                                .body = suite_##_##name_##_body, \
                                .options = {__VA_ARGS__}}) \
    static void suite_##_##name_##_body(void)

#define Test(suite_, ...) LITE_TEST_(suite_, __VA_ARGS__, .description = NULL)
#define LITE_TEST_(suite_, name_, ...) LITE_TEST(suite_, name_, __VA_ARGS__)

#define TestSuite(suite_, ...) \
    LITE_ADD(suite_##_suite, {.suite = #suite_, .options = {__VA_ARGS__}})

/* --- assertions ----------------------------------------------------------- */

__attribute__((format(printf, 5, 6))) static inline void
lite_failed(bool fatal, const char *file, int line, const char *what,
            const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fprintf(stderr, "[----] %s:%d: %s failed: %s%s\n", file, line,
            fatal ? "Assertion" : "Expectation", what, message);
    if (fatal) {
        _exit(1);
    }
    /* ORDER(lite-expect): relaxed.  Read by lite_child() after the body has
     * joined its threads. */
    atomic_store_explicit(&lite_expectations_failed, 1, memory_order_relaxed);
}

/* An empty tail and a printf-style tail both become a format: " " "". */
#define LITE_SAY(fatal, cond, what, ...) \
    ((cond) ? (void)0 \
            : lite_failed(fatal, __FILE__, __LINE__, what, " " __VA_ARGS__))

#define LITE_BOTH(fatal, a, op, b, ...) \
    LITE_SAY(fatal, (a)op(b), #a " " #op " " #b, __VA_ARGS__)
#define LITE_STR(fatal, a, op, b, ...) \
    LITE_SAY(fatal, strcmp((a), (b)) op 0, #a " " #op " " #b, __VA_ARGS__)
#define LITE_MEM(fatal, a, op, b, n, ...) \
    LITE_SAY(fatal, memcmp((a), (b), (n)) op 0, #a " " #op " " #b, __VA_ARGS__)
#define LITE_NEAR(fatal, a, b, e, ...) \
    LITE_SAY(fatal, fabs((double)(a) - (double)(b)) <= (e), #a " near " #b, \
             __VA_ARGS__)

#define cr_assert(c, ...) LITE_SAY(true, c, #c, __VA_ARGS__)
#define cr_assert_not(c, ...) LITE_SAY(true, !(c), "not " #c, __VA_ARGS__)
#define cr_assert_eq(a, b, ...) LITE_BOTH(true, a, ==, b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) LITE_BOTH(true, a, !=, b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) LITE_BOTH(true, a, <, b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) LITE_BOTH(true, a, <=, b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) LITE_BOTH(true, a, >, b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) LITE_BOTH(true, a, >=, b, __VA_ARGS__)
#define cr_assert_null(p, ...) LITE_BOTH(true, p, ==, NULL, __VA_ARGS__)
#define cr_assert_not_null(p, ...) LITE_BOTH(true, p, !=, NULL, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) LITE_STR(true, a, ==, b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...) LITE_STR(true, a, !=, b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...) LITE_MEM(true, a, ==, b, n, __VA_ARGS__)
#define cr_assert_float_eq(a, b, e, ...) LITE_NEAR(true, a, b, e, __VA_ARGS__)
#define cr_assert_fail(...) LITE_SAY(true, false, "reached", __VA_ARGS__)
#define cr_fatal(...) LITE_SAY(true, false, "reached", __VA_ARGS__)

#define cr_expect(c, ...) LITE_SAY(false, c, #c, __VA_ARGS__)
#define cr_expect_not(c, ...) LITE_SAY(false, !(c), "not " #c, __VA_ARGS__)
#define cr_expect_eq(a, b, ...) LITE_BOTH(false, a, ==, b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) LITE_BOTH(false, a, !=, b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...) LITE_BOTH(false, a, <, b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...) LITE_BOTH(false, a, <=, b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...) LITE_BOTH(false, a, >, b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...) LITE_BOTH(false, a, >=, b, __VA_ARGS__)
#define cr_expect_null(p, ...) LITE_BOTH(false, p, ==, NULL, __VA_ARGS__)
#define cr_expect_not_null(p, ...) LITE_BOTH(false, p, !=, NULL, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) LITE_STR(false, a, ==, b, __VA_ARGS__)
#define cr_expect_str_neq(a, b, ...) LITE_STR(false, a, !=, b, __VA_ARGS__)
#define cr_expect_arr_eq(a, b, n, ...) LITE_MEM(false, a, ==, b, n, __VA_ARGS__)
#define cr_expect_float_eq(a, b, e, ...) LITE_NEAR(false, a, b, e, __VA_ARGS__)
#define cr_fail(...) LITE_SAY(false, false, "reached", __VA_ARGS__)

__attribute__((format(printf, 2, 3))) static inline void
lite_log(const char *mark, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fprintf(stderr, "[%s] %s\n", mark, message);
}

#define cr_log_info(...) lite_log("info", __VA_ARGS__)
#define cr_log_warn(...) lite_log("WARN", __VA_ARGS__)
#define cr_log_error(...) lite_log("ERR ", __VA_ARGS__)
#define cr_skip_test(...) \
    (lite_log("SKIP", " " __VA_ARGS__), fflush(NULL), _exit(LITE_SKIPPED))

/* --- running -------------------------------------------------------------- */

static inline const struct lite_options *lite_suite_options(const char *suite)
{
    static const struct lite_options none;
    for (struct lite_test *t = lite_first; t != NULL; t = t->next) {
        if (t->name == NULL && strcmp(t->suite, suite) == 0) {
            return &t->options;
        }
    }
    return &none;
}

/* TSan starts a thread of its own beside the first one; that happens before the
 * test, so that its census of threads is not disturbed. */
static inline void *lite_nothing(void *arg)
{
    return arg;
}

static inline void lite_wake_sanitizer(void)
{
#ifdef TEST_UNDER_TSAN
    pthread_t thread;
    if (pthread_create(&thread, NULL, lite_nothing, NULL) == 0) {
        pthread_join(thread, NULL);
    }
#endif
}

/* Leaves by exit(), so that the leak and race reports of the sanitizers turn
 * into an exit status. */
static inline _Noreturn void lite_child(const struct lite_test *test)
{
    const struct lite_options *suite = lite_suite_options(test->suite);
    void (*init)(void) = test->options.init ? test->options.init : suite->init;
    void (*fini)(void) = test->options.fini ? test->options.fini : suite->fini;
    lite_wake_sanitizer();
    if (init != NULL) {
        init();
    }
    test->body();
    if (fini != NULL) {
        fini();
    }
    /* ORDER(lite-expect): relaxed.  The body has joined its threads. */
    exit(atomic_load_explicit(&lite_expectations_failed, memory_order_relaxed));
}

/* Polls, as it must not take signals or timers away from the tests. */
static inline int lite_wait(pid_t child, double timeout_s, bool *late)
{
    int status = 0;
    double waited_s = 0;
    long nap_ns = 200000;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (waited_s > timeout_s) {
            *late = true;
            kill(-child, SIGKILL);
            waitpid(child, &status, 0);
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = nap_ns}, NULL);
        waited_s += (double)nap_ns / 1e9;
        nap_ns = nap_ns < 10000000 ? nap_ns * 2 : nap_ns;
    }
    return status;
}

static inline enum lite_result lite_judge(const struct lite_options *wanted,
                                          int status)
{
    if (WIFSIGNALED(status)) {
        return WTERMSIG(status) == wanted->signal ? LITE_PASS : LITE_CRASH;
    }
    if (WEXITSTATUS(status) == LITE_SKIPPED) {
        return LITE_SKIP;
    }
    bool fits = wanted->signal == 0 &&
                WEXITSTATUS(status) == wanted->exit_code;
    return fits ? LITE_PASS : LITE_FAIL;
}

static inline double lite_timeout(const struct lite_test *test)
{
    double suite = lite_suite_options(test->suite)->timeout;
    double own = test->options.timeout > 0 ? test->options.timeout : suite;
    return own > 0 ? own : LITE_TIMEOUT_S;
}

static inline enum lite_result lite_run(const struct lite_test *test)
{
    if (test->options.disabled || lite_suite_options(test->suite)->disabled) {
        fprintf(stderr, "[SKIP] %s::%s: disabled\n", test->suite, test->name);
        return LITE_SKIP;
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        lite_child(test);
    }
    if (child < 0) {
        perror("fork");
        return LITE_FAIL;
    }
    setpgid(child, child);
    bool late = false;
    int status = lite_wait(child, lite_timeout(test), &late);
    enum lite_result result = lite_judge(&test->options, status);
    if (late) {
        result = LITE_FAIL;
        fprintf(stderr, "[----] timed out after %g s\n", lite_timeout(test));
    } else if (result == LITE_CRASH) {
        fprintf(stderr, "[----] killed by signal %d\n", WTERMSIG(status));
    }
    static const char *const marks[] = {"PASS", "FAIL", "FAIL", "SKIP"};
    fprintf(stderr, "[%s] %s::%s\n", marks[result], test->suite, test->name);
    return result;
}

static inline bool lite_wanted(const struct lite_test *test, const char *filter)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", test->suite, test->name);
    return filter == NULL || fnmatch(filter, path, 0) == 0;
}

static inline const char *lite_filter(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--filter=", 9) == 0) {
            return argv[i] + 9;
        }
        if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc) {
            return argv[i + 1];
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *filter = lite_filter(argc, argv);
    bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
    int count[4] = {0};
    for (struct lite_test *t = lite_first; t != NULL; t = t->next) {
        if (t->name == NULL || !lite_wanted(t, filter)) {
            continue;
        }
        if (list) {
            printf("%s/%s\n", t->suite, t->name);
            continue;
        }
        count[lite_run(t)]++;
    }
    if (list) {
        return 0;
    }
    int tested = count[LITE_PASS] + count[LITE_FAIL] + count[LITE_CRASH];
    fprintf(stderr,
            "[====] Synthesis: Tested: %d | Passing: %d | Failing: %d | "
            "Crashing: %d\n",
            tested, count[LITE_PASS], count[LITE_FAIL], count[LITE_CRASH]);
    /* A run in which nothing ran is not a success. */
    return tested != count[LITE_PASS] || tested + count[LITE_SKIP] == 0;
}

#endif
