/* SPDX-License-Identifier: MIT */
/*
 * scenarios_await_end.c -- what is granted to a machine that panics, or is
 * cancelled, before it looks; a value that is fetched by one of several.
 *
 * Whatever happens: what was there at the beginning is there at the end, and who
 * stood behind gets it.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

/* --- permits, locks, places, news ------------------------------------------ */

enum good { SEATS, LOCK, PAGE, PLACE, NEWS, GOODS };

struct goods {
    struct ambit_semaphore seats; /* two */
    struct ambit_mutex lock;
    struct ambit_rwlock page;
    struct ambit_notify news;
    struct ambit_channel belt; /* one place */
    int room[1];
    struct tally begun, got;
};

struct wish {
    struct ambit_await wait;
    struct ambit_channel_permit permit;
    struct goods *goods;
    enum good good;
    bool is_begun, is_over;
};

static int ask_for(ambit_cx *cx, struct wish *s)
{
    struct goods *g = s->goods;
    switch (s->good) {
    case SEATS:
        return ambit_await_acquire(cx, &s->wait, &g->seats, 2);
    case LOCK:
        return ambit_await_lock(cx, &s->wait, &g->lock);
    case PAGE:
        return ambit_await_write(cx, &s->wait, &g->page);
    case PLACE:
        return ambit_await_reserve(cx, &s->wait, &g->belt, &s->permit);
    default:
        return ambit_await_notify(cx, &s->wait, &g->news);
    }
}

static void give_back(struct wish *s)
{
    struct goods *g = s->goods;
    switch (s->good) {
    case SEATS:
        always(ambit_semaphore_release(&g->seats, 2) == 0);
        return;
    case LOCK:
        ambit_mutex_unlock(&g->lock);
        return;
    case PAGE:
        ambit_rwlock_write_end(&g->page);
        return;
    case PLACE:
        ambit_channel_abort(&s->permit);
        return;
    default:
        ambit_notify_one(&g->news);
    }
}

/* Wants all of it.  Its second step panics, or looks, and gives back. */
struct greedy {
    struct wish wish[GOODS];
    struct tally *begun;
    bool is_begun, panics;
};

static int greedy_step(ambit_cx *cx, void *arg)
{
    struct greedy *s = arg;
    int rc = 0;
    if (s->is_begun && s->panics) {
        ambit_panic(cx, "it may have some of it, and does not know");
    }
    for (int i = 0; i < GOODS; i++) {
        struct wish *wish = &s->wish[i];
        int got = wish->is_over ? 0 : ask_for(cx, wish);
        rc = got == AMBIT_PENDING ? got : rc;
        always(s->is_begun || got != 0); /* nothing of it is there yet */
        if (got != AMBIT_PENDING && !wish->is_over) {
            wish->is_over = true;
            always(got == 0 || is_called_off(got));
            if (got == 0) {
                give_back(wish);
            }
        }
    }
    tally_add(s->begun, !s->is_begun);
    s->is_begun = true;
    return rc;
}

/* Stands behind. */
static int heir_step(ambit_cx *cx, void *arg)
{
    struct wish *s = arg;
    int rc = ask_for(cx, s);
    if (!s->is_begun) {
        s->is_begun = true;
        tally_up(&s->goods->begun);
    }
    if (rc != 0) {
        always(rc == AMBIT_PENDING || is_called_off(rc));
        return rc;
    }
    tally_add(&s->goods->got, 1 << s->good);
    if (s->good != NEWS) { /* that is used up */
        give_back(s);
    }
    return 0;
}

static void goods_open(struct goods *g)
{
    memset(g, 0, sizeof *g);
    always(ambit_semaphore_init(&g->seats, 0, 2) == 0);
    ambit_mutex_init(&g->lock);
    ambit_rwlock_init(&g->page);
    ambit_notify_init(&g->news);
    always(ambit_channel_init(&g->belt, g->room, 1, sizeof g->room[0]) == 0);
    always(ambit_mutex_try_lock(&g->lock) == 0);
    always(ambit_rwlock_try_read(&g->page) == 0);
    always(ambit_channel_try_send(&g->belt, &(int){1}) == 0);
}

static void grant(struct goods *g, enum good good)
{
    int item;
    switch (good) {
    case SEATS:
        always(ambit_semaphore_release(&g->seats, 2) == 0);
        return;
    case LOCK:
        ambit_mutex_unlock(&g->lock);
        return;
    case PAGE:
        ambit_rwlock_read_end(&g->page);
        return;
    case PLACE:
        always(ambit_channel_try_receive(&g->belt, &item) == 0 && item == 1);
        return;
    default:
        ambit_notify_one(&g->news);
    }
}

static void goods_close(struct goods *g)
{
    always(ambit_semaphore_free(&g->seats) == 2);
    always(ambit_mutex_try_lock(&g->lock) == 0);
    ambit_mutex_unlock(&g->lock);
    always(ambit_rwlock_try_write(&g->page) == 0);
    ambit_rwlock_write_end(&g->page);
    always(ambit_channel_try_send(&g->belt, &(int){2}) == 0);
    always(ambit_notify_waiters(&g->news) == 0);
    ambit_channel_fini(&g->belt);
    ambit_notify_fini(&g->news);
    ambit_rwlock_fini(&g->page);
    ambit_mutex_fini(&g->lock);
    ambit_semaphore_fini(&g->seats);
}

static bool start_greedy(ambit_region *region, struct goods *g, bool panics)
{
    struct greedy greedy = {.begun = &g->begun, .panics = panics};
    for (int i = 0; i < GOODS; i++) {
        greedy.wish[i].goods = g;
        greedy.wish[i].good = (enum good)i;
    }
    int rc = ambit_spawn_poll(region, greedy_step, &greedy);
    want(rc == 0);
    return rc == 0;
}

static int start_heirs(ambit_region *region, struct goods *g)
{
    int n = 0;
    for (int i = 0; i < GOODS; i++) {
        struct wish wish = {.goods = g, .good = (enum good)i};
        n += ambit_spawn_poll(region, heir_step, &wish) == 0;
    }
    want(n == GOODS);
    return n;
}

static void until_begun(ambit_cx *cx, struct goods *g, int n)
{
    while (tally_get(&g->begun) < n && ambit_yield(cx) == 0) {
    }
}

/* The heirs come before the grants, or during them; so does the cancel. */
static int run_goods(ambit_cx *cx, bool panics)
{
    struct goods g;
    unsigned cancel_at = panics ? GOODS : ambit_choose(GOODS + 1);
    unsigned heirs_at = ambit_choose(3);
    int rc = 0, inner = 0;
    goods_open(&g);
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        ambit_scope (cx, first, &inner, .policy = AMBIT_COLLECT) {
            int n = start_greedy(first, &g, panics);
            until_begun(cx, &g, n);
            n += start_heirs(s, &g);
            if (heirs_at == 0) {
                until_begun(cx, &g, n);
            }
            for (unsigned i = 0; i < GOODS; i++) {
                if (i == cancel_at) {
                    ambit_cancel(first, "between the grants");
                }
                grant(&g, (enum good)i);
                (void)(i == heirs_at && ambit_yield(cx));
            }
            if (cancel_at == GOODS && !panics) {
                ambit_cancel(first, "after the grants");
            }
        }
        want(inner == (panics ? -EOWNERDEAD : 0));
    }
    want(rc == 0 && tally_get(&g.got) == (1 << GOODS) - 1);
    goods_close(&g);
    return rc;
}

static int await_goods_and_panic(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_goods(cx, true);
}

static int await_goods_against_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    return run_goods(cx, false);
}

/* --- a value, and who fetches it -------------------------------------------- */

struct desk {
    struct tally made, fetched, disposed;
};

struct sheet {
    struct desk *desk;
    char text[56];
};

struct task_of_desk {
    struct desk *desk;
    unsigned turns;
};

static int writes(ambit_cx *cx, const struct task_of_desk *task,
                  struct sheet *ret)
{
    int rc = 0;
    for (unsigned i = 0; i < task->turns && rc == 0; i++) {
        rc = ambit_yield(cx);
    }
    if (rc == 0) {
        ret->desk = task->desk;
        memset(ret->text, 'w', sizeof ret->text);
        tally_up(&task->desk->made);
    }
    return rc < 0 ? rc : 7;
}

static void sheet_put_away(void *ret)
{
    tally_up(&((struct sheet *)ret)->desk->disposed);
}

AMBIT_BRANCH(writes, struct task_of_desk, struct sheet,
             .dispose = sheet_put_away)

/* Bit by bit; or it was not made. */
static void has_fetched(struct desk *desk, const struct sheet *sheet,
                        int result)
{
    always(result == 7 || is_called_off(result));
    if (result == 7) {
        always(sheet->desk == desk);
        for (size_t i = 0; i < sizeof sheet->text; i++) {
            always(sheet->text[i] == 'w');
        }
        tally_up(&desk->fetched);
    }
}

AMBIT_ASYNC_STATE(reads, 1, (struct ambit_await, wait), (struct desk *, desk),
                  (ambit_future, future), (struct sheet, sheet),
                  (int, result), (struct tally *, joined));

static int reads(ambit_cx *cx, void *arg)
{
    struct reads *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(reads, 1, s);
    AMBIT_AWAIT(1, rc, ambit_await_future(cx, &s->wait, s->future, &s->sheet,
                                          &s->result));
    if (rc == 0) {
        has_fetched(s->desk, &s->sheet, s->result);
        tally_up(s->joined);
    }
    always(rc == 0 || is_called_off(rc) || rc == -EBUSY || rc == -ESTALE);
    AMBIT_ASYNC_END(is_called_off(rc) ? rc : 0);
}

/* Two machines, of which one may be told that the other is there; and, when they
 * were cancelled, the opener. */
static void fetch_once(ambit_cx *cx, struct desk *desk, ambit_future future)
{
    struct tally joined = {0};
    struct sheet sheet;
    int rc = 0, result = 0;
    ambit_scope (cx, readers, &rc, .policy = AMBIT_COLLECT) {
        struct reads state = {.desk = desk, .future = future,
                              .joined = &joined};
        for (int i = 0; i < 2; i++) {
            want(ambit_spawn_poll(readers, reads, &state) == 0);
        }
        for (unsigned n = ambit_choose(6); n > 0; n--) {
            (void)ambit_yield(cx);
        }
        if (ambit_choose(3) != 0) {
            ambit_cancel(readers, "somebody else does it");
        }
    }
    always(tally_get(&joined) <= 1);
    rc = ambit_future_join(cx, future, &sheet, &result);
    if (rc == 0) {
        has_fetched(desk, &sheet, result);
    }
    want(rc == (tally_get(&joined) == 1 ? -ESTALE : 0));
    always(rc == 0 || rc == -ESTALE || is_called_off(rc));
}

static int await_value_against_cancel(ambit_cx *cx, void *arg)
{
    struct desk desk = {.made = {0}};
    int rc = 0;
    (void)arg;
    ambit_group (cx, group, &rc) {
        struct task_of_desk task = {&desk, ambit_choose(4)};
        ambit_future future;
        if (ambit_group_spawn(group, writes_branch(&task, NULL), &future) < 0) {
            always(disturbed);
            break;
        }
        fetch_once(cx, &desk, future);
    }
    want(rc == 0 && tally_get(&desk.fetched) == 1);
    always(tally_get(&desk.made) ==
           tally_get(&desk.fetched) + tally_get(&desk.disposed));
    return rc;
}

SCENARIOS(await_end,
          {"await_goods_and_panic", await_goods_and_panic, 2, CORE,
           "AWAIT-END-1 AWAIT-END-3"},
          {"await_goods_against_cancel", await_goods_against_cancel, 2, CORE,
           "AWAIT-ONCE-1 AWAIT-CANCEL-1"},
          {"await_value_against_cancel", await_value_against_cancel, 2, CORE,
           "AWAIT-JOIN-1 AWAIT-JOIN-2"});
