/* SPDX-License-Identifier: MIT */
/*
 * bell.h -- what wakes a thread that runs no tasks.
 *
 * A bell is rung once for each wait; who waits looks at it for a moment, then
 * sleeps.  Ringing is the last use of a bell by who rings: the waiter takes its
 * lock before it goes on, and may end it then.
 *
 * A buzzer is a descriptor that an event loop watches.
 */
#ifndef AMBIT_SRC_BELL_H
#define AMBIT_SRC_BELL_H

#include "src/base.h"

#include <pthread.h>

struct bell {
    pthread_mutex_t lock; /* guards the change of rung */
    pthread_cond_t changed;
    _Atomic bool rung; /* any thread: ORDER(bell) */
    struct bell *next; /* among those to be rung */
};

void bell_init(struct bell *bell);
void bell_fini(struct bell *bell);
void bell_ring(struct bell *bell);
/* True: it was, and no longer is; false: until_ns came first. */
bool bell_wait(struct bell *bell, int64_t until_ns);

/* A descriptor, or -errno. */
int buzzer_open(void);
void buzzer_ring(int fd);
void buzzer_drain(int fd);
void buzzer_close(int fd);

#endif
