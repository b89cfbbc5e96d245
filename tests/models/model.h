/* SPDX-License-Identifier: MIT */
/*
 * model.h -- small programs, run in every order that C11 allows.
 *
 *     static struct deque deque;
 *     static void setup(void) { deque_init(&deque); deque_push(&deque, &a); }
 *     static void owner(void) { got[0] = deque_pop(&deque); }
 *     static void thief(void) { got[1] = deque_steal(&deque, &again); }
 *     static void check(void) { MUST(got[0] == &a || got[1] == &a); }
 *
 *     struct scenario s = {"last item", setup, {owner, thief}, check, ...};
 *
 * memory.c is the memory: each atomic keeps all values it ever had in their
 * order, each thread knows up to where it must have seen them, and a load may
 * return any that is not older.  Releases hand knowledge on, acquires take it;
 * seq_cst accesses and fences agree on the order in which they were run.
 * Plain accesses that nothing orders, and accesses to freed memory, are
 * failures.  explore.c is the search: depth first over all choices, of the
 * thread that goes on and of the value that a load returns.
 *
 * Bounds: switches away from a thread that could go on, and loads that return
 * an older value, are each counted in a run, and limited by the scenario.
 * Not modelled: a store that becomes visible before an earlier load of the same
 * thread is done (load buffering), two stores to one atomic whose order differs
 * from that in which they were run, and consume.
 */
#ifndef AMBIT_TESTS_MODELS_MODEL_H
#define AMBIT_TESTS_MODELS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THREADS 5 /* number 0 sets up and checks */
#define LOCATIONS 96

/* --- what the sources under test call ------------------------------------- */

enum site_kind {
    SITE_LOAD,
    SITE_STORE,
    SITE_RMW,
    SITE_CAS,
    SITE_FENCE,
};

/* A place in the source. */
struct site {
    enum site_kind kind;
    const char *text; /* what is accessed */
    const char *file;
    const char *function;
    int order;        /* as written */
    int failing;
    struct site *next; /* all that were reached */
    int now;           /* the order that counts: weakened, or as written */
    int now_failing;
    bool known;
    bool raced; /* reached while threads run */
};

enum rmw_op {
    RMW_PUT,
    RMW_ADD,
    RMW_SUB,
    RMW_OR,
    RMW_AND,
};

uint64_t memory_load(struct site *site, void *address, size_t size);
void memory_store(struct site *site, void *address, size_t size,
                  uint64_t value);
uint64_t memory_rmw(struct site *site, void *address, size_t size,
                    enum rmw_op op, uint64_t operand);
bool memory_cas(struct site *site, void *address, size_t size,
                uint64_t *expected, uint64_t value, bool weak);
void memory_fence(struct site *site);
void memory_init(void *address, size_t size, uint64_t value);
void memory_plain(const void *address, size_t size, bool write);

/* Never given out twice in a run; what was freed must not be touched, but for
 * its first `kept` bytes. */
void *memory_alloc(size_t size);
void memory_free(void *block);
void memory_free_but(void *block, size_t kept);

void *memory_copy(void *to, const void *from, size_t size);
void *memory_set(void *to, int byte, size_t size);

/* In a loop that waits for another thread. */
void explore_yield(void);

/* --- what scenarios use --------------------------------------------------- */

struct view {
    uint16_t seen[LOCATIONS]; /* per atomic: nothing older than that */
    uint32_t clock[THREADS];  /* what happened before */
};

/* Where a thread sleeps in the kernel, or a task is parked. */
struct bell {
    int rings;
    struct view view;
};

/* Ends what rang it so far; one more wait may go on. */
void bell_ring(struct bell *bell);
void bell_wait(struct bell *bell);
/* The same, but it is no fault if nobody ever rings. */
void bell_wait_idle(struct bell *bell);

struct scenario {
    const char *name;
    void (*setup)(void);
    void (*threads[THREADS - 1])(void);
    void (*check)(void); /* after all threads have ended, or wait idly */
    unsigned switches;   /* away from a thread that could go on; at most */
    unsigned stale;      /* loads of an older value; at most */
};

unsigned explore_self(void); /* 1 .. for threads, 0 for setup and check */

/* Ends the run as a failure. */
void model_fail(const char *why);
#define MUST(cond) \
    do { \
        if (!(cond)) { \
            model_fail("not so: " #cond); \
        } \
    } while (0)

/* Runs when a thread goes on after others ran: thread-local variables. */
extern void (*model_resumed)(unsigned thread);

int model_main(int argc, char **argv, const struct scenario *scenarios,
               size_t count);

/* --- between memory.c and explore.c --------------------------------------- */

void memory_reset(void);
/* A thread begins, or ends, knowing what the other knows. */
void memory_hand_over(unsigned from, unsigned to);
void memory_see_all(unsigned thread);
void memory_bell(struct bell *bell, bool rings);

void explore_step(void);
void explore_wrote(void);
unsigned explore_choose(unsigned count);
/* Which of `count` values, 0 the newest. */
unsigned explore_choose_stale(unsigned count);
extern struct site *explore_sites;
extern bool explore_running;
extern bool explore_tracing;
void explore_trace(const struct site *site, const char *what, uint64_t value,
                   unsigned age);

#endif
