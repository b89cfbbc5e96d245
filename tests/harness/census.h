/* SPDX-License-Identifier: MIT */
/*
 * census.h -- what a test asks about its own process: open descriptors,
 * threads, rules reached, how long to go on.
 *
 * Take the number first, do the work, then ask test_fds_back_to() and
 * test_threads_back_to(): a thread that was joined may stay in /proc for
 * a moment, so they look again for up to five seconds before they say no.
 */
#ifndef AMBIT_TESTS_HARNESS_CENSUS_H
#define AMBIT_TESTS_HARNESS_CENSUS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/base.h"

#ifdef TEST_UNDER_ASAN
#include <sanitizer/lsan_interface.h>
#endif

static inline int test_count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return -1;
    }
    int count = 0;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        count += e->d_name[0] != '.';
    }
    closedir(dir);
    return count;
}

/* Open file descriptors, without the one the count itself needs. */
static inline int test_open_fds(void)
{
    return test_count_entries("/proc/self/fd") - 1;
}

static inline int test_threads(void)
{
    return test_count_entries("/proc/self/task");
}

static inline bool test_count_back_to(int (*count)(void), int wanted)
{
    for (int i = 0; i < 5000; i++) {
        if (count() == wanted) {
            return true;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static inline bool test_fds_back_to(int wanted)
{
    return test_count_back_to(test_open_fds, wanted);
}

static inline bool test_threads_back_to(int wanted)
{
    return test_count_back_to(test_threads, wanted);
}

/* How often to repeat something: `full` times, or that divided by
 * AMBIT_TEST_DIVISOR, which slow tools (sanitizers, Valgrind) are run with. */
static inline long test_rounds(long full)
{
    const char *divisor = getenv("AMBIT_TEST_DIVISOR");
    long by = divisor != NULL ? strtol(divisor, NULL, 10) : 1;
    return by > 1 && full > by ? full / by : full;
}

/* Where this build put its programs: kvd, docs/examples/... */
static inline const char *test_build_dir(void)
{
    const char *dir = getenv("BUILD_DIR");
    return dir != NULL ? dir : "build/checked";
}

/* Whether a RULE(rule) line was passed in this process.  Release builds do not
 * count, there the answer is always yes. */
#ifdef AMBIT_CHECKED
extern struct rule_mark __start_ambit_rules[] __attribute__((weak));
extern struct rule_mark __stop_ambit_rules[] __attribute__((weak));

static inline bool test_rule_reached(const char *rule)
{
    for (struct rule_mark *m = __start_ambit_rules; m < __stop_ambit_rules;
         m++) {
        /* ORDER(rule-count): relaxed, as in rule_pass().  The threads that
         * count have been joined, or the reader takes what it sees. */
        if (strcmp(m->id, rule) == 0 &&
            atomic_load_explicit(&m->passed, memory_order_relaxed) > 0) {
            return true;
        }
    }
    return false;
}
#else
static inline bool test_rule_reached(const char *rule)
{
    (void)rule;
    return true;
}
#endif

#endif
