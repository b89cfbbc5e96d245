/* SPDX-License-Identifier: MIT */
/*
 * pipeline.c -- jobs through a channel to three workers; two may use the tool
 * at a time; the sum is under a mutex, and made by whoever comes first.
 *
 *     pipeline         prints the sum of the squares of 1 to 100
 *     pipeline 30      the same, given up after 30 jobs: nothing is lost
 *
 * What was sent is what was done and what is left, also after a cancel.
 */
#include <ambit.h>

#include <stdio.h>
#include <stdlib.h>

#define JOBS 100
#define WORKERS 3

struct shop {
    struct ambit_channel jobs;
    int room[8];
    struct ambit_semaphore tools;
    struct ambit_mutex lock;
    long long sum; /* the lock */
    int sent;      /* the one who sends */
    int done;      /* the lock */
    int give_up_at;
    struct ambit_once opened;
    ambit_region *work;
};

static int open_the_shop(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    printf("open\n");
    return 0;
}

/* Uses a tool, and books what came of it.  0, or nothing was booked. */
static int do_job(ambit_cx *cx, struct shop *shop, int job)
{
    int rc = ambit_semaphore_acquire(cx, &shop->tools, 1);
    if (rc < 0)
        return rc;
    long long square = (long long)job * job;
    rc = ambit_yield(cx); /* a slow tool */
    ambit_semaphore_release(&shop->tools, 1);
    if (rc < 0 || (rc = ambit_mutex_lock(cx, &shop->lock)) < 0)
        return rc;
    shop->sum += square;
    if (++shop->done == shop->give_up_at)
        ambit_cancel(shop->work, "enough for today");
    ambit_mutex_unlock(&shop->lock);
    return 0;
}

struct hand {
    struct shop *shop;
    int *undone; /* jobs taken and not done: at most the last one */
};

static int worker(ambit_cx *cx, void *arg)
{
    struct hand *hand = arg;
    struct shop *shop = hand->shop;
    int job;
    int rc = ambit_once(cx, &shop->opened, open_the_shop, shop);
    while (rc == 0 && (rc = ambit_channel_receive(cx, &shop->jobs, &job)) == 0) {
        rc = do_job(cx, shop, job);
        *hand->undone += rc < 0;
    }
    return rc == -EPIPE ? 0 : rc; /* closed and empty: all done */
}

static int sender(ambit_cx *cx, void *arg)
{
    struct shop *shop = *(struct shop **)arg;
    int rc = 0;
    for (int job = 1; job <= JOBS && rc == 0; job++) {
        rc = ambit_channel_send(cx, &shop->jobs, &job);
        shop->sent += rc == 0;
    }
    ambit_channel_close(&shop->jobs);
    return rc;
}

int ambit_main(ambit_cx *cx, int argc, char **argv)
{
    struct shop shop = {
        .tools = AMBIT_SEMAPHORE_INIT(2, 2),
        .lock = AMBIT_MUTEX_INIT,
        .opened = AMBIT_ONCE_INIT,
        .give_up_at = argc > 1 ? atoi(argv[1]) : 0,
    };
    struct shop *here = &shop;
    int undone[WORKERS] = {0}, left = 0, job;
    int rc = ambit_channel_init(&shop.jobs, shop.room, 8, sizeof shop.room[0]);
    if (rc < 0)
        return rc;
    ambit_scope (cx, work, &rc) {
        shop.work = work;
        for (int i = 0; i < WORKERS && rc == 0; i++)
            rc = ambit_spawn(work, worker, (&(struct hand){here, &undone[i]}));
        if (rc == 0)
            rc = ambit_spawn(work, sender, &here);
        if (rc < 0)
            break;
    }
    while (ambit_channel_try_receive(&shop.jobs, &job) == 0)
        left++;
    for (int i = 0; i < WORKERS; i++)
        left += undone[i];
    if (shop.give_up_at == 0)
        printf("sum %lld\n", shop.sum);
    printf("%s: sent %s done + left\n", shop.give_up_at ? "given up" : "all done",
           shop.sent == shop.done + left ? "=" : "is not");
    ambit_once_fini(&shop.opened);
    ambit_mutex_fini(&shop.lock);
    ambit_semaphore_fini(&shop.tools);
    ambit_channel_fini(&shop.jobs);
    return rc;
}
