/* SPDX-License-Identifier: MIT */
/*
 * report.c -- what campaigns came to, in rows, sums and one table.
 */
#include "tests/lab/campaign.h"

#include "spec/explore/explore.h"
#include "spec/lab/kernel.h"

void figures_add(struct figures *sum, const struct figures *f)
{
    sum->runs += f->runs;
    sum->places += f->places;
    sum->hits += f->hits;
    sum->points += f->points;
    sum->schedules += f->schedules;
    sum->outcomes += f->outcomes;
    sum->seconds += f->seconds;
    sum->failed |= f->failed;
}

static void print_places(const struct campaign_kind *kind,
                         const struct figures *f)
{
    if (kind->places != NULL) {
        printf(", %llu %s, %llu met", (unsigned long long)f->places,
               kind->places, (unsigned long long)f->hits);
    }
}

void figures_print(const struct campaign_kind *kind, const struct scenario *s,
                   const struct figures *f)
{
    if (f->skipped) {
        return;
    }
    printf("%-7s %-26s %7llu runs, %10llu points, %7llu schedules, %5llu "
           "outcomes",
           kind->name, s->name, (unsigned long long)f->runs,
           (unsigned long long)f->points, (unsigned long long)f->schedules,
           (unsigned long long)f->outcomes);
    print_places(kind, f);
    printf("%s, %.1f s\n", f->complete ? ", complete" : "", f->seconds);
    if (f->failed) {
        printf("%-7s %-26s FAILED: %s\n", kind->name, s->name, f->text);
    }
    fflush(stdout);
}

void figures_print_sum(const struct campaign_kind *kind, unsigned scenarios,
                       const struct figures *sum)
{
    double seconds = sum->seconds > 0 ? sum->seconds : 1;
    printf("%-7s %u scenarios: %llu runs, %llu points, %llu schedules", kind->name,
           scenarios, (unsigned long long)sum->runs,
           (unsigned long long)sum->points,
           (unsigned long long)sum->schedules);
    print_places(kind, sum);
    printf(", %.1f s of cpu, %.0f runs/s\n", sum->seconds,
           (double)sum->runs / seconds);
}

/* --- operations ------------------------------------------------------------ */

static const struct {
    uint8_t code;
    const char *name;
} ops[] = {
    {IORING_OP_ACCEPT, "accept"}, {IORING_OP_CONNECT, "connect"},
    {IORING_OP_RECV, "recv"},     {IORING_OP_SEND, "send"},
    {IORING_OP_OPENAT, "open"},   {IORING_OP_READ, "read"},
    {IORING_OP_WRITE, "write"},   {IORING_OP_FSYNC, "fsync"},
};

static const char *const way_names[LAB_WAYS] = {
    [LAB_WAY_SHORT] = "short",
    [LAB_WAY_LATE] = "late",
    [LAB_WAY_CANCELLED] = "cancelled",
    [LAB_WAY_TOO_LATE] = "cancelled too late",
};

/* Only what moves bytes can come short. */
static bool is_due(uint8_t code, int way)
{
    return way != LAB_WAY_SHORT ||
           code == IORING_OP_RECV || code == IORING_OP_SEND ||
           code == IORING_OP_READ || code == IORING_OP_WRITE;
}

unsigned op_table_print(const struct op_table *table)
{
    unsigned missed = 0;
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        unsigned len;
        const uint64_t *row = table->n[ops[i].code];
        const int *errors = lab_errors_of(ops[i].code, &len);
        printf("op %-8s", ops[i].name);
        for (unsigned k = 0; k < len; k++) {
            missed += row[errors[k]] == 0;
            printf(" %s %llu", strerrorname_np(errors[k]),
                   (unsigned long long)row[errors[k]]);
        }
        for (int way = LAB_WAY_SHORT; way < LAB_WAYS; way++) {
            if (is_due(ops[i].code, way)) {
                missed += row[OP_ERRORS + way] == 0;
                printf(", %s %llu", way_names[way],
                       (unsigned long long)row[OP_ERRORS + way]);
            }
        }
        printf("\n");
    }
    fflush(stdout);
    return missed;
}
