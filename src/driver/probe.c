/* SPDX-License-Identifier: MIT */
/*
 * probe.c -- what this kernel grants, and how it says no.
 *
 * Flags are dropped one at a time, least important first, until the kernel
 * accepts the rest; versions are never compared.  Where memory is short, a
 * smaller ring is tried.  A refusal is put into words that name what refused
 * and what to change.  What has been granted once is remembered: to make a ring
 * only to see that it can be made takes some 50 us.
 *
 *   DRV-FALLBACK-3  A refusal since the last time is found.
 */
#include "src/driver/driver.h"
#include "src/driver/uring_abi.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RING_LEAST 8 /* entries */

static const struct {
    unsigned flag;
    const char *name;
} wishes[] = {
    /* In the order in which they are given up, last one first. */
    {IORING_SETUP_SUBMIT_ALL, "submit_all"},
    {IORING_SETUP_SINGLE_ISSUER, "single_issuer"},
    {IORING_SETUP_DEFER_TASKRUN, "defer_taskrun"},
    {IORING_SETUP_TASKRUN_FLAG, "taskrun_flag"},
};

static unsigned wish_flags(unsigned count)
{
    unsigned flags = 0;
    for (unsigned i = 0; i < count; i++) {
        flags |= wishes[i].flag;
    }
    /* Without DEFER_TASKRUN its flag belongs to COOP_TASKRUN. */
    if ((flags & IORING_SETUP_TASKRUN_FLAG) != 0 &&
        (flags & IORING_SETUP_DEFER_TASKRUN) == 0) {
        flags |= IORING_SETUP_COOP_TASKRUN;
    }
    return flags;
}

static void name_flags(struct driver_probe *probe, unsigned count)
{
    size_t at = 0;
    probe->names[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        at += (size_t)snprintf(probe->names + at, sizeof probe->names - at,
                               "%s%s", i > 0 ? " " : "", wishes[i].name);
    }
}

static void word_refusal(struct driver_probe *probe, int rc)
{
    const char *why = "see io_uring_setup(2)";
    switch (-rc) {
    case EPERM:
        why = "refused by the sysctl kernel.io_uring_disabled or by a seccomp "
              "profile; allow it for this process";
        break;
    case ENOSYS:
        why = "this kernel, or a seccomp profile, does not have it; Linux "
              "5.18 or newer is needed";
        break;
    case ENOMEM:
        why = "over the limit of locked memory; raise it (ulimit -l) or use "
              "fewer workers or a smaller .ring_entries";
        break;
    case EMFILE:
        why = "no file descriptor left (ulimit -n)";
        break;
    }
    snprintf(probe->refusal, sizeof probe->refusal, "io_uring: %s (%s)", why,
             strerrorname_np(-rc));
}

/* What Ambit cannot do without: time-outs on the wait. */
static int check_features(const struct io_uring *ring)
{
    return (ring->features & IORING_FEAT_EXT_ARG) != 0 ? 0 : -ENOSYS;
}

static int try_flags(unsigned entries, unsigned flags)
{
    struct io_uring ring;
    struct io_uring_params params = {
        .flags = flags | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE,
        .cq_entries = entries * 8,
    };
    int rc = io_uring_queue_init_params(entries, &ring, &params);
    if (rc < 0) {
        return rc;
    }
    rc = check_features(&ring);
    io_uring_queue_exit(&ring);
    return rc;
}

static int probe_flags(unsigned entries, struct driver_probe *ret_probe)
{
    int rc = -EINVAL;
    for (unsigned count = ARRAY_LEN(wishes) + 1; count-- > 0;) {
        unsigned flags = wish_flags(count);
        rc = try_flags(entries, flags);
        if (rc == 0) {
            ret_probe->flags = flags;
            name_flags(ret_probe, count);
            return 0;
        }
        if (rc != -EINVAL) {
            break; /* no flag is to blame */
        }
    }
    return rc;
}

static int probe_entries(unsigned entries, struct driver_probe *ret_probe)
{
    int rc = probe_flags(entries, ret_probe);
    while (rc == -ENOMEM && entries / 2 >= RING_LEAST) {
        entries /= 2;
        rc = probe_flags(entries, ret_probe);
    }
    ret_probe->entries = entries;
    if (rc < 0) {
        word_refusal(ret_probe, rc);
    }
    return rc;
}

/* The last ring that was granted in full; no entries: none. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct driver_probe granted; /* under the lock */

/* Would the same be granted today?  What refuses a ring does so before the kernel
 * looks at what it is asked, and finds it invalid. */
static bool is_granted(unsigned entries)
{
#ifdef AMBIT_LAB
    return false; /* no run depends on one before */
#endif
    if (granted.entries != entries) {
        return false;
    }
    struct io_uring_params invalid = {.flags = granted.flags, .resv = {1}};
    long fd = syscall(SYS_io_uring_setup, entries, &invalid);
    if (fd >= 0) {
        close((int)fd);
    }
    RULE(DRV_FALLBACK_3);
    return fd < 0 && errno == EINVAL;
}

int driver_probe(unsigned entries, struct driver_probe *ret_probe)
{
    int rc = 0;
    pthread_mutex_lock(&lock);
    if (is_granted(entries)) {
        *ret_probe = granted;
    } else {
        rc = probe_entries(entries, ret_probe);
        granted = rc == 0 && ret_probe->entries == entries
                      ? *ret_probe
                      : (struct driver_probe){.entries = 0};
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void driver_probe_forget(void)
{
    pthread_mutex_lock(&lock);
    granted.entries = 0;
    pthread_mutex_unlock(&lock);
}
