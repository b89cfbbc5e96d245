/* SPDX-License-Identifier: MIT */
/*
 * campaign_test.c -- every campaign on every scenario, a small number of times.
 *
 * `make lab` is the same with thousands of seeds.  AMBIT_TEST_DIVISOR makes
 * them fewer where the lab is run once more, by another compiler or a sanitizer.
 */
#include <criterion/criterion.h>

#include "tests/harness/census.h"
#include "tests/lab/campaign.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SEEDS 25

static void campaign(const char *name, struct op_table *table)
{
    const struct campaign_kind *kind = campaign_kinds;
    /* A rare outcome of the real system takes the lab its time to find. */
    const unsigned seeds = strcmp(name, "real") == 0
                               ? SEEDS : (unsigned)test_rounds(SEEDS);
    struct figures sum = {0};
    unsigned n = 0;
    while (strcmp(kind->name, name) != 0) {
        kind++;
    }
    for (size_t i = 0; scenario_at(i) != NULL; i++) {
        struct figures f = {0};
        kind->run(scenario_at(i), seeds, &f, table);
        n += !f.skipped;
        figures_add(&sum, &f);
        if (f.failed) {
            figures_print(kind, scenario_at(i), &f);
        }
    }
    figures_print_sum(kind, n, &sum);
    cr_assert(!sum.failed, "%s failed", name);
    cr_assert(sum.runs > 0);
}

Test(lab, scenarios_hold_under_random_schedules)
{
    campaign("seeds", NULL);
}

Test(lab, an_order_is_kept_where_the_lab_keeps_it)
{
    campaign("order", NULL);
}

Test(lab, small_scenarios_hold_under_every_schedule)
{
    campaign("every", NULL);
}

Test(lab, a_cancel_at_each_suspension_ends_in_a_clean_up)
{
    campaign("cancel", NULL);
}

Test(lab, two_cancels_at_any_two_suspensions_do_so_too)
{
    campaign("pairs", NULL);
}

Test(lab, each_request_for_memory_may_be_refused)
{
    campaign("memory", NULL);
}

/* Each cell of the table is met. */
Test(lab, each_operation_may_fail_come_short_late_or_be_cancelled)
{
    struct op_table *table =
        mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0); /* filled in by children */
    cr_assert(table != MAP_FAILED);
    campaign("ops", table);
    cr_assert(op_table_print(table) == 0);
    munmap(table, sizeof *table);
}

Test(lab, operations_may_fail_at_random)
{
    campaign("faults", NULL);
}

Test(lab, a_short_kernel_is_not_seen)
{
    campaign("kernel", NULL);
}

Test(lab, a_seed_twice_is_the_same_run_twice)
{
    campaign("twice", NULL);
}

static int knows_where(ambit_cx *cx, void *arg)
{
    (void)cx;
    (void)arg;
    ambit_observe(ambit_in_lab());
    return 0;
}

Test(lab, each_scenario_passes_the_lines_of_the_rules_it_names)
{
    campaign("rules", NULL);
}

/* And if it did not, that would be told, with the name of the first. */
Test(lab, a_rule_that_is_not_met_is_a_failure)
{
    const struct scenario s = {"knows_where", knows_where, 1, 0,
                               "RT-RUN-1 RING-SUM-1 RING-SUM-2"};
    const struct campaign_kind *kind = campaign_kinds;
    struct figures f = {0};
    while (strcmp(kind->name, "rules") != 0) {
        kind++;
    }
    kind->run(&s, 1, &f, NULL);
    cr_assert(f.failed);
    cr_assert(strstr(f.text, "no line of RING-SUM-1 was passed") != NULL,
              "%s", f.text);
}

Test(lab, what_the_real_system_does_the_lab_knows)
{
    campaign("real", NULL);
}

/* And if the lab did not know it, that would be told. */
Test(lab, what_the_lab_does_not_know_is_a_failure)
{
    const struct scenario s = {"knows_where", knows_where, 1, 0};
    const struct campaign_kind *kind = &campaign_kinds[campaign_count - 1];
    struct figures f = {0};
    kind->run(&s, 1, &f, NULL);
    cr_assert(f.failed && f.places == 1 && f.hits == 0, "%s", f.text);
    cr_assert(strstr(f.text, "1 of 1 outcomes of the real system") != NULL);
}

/* Cannot bear anything. */
static int delicate(ambit_cx *cx, void *arg)
{
    ambit_file *file;
    char byte;
    (void)arg;
    always(ambit_yield(cx) == 0);
    always(ambit_file_open(cx, "/dev/zero", O_RDONLY, 0, &file) == 0);
    always(ambit_file_read(cx, file, &byte, 1, 0) == 1);
    always(ambit_file_close(cx, file) == 0);
    always(ambit_sleep(cx, ambit_us(5)) == 0);
    return 0;
}

/* What failed, without the line that replays it; which goes to *ret_line. */
static void take_apart(char *text, char **ret_line)
{
    char *line = strstr(text, "; AMBIT_REPLAY='");
    cr_assert(line != NULL, "%s", text);
    *line = '\0';
    *ret_line = strchr(line + 1, '\'') + 1;
    *strchr(*ret_line, '\'') = '\0';
}

/* Whatever was injected, the printed line leads there again. */
Test(lab, what_was_injected_is_replayed)
{
    static const char *const names[] = {"cancel", "pairs", "memory", "ops",
                                        "faults"};
    const struct scenario s = {"delicate", delicate, 1, CORE};
    static struct op_table table;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct campaign_kind *kind = campaign_kinds;
        struct figures first = {0}, again = {0}, whole = {0};
        char *line, *other;
        while (strcmp(kind->name, names[i]) != 0) {
            kind++;
        }
        kind->run(&s, 50, &first, &table);
        cr_assert(first.failed, "%s", names[i]);
        take_apart(first.text, &line);
        setenv("AMBIT_REPLAY", line, 1);
        campaign_replay(&s, &again);
        unsetenv("AMBIT_REPLAY");
        cr_assert(again.failed && again.runs == 0, "%s: %s", names[i], line);
        take_apart(again.text, &other);
        cr_assert(strcmp(first.text, again.text) == 0, "%s: %s", line,
                  again.text);
        setenv("AMBIT_REPLAY", "w1 s1 0:0", 1);
        campaign_replay(&s, &whole);
        unsetenv("AMBIT_REPLAY");
        cr_assert(!whole.failed && whole.runs == 1, "%s", whole.text);
    }
}
