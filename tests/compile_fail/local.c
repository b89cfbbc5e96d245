/* SPDX-License-Identifier: MIT */
/*
 * local.c -- what must not be handed to another task; see tests/tidy/refused.sh.
 */
#define AMBIT_MY_LOCALS AMBIT_LOCAL(struct cache) AMBIT_LOCAL(struct lot)

#include <ambit.h>

struct cache {
    struct ambit_local local;
    int entries;
};

struct lot;

static int work(ambit_cx *cx, void *arg)
{
    (void)cx, (void)arg;
    return 0;
}

static int job(void *arg)
{
    (void)arg;
    return 0;
}

#if ONLY == 1 /* says: a_cx_stays_with_its_task */
static ambit_cx *room[2];
static struct ambit_channel channel = AMBIT_CHANNEL_INIT(room);
#elif ONLY == 2 /* says: this_is_local_to_its_worker */
static struct cache *room[2];
static struct ambit_broadcast channel = AMBIT_BROADCAST_INIT(room);
#elif ONLY == 3 /* says: this_works_only_where_it_lies */
static struct ambit_unbounded channel =
    AMBIT_UNBOUNDED_INIT(struct ambit_mutex);
#elif ONLY == 4 /* says: this_is_local_to_its_worker */
static struct cache value;
static struct ambit_watch channel = AMBIT_WATCH_INIT(value);
#elif ONLY == 5 /* says: a_scope_a_mask_or_a_wait */
static struct ambit_scope_block *value;
static struct ambit_oneshot channel = AMBIT_ONESHOT_INIT(value);
#elif ONLY == 6 /* says: this_is_local_to_its_worker */
AMBIT_SERVER(ask, int, struct cache *, int);
static int channel;
#elif ONLY == 7 /* says: this_works_only_where_it_lies */
AMBIT_SERVER(ask, int, int, struct ambit_channel);
static int channel;
#elif ONLY == 8 /* says: this_is_local_to_its_worker */
AMBIT_RING_MESSAGE(move, struct cache *, 1);
static int channel;
#else
AMBIT_SERVER(ask, struct cache, struct ambit_mutex *, int);
AMBIT_RING_MESSAGE(move, struct ambit_channel *, 1);
static struct ambit_semaphore *room[2];
static struct ambit_channel channel = AMBIT_CHANNEL_INIT(room);
#endif

int uses(ambit_cx *cx, ambit_region *region, struct ambit_scope_block *block,
         struct ambit_group *group, struct ambit_await *wait, struct lot *lot);
int uses(ambit_cx *cx, ambit_region *region, struct ambit_scope_block *block,
         struct ambit_group *group, struct ambit_await *wait, struct lot *lot)
{
    static struct ambit_mutex lock = AMBIT_MUTEX_INIT, *shared = &lock;
    struct cache mine = {{NULL}, 0}, *cache = &mine;
    const struct cache *const seen = cache;
    struct pair { int n; void *of; } pair = {1, shared};
    (void)channel, (void)block, (void)wait, (void)seen, (void)pair, (void)lot;
#if ONLY == 11 /* says: a cx stays with its task */
    return ambit_spawn(region, work, cx);
#elif ONLY == 12 /* says: a cx stays with its task */
    return ambit_spawn_with(region, work, &cx, .name = "work");
#elif ONLY == 13 /* says: a cx stays with its task */
    return ambit_blocking(cx, job, cx);
#elif ONLY == 14 /* says: a cx stays with its task */
    return ambit_spawn_fiber(region, work, &cx);
#elif ONLY == 15 /* says: belongs to the task that began it */
    return ambit_spawn(region, work, &block);
#elif ONLY == 16 /* says: belongs to the task that began it */
    return ambit_spawn_poll(region, work, &wait);
#elif ONLY == 17 /* says: works only where it lies, not as a copy */
    return ambit_spawn(region, work, shared);
#elif ONLY == 18 /* says: works only where it lies, not as a copy */
    return ambit_spawn_poll_with(region, work, group, .name = "work");
#elif ONLY == 19 /* says: works only where it lies, not as a copy */
    return ambit_spawn_fiber(region, work, shared);
#elif ONLY == 20 /* says: this is local to its worker */
    return ambit_spawn(region, work, cache);
#elif ONLY == 21 /* says: this is local to its worker */
    return ambit_spawn(region, work, &cache);
#elif ONLY == 22 /* says: this is local to its worker */
    return ambit_spawn(region, work, seen);
#elif ONLY == 23 /* says: this is local to its worker */
    return ambit_spawn_poll(region, work, &lot);
#elif ONLY == 24 /* says: this is local to its worker */
    return ambit_blocking(cx, job, cache);
#elif ONLY == 25 /* says: this is local to its worker */
    return ambit_spawn(region, work, &mine.local);
#elif ONLY == 26 /* says: this is local to its worker */
    return ambit_spawn(region, work, &seen);
#else
    return ambit_spawn(region, work, &shared) |
           ambit_spawn(region, work, &region) |
           ambit_spawn(region, work, &group) |
           ambit_spawn(region, work, &(struct pair){pair.n, cx}) |
           ambit_spawn_with(region, work, &pair, .name = "work") |
           ambit_spawn_fiber(region, work, cache) |
           ambit_spawn_fiber(region, work, &cache, .name = "work") |
           ambit_spawn_poll(region, work, wait) |
           ambit_blocking(cx, job, &(struct pair){pair.n, cx}) |
           ambit_blocking(cx, job, shared);
#endif
}
