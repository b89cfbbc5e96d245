/* SPDX-License-Identifier: MIT */
/*
 * ambit/runtime.h -- the state object everything hangs from.
 *
 * No global state: two runtimes in one process do not know each other.
 *
 *     int rc = ambit_run(start, &config, .workers = 2);
 *
 * A program that defines `int ambit_main(ambit_cx *, int, char **)` instead of
 * main() and links libambit_main.a runs on a runtime with the defaults.  What it
 * returns is the exit status; a negative errno gives 1, and a sentence on stderr.
 */
#ifndef AMBIT_RUNTIME_H
#define AMBIT_RUNTIME_H

#include <ambit/task.h>

AMBIT_BEGIN

enum ambit_log_level {
    AMBIT_LOG_INFO,
    AMBIT_LOG_WARNING,
    AMBIT_LOG_ERROR,
};

/* Called from any of the runtime's threads; one line without its end. */
typedef void ambit_log_fn(void *user, enum ambit_log_level level,
                          const char *line);

/* What a worker does that has nothing to do. */
enum ambit_idle {
    /* Spins for up to .spin, less where that was in vain, then sleeps in the
     * kernel: costs nothing when there is nothing to do. */
    AMBIT_IDLE_ADAPTIVE,
    /* Looks again after letting other threads run; never sleeps.  Answers
     * within a microsecond and keeps a cpu busy. */
    AMBIT_IDLE_YIELD,
    /* Sleeps at once, for .idle_sleep at most. */
    AMBIT_IDLE_SLEEP,
    /* Looks .idle_spins times (each some 0.1 us), then sleeps; 0: for ever. */
    AMBIT_IDLE_SPIN,
};

/* By what workers wait for sockets and files.  The environment variable
 * AMBIT_DRIVER (uring, epoll or auto) decides for programs that leave it at
 * AUTO. */
enum ambit_driver {
    /* io_uring; where it is refused, epoll, and a warning says why. */
    AMBIT_DRIVER_AUTO,
    /* io_uring, or no runtime. */
    AMBIT_DRIVER_URING,
    /* epoll for sockets and pipes, threads for files.  An open that waits for
     * the other end of a named pipe can be cancelled where /proc is mounted;
     * any other call on a file that has begun is waited for. */
    AMBIT_DRIVER_EPOLL,
};

struct ambit_runtime_options {
    size_t size_;
    unsigned workers;             /* 0: as many as cpus we may use, by affinity
                                     and the cgroup's quota; <= 64 */
    size_t stack_size;            /* power of two, 16 KiB to 64 MiB; 0: 64 KiB */
    uint32_t stacks_max;          /* per worker; 0: 1,000,000 */
    uint32_t ops_max;             /* in the kernel, per worker; 0: 65,536 */
    unsigned ring_entries;        /* submission queue; 0: 256 */
    unsigned blocking_threads_max; /* 0: 16 */
    uint32_t blocking_queue_max;  /* 0: 65,536 */
    ambit_duration blocking_idle; /* a spare thread exits; 0: 5 s */
    ambit_duration spin;          /* before a worker sleeps; 0: 50 us, or none
                                     where we may use one cpu only; <0: none */
    ambit_log_fn *log;            /* NULL: warnings and errors to stderr */
    void *log_user;
    uint64_t seed;                /* of ambit_random(); 0: another each run */
    enum ambit_idle idle;
    ambit_duration idle_sleep;    /* of IDLE_SLEEP; 0: 1 ms */
    unsigned idle_spins;          /* of IDLE_SPIN */
    /* Spawned tasks that have not begun, in the whole runtime; one more is
     * refused with -EAGAIN.  Those of the blocking tier have a limit of their
     * own, actors one in their region.  0: no limit. */
    uint32_t unstarted_max;
    /* What an idle worker takes over from others: tasks that have not begun. */
    bool steal_off;               /* nothing, ever */
    uint32_t steal_probes;        /* others looked at in a search; 0: all */
    uint32_t steal_batch;         /* from one of them; 0: half of what it has */
    uint32_t steal_budget;        /* in a search; 0: what the first one gives */
    uint32_t steal_margin;        /* who has no more than that is left alone */
    ambit_duration steal_backoff; /* pause after a search that found nothing,
                                     doubled up to five times; 0: none */
    bool keep_cpus;               /* worker i stays on the i-th usable cpu */
    const char *thread_name;      /* threads are NAME-w0, NAME-b; NULL: "ambit";
                                     at most 8 bytes; static memory */
    enum ambit_driver driver;
};

struct ambit_runtime_stats {
    uint64_t spawned;    /* = completed + cancelled + panicked + live */
    uint64_t completed;  /* returned, with whatever result */
    uint64_t cancelled;  /* never ran */
    uint64_t panicked;
    uint64_t spawns_refused; /* by .unstarted_max */
    uint64_t stolen;
    uint64_t steal_searches;
    uint64_t steal_probes;   /* others looked at */
    uint64_t steal_pauses;   /* begun, by .steal_backoff */
    uint64_t wakes_sent; /* to sleeping workers */
    uint64_t sleeps;
    uint64_t ops_submitted;
    uint64_t ops_completed;
    uint64_t late_replies;
    uint64_t dropped_messages; /* disposed unhandled, with their actor */
    uint32_t workers;
    uint32_t stacks_lent; /* of a busy worker perhaps one that is free again */
    const char *driver;  /* the one in use: "uring" or "epoll" */
    const char *driver_flags; /* of uring: those that this kernel granted */
    uint64_t lost_items; /* of poll tasks that panicked, see ambit/await.h */
};

/*
 * Creates the state object; no thread starts before run.  0; -EINVAL with a
 * log line that names the option, or AMBIT_DRIVER; -ENOMEM; -EPERM or -ENOSYS
 * when io_uring is refused (the log line says by what, and what to change) and
 * nothing else is allowed.
 */
AMBIT_API int ambit_runtime_create(ambit_runtime **ret_runtime,
                                   const struct ambit_runtime_options *options);

/*
 * Runs fn(cx, arg) in the root region on the runtime's workers and returns its
 * result once everything it started has ended.  The caller's thread waits.
 * May be called again after it returned.
 */
AMBIT_API int ambit_runtime_run(ambit_runtime *runtime, ambit_task_fn *fn,
                                void *arg);

/*
 * Any thread, also a signal handler's: cancels the root region of a run.
 *
 * To end in good order, but in time, set a deadline on the root region and return
 * from its function: what is under way goes on until then, and what is left is
 * cancelled; then the run gives -ETIMEDOUT.
 */
AMBIT_API void ambit_runtime_stop(ambit_runtime *runtime);

/* NULL is fine.  Never while a run is going on, nor while a thread outside is in
 * a call about something of it (a wake, a send, a spawn): such a call may ring a
 * worker's bell as the last thing it does. */
AMBIT_API void ambit_runtime_destroy(ambit_runtime *runtime);

/* Exact when no run is going on, a snapshot otherwise.  Any thread. */
AMBIT_API void ambit_runtime_stats(ambit_runtime *runtime,
                                   struct ambit_runtime_stats *ret_stats);

/* create, run, destroy. */
#define ambit_run(fn, arg, ...) \
    ambit_run_((fn), (arg), \
               &(const struct ambit_runtime_options){ \
                   .size_ = sizeof(struct ambit_runtime_options), \
                   __VA_ARGS__})
AMBIT_API int ambit_run_(ambit_task_fn *fn, void *arg,
                         const struct ambit_runtime_options *options);

/* The user's, see above. */
int ambit_main(ambit_cx *cx, int argc, char **argv);
AMBIT_API int ambit_run_main_(int (*main_fn)(ambit_cx *, int, char **),
                              int argc, char **argv);

AMBIT_END

#endif
