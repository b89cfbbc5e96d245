/* SPDX-License-Identifier: MIT */
/*
 * scenarios_stream_close.c -- unbounded channel, broadcast and watch, closed while
 * their senders are under way.
 *
 * An item carries its source, a worker, and a number in the order of the sends
 * there.  Nothing is sent after the close; what was before is received, or told
 * as missed, or left, by number and by sum.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

enum {
    WORKERS = 2,
    SENDERS = 3,
    SENDS = 4,            /* of one sender */
    ITEMS_MOST = SENDERS * SENDS,
    CAPACITY_MOST = 3,
};

struct item {
    unsigned source;
    unsigned number;
    char more[1000];      /* a few of them fill a block */
};

struct senders {
    unsigned next[WORKERS]; /* that worker's */
    struct tally sent, sent_sum, refused, gone, closed;
};

/* Who receives: what is due of each source. */
struct reader {
    unsigned due[WORKERS];
    int64_t n, sum;
};

static int64_t weight(const struct item *item)
{
    return (int64_t)(item->number * 7 + item->source + 1) * 1009;
}

static void reads(struct reader *reader, const struct item *item)
{
    always(item->source < WORKERS && item->number < ITEMS_MOST);
    always(item->number >= reader->due[item->source]);
    reader->due[item->source] = item->number + 1;
    reader->n++;
    reader->sum += weight(item);
}

static struct item next_item(struct senders *senders, unsigned worker)
{
    return (struct item){.source = worker, .number = senders->next[worker]++};
}

static void sent(struct senders *senders, const struct item *item, bool late,
                 int rc)
{
    want(rc == 0 || rc == -EPIPE);
    always(rc == 0 || rc == -EPIPE || rc == -ENOMEM);
    always(!late || rc == -EPIPE);
    tally_add(&senders->sent, rc == 0);
    tally_add(&senders->sent_sum, rc == 0 ? weight(item) : 0);
    tally_add(&senders->refused, rc != 0);
}

/* --- unbounded ------------------------------------------------------------- */

struct pool {
    struct ambit_unbounded channel;
    struct senders senders;
    struct tally received, received_sum, told;
};

struct party {
    void *of;
    unsigned worker;
};

static int pours(ambit_cx *cx, void *arg)
{
    struct party *p = arg;
    struct pool *pool = p->of;
    int rc = 0;
    for (int i = 0; i < SENDS && rc == 0; i++) {
        struct item item = next_item(&pool->senders, p->worker);
        bool late = tally_get(&pool->senders.closed) > 0;
        sent(&pool->senders, &item, late,
             ambit_unbounded_send(&pool->channel, &item));
        rc = ambit_choose(3) == 0 ? ambit_yield(cx) : 0;
    }
    if (tally_up(&pool->senders.gone) == SENDERS - 1) {
        int close_rc = ambit_unbounded_close(&pool->channel);
        always(close_rc == 0 || close_rc == -EALREADY);
    }
    return rc;
}

static void drunk(struct pool *pool, const struct reader *reader)
{
    tally_add(&pool->received, reader->n);
    tally_add(&pool->received_sum, reader->sum);
}

static int drinks(ambit_cx *cx, void *arg)
{
    struct pool *pool = *(struct pool **)arg;
    struct reader reader = {.n = 0};
    struct item item;
    int rc = 0;
    while (rc == 0 || rc == -EAGAIN) {
        bool tries = rc == 0 && ambit_choose(2) == 1;
        rc = tries ? ambit_unbounded_try_receive(&pool->channel, &item)
                   : ambit_unbounded_receive(cx, &pool->channel, &item);
        if (rc == 0) {
            reads(&reader, &item);
        }
    }
    drunk(pool, &reader);
    tally_add(&pool->told, rc == -EPIPE);
    return rc == -EPIPE ? 0 : rc;
}

/* Its memory: one block at least, and no more when it is empty. */
static void pool_is_conserved(struct pool *pool)
{
    struct reader reader = {.n = 0};
    struct item item;
    int64_t left = tally_get(&pool->senders.sent) - tally_get(&pool->received);
    always((int64_t)ambit_unbounded_len(&pool->channel) == left);
    always(ambit_unbounded_bytes(&pool->channel) >= (size_t)left * sizeof item);
    while (ambit_unbounded_try_receive(&pool->channel, &item) == 0) {
        reads(&reader, &item);
        left--;
        always((int64_t)ambit_unbounded_len(&pool->channel) == left);
    }
    always(left == 0 && ambit_unbounded_bytes(&pool->channel) <= 4096);
    drunk(pool, &reader);
    always(tally_get(&pool->received) == tally_get(&pool->senders.sent));
    always(tally_get(&pool->received_sum) ==
           tally_get(&pool->senders.sent_sum));
    always(ambit_unbounded_receivers(&pool->channel) == 0);
    ambit_unbounded_fini(&pool->channel);
}

/* A cancel, a close, or neither, whenever it is drawn. */
#define interfere(cx, s, closed, close) \
    (__extension__({ \
        unsigned what_ = ambit_choose(3); \
        for (unsigned n_ = ambit_choose(5); n_ > 0; n_--) { \
            (void)ambit_yield(cx); \
        } \
        if (what_ == 1) { \
            int rc_ = (close); \
            always(rc_ == 0 || rc_ == -EALREADY); \
            tally_up(closed); \
        } else if (what_ == 2) { \
            ambit_cancel((s), "enough"); \
        } \
        what_ == 2; \
    }))

static int spawn_sender(ambit_region *s, ambit_task_fn *fn, void *of)
{
    struct party p = {of, ambit_choose(WORKERS)};
    return ambit_spawn_with(s, fn, &p, .placement = AMBIT_PINNED,
                            .worker = p.worker) == 0;
}

static int unbounded_closed_meanwhile(ambit_cx *cx, void *arg)
{
    struct pool pool = {.told = {0}}, *here = &pool;
    int rc = 0, spawned = 0;
    int readers = 1 + (int)ambit_choose(2);
    bool cancelled = false;
    (void)arg;
    always(ambit_unbounded_init(&pool.channel, sizeof(struct item)) == 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < SENDERS; i++) {
            spawned += spawn_sender(s, pours, here);
        }
        for (int i = 0; i < readers; i++) {
            spawned += ambit_spawn(s, drinks, &here) == 0;
        }
        if (spawned < SENDERS + readers) {
            ambit_cancel(s, "somebody would wait for ever");
        }
        cancelled = interfere(cx, s, &pool.senders.closed,
                              ambit_unbounded_close(&pool.channel));
    }
    want(rc == 0 && (cancelled || tally_get(&pool.told) == readers));
    pool_is_conserved(&pool);
    return rc;
}

/* --- broadcast ------------------------------------------------------------- */

struct news {
    struct ambit_broadcast broadcast;
    struct item room[CAPACITY_MOST];
    uint32_t capacity;
    struct senders senders;
    struct tally told;
};

struct hearer {
    struct news *news;
    struct ambit_broadcast_receiver receiver;
    struct reader reader;
    int64_t missed;
    int rc;
};

/* A hole is never without a word, and never larger than what it was for. */
static int hears_one(ambit_cx *cx, struct hearer *h, bool tries)
{
    struct item item = {.source = WORKERS};
    int rc = tries ? ambit_broadcast_try_receive(&h->receiver, &item)
                   : ambit_broadcast_receive(cx, &h->receiver, &item);
    if (rc == 0) {
        reads(&h->reader, &item);
    } else {
        always(item.source == WORKERS);
    }
    if (rc == -EOVERFLOW) {
        always(h->receiver.missed > 0);
        h->missed += (int64_t)h->receiver.missed;
    }
    return rc;
}

static int hears(ambit_cx *cx, void *arg)
{
    struct hearer *h = *(struct hearer **)arg;
    do {
        h->rc = hears_one(cx, h, ambit_choose(2) == 1);
        if (h->rc == 0 && ambit_choose(2) == 1) {
            (void)ambit_yield(cx); /* slow */
        }
        if (h->rc == -EAGAIN) {
            h->rc = hears_one(cx, h, false);
        }
    } while (h->rc == 0 || h->rc == -EOVERFLOW);
    always(h->rc == -EPIPE || is_called_off(h->rc));
    tally_add(&h->news->told, h->rc == -EPIPE);
    return h->rc == -EPIPE ? 0 : h->rc;
}

/* As hears(), when nobody sends any more: at most what fits is heard, and the
 * holes and items are all there was. */
static void hears_the_rest(struct hearer *h)
{
    int64_t heard = h->reader.n;
    int64_t sent = tally_get(&h->news->senders.sent);
    always(h->rc != -EPIPE || heard + h->missed == sent);
    do {
        h->rc = hears_one(NULL, h, true);
    } while (h->rc == 0 || h->rc == -EOVERFLOW);
    always(h->rc == -EPIPE);
    always(h->reader.n + h->missed == sent);
    always(h->reader.n - heard <= (int64_t)h->news->capacity);
    always(h->missed > 0 ||
           h->reader.sum == tally_get(&h->news->senders.sent_sum));
}

static int tells(ambit_cx *cx, void *arg)
{
    struct party *p = arg;
    struct news *news = p->of;
    int rc = 0;
    for (int i = 0; i < SENDS && rc == 0; i++) {
        struct item item = next_item(&news->senders, p->worker);
        bool late = tally_get(&news->senders.closed) > 0;
        sent(&news->senders, &item, late,
             ambit_broadcast_send(&news->broadcast, &item));
        rc = ambit_choose(2) == 0 ? ambit_yield(cx) : 0;
    }
    if (tally_up(&news->senders.gone) == SENDERS - 1) {
        int close_rc = ambit_broadcast_close(&news->broadcast);
        always(close_rc == 0 || close_rc == -EALREADY);
    }
    return rc;
}

static int broadcast_closed_meanwhile(ambit_cx *cx, void *arg)
{
    struct news news = {.capacity = 1 + ambit_choose(CAPACITY_MOST)};
    struct hearer hearers[2] = {{.news = &news}, {.news = &news}};
    int rc = 0, spawned = 0;
    bool cancelled = false;
    (void)arg;
    always(ambit_broadcast_init(&news.broadcast, news.room, news.capacity,
                                sizeof(struct item)) == 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 2; i++) {
            struct hearer *h = &hearers[i];
            ambit_broadcast_subscribe(&news.broadcast, &h->receiver);
            spawned += ambit_spawn(s, hears, &h) == 0;
        }
        for (int i = 0; i < SENDERS; i++) {
            spawned += spawn_sender(s, tells, &news);
        }
        if (spawned < 2 + SENDERS) {
            ambit_cancel(s, "somebody would wait for ever");
        }
        cancelled = interfere(cx, s, &news.senders.closed,
                              ambit_broadcast_close(&news.broadcast));
    }
    want(rc == 0 && (cancelled || tally_get(&news.told) == 2));
    int close_rc = ambit_broadcast_close(&news.broadcast);
    always(close_rc == 0 || close_rc == -EALREADY);
    for (int i = 0; i < 2; i++) {
        hears_the_rest(&hearers[i]);
    }
    always(ambit_broadcast_waiters(&news.broadcast) == 0);
    ambit_broadcast_fini(&news.broadcast);
    return rc;
}

/* Exactly so many are kept, and the others are told as missed, oldest first. */
static int broadcast_exact_lag(ambit_cx *cx, void *arg)
{
    struct ambit_broadcast broadcast;
    struct ambit_broadcast_receiver mine;
    uint32_t capacity = 1 + ambit_choose(CAPACITY_MOST);
    int room[CAPACITY_MOST], next = 0, item = 0;
    (void)cx, (void)arg;
    always(ambit_broadcast_init(&broadcast, room, capacity, sizeof(int)) == 0);
    ambit_broadcast_subscribe(&broadcast, &mine);
    for (int round = 0; round < 3; round++) {
        uint32_t some = ambit_choose(2 * CAPACITY_MOST + 1);
        for (uint32_t i = 0; i < some; i++) {
            int value = next + (int)i;
            always(ambit_broadcast_send(&broadcast, &value) == 0);
        }
        if (some > capacity) {
            always(ambit_broadcast_try_receive(&mine, &item) == -EOVERFLOW);
            always(mine.missed == some - capacity);
            next += (int)(some - capacity);
            some = capacity;
        }
        for (; some > 0; some--, next++) {
            always(ambit_broadcast_try_receive(&mine, &item) == 0);
            always(item == next);
        }
        always(ambit_broadcast_try_receive(&mine, &item) == -EAGAIN);
    }
    always(ambit_broadcast_close(&broadcast) == 0);
    always(ambit_broadcast_send(&broadcast, &item) == -EPIPE);
    always(ambit_broadcast_try_receive(&mine, &item) == -EPIPE);
    ambit_broadcast_fini(&broadcast);
    return 0;
}

/* --- watch ----------------------------------------------------------------- */

struct view {
    struct ambit_watch watch;
    struct item room;
    struct senders senders;
    struct tally told, versions;
};

/* Never an older one, and the last one in any case. */
static int follows(ambit_cx *cx, void *arg)
{
    struct view *view = *(struct view **)arg;
    struct item item = {.source = WORKERS}, last = {.source = WORKERS};
    struct reader reader = {.n = 0};
    uint64_t seen = 0, before = 0;
    int rc;
    while ((rc = ambit_watch_receive(cx, &view->watch, &seen, &item)) == 0) {
        always(seen > before);
        before = seen;
        if (seen > 1) {
            reads(&reader, &item);
        }
    }
    always(seen == before);
    if (rc == -EPIPE) {
        always(ambit_watch_look(&view->watch, &last) == seen);
        always(last.source == item.source && last.number == item.number);
        tally_up(&view->told);
    }
    return rc == -EPIPE ? 0 : rc;
}

static int changes(ambit_cx *cx, void *arg)
{
    struct party *p = arg;
    struct view *view = p->of;
    int rc = 0;
    for (int i = 0; i < SENDS && rc == 0; i++) {
        struct item item = next_item(&view->senders, p->worker);
        bool late = tally_get(&view->senders.closed) > 0;
        sent(&view->senders, &item, late,
             ambit_watch_send(&view->watch, &item));
        rc = ambit_choose(2) == 0 ? ambit_yield(cx) : 0;
    }
    if (tally_up(&view->senders.gone) == SENDERS - 1) {
        int close_rc = ambit_watch_close(&view->watch);
        always(close_rc == 0 || close_rc == -EALREADY);
    }
    return rc;
}

static int watch_closed_meanwhile(ambit_cx *cx, void *arg)
{
    struct view view = {.room = {.source = WORKERS}}, *here = &view;
    int rc = 0, spawned = 0;
    bool cancelled = false;
    (void)arg;
    always(ambit_watch_init(&view.watch, &view.room, sizeof view.room) == 0);
    ambit_scope (cx, s, &rc) {
        spawned += ambit_spawn(s, follows, &here) == 0;
        spawned += ambit_spawn(s, follows, &here) == 0;
        for (int i = 0; i < SENDERS; i++) {
            spawned += spawn_sender(s, changes, here);
        }
        if (spawned < 2 + SENDERS) {
            ambit_cancel(s, "somebody would wait for ever");
        }
        cancelled = interfere(cx, s, &view.senders.closed,
                              ambit_watch_close(&view.watch));
    }
    want(rc == 0 && (cancelled || tally_get(&view.told) == 2));
    always((int64_t)ambit_watch_look(&view.watch, NULL) ==
           1 + tally_get(&view.senders.sent));
    always(ambit_watch_waiters(&view.watch) == 0);
    ambit_watch_fini(&view.watch);
    return rc;
}

/* A change is told to all who wait, and to who comes later. */
static int sees_one(ambit_cx *cx, void *arg)
{
    struct view *view = *(struct view **)arg;
    struct item item;
    uint64_t seen = 1;
    int rc = ambit_watch_receive(cx, &view->watch, &seen, &item);
    if (rc == 0) {
        always(seen == 2 && item.number == 5);
        tally_up(&view->told);
    }
    return rc;
}

static int change_for_all(ambit_cx *cx, void *arg)
{
    struct view view = {.room = {.source = 0}}, *here = &view;
    struct item item = {.number = 5};
    int rc = 0, spawned = 0;
    (void)arg;
    always(ambit_watch_init(&view.watch, &view.room, sizeof view.room) == 0);
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < 3; i++) {
            spawned += ambit_spawn(s, sees_one, &here) == 0;
        }
        for (unsigned n = ambit_choose(5); n > 0; n--) {
            (void)ambit_yield(cx);
        }
        always(ambit_watch_send(&view.watch, &item) == 0);
    }
    want(rc == 0 && tally_get(&view.told) == spawned);
    ambit_watch_fini(&view.watch);
    return rc;
}

SCENARIOS(stream_close,
    {"unbounded_closed_meanwhile", unbounded_closed_meanwhile, 2, CORE | MANY},
    {"broadcast_closed_meanwhile", broadcast_closed_meanwhile, 2, CORE | MANY},
    {"broadcast_exact_lag", broadcast_exact_lag, 1, SMALL},
    {"watch_closed_meanwhile", watch_closed_meanwhile, 2, CORE},
    {"change_for_all", change_for_all, 2, SMALL});
