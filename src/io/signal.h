/* SPDX-License-Identifier: MIT */
/*
 * signal.h -- a function call, on a worker, when a signal arrives.
 *
 * Signals belong to the process: here is the one place with state of the
 * process.  A handler is installed while anybody watches the signal, and the
 * action from before is put back when nobody does.
 *
 *   RT-SIGNAL-1  A signal reaches every one who watches it.
 */
#ifndef AMBIT_SRC_IO_SIGNAL_H
#define AMBIT_SRC_IO_SIGNAL_H

#include "src/base.h"

struct signal_watch;
struct task;

/* arrived(arg) is called at most once, on the task's worker, outside of the
 * task.  0; -EINVAL for a signal that cannot be caught; -ENOSPC when too many
 * watch it; -EMFILE; -ENOMEM. */
int signal_watch_begin(struct task *task, int signo, void (*arrived)(void *),
                       void *arg, struct signal_watch **ret_watch);

/* Afterwards arrived() is not called any more.  Suspends, not interruptible.
 * The same task; NULL is fine. */
void signal_watch_end(struct task *task, struct signal_watch *watch);

#endif
