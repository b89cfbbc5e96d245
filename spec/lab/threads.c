/* SPDX-License-Identifier: MIT */
/*
 * threads.c -- many threads in one, one at a time.
 *
 *   READY --lab_wait()--> WAITING --lab_wake(), or its time--> READY
 *     '--body returns--> ENDED
 *
 * A thread gives way at points (before an atomic operation), where it spins,
 * and where it waits.  Who goes on is the picker's choice.  When nobody can,
 * the next event happens; when there is none either, the program hangs, and the
 * lab says who waits for what.
 */
#include "spec/lab/lab.h"

#include "spec/oracle/oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define RELAXED_MAX 1000
#define ALONE_MAX 20000

__thread struct lab *lab_self;

void lab_point_slow(void);
void lab_relax(void);

void lab_fail(const char *format, ...)
{
    static char text[4096]; /* not on a task's stack */
    struct lab *lab = lab_self;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    lab->quiet = true;
    if (lab->options.failed != NULL) {
        lab->options.failed(lab->options.failed_user, text);
    }
    fprintf(stderr, "lab: %s\n", text);
    abort();
}

void lab_describe(struct lab *lab, char *ret_text, size_t room)
{
    size_t at = 0;
    ret_text[0] = '\0';
    for (uint32_t i = 0; i < lab->thread_count && at < room; i++) {
        static const char *const states[] = {"can run", "waits", "has ended"};
        struct lab_thread *thread = lab->threads[i];
        at += (size_t)snprintf(ret_text + at, room - at, "%s%s %s",
                               i > 0 ? ", " : "", thread->name,
                               states[thread->state]);
    }
    if (at < room) {
        oracle_describe_tasks(lab, ret_text + at, room - at);
    }
}

/* --- switching ------------------------------------------------------------- */

static void check_invariant(struct lab *lab)
{
    if (lab->options.invariant != NULL) {
        const char *wrong =
            lab->options.invariant(lab->options.invariant_user);
        if (wrong != NULL) {
            lab_fail("invariant: %s", wrong);
        }
    }
}

static void switch_to(struct lab *lab, struct lab_thread *next)
{
    struct lab_thread *from = lab->current;
    if (next == from) {
        return;
    }
    lab_trace(lab, TRACE_SWITCH, from->id, next->id);
    lab->switches++;
    lab->alone = 0;
    lab->relaxed = 0;
    from->worker = worker_self;
    lab->current = next;
    worker_self = next->worker;
    fiber_init_thread(&from->here);
    struct fiber *to = next->begun ? &next->here : &next->first;
    next->begun = true;
    fiber_switch(&from->here, to);
    check_invariant(lab);
}

static void expire(struct lab *lab)
{
    for (uint32_t i = 0; i < lab->thread_count; i++) {
        struct lab_thread *thread = lab->threads[i];
        if (thread->state == LAB_THREAD_WAITING &&
            thread->until_ns <= lab->now_ns) {
            thread->state = LAB_THREAD_READY;
        }
    }
}

/* Nobody can run: time goes on to what comes next. */
static void advance(struct lab *lab)
{
    int64_t next = lab_event_next(lab);
    for (uint32_t i = 0; i < lab->thread_count; i++) {
        struct lab_thread *thread = lab->threads[i];
        if (thread->state == LAB_THREAD_WAITING && thread->until_ns < next) {
            next = thread->until_ns;
        }
    }
    if (next == LAB_NEVER) {
        static char who[3072];
        lab_describe(lab, who, sizeof who);
        RULE(LAB_DEADLOCK_1);
        lab_fail("deadlock: nothing can happen any more (%s)", who);
    }
    if (next > lab->now_ns) {
        RULE(LAB_TIME_1);
        lab->now_ns = next;
        lab_trace(lab, TRACE_TIME, (uint64_t)next, 0);
    }
    expire(lab);
}

/* The ready ones, the one after `lab->current` first; and the kernel last. */
static unsigned candidates(struct lab *lab, bool self,
                           struct lab_thread **ret_threads, uint32_t *ret_ids)
{
    unsigned n = 0;
    uint32_t first = 0;
    while (lab->threads[first] != lab->current) {
        first++;
    }
    for (uint32_t i = self ? 0 : 1; i < lab->thread_count; i++) {
        struct lab_thread *thread =
            lab->threads[(first + i) % lab->thread_count];
        if (thread->state == LAB_THREAD_READY) {
            ret_ids[n] = thread->id;
            ret_threads[n++] = thread;
        }
    }
    if (lab_event_is_due(lab)) {
        ret_ids[n] = 0;
        ret_threads[n++] = NULL;
    }
    return n;
}

/* The current thread cannot go on. */
static void give_way(struct lab *lab)
{
    struct lab_thread *threads[LAB_THREADS_MAX + 1];
    uint32_t ids[LAB_THREADS_MAX + 1];
    for (;;) {
        unsigned n = candidates(lab, true, threads, ids);
        if (n == 0) {
            advance(lab);
            continue;
        }
        unsigned i = n > 1 ? lab_choose(lab, LAB_NEXT, n, ids) : 0;
        if (threads[i] != NULL) {
            switch_to(lab, threads[i]);
            return;
        }
        lab_event_run(lab);
    }
}

static void count_point(struct lab *lab)
{
    if (++lab->points > lab->options.points_max) {
        static char who[3072];
        lab_describe(lab, who, sizeof who);
        lab_fail("livelock: %llu points without an end (%s)",
                 (unsigned long long)lab->points, who);
    }
}

void lab_point_slow(void)
{
    struct lab *lab = lab_self;
    struct lab_thread *threads[LAB_THREADS_MAX + 1];
    uint32_t ids[LAB_THREADS_MAX + 1];
    if (lab->quiet) {
        return;
    }
    count_point(lab);
    if (lab->options.coarse) {
        return;
    }
    unsigned n = candidates(lab, true, threads, ids);
    if (n < 2) {
        return;
    }
    if (++lab->alone > ALONE_MAX) { /* no system is that unfair */
        lab->alone = 0;
        lab_relax();
        return;
    }
    unsigned i = lab_choose(lab, LAB_SWITCH, n, ids);
    if (threads[i] != NULL) {
        switch_to(lab, threads[i]);
    } else {
        lab_event_run(lab);
    }
}

void lab_relax(void)
{
    struct lab *lab = lab_self;
    struct lab_thread *threads[LAB_THREADS_MAX + 1];
    uint32_t ids[LAB_THREADS_MAX + 1];
    if (lab == NULL) {
        sched_yield();
        return;
    }
    count_point(lab);
    struct lab_picker *picker = lab->options.picker;
    if (picker != NULL && picker->spins != NULL) {
        picker->spins(picker, lab->current->id);
    }
    unsigned n = candidates(lab, false, threads, ids);
    if (n == 0) {
        if (++lab->relaxed > RELAXED_MAX) {
            lab_fail("thread %s spins, and nobody else can run",
                     lab->current->name);
        }
        if (lab->relaxed > 1) { /* what it waits for may be there by now */
            RULE(LAB_TIME_1);
            advance(lab);
        }
        return;
    }
    unsigned i = n > 1 ? lab_choose(lab, LAB_NEXT, n, ids) : 0;
    if (threads[i] != NULL) {
        switch_to(lab, threads[i]);
    } else {
        lab_event_run(lab);
    }
}

bool lab_wait(struct lab *lab, const void *what, int64_t until_ns)
{
    struct lab_thread *self = lab->current;
    self->state = LAB_THREAD_WAITING;
    self->waits_for = what;
    self->until_ns = until_ns;
    self->woken = false;
    if (until_ns <= lab->now_ns) {
        self->state = LAB_THREAD_READY;
    }
    give_way(lab);
    self->waits_for = NULL;
    return self->woken;
}

void lab_wake(struct lab *lab, struct lab_thread *thread)
{
    (void)lab;
    if (thread->state == LAB_THREAD_WAITING) {
        thread->state = LAB_THREAD_READY;
        thread->woken = true;
        thread->waits_for = NULL;
    }
}

static bool waits_for(const struct lab_thread *thread, const void *what)
{
    return thread->state == LAB_THREAD_WAITING && thread->waits_for == what;
}

void lab_wake_all(struct lab *lab, const void *what)
{
    for (uint32_t i = 0; i < lab->thread_count; i++) {
        if (waits_for(lab->threads[i], what)) {
            lab_wake(lab, lab->threads[i]);
        }
    }
}

void lab_wake_one(struct lab *lab, const void *what)
{
    for (uint32_t i = 0; i < lab->thread_count; i++) {
        if (waits_for(lab->threads[i], what)) {
            lab_wake(lab, lab->threads[i]);
            return;
        }
    }
}

/* --- the life of a thread -------------------------------------------------- */

static void thread_entry(void *arg)
{
    struct lab_thread *self = arg;
    struct lab *lab = lab_self;
    self->body(self->arg);
    self->state = LAB_THREAD_ENDED;
    lab_wake_all(lab, self);
    give_way(lab);
    lab_fail("thread %s has ended and was continued", self->name);
}

static struct lab_thread *thread_make(struct lab *lab, const char *name)
{
    if (lab->thread_count == LAB_THREADS_MAX) {
        return NULL;
    }
    struct lab_thread *thread = calloc(1, sizeof *thread);
    thread->id = lab->thread_count + 1;
    snprintf(thread->name, sizeof thread->name, "%s", name);
    lab->threads[lab->thread_count++] = thread;
    return thread;
}

struct lab_thread *lab_thread_start(struct lab *lab, void *(*body)(void *),
                                    void *arg)
{
    struct lab_thread *thread = thread_make(lab, "thread");
    if (thread == NULL) {
        return NULL;
    }
    thread->body = body;
    thread->arg = arg;
    thread->stack = mmap(NULL, LAB_STACK_SIZE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    fiber_init(&thread->first, thread->stack, LAB_STACK_SIZE, thread_entry,
               thread);
    return thread;
}

static void thread_free(struct lab_thread *thread)
{
    if (thread->stack != NULL) {
        fiber_fini(&thread->first);
        munmap(thread->stack, LAB_STACK_SIZE);
    }
    free(thread);
}

void lab_begin(struct lab *lab, const struct lab_options *options)
{
    *lab = (struct lab){.options = *options,
                        .now_ns = LAB_BEGINS_NS,
                        .code_meant = -1};
    if (lab->options.points_max == 0) {
        lab->options.points_max = 20000000;
    }
    list_init(&lab->events);
    list_init(&lab->rings);
    lab->trace = lab_trace_begin();
    lab->things = things_begin();
    lab_fds_begin(lab);
    lab->current = thread_make(lab, "main");
    lab->current->begun = true;
    lab_self = lab;
}

/* What is still on its way to nobody arrives. */
static void drain(struct lab *lab)
{
    while (lab_event_next(lab) != LAB_NEVER) {
        if (lab->now_ns < lab_event_next(lab)) {
            lab->now_ns = lab_event_next(lab);
        }
        lab_event_run(lab);
    }
}

void lab_end(struct lab *lab)
{
    drain(lab);
    for (uint32_t i = 0; i < lab->thread_count; i++) {
        struct lab_thread *thread = lab->threads[i];
        if (thread != lab->current && thread->state != LAB_THREAD_ENDED) {
            lab_fail("thread %s was left running", thread->name);
        }
    }
    if (lab->memory.live != 0 || lab->memory.mapped != 0) {
        lab_fail("memory was left behind: %lld blocks, %lld bytes of maps",
                 (long long)lab->memory.live, (long long)lab->memory.mapped);
    }
    lab_rings_end(lab);
    lab_fds_end(lab);
    lab_self = NULL;
    for (uint32_t i = 0; i < lab->thread_count; i++) {
        thread_free(lab->threads[i]);
    }
    things_end(lab->things);
    lab_trace_end(lab->trace);
}
