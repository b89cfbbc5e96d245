/* SPDX-License-Identifier: MIT */
/*
 * explore.h -- many runs of one program, and what is kept of each.
 *
 * Runs happen in a child process, so that a crash, or a run that failed in the
 * middle, ends there.  What the parent needs to know lies in shared memory.
 */
#ifndef AMBIT_SPEC_EXPLORE_EXPLORE_H
#define AMBIT_SPEC_EXPLORE_EXPLORE_H

#include "spec/lab/lab.h"

#include <ambit/spec.h>

#define DECISIONS_MAX 65536
#define SET_MAX 65536

/* A choice that was not 0: at the how-manyth choice, and what. */
struct decision {
    uint32_t at;
    uint32_t value;
};

struct decisions {
    uint32_t len;
    bool cut; /* there were more */
    struct decision d[DECISIONS_MAX];
};

/* A set of 64-bit values, open addressing; 0 is not one. */
struct set {
    uint32_t len;
    uint64_t slot[SET_MAX * 2];
};

void set_add(struct set *set, uint64_t value);

/* Kernels that are short of something. */
struct kernel_faults {
    unsigned ring_entries;      /* 0: as many as production asks for */
    unsigned cq_entries;        /* 0: as many as are asked for */
    unsigned refuse_ring_flags; /* IORING_SETUP_ ones */
    bool enter_faults;          /* io_uring_enter() may answer with an error */
    int ring_error;             /* io_uring_setup() is refused with it */
    bool may_fail;              /* a run may return a failure */
};

/* Shared by parent and child. */
struct shared {
    uint64_t seed;         /* of the run under way */
    bool running;
    bool failed;
    bool complete;
    char text[4096];
    char story[4096];
    uint64_t runs;
    uint64_t points;
    uint64_t of_all;       /* the fingerprints of all runs, as one */
    uint64_t choices;
    uint64_t allocations;
    uint64_t longest;      /* choices between threads, in one run */
    uint32_t threads;      /* the most in one run */
    struct lab_injection inject; /* into the run under way */
    uint64_t alloc_at;           /* likewise */
    bool alloc_on;
    /* of the last run: */
    uint64_t suspensions;
    uint64_t ops_meant;
    unsigned errors_meant;
    int code_meant;
    bool hit;
    uint64_t fingerprint;
    unsigned pct_depth;         /* of the run under way; 0: no PCT */
    uint64_t pct_length;
    struct decisions decisions; /* of the run under way */
    struct set schedules;
    struct set outcomes;
};

struct exploration {
    ambit_task_fn *fn;
    void *arg;
    struct ambit_explore_options options;
    struct shared *shared;
    struct kernel_faults kernel;
};

/* pickers.c */
struct random_picker {
    struct lab_picker picker;
    uint64_t state;
    uint32_t rarely; /* a preemption at one point of so many */
};
void random_picker_init(struct random_picker *random, uint64_t seed);

struct pct_picker {
    struct lab_picker picker;
    struct random_picker random;
    uint64_t steps;
    unsigned changes;             /* left */
    uint64_t change_at[16];
    uint32_t priority[LAB_THREADS_MAX + 2];
};
void pct_picker_init(struct pct_picker *pct, uint64_t seed, unsigned depth,
                     uint64_t length);

struct tree_picker {
    struct lab_picker picker;
    uint32_t depth;               /* choices made in this run */
    uint32_t len;                 /* of the path */
    uint32_t preemptions_max;
    uint32_t preemptions;
    struct { uint32_t n, i; } path[DECISIONS_MAX];
};
void tree_picker_begin(struct tree_picker *tree);
/* True when there is another path. */
bool tree_picker_next(struct tree_picker *tree);

struct replay_picker {
    struct lab_picker picker;
    const struct decisions *decisions;
    uint32_t next;
    uint32_t at;
};
void replay_picker_init(struct replay_picker *replay,
                        const struct decisions *decisions);

/* Writes down what another picker chooses. */
struct recorder {
    struct lab_picker picker;
    struct lab_picker *from;
    struct decisions *to;
    uint32_t at;
    const struct exploration *exploration;
};
void recorder_init(struct recorder *recorder, struct lab_picker *from,
                   struct decisions *to);

/* run.c -- one run; in a child. */
void run_once(struct exploration *e, uint64_t seed, struct lab_picker *picker);
void run_pct(struct exploration *e, uint64_t seed, unsigned depth);
/* Runs body in a child; what it died of goes into shared. */
int run_in_child(struct exploration *e, void (*body)(struct exploration *));

/* shrink.c -- fewer decisions that still fail. */
void shrink(struct exploration *e);

/* replay.c -- "w2 s17 c3,0 41:1 97:2", what was injected included, and back.
 * "@path" is a line in a file.  False: no such line. */
void replay_print(const struct exploration *e, char *ret_line, size_t room);
bool replay_take(const char *line, struct exploration *e);
/* The run of the line; in a child. */
void replay_run(struct exploration *e);
/* The whole schedule, however long, to a file. */
bool replay_save(const struct exploration *e, const char *path);

#endif
