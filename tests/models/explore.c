/* SPDX-License-Identifier: MIT */
/*
 * explore.c -- every run of a scenario, one after the other.
 *
 * A run is a list of choices: which thread goes on, which value a load returns.
 * It is repeated up to its last choice that has an alternative left, takes that
 * one, and goes on with the first of each: depth first, nothing left out within
 * the bounds, nothing run twice.  The threads are fibers on one thread, so a
 * run depends on its choices only.
 */
#include "tests/models/model.h"

#include "src/fiber.h"
#include "tests/models/search.h"

#include <stdio.h>
#include <stdlib.h>

#define CHOICES 4096
#define STEPS 3000 /* of one run: more is a loop that never ends */
#define STACK (64 * 1024)

enum state {
    READY,
    WAITS,      /* for a ring */
    WAITS_IDLE, /* likewise, and may for ever */
    ENDED,
};

struct runner {
    struct fiber fiber;
    void (*body)(void);
    enum state state;
    struct bell *bell;
    bool gave_way;   /* since the last write of anyone */
    _Alignas(64) unsigned char stack[STACK];
};

bool explore_running;
bool explore_tracing;
struct site *explore_sites;
void (*model_resumed)(unsigned thread);

static struct runner runners[THREADS];
static struct fiber home;
static unsigned self, thread_count;
static unsigned switches_left, stale_left;
static unsigned steps;
static const char *failure;

static struct {
    uint8_t count, taken;
} choices[CHOICES];
static unsigned choice_count, choice_at;

unsigned explore_self(void)
{
    return self;
}

/* --- choices -------------------------------------------------------------- */

unsigned explore_choose(unsigned count)
{
    if (count <= 1) {
        return 0;
    }
    if (choice_at == choice_count) {
        if (choice_count == CHOICES) {
            model_fail("more choices than the model has room for");
        }
        choices[choice_count].count = (uint8_t)count;
        choices[choice_count].taken = 0;
        choice_count++;
    }
    return choices[choice_at++].taken;
}

unsigned explore_choose_stale(unsigned count)
{
    if (!explore_running || stale_left == 0) {
        return 0;
    }
    unsigned age = explore_choose(count);
    stale_left -= age > 0;
    return age;
}

/* The next run, or false: there was the last one. */
static bool next_choices(void)
{
    while (choice_count > 0) {
        unsigned last = choice_count - 1;
        if (++choices[last].taken < choices[last].count) {
            return true;
        }
        choice_count--;
    }
    return false;
}

/* --- threads -------------------------------------------------------------- */

static void go_home(void)
{
    struct fiber *from = self == 0 ? NULL : &runners[self].fiber;
    if (from == NULL) {
        longjmp(search_out, 1);
    }
    fiber_switch(from, &home);
}

void model_fail(const char *why)
{
    if (failure == NULL) {
        failure = why;
        if (explore_tracing) {
            fprintf(stderr, "    thread %u: %s\n", self, why);
        }
    }
    go_home();
    abort();
}

_Noreturn void base_die(const char *file, int line, const char *what)
{
    if (explore_tracing) {
        fprintf(stderr, "    %s:%d\n", file, line);
    }
    model_fail(what);
    abort();
}

static bool can_run(unsigned i)
{
    struct runner *r = &runners[i];
    return r->state == READY || (r->state != ENDED && r->bell->rings > 0);
}

static void switch_to(unsigned next)
{
    if (next == self) {
        return;
    }
    unsigned from = self;
    self = next;
    fiber_switch(&runners[from].fiber, &runners[next].fiber);
    if (model_resumed != NULL) {
        model_resumed(self);
    }
}

/* Those that could go on instead; with `fresh`, none that gave way in vain. */
static unsigned others(unsigned *ret_list, bool fresh)
{
    unsigned n = 0;
    for (unsigned i = 1; i <= thread_count; i++) {
        if (i != self && can_run(i) && !(fresh && runners[i].gave_way)) {
            ret_list[n++] = i;
        }
    }
    return n;
}

void explore_step(void)
{
    if (!explore_running) {
        return;
    }
    if (++steps > STEPS) {
        model_fail("a loop does not end");
    }
    if (switches_left == 0) {
        return;
    }
    unsigned list[THREADS];
    unsigned n = others(list, false);
    unsigned pick = explore_choose(n + 1);
    if (pick > 0) {
        switches_left--;
        switch_to(list[pick - 1]);
    }
}

void explore_wrote(void)
{
    for (unsigned i = 1; i <= thread_count; i++) {
        runners[i].gave_way = false;
    }
}

/* This one cannot go on: another has to, which costs nothing. */
static void give_up_turn(bool fresh)
{
    unsigned list[THREADS];
    unsigned n = others(list, fresh);
    if (n == 0 && fresh) {
        n = others(list, false);
    }
    if (n > 0) {
        switch_to(list[explore_choose(n)]);
    } else if (!can_run(self)) {
        go_home(); /* nobody can: the end, good or bad */
    }
}

void explore_yield(void)
{
    if (!explore_running) {
        model_fail("a wait for others, but there are none");
    }
    if (++steps > STEPS) {
        model_fail("a loop does not end");
    }
    runners[self].gave_way = true;
    give_up_turn(true);
    memory_see_all(self); /* what others wrote arrives some time */
}

static void wait_for(struct bell *bell, enum state state)
{
    runners[self].bell = bell;
    runners[self].state = state;
    while (bell->rings == 0) {
        give_up_turn(false);
    }
    bell->rings--;
    runners[self].state = READY;
    memory_bell(bell, false);
}

void bell_ring(struct bell *bell)
{
    explore_step();
    bell->rings++;
    memory_bell(bell, true);
}

void bell_wait(struct bell *bell)
{
    explore_step();
    wait_for(bell, WAITS);
}

void bell_wait_idle(struct bell *bell)
{
    explore_step();
    wait_for(bell, WAITS_IDLE);
}

static void run_body(void *arg)
{
    struct runner *r = arg;
    if (model_resumed != NULL) {
        model_resumed(self);
    }
    r->body();
    r->state = ENDED;
    memory_hand_over(self, 0);
    give_up_turn(false);
    go_home();
}

/* --- one run -------------------------------------------------------------- */

jmp_buf search_out;

static void run_threads(const struct scenario *s)
{
    for (unsigned i = 1; i <= thread_count; i++) {
        struct runner *r = &runners[i];
        r->body = s->threads[i - 1];
        r->state = READY;
        r->gave_way = false;
        fiber_init(&r->fiber, r->stack, STACK, run_body, r);
        memory_hand_over(0, i);
    }
    explore_running = true;
    self = 1 + explore_choose(thread_count);
    fiber_switch(&home, &runners[self].fiber);
    self = 0;
    explore_running = false;
    for (unsigned i = 1; i <= thread_count; i++) {
        if (failure == NULL && runners[i].state != ENDED &&
            runners[i].state != WAITS_IDLE) {
            failure = "a thread waits for ever";
        }
        memory_hand_over(i, 0);
        fiber_fini(&runners[i].fiber);
    }
    memory_see_all(0);
}

/* NULL: it went well. */
static const char *run_once(const struct scenario *s)
{
    failure = NULL;
    self = 0;
    explore_running = false;
    choice_at = 0;
    steps = 0;
    switches_left = s->switches;
    stale_left = s->stale;
    for (thread_count = 0;
         thread_count < THREADS - 1 && s->threads[thread_count] != NULL;) {
        thread_count++;
    }
    memory_reset();
    if (setjmp(search_out) == 0) {
        if (model_resumed != NULL) {
            model_resumed(0);
        }
        s->setup();
        run_threads(s);
        if (failure == NULL) {
            if (model_resumed != NULL) {
                model_resumed(0);
            }
            s->check();
        }
    }
    return failure;
}

const char *search_scenario(const struct scenario *s, uint64_t runs_max,
                            struct search *ret)
{
    *ret = (struct search){0};
    choice_count = 0;
    fiber_init_thread(&home);
    const char *why;
    do {
        why = run_once(s);
        ret->runs++;
        ret->steps_max = steps > ret->steps_max ? steps : ret->steps_max;
    } while (why == NULL && ret->runs < runs_max && next_choices());
    ret->complete = why == NULL && choice_count == 0;
    fiber_fini_thread(&home);
    return why;
}

void search_show(const struct scenario *s)
{
    explore_tracing = true;
    fiber_init_thread(&home);
    (void)run_once(s); /* the choices are still those of the failure */
    fiber_fini_thread(&home);
    explore_tracing = false;
}

void explore_trace(const struct site *site, const char *what, uint64_t value,
                   unsigned age)
{
    if (explore_tracing) {
        fprintf(stderr, "    %u %s() %s %s %#llx%s\n", self, site->function,
                site->text, what, (unsigned long long)value,
                age > 0 ? " (older)" : "");
    }
}
