/* SPDX-License-Identifier: MIT */
/*
 * bench.h -- how a workload is measured and where its figures go.
 *
 * A workload is a function that runs a runtime of its own and measures in it.
 * Each runs in a process of its own, so that none sees another's memory, and a
 * crash takes only its own rows with it.
 *
 *     static int round(ambit_cx *cx, void *arg);   does `ops` operations
 *     rc = bench_ns(cx, "W1_spawn_join", "ns/task", ops, round, arg);
 *
 * A repetition repeats the round until the time of bench.min_ns has passed; a
 * row is the median of bench.reps repetitions.  Constants and names are those
 * of tests/bench/peers; a name that differs does something else.
 */
#ifndef AMBIT_TESTS_BENCH_H
#define AMBIT_TESTS_BENCH_H

#include <ambit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BENCH_ROWS_MAX = 256,
    BENCH_REPS_MAX = 32,
};

struct bench_row {
    char workload[48]; /* with its number of workers: W1_spawn_join.2c */
    char peer[32];
    char unit[16];
    char curve[32]; /* a point of this one, at `size`; or "" */
    uint64_t size;
    bool higher_is_better;
    unsigned len;
    unsigned observations; /* behind each sample that is a percentile, or 0 */
    double sample[BENCH_REPS_MAX]; /* in order of measuring */
    double cpu_s;                  /* of the process, all repetitions */
};

/* In memory that the workloads' processes share with the one that reports. */
struct bench_rows {
    unsigned len;
    struct bench_row row[BENCH_ROWS_MAX];
};

/* What was asked for; set once, before the first workload. */
struct bench {
    unsigned reps;
    uint64_t min_ns;     /* of one repetition */
    unsigned divisor;    /* of every count: 1 for figures worth a look */
    unsigned workers;    /* of the workload that runs now */
    const char *loadgen; /* the echo clients' program, or NULL */
    const char *sizes;   /* of a sweep: "10,1000"; NULL: all */
    struct bench_rows *rows;
};
extern struct bench bench;

typedef int bench_round(ambit_cx *cx, void *arg);

struct bench_workload {
    const char *id; /* W1 */
    const char *what;
    unsigned runs;    /* how: see ambit_bench.c */
    int (*run)(void); /* 0 or -errno; reports its own rows */
};

/* measure.c */
uint64_t bench_now_ns(void);
double bench_cpu_s(void);
size_t bench_rss_bytes(void);
size_t bench_free_bytes(void);
/* A count of a workload, after the divisor; at least 1. */
uint64_t bench_count(uint64_t full);
/* Whether a sweep takes that size: what was asked for, the divisor, and free
 * memory of so many bytes for each. */
bool bench_takes(const char *curve, uint64_t size, size_t each);
/* 1, 3, 10, 30, ... */
uint64_t bench_next_size(uint64_t size);
/* xorshift64*; the peers draw the same numbers. */
uint64_t bench_random(uint64_t *state);
int bench_compare(const void *a, const void *b); /* of doubles, for qsort */

/* ns for each operation. */
int bench_ns(ambit_cx *cx, const char *name, const char *unit, uint64_t ops,
             bench_round *round, void *arg);
/* The same as a point of a curve, after a round that is not timed; the size,
 * "@1000", is added to the name. */
int bench_ns_at(ambit_cx *cx, const char *curve, uint64_t size, uint64_t ops,
                bench_round *round, void *arg);
/* Millions of operations a second. */
int bench_rate(ambit_cx *cx, const char *name, const char *unit, uint64_t ops,
               bench_round *round, void *arg);
/* A row measured by other means; ".1c" or ".2c" is added. */
struct bench_row *bench_row(const char *name, const char *unit,
                            bool higher_is_better);
struct bench_row *bench_row_at(const char *curve, uint64_t size,
                               const char *unit);
void bench_add(struct bench_row *row, double sample);
/* Prints it: `workload peer median unit best= n=`. */
void bench_print(const struct bench_row *row);
double bench_median(const struct bench_row *row);
double bench_best(const struct bench_row *row);

/* fn in a runtime with bench.workers workers; more options may follow. */
#define bench_run(fn, arg, ...)                                        \
    ambit_run((fn), (arg), .workers = bench.workers, .log = bench_log, \
              __VA_ARGS__)
/* Errors only: a workload that crashes tasks on purpose fills no terminal. */
void bench_log(void *user, enum ambit_log_level level, const char *line);

/* Says what does not hold, and gives it up. */
#define BENCH_NEED(condition)                                                 \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
                    #condition);                                              \
            return -EPROTO;                                                   \
        }                                                                     \
    } while (0)

/* machine.c */
void bench_machine_print(FILE *out);
void bench_machine_json(FILE *out);
/* This thread, and all it starts, on the first `cpus` cpus we may use, or on
 * the second one alone when cpus is 0. */
void bench_pin(unsigned cpus);

/* json.c */
int bench_write_json(const char *path, const struct bench_rows *rows);

/* Rounds that sweeps use, too.  Their arguments: uint64_t, a number of lots of
 * 1,000 tasks; uint64_t, leaves; struct bench_mpsc. */
struct bench_mpsc {
    uint64_t producers;
    uint64_t each; /* messages */
};
int bench_spawn_join_round(ambit_cx *cx, void *arg); /* tasks.c */
int bench_skynet_round(ambit_cx *cx, void *arg);
int bench_mpsc_round(ambit_cx *cx, void *arg); /* actors.c */

/* The workloads, by file. */
int bench_spawn_join(void); /* tasks.c */
int bench_yield(void);
int bench_skynet(void);
int bench_checkpoint(void);
int bench_channels(void); /* channels.c */
int bench_pingpong(void); /* actors.c */
int bench_mpsc(void);
int bench_threadring(void);
int bench_call(void);
int bench_memory_task(void); /* memory.c */
int bench_memory_fiber(void);
int bench_memory_actor(void);
int bench_sleepers(void); /* timers.c */
int bench_arm_cancel(void);
int bench_armed(void);
int bench_echo(void); /* echo.c */
int bench_echo_serve(const char *port);
int bench_cancel(void);    /* cancel.c */
int bench_blocking(void);  /* blocking.c */
int bench_wake(void);      /* wake.c */
int bench_restart(void);   /* restart.c */
int bench_boundary(void);  /* boundary.c */
int bench_sync(void);      /* sync.c */
int bench_ping_pong(void); /* coordination.c */
int bench_send_drain(void);
int bench_cold_start(void);
int bench_fanout(void);
int bench_fanout_skewed(void);
int bench_crowds(void); /* curves.c */
int bench_depths(void);
int bench_leaves(void);
int bench_workers(void);
int bench_actor_crowds(void); /* curves_actors.c */
int bench_producers(void);

#endif
