/* SPDX-License-Identifier: MIT */
/*
 * driver_test.c -- which driver a runtime has: DRV-CHOICE to DRV-TELL of
 * spec/driver.md.
 *
 * Each test says itself what AMBIT_DRIVER is.
 */
#include "tests/spec/pair.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define OPTIONS(...) \
    (&(const struct ambit_runtime_options){ \
        .size_ = sizeof(struct ambit_runtime_options), \
        .workers = 1, \
        .log = spec_log_line, \
        __VA_ARGS__})

static int nothing(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    return 0;
}

/* A runtime's driver, after a run; "none" when it could not be created. */
static const char *driver_with(const struct ambit_runtime_options *options,
                               int *ret_error)
{
    struct ambit_runtime_stats s = {0};
    ambit_runtime *runtime = NULL;
    int threads = test_threads();
    *ret_error = ambit_runtime_create(&runtime, options);
    if (*ret_error < 0) {
        WANT(runtime == NULL);
        return "none";
    }
    WANT_EQ(ambit_runtime_run(runtime, nothing, NULL), 0);
    ambit_runtime_stats(runtime, &s);
    ambit_runtime_destroy(runtime);
    WANT(test_threads_back_to(threads)); /* who counts next, counts right */
    return s.driver;
}

static bool gives(const struct ambit_runtime_options *options,
                  const char *driver, int error)
{
    int rc;
    const char *got = driver_with(options, &rc);
    bool good = strcmp(got, driver) == 0 && rc == error;
    if (!good) {
        fprintf(stderr, "driver %s (%d), wanted %s (%d)\n", got, rc, driver,
                error);
    }
    return good;
}

/* The lines that were logged and hold the word. */
static unsigned times_logged(const char *word)
{
    unsigned n = 0;
    for (const char *at = spec_log.text; (at = strstr(at, word)) != NULL;
         at++) {
        n++;
    }
    return n;
}

/* The filter that container runtimes install, reduced to this call; with rings
 * of up to so many entries let through. */
static void refuse_io_uring(int error, uint32_t but_up_to)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, but_up_to, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {
        .len = sizeof filter / sizeof filter[0],
        .filter = filter,
    };
    WANT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    WANT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void want_io_uring(void)
{
    int rc;
    unsetenv("AMBIT_DRIVER");
    driver_with(OPTIONS(.driver = AMBIT_DRIVER_URING), &rc);
    if (rc < 0) {
        cr_skip_test("this machine refuses io_uring");
    }
}

/* --- DRV-CHOICE-1, DRV-TELL-1 --------------------------------------------- */

/* Goal: the option comes before the environment.
 * Method: each of the two with each of the other's. */
Spec(DRV_CHOICE_1, the_option_decides_then_the_environment)
{
    want_io_uring();
    WANT(gives(OPTIONS(.driver = AMBIT_DRIVER_URING), "uring", 0));
    WANT(gives(OPTIONS(.driver = AMBIT_DRIVER_EPOLL), "epoll", 0));
    WANT(gives(OPTIONS(), "uring", 0));
    setenv("AMBIT_DRIVER", "epoll", 1);
    WANT(gives(OPTIONS(.driver = AMBIT_DRIVER_URING), "uring", 0));
    WANT(gives(OPTIONS(), "epoll", 0));
    setenv("AMBIT_DRIVER", "uring", 1);
    WANT(gives(OPTIONS(.driver = AMBIT_DRIVER_EPOLL), "epoll", 0));
    WANT(gives(OPTIONS(), "uring", 0));
    setenv("AMBIT_DRIVER", "auto", 1);
    WANT(gives(OPTIONS(), "uring", 0));
    setenv("AMBIT_DRIVER", "", 1);
    WANT(gives(OPTIONS(), "uring", 0));
    WANT_EQ(spec_log.len, 0);
    spec_end("DRV_CHOICE_1");
}

/* Goal: a typing error is said, and nothing is started.
 * Method: words that are nearly right; the log; an option out of range. */
Spec(DRV_CHOICE_1, a_word_that_is_none_is_refused)
{
    static const char *const words[] = {"io_uring", "EPOLL", "epoll ", "poll"};
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        char quoted[32];
        setenv("AMBIT_DRIVER", words[i], 1);
        WANT(gives(OPTIONS(), "none", -EINVAL));
        snprintf(quoted, sizeof quoted, "\"%s\"", words[i]);
        WANT(spec_logged(quoted));
    }
    WANT_EQ(times_logged("AMBIT_DRIVER must be uring, epoll or auto"), 4);
    WANT(gives(OPTIONS(.driver = AMBIT_DRIVER_EPOLL), "epoll", 0));
    WANT(gives(OPTIONS(.driver = (enum ambit_driver)3), "none", -EINVAL));
    WANT(spec_logged(".driver"));
    spec_end("DRV_CHOICE_1");
}

/* Goal: each runtime's statistics name its own driver.
 * Method: two at once, one of each. */
Spec(DRV_TELL_1, the_statistics_name_the_driver_in_use)
{
    struct ambit_runtime_stats a, b;
    ambit_runtime *first, *second;
    want_io_uring();
    WANT_EQ(ambit_runtime_create(&first,
                                 OPTIONS(.driver = AMBIT_DRIVER_EPOLL)), 0);
    WANT_EQ(ambit_runtime_create(&second,
                                 OPTIONS(.driver = AMBIT_DRIVER_URING)), 0);
    ambit_runtime_stats(first, &a);
    ambit_runtime_stats(second, &b);
    WANT(strcmp(a.driver, "epoll") == 0 && a.driver_flags[0] == '\0');
    WANT(strcmp(b.driver, "uring") == 0 && b.driver_flags != NULL);
    ambit_runtime_destroy(first);
    ambit_runtime_destroy(second);
    spec_end("DRV_TELL_1");
}

/* --- DRV-FALLBACK, DRV-MEMORY --------------------------------------------- */

static int a_connection(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct pair pair;
    char text[4] = "";
    pair_open(cx, &pair);
    WANT_EQ(ambit_tcp_write(cx, pair.here, "abc", 4), 4);
    WANT_EQ(ambit_tcp_read(cx, pair.there, text, 4), 4);
    WANT_EQ(strcmp(text, "abc"), 0);
    pair_close(&pair);
    return 0;
}

static void falls_back_from(int error, const char *said)
{
    unsetenv("AMBIT_DRIVER");
    refuse_io_uring(error, 0);
    WANT(gives(OPTIONS(), "epoll", 0));
    WANT_EQ(times_logged("\n"), 1);
    WANT(spec_logged("io_uring") && spec_logged(said));
    WANT(spec_logged("going on with epoll"));
    spec_on_1_and_2_workers(a_connection);
    spec_end("DRV_FALLBACK_1");
}

/* Goal: a program runs where io_uring is refused, and says so once.
 * Method: the filter of container runtimes, with each answer that is known of
 * them; then a connection. */
Spec(DRV_FALLBACK_1, a_forbidden_io_uring_is_replaced)
{
    falls_back_from(EPERM, "EPERM");
}

Spec(DRV_FALLBACK_1, an_unknown_io_uring_is_replaced)
{
    falls_back_from(ENOSYS, "ENOSYS");
}

Spec(DRV_FALLBACK_1, an_io_uring_without_memory_is_replaced)
{
    falls_back_from(ENOMEM, "locked memory");
}

/* Goal: what hits every driver is no reason to take another.
 * Method: no descriptor left for the ring. */
Spec(DRV_FALLBACK_2, a_lack_of_descriptors_is_an_error)
{
    unsetenv("AMBIT_DRIVER");
    refuse_io_uring(EMFILE, 0);
    WANT(gives(OPTIONS(), "none", -EMFILE));
    WANT(spec_logged("ulimit -n"));
    spec_end("DRV_FALLBACK_2");
}

/* Goal: who insists on io_uring does not get something else.
 * Method: by the option and by the environment, where it is refused. */
Spec(DRV_FALLBACK_2, who_insists_gets_it_or_an_error)
{
    unsetenv("AMBIT_DRIVER");
    refuse_io_uring(EPERM, 0);
    WANT(gives(OPTIONS(.driver = AMBIT_DRIVER_URING), "none", -EPERM));
    WANT(spec_logged("kernel.io_uring_disabled"));
    setenv("AMBIT_DRIVER", "uring", 1);
    WANT(gives(OPTIONS(), "none", -EPERM));
    WANT_EQ(times_logged("EPERM"), 2);
    WANT_EQ(times_logged("epoll"), 0);
    spec_end("DRV_FALLBACK_2");
}

/* Goal: what was granted once is not taken for granted.
 * Method: a runtime on io_uring, then the filter, then one of the same size. */
Spec(DRV_FALLBACK_3, a_refusal_that_comes_later_is_found)
{
    want_io_uring();
    WANT(gives(OPTIONS(), "uring", 0));
    WANT(gives(OPTIONS(), "uring", 0));
    WANT_EQ(spec_log.len, 0);
    refuse_io_uring(EPERM, 0);
    WANT(gives(OPTIONS(), "epoll", 0));
    WANT(spec_logged("kernel.io_uring_disabled"));
    WANT(gives(OPTIONS(.driver = AMBIT_DRIVER_URING), "none", -EPERM));
    spec_end("DRV_FALLBACK_3");
}

/* Goal: what only a ring that is made can show is asked for again.
 * Method: a runtime, of which the process remembers that it was granted a ring, runs
 * when no descriptor is left for one; the next is told so when it is made. */
Spec(DRV_FALLBACK_3, a_ring_that_cannot_be_made_is_not_taken_for_granted)
{
    struct rlimit limit;
    ambit_runtime *runtime, *next = NULL;
    want_io_uring();
    WANT_EQ(ambit_runtime_create(&runtime, OPTIONS()), 0);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    WANT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t enough = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)fd;
    WANT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    WANT_EQ(ambit_runtime_run(runtime, nothing, NULL), -EMFILE);
    WANT(!spec_logged("io_uring: no file descriptor"));
    WANT_EQ(ambit_runtime_create(&next, OPTIONS()), -EMFILE);
    WANT(spec_logged("io_uring: no file descriptor"));
    limit.rlim_cur = enough;
    WANT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    WANT_EQ(ambit_runtime_run(runtime, nothing, NULL), 0);
    ambit_runtime_destroy(runtime);
    spec_end("DRV_FALLBACK_3");
}

/* Goal: a smaller ring is better than none.
 * Method: refuse what is larger than 16, then what is larger than 7. */
Spec(DRV_MEMORY_1, a_smaller_ring_is_tried_first)
{
    want_io_uring();
    refuse_io_uring(ENOMEM, 16);
    WANT(gives(OPTIONS(.ring_entries = 16), "uring", 0));
    WANT_EQ(spec_log.len, 0);
    WANT(gives(OPTIONS(.ring_entries = 17), "uring", 0));
    WANT(spec_logged(".ring_entries of 17; going on with 8"));
    WANT(gives(OPTIONS(), "uring", 0));
    WANT(spec_logged(".ring_entries of 256; going on with 16"));
    refuse_io_uring(ENOMEM, 7);
    WANT(gives(OPTIONS(), "epoll", 0));
    spec_end("DRV_MEMORY_1");
}
