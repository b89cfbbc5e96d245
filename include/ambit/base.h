/* SPDX-License-Identifier: MIT */
/*
 * ambit/base.h -- what every public header stands on.
 *
 * Results are `int`: 0 or a count when good, a negative errno when not.
 * Outputs are named ret_x, come last, and are untouched on failure.
 * The codes and what each means to a caller are listed in ambit_strerror().
 */
#ifndef AMBIT_BASE_H
#define AMBIT_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AMBIT_VERSION_MAJOR 0
#define AMBIT_VERSION_MINOR 1
#define AMBIT_VERSION_PATCH 0

#define AMBIT_API __attribute__((visibility("default")))

#ifdef __cplusplus
#define AMBIT_BEGIN extern "C" {
#define AMBIT_END }
#else
#define AMBIT_BEGIN
#define AMBIT_END
#endif

AMBIT_BEGIN

/*
 * A context: the running task as its own functions see it.  A function that
 * takes one may suspend the task and is a cancel point on every call; a
 * function that takes none never suspends.  Belongs to the task; valid until
 * the task function returns; never to be handed to another task or thread.
 */
typedef struct ambit_cx ambit_cx;

/* A place in the user's source: where a task waits, or was spawned. */
struct ambit_site {
    const char *file;
    int line;
};

struct ambit_cx {
    const struct ambit_site *at; /* the last suspending call, for reports */
};

/* The context, after noting where it is used. */
#define AMBIT_HERE(cx) \
    (__extension__({ \
        static const struct ambit_site ambit_site_ = {__FILE__, __LINE__}; \
        ambit_cx *ambit_cx_ = (cx); \
        ambit_cx_->at = &ambit_site_; \
        ambit_cx_; \
    }))

typedef struct ambit_region ambit_region;
typedef struct ambit_runtime ambit_runtime;

/* One sentence for a result code of this library; for others strerror's text.
 * Never NULL; static memory; any thread; does not suspend. */
AMBIT_API const char *ambit_strerror(int code);

/* "0.1.0"; static memory. */
AMBIT_API const char *ambit_version(void);

AMBIT_END

#endif
