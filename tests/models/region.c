/* SPDX-License-Identifier: MIT */
/*
 * region.c -- regions/word.h: the host sees all that its children did.
 *
 * With:
 * Fault: regions/word.h /word_close/,/^}/s/from & REGION_COUNTS/from \& 0/
 * Fault: regions/word.h /word_leave/,/^}/s/ && (to & REGION_WAITED) != 0//
 * Fault: regions/word.h /word_wait/,/^}/s/return WORD_EMPTY/break/
 */
#include "regions/word.h"

#include "tests/models/model.h"

static _Atomic uint64_t word;
static struct bell host_bell;
static int done[THREADS]; /* by each child, before it leaves */
static bool entered[THREADS], closed;

static void setup(void)
{
    memset(&host_bell, 0, sizeof host_bell);
    memset(done, 0, sizeof done);
    memset(entered, 0, sizeof entered);
    closed = false;
    atomic_init(&word, 0);
}

static void setup_1(void)
{
    setup();
    MUST(word_enter(&word, REGION_TASK, 8) == WORD_ENTERED);
}

static void setup_2(void)
{
    setup_1();
    MUST(word_enter(&word, REGION_CHILD, 8) == WORD_ENTERED);
}

static void setup_full(void)
{
    setup();
}

/* region_join() */
static void host(void)
{
    while (word_close(&word) == WORD_BUSY) {
        if (word_wait(&word) == WORD_WAITS) {
            bell_wait(&host_bell);
        }
    }
    closed = true;
    for (int i = 1; i < THREADS; i++) {
        MUST(done[i] == 0 || done[i] == 1); /* races, if nothing orders it */
    }
}

static void leave(uint64_t unit)
{
    done[explore_self()] = 1;
    if (word_leave(&word, unit) == WORD_LEFT_LAST) {
        bell_ring(&host_bell);
    }
}

static void task(void)
{
    leave(REGION_TASK);
}

static void child(void)
{
    leave(REGION_CHILD);
}

/* A task that spawns another one, which leaves at once. */
static void spawner(void)
{
    enum word_entered how = word_enter(&word, REGION_TASK, 8);
    MUST(how == WORD_ENTERED);
    leave(REGION_TASK);
    leave(REGION_TASK);
}

/* One that takes three places at once, fills one, and gives back what is left
 * with its own. */
static void seated(void)
{
    enum word_entered how =
        word_enter(&word, 3 * REGION_TASK, REGION_TASKS_MAX);
    MUST(how == WORD_ENTERED);
    leave(REGION_TASK);
    leave(3 * REGION_TASK);
}

/* Spawns by a handle, from outside. */
static void outsider(void)
{
    if (word_enter(&word, REGION_TASK, 1) == WORD_ENTERED) {
        entered[explore_self()] = true;
        done[explore_self()] = 1;
        if (word_leave(&word, REGION_TASK) == WORD_LEFT_LAST) {
            bell_ring(&host_bell);
        }
    }
}

static void empty(void)
{
    MUST(closed);
    MUST((word_load(&word) & REGION_COUNTS) == 0);
    MUST(host_bell.rings == 0);
}

static const struct scenario scenarios[] = {
    {"a task leaves", setup_1, {host, task}, empty, 6, 4},
    {"a task and a child leave", setup_2, {host, task, child}, empty, 4, 1},
    {"a task spawns", setup_1, {host, spawner}, empty, 5, 3},
    {"a task takes places in advance", setup_1, {host, seated}, empty, 5, 3},
    {"two from outside, room for one",
     setup_full,
     {host, outsider, outsider},
     empty,
     3,
     1},
};

int main(int argc, char **argv)
{
    return model_main(argc, argv, scenarios, ARRAY_LEN(scenarios));
}
