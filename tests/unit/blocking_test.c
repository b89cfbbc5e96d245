/* SPDX-License-Identifier: MIT */
/*
 * blocking_test.c -- as many threads as the work needs, and no job lost.
 *
 * Jobs wait at a gate, so a test decides when they end.
 */
#include "tests/harness/test.h"

#include "src/blocking.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define PATIENCE_MS 20000

/* An idle time that no test lives to see: who waits for it, hangs. */
#define NEVER_MS 3600000

/* A gate that jobs wait at, and the books they keep. */
struct gate {
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t changed;
    bool open;
    unsigned inside;
    unsigned inside_max;
    unsigned done;
};

struct gated_job {
    struct blocking_job job;
    struct gate *gate;
    unsigned runs;
    pthread_t ran_on;
};

static struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER,
                           .changed = PTHREAD_COND_INITIALIZER};

static void pass_gate(struct blocking_job *base)
{
    struct gated_job *job = CONTAINER_OF(base, struct gated_job, job);
    struct gate *g = job->gate;
    pthread_mutex_lock(&g->lock);
    job->runs++;
    job->ran_on = pthread_self();
    g->inside++;
    g->inside_max = g->inside > g->inside_max ? g->inside : g->inside_max;
    pthread_cond_broadcast(&g->changed);
    while (!g->open) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    g->inside--;
    g->done++;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void gate_set(bool open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static void wait_inside(unsigned inside)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.inside != inside) {
        pthread_cond_wait(&gate.changed, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
}

static void wait_done(unsigned done)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.done != done) {
        pthread_cond_wait(&gate.changed, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
}

static struct blocking_pool *pool_create(unsigned threads, unsigned queue,
                                         unsigned idle_ms)
{
    struct blocking_options options = {.threads_max = threads,
                                       .queue_max = queue,
                                       .idle_ms = idle_ms,
                                       .thread_prefix = "test-b"};
    struct blocking_pool *pool = NULL;
    cr_assert_eq(blocking_pool_create(&pool, &options), 0);
    return pool;
}

static int submit(struct blocking_pool *pool, struct gated_job *job)
{
    job->job.run = pass_gate;
    job->gate = &gate;
    return blocking_submit(pool, &job->job);
}

static void pause_ms(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Polls a condition that no job can signal. */
static bool comes_to(struct blocking_pool *pool, unsigned threads)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (blocking_threads(pool) == threads) {
            return true;
        }
        pause_ms();
    }
    return false;
}

/* Goal: bounds of zero are refused.  Method: each. */
Test(blocking, create_refuses_bounds_of_zero)
{
    struct blocking_pool *pool;
    struct blocking_options none = {.threads_max = 0, .queue_max = 1};
    cr_assert_eq(blocking_pool_create(&pool, &none), -EINVAL);
    none = (struct blocking_options){.threads_max = 1, .queue_max = 0};
    cr_assert_eq(blocking_pool_create(&pool, &none), -EINVAL);
    blocking_pool_destroy(NULL);
}

/* Goal: never more threads than threads_max, and each job runs once.  Method:
 * 64 jobs held at a gate, 8 threads. */
Test(blocking, runs_64_jobs_on_8_threads)
{
    static struct gated_job jobs[64];
    int threads = test_threads();
    struct blocking_pool *pool = pool_create(8, 64, 10000);
    cr_assert_eq(blocking_threads(pool), 0);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        cr_assert_eq(submit(pool, &jobs[i]), 0);
    }
    wait_inside(8);
    cr_assert_eq(blocking_threads(pool), 8);
    gate_set(true);
    wait_done(64);
    cr_assert_eq(gate.inside_max, 8);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        cr_assert_eq(jobs[i].runs, 1);
    }
    blocking_pool_destroy(pool);
    cr_assert(test_threads_back_to(threads));
    test_no_leaks();
}

/* Goal: the last thread to go idle works first, so that the others end.
 * Method: let six go idle, then one job at a time, a thousand a second at most:
 * one that waits for a cpu when it has just finished is not idle yet, and
 * others are called meanwhile; but not all the time. */
Test(blocking, spare_threads_end_under_a_light_load)
{
    static struct gated_job jobs[6];
    struct blocking_pool *pool = pool_create(8, 8, 50);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        cr_assert_eq(submit(pool, &jobs[i]), 0);
    }
    wait_inside(ARRAY_LEN(jobs));
    gate_set(true);
    wait_done(ARRAY_LEN(jobs));
    unsigned done = ARRAY_LEN(jobs);
    unsigned threads;
    int ms = 0;
    do {
        cr_assert_eq(submit(pool, &jobs[0]), 0);
        wait_done(++done);
        pause_ms();
        threads = blocking_threads(pool);
    } while (threads > 2 && ++ms < PATIENCE_MS);
    cr_assert(threads <= 2, "%u threads", threads);
    blocking_pool_destroy(pool);
}

/* Goal: spare threads end after idle_ms, and the pool works again afterwards.
 * Method: poll the count of threads, with a deadline. */
Test(blocking, idle_threads_exit)
{
    static struct gated_job jobs[6];
    int threads = test_threads();
    struct blocking_pool *pool = pool_create(6, 6, 5);
    gate_set(true);
    for (unsigned round = 1; round <= 3; round++) {
        gate_set(false);
        for (size_t i = 0; i < 6; i++) {
            cr_assert_eq(submit(pool, &jobs[i]), 0);
        }
        wait_inside(6);
        cr_assert_eq(blocking_threads(pool), 6);
        gate_set(true);
        wait_done(6 * round);
        cr_assert(comes_to(pool, 0));
    }
    /* At most one that has ended is not joined yet, and it is gone too. */
    cr_assert(test_threads_back_to(threads));
    blocking_pool_destroy(pool);
    test_no_leaks();
}

/* Goal: queue_max jobs may wait, one more is refused, and after a refusal there
 * is room again.  Method: below, at and above the limit, with every thread held
 * at the gate. */
Test(blocking, refuses_a_job_beyond_the_queue)
{
    static struct gated_job jobs[2 + 3 + 1];
    struct blocking_pool *pool = pool_create(2, 3, 10000);
    for (size_t i = 0; i < 5; i++) {
        cr_assert_eq(submit(pool, &jobs[i]), 0, "job %zu", i);
    }
    cr_assert_eq(submit(pool, &jobs[5]), -EAGAIN);
    wait_inside(2);
    cr_assert_eq(submit(pool, &jobs[5]), -EAGAIN);
    cr_assert_eq(blocking_threads(pool), 2);
    gate_set(true);
    wait_done(5);
    cr_assert_eq(jobs[5].runs, 0);
    cr_assert_eq(submit(pool, &jobs[5]), 0);
    wait_done(6);
    cr_assert_eq(jobs[5].runs, 1);
    blocking_pool_destroy(pool);
}

/* Goal: a job for which a thread was started does not count as waiting, though
 * the thread may come late.  Method: a queue of one, and as many jobs at once
 * as there may be threads. */
Test(blocking, a_job_with_a_thread_needs_no_place)
{
    static struct gated_job jobs[48];
    struct blocking_pool *pool = pool_create(ARRAY_LEN(jobs), 1, NEVER_MS);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        cr_assert_eq(submit(pool, &jobs[i]), 0, "job %zu", i);
    }
    wait_inside(ARRAY_LEN(jobs));
    cr_assert_eq(blocking_threads(pool), ARRAY_LEN(jobs));
    gate_set(true);
    blocking_pool_destroy(pool);
    cr_assert_eq(gate.done, ARRAY_LEN(jobs));
}

/* Goal: a job that waits can be taken back, and leaves its place to another;
 * one that has begun cannot.  Method: one thread held at the gate, a full
 * queue. */
Test(blocking, a_waiting_job_can_be_taken_back)
{
    static struct gated_job jobs[4];
    struct blocking_pool *pool = pool_create(1, 2, NEVER_MS);
    cr_assert_eq(submit(pool, &jobs[0]), 0);
    wait_inside(1);
    cr_assert_eq(submit(pool, &jobs[1]), 0);
    cr_assert_eq(submit(pool, &jobs[2]), 0);
    cr_assert_eq(submit(pool, &jobs[3]), -EAGAIN);
    cr_assert(!blocking_cancel(pool, &jobs[0].job));
    cr_assert(blocking_cancel(pool, &jobs[1].job));
    cr_assert(!blocking_cancel(pool, &jobs[1].job));
    cr_assert_eq(submit(pool, &jobs[3]), 0);
    gate_set(true);
    wait_done(3);
    cr_assert(!blocking_cancel(pool, &jobs[2].job));
    blocking_pool_destroy(pool);
    cr_assert_eq(jobs[1].runs, 0);
    cr_assert_eq(jobs[0].runs + jobs[2].runs + jobs[3].runs, 3);
}

static void *open_later(void *arg)
{
    (void)arg;
    wait_inside(2);
    gate_set(true);
    return NULL;
}

/* Goal: destroy runs what is queued, and waits for no idle time.  Method:
 * destroy with jobs in the queue and the gate shut; another thread opens it. */
Test(blocking, destroy_drains_the_queue)
{
    static struct gated_job jobs[50];
    pthread_t opener;
    struct blocking_pool *pool = pool_create(2, 50, NEVER_MS);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        cr_assert_eq(submit(pool, &jobs[i]), 0);
    }
    pthread_create(&opener, NULL, open_later, NULL);
    blocking_pool_destroy(pool);
    pthread_join(opener, NULL);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        cr_assert_eq(jobs[i].runs, 1);
    }
    test_no_leaks();
}

static struct blocking_pool *chain_pool;
static struct blocking_job chain_jobs[100];

static void submit_next(struct blocking_job *job)
{
    size_t next = (size_t)(job - chain_jobs) + 1;
    if (next < ARRAY_LEN(chain_jobs)) {
        chain_jobs[next].run = submit_next;
        ASSERT(blocking_submit(chain_pool, &chain_jobs[next]) == 0);
    }
    pthread_mutex_lock(&gate.lock);
    gate.done++;
    pthread_mutex_unlock(&gate.lock);
}

/* Goal: what a job submits while the pool is destroyed runs, too.  Method: a
 * chain of jobs, each submitting the next, and destroy at once. */
Test(blocking, destroy_runs_what_jobs_submit)
{
    chain_pool = pool_create(3, 100, NEVER_MS);
    chain_jobs[0].run = submit_next;
    cr_assert_eq(blocking_submit(chain_pool, &chain_jobs[0]), 0);
    blocking_pool_destroy(chain_pool);
    cr_assert_eq(gate.done, ARRAY_LEN(chain_jobs));
}

static sigset_t mask_of_thread;
static char name_of_thread[16];

static void look_around(struct blocking_job *job)
{
    (void)job;
    pthread_sigmask(SIG_SETMASK, NULL, &mask_of_thread);
    pthread_getname_np(pthread_self(), name_of_thread, sizeof name_of_thread);
}

/* Goal: pool threads have their names, and no signal reaches them.  Method: a
 * job that looks; and this thread's mask is as before. */
Test(blocking, threads_have_names_and_no_signals)
{
    sigset_t before;
    sigset_t after;
    struct blocking_job job = {.run = look_around};
    sigfillset(&before);
    sigdelset(&before, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    struct blocking_pool *pool = pool_create(1, 1, 10000);
    cr_assert_eq(blocking_submit(pool, &job), 0);
    blocking_pool_destroy(pool);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int s = 1; s < 32; s++) {
        cr_assert_eq(sigismember(&before, s), sigismember(&after, s));
        if (s != SIGKILL && s != SIGSTOP) {
            cr_assert_eq(sigismember(&mask_of_thread, s), 1, "signal %d", s);
        }
    }
    cr_assert_str_eq(name_of_thread, "test-b0");
}

static void count_run(struct blocking_job *base)
{
    struct gated_job *job = CONTAINER_OF(base, struct gated_job, job);
    ASSERT(job->runs == 0);
    job->runs = 1;
}

struct submitter {
    pthread_t thread;
    struct blocking_pool *pool;
    struct gated_job *jobs;
    size_t jobs_len;
};

static void *submit_all(void *arg)
{
    struct submitter *self = arg;
    for (size_t i = 0; i < self->jobs_len; i++) {
        self->jobs[i].job.run = count_run;
        while (blocking_submit(self->pool, &self->jobs[i].job) == -EAGAIN) {
            sched_yield();
        }
    }
    return NULL;
}

/* Goal: no job is lost or doubled with many submitters, and threads that come
 * and go all the time.  Method: an idle time of zero, a short queue. */
Test(blocking, loses_no_job_under_stress)
{
    enum { SUBMITTERS = 4 };
    struct submitter submitters[SUBMITTERS];
    size_t jobs_len = (size_t)test_rounds(10000);
    int threads = test_threads();
    struct blocking_pool *pool = pool_create(3, 4, 0);
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i].pool = pool;
        submitters[i].jobs_len = jobs_len;
        submitters[i].jobs = calloc(jobs_len, sizeof(struct gated_job));
        pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]);
    }
    for (size_t i = 0; i < SUBMITTERS; i++) {
        pthread_join(submitters[i].thread, NULL);
    }
    blocking_pool_destroy(pool);
    for (size_t i = 0; i < SUBMITTERS; i++) {
        for (size_t j = 0; j < jobs_len; j++) {
            cr_assert_eq(submitters[i].jobs[j].runs, 1);
        }
        free(submitters[i].jobs);
    }
    cr_assert(test_threads_back_to(threads));
    test_no_leaks();
}
