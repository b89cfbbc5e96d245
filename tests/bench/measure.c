/* SPDX-License-Identifier: MIT */
/*
 * measure.c -- clocks, repetitions, rows.
 */
#include "tests/bench/bench.h"

#include <sys/resource.h>
#include <time.h>

struct bench bench = {.reps = 5, .min_ns = 500000000, .divisor = 1};

uint64_t bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

double bench_cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static size_t field_of(const char *path, const char *name)
{
    char line[256];
    size_t kb = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        size_t len = strlen(name);
        if (strncmp(line, name, len) == 0) {
            kb = strtoul(line + len, NULL, 10);
            break;
        }
    }
    fclose(file);
    return kb * 1024;
}

size_t bench_rss_bytes(void)
{
    return field_of("/proc/self/status", "VmRSS:");
}

size_t bench_free_bytes(void)
{
    return field_of("/proc/meminfo", "MemAvailable:");
}

uint64_t bench_count(uint64_t full)
{
    return full > bench.divisor ? full / bench.divisor : 1;
}

uint64_t bench_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 2685821657736338717u;
}

int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

bool bench_takes(const char *curve, uint64_t size, size_t each)
{
    const char *at = bench.sizes;
    bool asked = at == NULL;
    while (at != NULL && !asked) {
        asked = strtoull(at, NULL, 10) == size;
        at = strchr(at, ',');
        at = at != NULL ? at + 1 : NULL;
    }
    if (!asked || size > bench_count(1000000)) {
        return false;
    }
    if (bench_free_bytes() / each < size) {
        printf("# %s@%llu left out: not enough memory\n", curve,
               (unsigned long long)size);
        return false;
    }
    return true;
}

uint64_t bench_next_size(uint64_t size)
{
    uint64_t power = 1;
    while (power * 10 <= size) {
        power *= 10;
    }
    return size == power ? 3 * power : 10 * power;
}

struct bench_row *bench_row(const char *name, const char *unit,
                            bool higher_is_better)
{
    static struct bench_row beyond; /* too many rows: measured, not kept */
    struct bench_rows *rows = bench.rows;
    struct bench_row *row =
        rows->len < BENCH_ROWS_MAX ? &rows->row[rows->len++] : &beyond;
    memset(row, 0, sizeof *row);
    snprintf(row->workload, sizeof row->workload, "%s.%uc", name,
             bench.workers);
    snprintf(row->peer, sizeof row->peer, "ambit-%s", ambit_version());
    snprintf(row->unit, sizeof row->unit, "%s", unit);
    row->higher_is_better = higher_is_better;
    return row;
}

struct bench_row *bench_row_at(const char *curve, uint64_t size,
                               const char *unit)
{
    char name[40];
    snprintf(name, sizeof name, "%.20s@%llu", curve, (unsigned long long)size);
    struct bench_row *row = bench_row(name, unit, false);
    snprintf(row->curve, sizeof row->curve, "%s", curve);
    row->size = size;
    return row;
}

void bench_add(struct bench_row *row, double sample)
{
    if (row->len < BENCH_REPS_MAX) {
        row->sample[row->len++] = sample;
    }
}

static double sample_at(const struct bench_row *row, unsigned rank)
{
    double sorted[BENCH_REPS_MAX];
    if (row->len == 0) {
        return 0;
    }
    memcpy(sorted, row->sample, row->len * sizeof *sorted);
    qsort(sorted, row->len, sizeof *sorted, bench_compare);
    return sorted[rank];
}

double bench_median(const struct bench_row *row)
{
    return sample_at(row, row->len / 2);
}

double bench_best(const struct bench_row *row)
{
    return sample_at(row,
                     row->higher_is_better && row->len > 0 ? row->len - 1 : 0);
}

void bench_print(const struct bench_row *row)
{
    unsigned n = row->observations > 0 ? row->observations : row->len;
    printf("%s %s %.4g %s best=%.4g n=%u\n", row->workload, row->peer,
           bench_median(row), row->unit, bench_best(row), n);
    fflush(stdout);
}

static int measure(ambit_cx *cx, struct bench_row *row, uint64_t ops,
                   bench_round *round, void *arg)
{
    double cpu = bench_cpu_s();
    for (unsigned rep = 0; rep < bench.reps; rep++) {
        uint64_t begin = bench_now_ns();
        uint64_t spent;
        uint64_t done = 0;
        do {
            int rc = round(cx, arg);
            if (rc < 0) {
                return rc;
            }
            done += ops;
            spent = bench_now_ns() - begin;
        } while (spent < bench.min_ns);
        bench_add(row, row->higher_is_better
                           ? (double)done * 1e3 / (double)spent
                           : (double)spent / (double)done);
    }
    row->cpu_s = bench_cpu_s() - cpu;
    bench_print(row);
    return 0;
}

int bench_ns(ambit_cx *cx, const char *name, const char *unit, uint64_t ops,
             bench_round *round, void *arg)
{
    return measure(cx, bench_row(name, unit, false), ops, round, arg);
}

int bench_ns_at(ambit_cx *cx, const char *curve, uint64_t size, uint64_t ops,
                bench_round *round, void *arg)
{
    int rc = round(cx, arg); /* the first one meets cold memory */
    return rc < 0 ? rc
                  : measure(cx, bench_row_at(curve, size, "ns/op"), ops, round,
                            arg);
}

int bench_rate(ambit_cx *cx, const char *name, const char *unit, uint64_t ops,
               bench_round *round, void *arg)
{
    return measure(cx, bench_row(name, unit, true), ops, round, arg);
}

void bench_log(void *user, enum ambit_log_level level, const char *line)
{
    (void)user;
    if (level >= AMBIT_LOG_ERROR && getenv("BENCH_LOG") != NULL) {
        fprintf(stderr, "ambit: %s\n", line);
    }
}
