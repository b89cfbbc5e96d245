/* SPDX-License-Identifier: MIT */
/*
 * driver.c -- which driver a runtime has.
 *
 *   .driver = URING or EPOLL    that one, or an error
 *   .driver = AUTO              what AMBIT_DRIVER says; it is not set, or says
 *                               auto: io_uring; where that is refused, epoll
 *
 * Not a fall-back: a lack of descriptors, which hits epoll just as well.
 *
 *   DRV-CHOICE-1    The option decides, then AMBIT_DRIVER, then the kernel.
 *   DRV-FALLBACK-1  A refused io_uring is replaced by epoll, and that is said.
 *   DRV-FALLBACK-2  Who asks for io_uring gets it or an error.
 */
#include "src/driver/driver.h"

#include "src/runtime.h"

#include <stdlib.h>
#include <unistd.h>

static int word_of(struct runtime *runtime, const char *word,
                   enum ambit_driver *ret_driver)
{
    static const char *const words[] = {
        [AMBIT_DRIVER_AUTO] = "auto",
        [AMBIT_DRIVER_URING] = "uring",
        [AMBIT_DRIVER_EPOLL] = "epoll",
    };
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret_driver = (enum ambit_driver)i;
            return 0;
        }
    }
    log_line(runtime, AMBIT_LOG_ERROR,
             "AMBIT_DRIVER must be uring, epoll or auto, not \"%.64s\"", word);
    return -EINVAL;
}

static int wanted_driver(struct runtime *runtime, enum ambit_driver *ret_driver)
{
#ifdef AMBIT_LAB
    /* Its kernel has io_uring and nothing else. */
    (void)runtime, (void)word_of;
    *ret_driver = AMBIT_DRIVER_URING;
    return 0;
#else
    const char *word = secure_getenv("AMBIT_DRIVER");
    *ret_driver = runtime->options.driver;
    RULE(DRV_CHOICE_1);
    if (*ret_driver != AMBIT_DRIVER_AUTO || word == NULL || word[0] == '\0') {
        return 0;
    }
    return word_of(runtime, word, ret_driver);
#endif
}

/* This kernel, or who guards it, will not give us one. */
static bool is_refusal(int rc)
{
    return rc == -EPERM || rc == -EACCES || rc == -ENOSYS || rc == -EINVAL ||
           rc == -ENOMEM;
}

static int choose_uring(struct runtime *runtime, bool or_else)
{
    struct ambit_runtime_options *options = &runtime->options;
    struct driver_probe *probe = &runtime->probe;
    int rc = driver_probe(options->ring_entries, probe);
    if (rc < 0) {
        RULE(DRV_FALLBACK_2);
        bool falls = or_else && is_refusal(rc);
        log_line(runtime, falls ? AMBIT_LOG_WARNING : AMBIT_LOG_ERROR, "%s%s",
                 probe->refusal, falls ? "; going on with epoll" : "");
        return falls ? 1 : rc;
    }
    if (probe->entries < options->ring_entries) {
        RULE(DRV_MEMORY_1);
        log_line(runtime, AMBIT_LOG_WARNING,
                 "io_uring: over the limit of locked memory (ulimit -l) with "
                 ".ring_entries of %u; going on with %u",
                 options->ring_entries, probe->entries);
        options->ring_entries = probe->entries;
    }
    runtime->way = &uring_way;
    return 0;
}

int driver_choose(struct runtime *runtime)
{
    enum ambit_driver wanted;
    int rc = wanted_driver(runtime, &wanted);
    if (rc == 0 && wanted != AMBIT_DRIVER_EPOLL) {
        rc = choose_uring(runtime, wanted == AMBIT_DRIVER_AUTO);
    }
#ifndef AMBIT_LAB
    if (rc >= 0 && runtime->way == NULL) {
        RULE(DRV_FALLBACK_1);
        runtime->way = &epoll_way;
        rc = 0;
    }
#endif
    return rc;
}

int driver_create(struct worker *worker, struct driver **ret_driver)
{
    const struct driver_way *way = worker->runtime->way;
    struct driver *driver;
    int rc = way->create(worker, &driver);
    if (rc == 0) {
        driver->way = way;
        *ret_driver = driver;
    }
    return rc;
}

void driver_destroy(struct driver *driver)
{
    if (driver != NULL) {
        driver->way->destroy(driver);
    }
}

void driver_ring_bell(struct worker *target)
{
    uint64_t one = 1;
    ssize_t put = write(target->bell, &one, sizeof one);
    (void)put; /* EAGAIN: the counter is full, so it is readable */
}
