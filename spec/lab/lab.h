/* SPDX-License-Identifier: MIT */
/*
 * lab.h -- one run of a program in the lab: a small machine in one thread.
 *
 *     lab_begin(&lab, &options);       this thread is in the lab from here on
 *     rc = ambit_run(fn, arg, .workers = 2);
 *     lab_end(&lab);                   nothing may be left
 *
 * The library runs unchanged; what it takes for the system is the lab's (os.h):
 *
 *   threads.c   threads that take turns, one at a time
 *   choose.c    whose turn: every decision is one call of the picker
 *   clock.c     time that moves only when nobody can run
 *   memory.c    allocations that are counted, and may fail
 *   fds.c       descriptors: eventfds, sockets; signals
 *   ring.c      io_uring's rings;  ops.c what is under way in them
 *   net.c       TCP in memory
 *   trace.c     what happened, in a bounded memory, and its fingerprint
 *   told.h      what the library tells; spec/oracle/ judges it
 *
 * Everything here belongs to the one real thread.  No atomics.
 */
#ifndef AMBIT_SPEC_LAB_LAB_H
#define AMBIT_SPEC_LAB_LAB_H

#include "src/fiber.h"
#include "src/list.h"
#include "src/worker.h"

#include <stdint.h>

#define LAB_THREADS_MAX 128
#define LAB_STACK_SIZE ((size_t)256 << 10)
#define LAB_NEVER INT64_MAX
#define LAB_BEGINS_NS 1000000000 /* the time at which a run begins */

struct lab;
struct lab_thread;
struct thing;
struct things;

/* What is being decided.  0 is always what production would do. */
enum lab_choice {
    LAB_SWITCH, /* at a point: 0 goes on, else another thread */
    LAB_NEXT,   /* the thread cannot go on: which one instead */
    LAB_READY,  /* which ready task of a worker goes next; 0: the oldest */
    LAB_KERNEL, /* how an operation goes: 0: at once, in full */
    LAB_FAULT,  /* 0: none */
    LAB_USER,   /* the program's own */
    LAB_CHOICES,
};

struct lab_picker {
    /* One of n, n >= 2.  ids[i] says who candidate i is, where candidates are
     * threads; NULL otherwise. */
    unsigned (*choose)(struct lab_picker *picker, enum lab_choice what,
                       unsigned n, const uint32_t *ids);
    /* That thread can do nothing until another one has run; may be NULL. */
    void (*spins)(struct lab_picker *picker, uint32_t id);
};

/* How the operation that is meant goes. */
enum lab_way {
    LAB_WAY_OWN,       /* as the picker has it */
    LAB_WAY_ERROR,     /* it fails with one of its errors */
    LAB_WAY_SHORT,     /* one byte of it */
    LAB_WAY_LATE,      /* a millisecond later */
    LAB_WAY_CANCELLED, /* its task is cancelled, in time */
    LAB_WAY_TOO_LATE,  /* the same, and the cancel finds it under way */
    LAB_WAYS,
};

/* What is to go wrong, at a place that is told beforehand. */
struct lab_injection {
    uint64_t cancel_at[2];   /* the n-th suspension: a cancel; 0: none */
    bool inner;              /* of the innermost region, else of the root */
    uint64_t op_at;          /* the n-th operation that can fail; 0: none */
    enum lab_way way;
    unsigned error;          /* WAY_ERROR: which of its table */
};

struct lab_options {
    struct lab_injection inject;
    bool enter_faults;           /* io_uring_enter() may fail, and say so */
    unsigned cq_entries;         /* the completion queue at most; 0: as asked */
    struct lab_picker *picker;   /* NULL: always 0 */
    uint64_t points_max;         /* 0: 20 million; more is a livelock */
    unsigned refuse_ring_flags;  /* IORING_SETUP_ flags this kernel refuses */
    int ring_error;              /* io_uring is refused with it */
    unsigned rings_max;          /* so many are made before that */
    uint64_t fail_alloc_at;      /* the n-th allocation fails; 0: none */
    bool fail_alloc_on;          /* and all after it */
    uint32_t fault_every;        /* of so many operations one fails; 0: none */
    bool plain_kernel;           /* operations complete at once and in full */
    bool coarse;                 /* points only where a thread may wait */
    /* Asked after each switch; says what is wrong, or NULL. */
    const char *(*invariant)(void *user);
    void *invariant_user;
    /* Told about a failure; does not return.  NULL: abort(). */
    void (*failed)(void *user, const char *text);
    void *failed_user;
};

enum lab_thread_state {
    LAB_THREAD_READY,
    LAB_THREAD_WAITING,
    LAB_THREAD_ENDED,
};

struct lab_thread {
    uint32_t id;
    char name[16];
    enum lab_thread_state state;
    int64_t until_ns;        /* WAITING: at the latest */
    const void *waits_for;   /* WAITING: a cond, a ring, a thread */
    bool woken;
    struct worker *worker;   /* its worker_self while another one runs */
    struct thing *task;      /* that runs on it; spec/oracle/ */
    bool begun;
    struct fiber first;      /* its stack, until it begins */
    struct fiber here;       /* where it is while another one runs */
    void *(*body)(void *arg);
    void *arg;
    void *stack;             /* NULL: the real thread's own */
};

struct lab_memory {
    uint64_t asked;          /* allocations so far */
    int64_t live;            /* blocks */
    int64_t mapped;          /* bytes */
};

/* What is to happen at a time: an operation goes on, bytes arrive. */
struct lab_event {
    struct list_node node;   /* lab.events, by time */
    int64_t when_ns;
    void (*happen)(struct lab *lab, struct lab_event *event);
    bool armed;
};

struct lab {
    struct lab_options options;
    struct lab_thread *threads[LAB_THREADS_MAX];
    uint32_t thread_count;
    struct lab_thread *current;
    int64_t now_ns;
    uint64_t ticks;
    uint64_t points;         /* where others could have run */
    uint64_t switches;
    uint64_t choices;
    uint32_t relaxed;        /* in a row, with nobody else having run */
    uint32_t alone;          /* points in a row of the current thread */
    bool quiet;              /* the lab's own code runs */
    struct list_node events;
    struct lab_memory memory;
    struct lab_fds *fds;
    struct list_node rings;
    unsigned rings_made;
    uint64_t ops_issued;
    uint64_t ops_meant;      /* those that have a table of errors */
    struct lab_op *op_meant; /* while it is under way */
    unsigned errors_meant;   /* the length of its table */
    int code_meant;          /* its opcode, or -1 */
    uint64_t op_parks;       /* suspensions for an operation */
    const struct op *op_wanted; /* whose task has been cancelled */
    bool hit;                /* what was to be injected has been */
    uint64_t suspensions;
    struct lab_trace *trace;
    struct things *things;   /* what the library told of; spec/oracle/ */
    int64_t told_ns;         /* when it told last */
};

extern __thread struct lab *lab_self __attribute__((tls_model("initial-exec")));

void lab_begin(struct lab *lab, const struct lab_options *options);
/* Checks that nothing is left: threads, memory, descriptors, operations. */
void lab_end(struct lab *lab);

/* Ends the run with a sentence. */
_Noreturn void lab_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* memory.c -- counts a request for memory; true: it is refused. */
bool lab_refuses(struct lab *lab);

/* choose.c */
unsigned lab_choose(struct lab *lab, enum lab_choice what, unsigned n,
                    const uint32_t *ids);

/* threads.c -- the current thread waits until it is woken or the time has come.
 * True: woken. */
bool lab_wait(struct lab *lab, const void *what, int64_t until_ns);
void lab_wake(struct lab *lab, struct lab_thread *thread);
/* All, or the first, that wait for it. */
void lab_wake_all(struct lab *lab, const void *what);
void lab_wake_one(struct lab *lab, const void *what);
/* Who waits for what, for a report. */
void lab_describe(struct lab *lab, char *ret_text, size_t room);

/* clock.c */
void lab_at(struct lab *lab, struct lab_event *event, int64_t when_ns,
            void (*happen)(struct lab *, struct lab_event *));
void lab_not_at(struct lab_event *event);
/* One event that is due; false: there is none. */
bool lab_event_run(struct lab *lab);
bool lab_event_is_due(const struct lab *lab);
int64_t lab_event_next(const struct lab *lab);

struct lab_thread *lab_thread_start(struct lab *lab, void *(*body)(void *),
                                    void *arg);

/* trace.c */
struct lab_trace *lab_trace_begin(void);
void lab_trace_end(struct lab_trace *trace);
enum lab_trace_kind {
    TRACE_CHOICE,
    TRACE_SWITCH,
    TRACE_TIME,
    TRACE_OP,
    TRACE_CQE,
    TRACE_TOLD,  /* by the library: told.h */
};
void lab_trace(struct lab *lab, enum lab_trace_kind kind, uint64_t a,
               uint64_t b);
uint64_t lab_fingerprint(const struct lab *lab);
/* The last lines in words, the oldest first. */
void lab_story(struct lab *lab, char *ret_text, size_t room);

/* fds.c */
void lab_fds_begin(struct lab *lab);
void lab_fds_end(struct lab *lab);
/* The signal arrives at the process. */
void lab_raise(int signo);

/* ring.c */
void lab_rings_end(struct lab *lab);

#endif
