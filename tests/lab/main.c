/* SPDX-License-Identifier: MIT */
/*
 * main.c -- `make lab`: every campaign on every scenario, and what it came to.
 *
 *     SEEDS=2000 JOBS=2 ambit-lab [campaign or scenario]...
 *
 * JOBS processes take the next piece of work in turn.  A failure prints a line
 * that replays it:
 *
 *     AMBIT_REPLAY='w2 s3 c7,0 41:1' ambit-lab scenario
 *
 * and, where that is printed, AMBIT_IN_ORDER=1 with it.
 */
#include "tests/lab/campaign.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SCENARIOS_MAX 256
#define CAMPAIGNS_MAX 16

struct board {
    struct tally next;
    struct figures figures[CAMPAIGNS_MAX][SCENARIOS_MAX];
    struct op_table table[16]; /* one of each process */
};

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *given = getenv(name);
    uint64_t n = given != NULL ? strtoull(given, NULL, 10) : 0;
    return n != 0 ? n : otherwise;
}

static size_t scenario_count(void)
{
    size_t n = 0;
    while (scenario_at(n) != NULL) {
        n++;
    }
    return n;
}

static bool is_named(const char *name, char **names)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

/* No word, or one for it: as a campaign, as a scenario. */
static bool is_wanted(const struct campaign_kind *kind,
                      const struct scenario *s, char **words)
{
    bool any_kind = true, any_scenario = true;
    for (char **w = words; *w != NULL; w++) {
        bool is_kind = false;
        for (size_t k = 0; k < campaign_count; k++) {
            is_kind |= strcmp(campaign_kinds[k].name, *w) == 0;
        }
        any_kind &= !is_kind;
        any_scenario &= is_kind;
    }
    return (any_kind || is_named(kind->name, words)) &&
           (any_scenario || is_named(s->name, words));
}

static void work(struct board *board, unsigned self, char **words)
{
    size_t scenarios = scenario_count();
    uint64_t seeds = number("SEEDS", 2000);
    for (;;) {
        size_t i = (size_t)tally_up(&board->next);
        if (i >= campaign_count * scenarios) {
            return;
        }
        const struct campaign_kind *kind = &campaign_kinds[i / scenarios];
        const struct scenario *s = scenario_at(i % scenarios);
        struct figures *f = &board->figures[i / scenarios][i % scenarios];
        f->skipped = !is_wanted(kind, s, words);
        if (!f->skipped) {
            kind->run(s, seeds, f, &board->table[self]);
            figures_print(kind, s, f);
        }
    }
}

static bool sum_up(const struct board *board)
{
    struct figures all = {0};
    size_t scenarios = scenario_count();
    for (size_t k = 0; k < campaign_count; k++) {
        struct figures sum = {0};
        unsigned n = 0;
        for (size_t i = 0; i < scenarios; i++) {
            const struct figures *f = &board->figures[k][i];
            n += !f->skipped;
            figures_add(&sum, f);
        }
        if (n > 0) {
            figures_print_sum(&campaign_kinds[k], n, &sum);
        }
        figures_add(&all, &sum);
    }
    printf("lab: %llu runs of %zu scenarios, %llu points\n",
           (unsigned long long)all.runs, scenarios,
           (unsigned long long)all.points);
    return !all.failed;
}

static bool sum_ops(struct board *board)
{
    bool any = false;
    for (size_t i = 1; i < sizeof board->table / sizeof *board->table; i++) {
        for (size_t k = 0; k < OP_CODES * OP_COLUMNS; k++) {
            (&board->table[0].n[0][0])[k] += (&board->table[i].n[0][0])[k];
        }
    }
    for (size_t k = 0; k < OP_CODES * OP_COLUMNS; k++) {
        any |= (&board->table[0].n[0][0])[k] != 0;
    }
    unsigned missed = any ? op_table_print(&board->table[0]) : 0;
    if (missed > 0) {
        printf("op: %u cells of the table were not met\n", missed);
    }
    return true;
}

/* The named scenarios, once each. */
static int replay(char **words)
{
    bool fine = true;
    for (size_t i = 0; scenario_at(i) != NULL; i++) {
        const struct scenario *s = scenario_at(i);
        if (is_named(s->name, words)) {
            struct figures f = {0};
            campaign_replay(s, &f);
            printf("%s: %s\n", s->name, f.failed ? f.text : "did not fail");
            fine &= !f.failed;
        }
    }
    return fine ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (getenv("AMBIT_REPLAY") != NULL) {
        return replay(argv + 1);
    }
    unsigned jobs = (unsigned)number("JOBS", 2);
    struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct timespec began, ended;
    (void)argc;
    if (board == MAP_FAILED || jobs > 16) {
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (unsigned i = 0; i < jobs; i++) {
        if (fork() == 0) {
            work(board, i, argv + 1);
            fflush(stdout);
            _exit(0);
        }
    }
    bool fine = true;
    int status;
    while (wait(&status) > 0) {
        fine &= status == 0;
    }
    fine &= sum_ops(board);
    fine &= sum_up(board);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("lab: %s in %lld s\n", fine ? "nothing failed" : "FAILED",
           (long long)(ended.tv_sec - began.tv_sec));
    return fine ? 0 : 1;
}
