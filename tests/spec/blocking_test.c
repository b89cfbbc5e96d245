/* SPDX-License-Identifier: MIT */
/*
 * blocking_test.c -- the pool for calls that block: TASK-BLOCK of
 * spec/task.md.
 */
#include "tests/spec/common.h"

/* A call that says it has begun, and ends when it is let go. */
struct job {
    struct count *begun, *let_go, *ended;
    pid_t worker_thread;
    int result;
};

static int job_run(void *arg)
{
    struct job *job = arg;
    count_up(job->begun);
    WANT(gettid() != job->worker_thread);
    WANT(spin_until(job->let_go, 1));
    count_up(job->ended);
    return job->result;
}

static int job_task(ambit_cx *cx, void *arg)
{
    (void)cx;
    return job_run(arg);
}

/* --- TASK-BLOCK-1 --------------------------------------------------------- */

struct waited_job {
    struct job job;
    struct count *calling, *returned;
    int wanted;
};

static int wait_for_job(ambit_cx *cx, void *arg)
{
    struct waited_job *w = arg;
    w->job.worker_thread = gettid();
    count_up(w->calling);
    WANT_EQ(ambit_blocking(cx, job_run, &w->job), w->wanted);
    count_up(w->returned);
    return 0;
}

static int cancel_running_jobs(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count begun = {0}, let_go = {0}, ended = {0}, returned = {0};
    struct count calling = {0};
    int rc = 0;
    ambit_scope (cx, outer, &rc) {
        ambit_scope (cx, waiting, &rc) {
            struct waited_job w = {
                {&begun, &let_go, &ended, gettid(), 11}, &calling, &returned,
                11};
            WANT_EQ(ambit_spawn(waiting, wait_for_job, &w), 0);
            WANT_EQ(ambit_spawn_with(waiting, job_task, &w.job,
                                     .tier = AMBIT_BLOCKING), 0);
            WANT(until(cx, &begun, 2));
            ambit_cancel(waiting, "it goes on all the same");
            for (int i = 0; i < 100; i++) {
                (void)ambit_yield(cx);
                WANT_EQ(count_get(&returned), 0);
            }
            count_up(&let_go);
        }
        WANT_EQ(count_get(&ended), 2);
        WANT_EQ(count_get(&returned), 1);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a blocking call runs off the workers, and who waits for it waits to
 * its end.  Method: both forms, cancelled while they run; thread ids. */
Spec(TASK_BLOCK_1, a_running_job_is_waited_for_though_cancelled)
{
    spec_on_1_and_2_workers(cancel_running_jobs);
    spec_end("TASK_BLOCK_1");
}

static int double_it(void *arg)
{
    *(int *)arg *= 2;
    return *(int *)arg;
}

static int use_parents_memory(ambit_cx *cx, void *arg)
{
    (void)arg;
    int value = 1;
    for (int i = 0; i < 20; i++) {
        int wanted = value * 2;
        WANT_EQ(ambit_blocking(cx, double_it, &value), wanted);
        WANT_EQ(value, wanted);
    }
    return 0;
}

/* Goal: the result and the writes of the call are the caller's.
 * Method: doubles a local of the caller, 20 times; TSan agrees. */
Spec(TASK_BLOCK_1, a_job_works_on_the_memory_of_its_caller)
{
    spec_on_1_and_2_workers(use_parents_memory);
    spec_end("TASK_BLOCK_1");
}

/* --- TASK-BLOCK-2 --------------------------------------------------------- */

static int cancel_queued_job(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count begun = {0}, let_go = {0}, ended = {0}, returned = {0};
    struct count calling = {0};
    int rc = 0;
    ambit_scope (cx, outer, &rc) {
        struct job job = {&begun, &let_go, &ended, gettid(), 11};
        WANT_EQ(ambit_spawn_with(outer, job_task, &job,
                                 .tier = AMBIT_BLOCKING), 0);
        WANT(until(cx, &begun, 1));
        ambit_scope (cx, queued, &rc) {
            struct waited_job w = {job, &calling, &returned, -ECANCELED};
            WANT_EQ(ambit_spawn(queued, wait_for_job, &w), 0);
            WANT(until(cx, &calling, 1));
            let_others_run(cx);
            ambit_cancel(queued, "no longer wanted");
        }
        WANT_EQ(count_get(&returned), 1); /* though the pool is still busy */
        WANT_EQ(count_get(&begun), 1);
        count_up(&let_go);
    }
    /* outer's job returned 11, which is no failure */
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a job that did not begin never will.
 * Method: one pool thread, busy; the job behind it is cancelled. */
Spec(TASK_BLOCK_2, a_queued_job_that_is_cancelled_never_runs)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        WANT_EQ(spec_run(cancel_queued_job, NULL, .workers = workers,
                         .blocking_threads_max = 1), 0);
    }
    spec_end("TASK_BLOCK_2");
}

/* --- TASK-BLOCK-3 --------------------------------------------------------- */

struct crowd {
    struct count *inside, *most;
};

static int crowd_job(void *arg)
{
    struct crowd *c = arg;
    int64_t now = count_up(c->inside) + 1;
    if (now > count_get(c->most)) {
        count_set(c->most, now);
    }
    usleep(500);
    count_add(c->inside, -1);
    return 0;
}

static int crowd_task(ambit_cx *cx, void *arg)
{
    return ambit_blocking(cx, crowd_job, arg);
}

static int fill_pool(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count inside = {0}, most = {0}, begun = {0}, let_go = {0};
    struct count ended = {0}, calling = {0}, returned = {0};
    int threads = test_threads();
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct crowd c = {&inside, &most};
        for (int i = 0; i < 3 + 4; i++) { /* as many as fit */
            WANT_EQ(ambit_spawn(all, crowd_task, &c), 0);
        }
    }
    WANT_EQ(rc, 0);
    WANT(count_get(&most) <= 3);
    ambit_scope (cx, full, &rc) {
        struct waited_job w = {
            {&begun, &let_go, &ended, gettid(), 0}, &calling, &returned, 0};
        for (int i = 0; i < 3; i++) {
            WANT_EQ(ambit_spawn(full, wait_for_job, &w), 0);
        }
        WANT(until(cx, &begun, 3));
        /* all of them are busy; one that has exited may still be seen */
        WANT(test_threads_back_to(threads + 3));
        for (int i = 0; i < 4; i++) {
            WANT_EQ(ambit_spawn_with(full, job_task, &w.job,
                                     .tier = AMBIT_BLOCKING), 0);
        }
        WANT_EQ(ambit_spawn_with(full, job_task, &w.job,
                                 .tier = AMBIT_BLOCKING), -EAGAIN);
        WANT_EQ(ambit_blocking(cx, job_run, &w.job), -EAGAIN);
        WANT_EQ(ambit_region_tasks(full), 7);
        WANT_EQ(test_threads(), threads + 3);
        count_up(&let_go);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&ended), 7);
    for (int i = 0; i < 2000 && test_threads() > threads; i++) {
        WANT_EQ(ambit_sleep(cx, ambit_ms(5)), 0);
    }
    WANT(test_threads() <= threads);
    return 0;
}

/* Goal: the pool is bounded in threads and in queue, and shrinks when idle.
 * Method: 3 threads, 4 places; the most inside, the first refusal, a census. */
Spec(TASK_BLOCK_3, the_pool_is_bounded_and_shrinks)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        WANT_EQ(spec_run(fill_pool, NULL, .workers = workers,
                         .blocking_threads_max = 3, .blocking_queue_max = 4,
                         .blocking_idle = ambit_ms(20)), 0);
    }
    spec_end("TASK_BLOCK_3");
}
