/* SPDX-License-Identifier: MIT */
/*
 * search_test.c -- what the searches promise (spec/lab.md).
 *
 * The pickers are tried on programs of a few lines in which every step is
 * known: threads of two or three steps, with a bug in known orders.
 */
#include <ambit/spec.h>
#undef Spec

#include "tests/harness/test.h"

#include "spec/explore/explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- programs on paper ------------------------------------------------------ */

#define STEPS 3

/* Runs `threads` of `steps` steps each; the order of the steps as letters:
 * "ABBA" are A's first, B's both, A's second. */
static void schedule(struct lab_picker *picker, unsigned threads,
                     unsigned steps, char *ret_order)
{
    unsigned left[4];
    unsigned current = 0;
    for (unsigned i = 0; i < threads; i++) {
        left[i] = steps;
    }
    for (unsigned done = 0; done < threads * steps; done++) {
        uint32_t ids[4];
        unsigned n = 0;
        for (unsigned i = 0; i < threads; i++) {
            unsigned id = (current + i) % threads;
            if (left[id] > 0) {
                ids[n++] = id;
            }
        }
        bool stays = left[current] > 0 && done > 0;
        current = ids[n < 2 ? 0
                            : picker->choose(picker,
                                             stays ? LAB_SWITCH : LAB_NEXT, n,
                                             ids)];
        left[current]--;
        *ret_order++ = (char)('A' + current);
    }
    *ret_order = '\0';
}

/* Of 20,000 runs, those whose order of steps is one with the bug. */
static double hit_rate(unsigned threads, unsigned steps, unsigned depth,
                       bool (*is_bug)(const char *order))
{
    unsigned hits = 0;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        struct pct_picker pct;
        char order[16];
        pct_picker_init(&pct, seed, depth, threads * steps);
        schedule(&pct.picker, threads, steps, order);
        hits += is_bug(order);
    }
    return hits / 20000.0;
}

/* The last thread's first step before all others': one constraint. */
static bool last_is_first(const char *order)
{
    return order[0] == 'C';
}

/* All of B between A's first and second step: two constraints. */
static bool in_between(const char *order)
{
    return strstr(order, "ABBB") == order;
}

/* A, then B, then A, then B: three. */
static bool to_and_fro(const char *order)
{
    return strncmp(order, "ABAB", 4) == 0 || strncmp(order, "ABBABA", 6) == 0 ||
           strncmp(order, "AABBAB", 6) == 0 || strncmp(order, "ABBAAB", 6) == 0;
}

/* Goal: the bound of PCT holds.
 * Method: programs whose bugs have depth 1, 2 and 3; the rate at which 20,000
 * seeds find them. */
Spec(LAB_PCT_1, bugs_of_known_depth_are_found_as_often_as_promised)
{
    double rate = hit_rate(3, STEPS, 1, last_is_first);
    printf("d = 1: %.4f, bound %.4f\n", rate, 1.0 / 3);
    cr_assert(rate >= 0.97 / 3); /* three in a hundred: what 20,000 draws miss */
    rate = hit_rate(2, STEPS, 2, in_between);
    printf("d = 2: %.4f, bound %.4f\n", rate, 1.0 / (2 * 6));
    cr_assert(rate >= 0.97 / (2 * 6));
    rate = hit_rate(2, STEPS, 3, to_and_fro);
    printf("d = 3: %.4f, bound %.4f\n", rate, 1.0 / (2 * 6 * 6));
    cr_assert(rate >= 0.97 / (2 * 6 * 6));
}

static unsigned all_orders(unsigned threads, unsigned steps, unsigned bound)
{
    static struct tree_picker tree;
    static char seen[256][16];
    unsigned n = 0;
    memset(&tree, 0, sizeof tree);
    tree.preemptions_max = bound;
    do {
        tree_picker_begin(&tree);
        schedule(&tree.picker, threads, steps, seen[n]);
        for (unsigned i = 0; i < n; i++) {
            cr_assert(strcmp(seen[i], seen[n]) != 0, "%s twice", seen[n]);
        }
        n++;
    } while (tree_picker_next(&tree));
    return n;
}

/* Goal: every schedule within the bound, each once.
 * Method: two threads of two steps.  Without a preemption AABB, BBAA; with one
 * also ABBA, BAAB; with two also ABAB, BABA: that is all of them.  Three of
 * one step have none: 3! */
Spec(LAB_ALL_1, each_schedule_within_the_bound_is_run_once)
{
    cr_assert(all_orders(2, 2, 0) == 2);
    cr_assert(all_orders(2, 2, 1) == 4);
    cr_assert(all_orders(2, 2, 2) == 6);
    cr_assert(all_orders(2, 2, 9) == 6);
    cr_assert(all_orders(3, 1, 0) == 6);
    cr_assert(all_orders(2, 3, 9) == 20);
}

/* --- programs in the lab ---------------------------------------------------- */

struct shelf {
    int books;
    int seen;
};

static int borrow(ambit_cx *cx, void *arg)
{
    struct shelf *shelf = *(struct shelf **)arg;
    int seen = shelf->books;
    int rc = ambit_yield(cx);
    shelf->books = seen - 1;
    return rc;
}

/* Right as long as production's order is kept: the second one is started when
 * the first is through, unless the choice says otherwise. */
static int rarely_wrong(ambit_cx *cx, void *arg)
{
    struct shelf shelf = {.books = 2};
    struct shelf *here = &shelf;
    int rc = 0;
    (void)arg;
    bool early = ambit_choose(5) == 3;
    ambit_scope (cx, both, &rc) {
        ambit_spawn(both, borrow, &here);
        if (!early || ambit_choose(4) != 2) {
            for (int i = 0; i < 4; i++) {
                (void)ambit_yield(cx);
            }
        }
        ambit_spawn(both, borrow, &here);
    }
    (void)ambit_choose(9); /* of no consequence */
    ambit_expect(shelf.books == 0);
    return rc;
}

static int explore_shelf(struct ambit_exploration *ret)
{
    return ambit_explore(rarely_wrong, NULL, ret, .workers = 1, .seeds = 2000,
                         .plain_kernel = true);
}

/* Goal: a failure can be had again, from its line and from its file. */
Spec(LAB_REPLAY_1, a_failure_comes_back)
{
    struct ambit_exploration e, again;
    char path[] = "/tmp/ambit-schedule-XXXXXX";
    close(mkstemp(path));
    cr_assert(explore_shelf(&e) == -ENOTRECOVERABLE);
    setenv("AMBIT_REPLAY", e.replay, 1);
    cr_assert(explore_shelf(&again) == -ENOTRECOVERABLE, "%s", e.replay);
    cr_assert(strcmp(e.text, again.text) == 0, "%s", again.text);
    unsetenv("AMBIT_REPLAY");
    setenv("AMBIT_SAVE", path, 1);
    cr_assert(explore_shelf(&e) == -ENOTRECOVERABLE);
    cr_assert(e.replay[0] == '@' && strcmp(e.replay + 1, path) == 0);
    setenv("AMBIT_REPLAY", e.replay, 1);
    unsetenv("AMBIT_SAVE");
    cr_assert(explore_shelf(&again) == -ENOTRECOVERABLE);
    cr_assert(strcmp(e.text, again.text) == 0, "%s", again.text);
    unlink(path);
}

/* The line without its i-th decision; false: there is none. */
static bool without(const char *line, unsigned i, char *ret)
{
    const char *at = strchr(line, ':');
    while (at != NULL && *at != ' ') {
        at--;
    }
    while (at != NULL && i-- > 0) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) {
        return false;
    }
    const char *rest = strchr(at + 1, ' ');
    sprintf(ret, "%.*s%s", (int)(at - line), line, rest != NULL ? rest : "");
    strcat(ret, strchr(ret, ':') != NULL ? "" : " 0:0");
    return true;
}

/* Goal: no decision is left that does not matter.
 * Method: the bug needs two choices of the program's own, and it may need one of
 * the scheduler's for these to come at that place in the line; each decision of
 * the printed line is left out in turn, and then nothing fails. */
Spec(LAB_SHRINK_1, no_decision_is_superfluous)
{
    struct ambit_exploration e, again;
    char line[1100];
    unsigned decisions = 0;
    cr_assert(explore_shelf(&e) == -ENOTRECOVERABLE);
    for (; without(e.replay, decisions, line); decisions++) {
        setenv("AMBIT_REPLAY", line, 1);
        cr_assert(explore_shelf(&again) == 0, "%s fails like %s", line,
                  e.replay);
    }
    cr_assert(decisions == 2 || decisions == 3, "%s", e.replay);
    unsetenv("AMBIT_REPLAY");
}

/* Naps of random length, three tasks at once. */
static int naps_at_random(ambit_cx *cx, void *arg)
{
    uint64_t random = 0;
    (void)arg;
    int rc = ambit_random(cx, &random);
    return rc < 0 ? rc : ambit_sleep(cx, ambit_us((int64_t)(random % 100)));
}

static int random_naps(ambit_cx *cx, void *arg)
{
    int rc = 0, none = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            ambit_spawn(s, naps_at_random, &none);
        }
    }
    return rc;
}

/* Goal: the same seeds, the same runs, random numbers included. */
Spec(LAB_SEED_1, the_same_seeds_come_to_the_same_fingerprint)
{
    struct ambit_exploration e, again;
    explore_shelf(&e);
    explore_shelf(&again);
    cr_assert(e.fingerprint == again.fingerprint && e.fingerprint != 0);
    cr_assert(ambit_explore(random_naps, NULL, &e, .seeds = 20) == 0);
    void *kept[16]; /* the next run's memory lies elsewhere */
    for (size_t i = 0; i < 16; i++) {
        kept[i] = malloc((size_t)64 << i);
    }
    cr_assert(ambit_explore(random_naps, NULL, &again, .seeds = 20) == 0);
    for (size_t i = 0; i < 16; i++) {
        free(kept[i]);
    }
    cr_assert(e.fingerprint == again.fingerprint && e.schedules == 20);
}

static int stuck(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_sleep_until(cx, ambit_never());
}

static int two_stuck(ambit_cx *cx, void *arg)
{
    int rc = 0;
    int none = 0;
    (void)arg;
    ambit_scope (cx, pair, &rc, .name = "pair") {
        ambit_spawn_with(pair, stuck, &none, .name = "left");
        ambit_spawn_with(pair, stuck, &none, .name = "right");
    }
    return rc;
}

void lab_relax(void); /* spec/lab/os.h */

static void nothing_happens(struct lab *lab, struct lab_event *event)
{
    (void)lab;
    (void)event;
}

/* How far time moves while the only thread looks again and again. */
static int64_t moved_by_looking(unsigned times)
{
    struct lab lab;
    struct lab_event later;
    lab_begin(&lab, &(struct lab_options){.picker = NULL});
    int64_t before = lab.now_ns;
    lab_at(&lab, &later, before + 5, nothing_happens);
    while (times-- > 0) {
        lab_relax();
    }
    int64_t moved = lab.now_ns - before;
    lab_not_at(&later);
    lab_end(&lab);
    return moved;
}

/* Goal: who waits in a loop has a last look before time moves on. */
Spec(LAB_TIME_1, who_spins_looks_once_more)
{
    cr_assert(moved_by_looking(1) == 0);
    cr_assert(moved_by_looking(2) == 5);
}

/* Goal: who hangs is named, with what it waits for. */
Spec(LAB_DEADLOCK_1, each_task_that_hangs_is_named)
{
    struct ambit_exploration e;
    cr_assert(ambit_explore(two_stuck, NULL, &e, .seeds = 1) ==
              -ENOTRECOVERABLE);
    cr_assert(strstr(e.text, "\"left\" in region 2 \"pair\" waits for a timer"),
              "%s", e.text);
    cr_assert(strstr(e.text, "\"right\" in region 2 \"pair\" waits for"), "%s",
              e.text);
    cr_assert(strstr(e.text, "the children of a region"), "%s", e.text);
}

/* --- time -------------------------------------------------------------------- */

struct note_left {
    ambit_time sent;
    bool got;
};

static int note_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    *(struct note_left **)state = *(struct note_left *const *)arg;
    return 0;
}

static int note_handle(ambit_cx *cx, void *state, const void *message,
                       size_t size)
{
    struct note_left *note = *(struct note_left **)state;
    (void)cx;
    (void)message;
    (void)size;
    ambit_expect(ambit_now().ns == note->sent.ns);
    note->got = true;
    return 0;
}

static int dozes(ambit_cx *cx, void *arg)
{
    (void)arg;
    return ambit_sleep(cx, ambit_ns(1));
}

/* Timers are armed on all sides while a message is on its way. */
static int late_note(ambit_cx *cx, void *arg)
{
    static const struct ambit_actor_type type = {
        .init = note_init,
        .handle = note_handle,
        .state_size = sizeof(struct note_left *)};
    struct note_left note = {0};
    struct note_left *here = &note;
    ambit_actor_ref actor;
    int rc = 0;
    int none = 0;
    (void)arg;
    ambit_scope (cx, all, &rc) {
        rc = ambit_actor_start(cx, all, &type, &here, sizeof here, &actor);
        for (int i = 0; rc == 0 && i < 3; i++) {
            ambit_spawn(all, dozes, &none);
        }
        note.sent = ambit_now();
        rc = rc == 0 ? ambit_try_send(actor, &none, sizeof none) : rc;
        while (rc == 0 && !note.got) {
            rc = ambit_yield(cx);
        }
        ambit_cancel(all, "done");
    }
    return 0;
}

/* Goal: time never overtakes what is under way.
 * Method: a message crosses workers while others sleep for a nanosecond; it is
 * handled at the time it was sent. */
Spec(LAB_TIME_1, no_deadline_overtakes_a_message)
{
    struct ambit_exploration e;
    int rc = ambit_explore(late_note, NULL, &e, .workers = 3, .seeds = 500);
    cr_assert(rc == 0, "%s", e.text);
}
