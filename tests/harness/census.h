/* SPDX-License-Identifier: MIT */
/*
 * census.h -- what a test asks about its own process: open descriptors,
 * threads, rules reached, how long to go on.
 *
 * Take the number first, do the work, then ask test_fds_back_to() and
 * test_threads_back_to(), which look again for a while before they say no.
 *
 * A thread that was joined may stay in /proc for a moment: it is on its way
 * out, and does not count, neither before nor after.
 */
#ifndef AMBIT_TESTS_HARNESS_CENSUS_H
#define AMBIT_TESTS_HARNESS_CENSUS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/base.h"

#ifdef TEST_UNDER_ASAN
#include <sanitizer/lsan_interface.h>
#endif

/* How long they look again. */
#define TEST_CENSUS_MS 20000
/* The kernel's: set before pthread_join() can return. */
#define TEST_PF_EXITING 4u

/* Whether /proc/self/task/NAME is a thread that is not on its way out. */
static inline bool test_is_thread(const char *name)
{
    char path[300];
    char text[512];
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/stat", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno != ENOENT; /* gone since it was listed */
    }
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    if (len <= 0) {
        return false;
    }
    text[len] = '\0';
    const char *rest = strrchr(text, ')'); /* behind its name */
    return rest == NULL ||
           sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 ||
           (flags & TEST_PF_EXITING) == 0;
}

static inline bool test_is_entry(const char *name)
{
    return name[0] != '.';
}

static inline int test_count_entries(const char *folder,
                                     bool (*counts)(const char *name))
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return -1;
    }
    int count = 0;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        count += test_is_entry(e->d_name) && counts(e->d_name);
    }
    closedir(dir);
    return count;
}

/* Open file descriptors, without the one the count itself needs. */
static inline int test_open_fds(void)
{
    return test_count_entries("/proc/self/fd", test_is_entry) - 1;
}

static inline int test_threads(void)
{
    return test_count_entries("/proc/self/task", test_is_thread);
}

static inline bool test_count_back_to(int (*count)(void), int wanted)
{
    for (int i = 0; i < TEST_CENSUS_MS; i++) {
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
