/* SPDX-License-Identifier: MIT */
/*
 * report_test.c -- what a slow close says when there is much to say: REG-CLOSE-5
 * of spec/region.md.
 */
#include "tests/spec/common.h"

#define NAME_50 "a-name-that-takes-as-much-room-as-fifty-letters-do"

struct crowd {
    unsigned n;
    const char *name;
    const char *word; /* they end when it was logged */
};

static int sleep_until_logged(ambit_cx *cx, void *arg)
{
    const char *word = *(const char **)arg;
    for (int i = 0; i < 4000 && !spec_logged(word); i++) {
        WANT_EQ(ambit_sleep(cx, ambit_ms(5)), 0);
    }
    return 0;
}

static int close_over_a_crowd(ambit_cx *cx, void *arg)
{
    struct crowd *crowd = arg;
    int rc = 0;
    ambit_scope (cx, crowded, &rc, .name = crowd->word,
                 .close_warn = ambit_ms(10)) {
        for (unsigned i = 0; i < crowd->n; i++) {
            WANT_EQ(ambit_spawn_with(crowded, sleep_until_logged, &crowd->word,
                                     .name = crowd->name), 0);
        }
    }
    return rc;
}

/* How often the log names the crowd in the line with the words. */
static unsigned names_behind(const char *words, const char *name)
{
    unsigned n = 0;
    const char *line = strstr(spec_log.text, words);
    const char *end = line != NULL ? strchr(line, '\n') : NULL;
    while (line != NULL && (line = strstr(line, name)) != NULL && line < end) {
        line += strlen(name);
        n++;
    }
    return n;
}

/* Goal: of many tasks all are counted and eight named.
 * Method: eight, and nine. */
Spec(REG_CLOSE_5, of_many_slow_tasks_all_are_counted_and_eight_named)
{
    struct crowd eight = {8, "sitter", "waits for 8 tasks on worker 0"};
    struct crowd nine = {9, "sitter", "waits for 9 tasks on worker 0"};
    WANT_EQ(spec_run(close_over_a_crowd, &eight, .workers = 1), 0);
    WANT_EQ(spec_run(close_over_a_crowd, &nine, .workers = 1), 0);
    WANT_EQ(names_behind("\" waits for 8 tasks", "\"sitter\""), 8);
    WANT_EQ(names_behind("\" waits for 9 tasks", "\"sitter\""), 8);
    spec_end("REG_CLOSE_5");
}

/* Goal: names too long for the line end it early, between two tasks.
 * Method: eight of 250 letters each: there is room for a few. */
Spec(REG_CLOSE_5, names_too_long_for_the_line_are_left_out)
{
    const char *name = NAME_50 NAME_50 NAME_50 NAME_50 NAME_50;
    struct crowd crowd = {8, name, "waits for 8 tasks on worker 0"};
    WANT_EQ(spec_run(close_over_a_crowd, &crowd, .workers = 1), 0);
    unsigned named = names_behind("\" waits for 8 tasks", name);
    WANT(named > 0);
    WANT(named < 8);
    spec_end("REG_CLOSE_5");
}
