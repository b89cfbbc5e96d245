/* SPDX-License-Identifier: MIT */
/*
 * scenarios_kin.c -- rwlock, notify, barrier and once, with as many tasks as are
 * drawn.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

enum { WORKERS = 2, VISITORS = 4, VISITS = 2, PARTIES_MOST = 4 };

/* On the worker of the caller, who gives way until it has come so far. */
#define spawn_beside(cx, s, fn, arg) \
    (ambit_spawn_with((s), (fn), (arg), .placement = AMBIT_PINNED, \
                      .worker = ambit_cx_worker(cx)) == 0)

static void give_way(ambit_cx *cx, unsigned times)
{
    while (times-- > 0) {
        (void)ambit_yield(cx);
    }
}

/* --- rwlock ---------------------------------------------------------------- */

/* Of one worker; its own. */
struct arrivals {
    unsigned n;
    bool writes[VISITORS * VISITS];
    bool served[VISITORS * VISITS]; /* or gone again */
};

struct book {
    struct ambit_rwlock lock;
    struct arrivals arrivals[WORKERS];
    int a, b;                       /* the same; the lock */
    struct tally readers, writers, interfered;
};

struct visitor {
    struct book *book;
    unsigned worker;
};

/* Nobody who came before waits on: no writer, and for a writer nobody. */
static void is_served(struct visitor *v, unsigned number)
{
    struct arrivals *a = &v->book->arrivals[v->worker];
    for (unsigned i = 0; i < number; i++) {
        bool waits = !a->served[i] && (a->writes[i] || a->writes[number]);
        always(!waits || disturbed || tally_get(&v->book->interfered) > 0);
    }
    a->served[number] = true;
}

static int enter(ambit_cx *cx, struct ambit_rwlock *lock, bool writes,
                 bool tries)
{
    int rc = writes ? (tries ? ambit_rwlock_try_write(lock)
                             : ambit_rwlock_write(cx, lock))
                    : (tries ? ambit_rwlock_try_read(lock)
                             : ambit_rwlock_read(cx, lock));
    always(rc == 0 || (tries ? rc == -EAGAIN : is_called_off(rc)));
    return rc;
}

static int write_in(ambit_cx *cx, struct book *book)
{
    always(tally_up(&book->writers) == 0 && tally_get(&book->readers) == 0);
    always(ambit_rwlock_try_read(&book->lock) == -EAGAIN);
    always(ambit_rwlock_try_write(&book->lock) == -EAGAIN);
    int rc = ambit_rwlock_read(cx, &book->lock);
    always(rc == -EDEADLK || is_called_off(rc));
    rc = ambit_rwlock_write(cx, &book->lock);
    always(rc == -EDEADLK || is_called_off(rc));
    book->a++;
    rc = ambit_yield(cx);
    book->b++;
    tally_down(&book->writers);
    ambit_rwlock_write_end(&book->lock);
    return rc;
}

static int read_in(ambit_cx *cx, struct book *book)
{
    int a = book->a;
    tally_up(&book->readers);
    always(tally_get(&book->writers) == 0);
    always(ambit_rwlock_try_write(&book->lock) == -EAGAIN);
    int rc = ambit_yield(cx);
    always(a == book->a && a == book->b);
    tally_down(&book->readers);
    ambit_rwlock_read_end(&book->lock);
    return rc;
}

static int visits(ambit_cx *cx, void *arg)
{
    struct visitor *v = arg;
    struct arrivals *a = &v->book->arrivals[v->worker];
    int rc = 0;
    for (int i = 0; i < VISITS && !is_called_off(rc); i++) {
        bool writes = ambit_choose(2) == 1, tries = ambit_choose(3) == 2;
        unsigned number = a->n++;
        a->writes[number] = writes;
        rc = enter(cx, &v->book->lock, writes, tries);
        if (rc < 0) {
            a->served[number] = true;
            continue;
        }
        is_served(v, number);
        rc = writes ? write_in(cx, v->book) : read_in(cx, v->book);
    }
    return is_called_off(rc) ? rc : 0;
}

static int rwlock_line(ambit_cx *cx, void *arg)
{
    struct book book = {.lock = AMBIT_RWLOCK_INIT};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        for (int i = 0; i < VISITORS; i++) {
            struct visitor v = {&book, ambit_choose(WORKERS)};
            want(ambit_spawn_with(s, visits, &v, .placement = AMBIT_PINNED,
                                  .worker = v.worker) == 0);
        }
        bool cancels = ambit_choose(3) == 2;
        give_way(cx, ambit_choose(5));
        if (cancels) {
            tally_up(&book.interfered);
            ambit_cancel(s, "enough");
        }
    }
    want(rc == 0);
    always(book.a == book.b && ambit_rwlock_waiters(&book.lock) == 0);
    always(ambit_rwlock_try_write(&book.lock) == 0);
    ambit_rwlock_write_end(&book.lock);
    ambit_rwlock_fini(&book.lock);
    return rc;
}

struct circle {
    struct ambit_rwlock lock;
    struct ambit_barrier barrier;
    struct tally come, last, rounds;
    int64_t parties;
};

/* All of them inside at once, or they wait for ever. */
static int reads_with_others(ambit_cx *cx, void *arg)
{
    struct circle *c = *(struct circle **)arg;
    int rc = ambit_rwlock_read(cx, &c->lock);
    if (rc == 0) {
        rc = ambit_barrier_wait(cx, &c->barrier);
        ambit_rwlock_read_end(&c->lock);
    }
    return rc < 0 ? rc : 0;
}

static int readers_together(ambit_cx *cx, void *arg)
{
    struct circle c = {.lock = AMBIT_RWLOCK_INIT,
                       .parties = 2 + ambit_choose(PARTIES_MOST - 1)};
    struct circle *here = &c;
    int rc = 0, spawned = 0;
    (void)arg;
    always(ambit_barrier_init(&c.barrier, (uint32_t)c.parties) == 0);
    ambit_scope (cx, s, &rc) {
        for (int64_t i = 0; i < c.parties; i++) {
            spawned += ambit_spawn(s, reads_with_others, &here) == 0;
        }
        if (spawned < c.parties) {
            ambit_cancel(s, "one will not come");
        }
    }
    want(rc == 0);
    ambit_barrier_fini(&c.barrier);
    ambit_rwlock_fini(&c.lock);
    return rc;
}

/* --- barrier --------------------------------------------------------------- */

static int comes(ambit_cx *cx, void *arg)
{
    struct circle *c = *(struct circle **)arg;
    for (int64_t i = 1; i <= 2; i++) {
        tally_up(&c->come);
        int rc = ambit_barrier_wait(cx, &c->barrier);
        if (rc < 0) {
            return rc;
        }
        always(rc <= 1 && tally_get(&c->come) >= i * c->parties);
        always(tally_get(&c->rounds) < 2 * c->parties);
        tally_up(&c->rounds);
        tally_add(&c->last, rc);
    }
    return 0;
}

static int comes_in_vain(ambit_cx *cx, void *arg)
{
    struct circle *c = *(struct circle **)arg;
    int rc = ambit_barrier_wait(cx, &c->barrier);
    always(is_called_off(rc));
    return rc;
}

/* Who was called off has not come: the others wait for the last of theirs. */
static int barrier_of_drawn(ambit_cx *cx, void *arg)
{
    struct circle c = {.parties = 2 + ambit_choose(PARTIES_MOST - 1)};
    struct circle *here = &c;
    int rc = 0, off_rc = 0, spawned = 0;
    (void)arg;
    always(ambit_barrier_init(&c.barrier, 0) == -EINVAL);
    always(ambit_barrier_init(&c.barrier, (uint32_t)c.parties) == 0);
    ambit_scope (cx, s, &rc) {
        ambit_scope (cx, off, &off_rc) {
            (void)spawn_beside(cx, off, comes_in_vain, &here);
            give_way(cx, ambit_choose(3));
            ambit_cancel(off, "called off");
        }
        always(ambit_barrier_waiters(&c.barrier) == 0);
        for (int64_t i = 0; i < c.parties; i++) {
            spawned += ambit_spawn(s, comes, &here) == 0;
        }
        if (spawned < c.parties) {
            ambit_cancel(s, "one will not come");
        }
    }
    want(rc == 0 && tally_get(&c.rounds) == 2 * c.parties);
    want(tally_get(&c.last) == 2);
    always(tally_get(&c.last) <= 2);
    ambit_barrier_fini(&c.barrier);
    return rc;
}

/* --- notify ---------------------------------------------------------------- */

struct news {
    struct ambit_notify notify;
    unsigned came;          /* on one worker; its own */
    struct tally woken, order; /* a digit for each who was woken */
};

static int hears(ambit_cx *cx, void *arg)
{
    struct news *news = *(struct news **)arg;
    int64_t place = ++news->came;
    int rc = ambit_notify_wait(cx, &news->notify);
    if (rc == 0) {
        tally_add(&news->order, tally_get(&news->order) * 9 + place);
        tally_up(&news->woken);
    }
    return rc;
}

/* Those who came wait, or were woken. */
static void all_have_come(ambit_cx *cx, struct news *news, int64_t n)
{
    for (int i = 0; i < 100 && ambit_yield(cx) == 0; i++) {
        if (tally_get(&news->woken) +
                (int64_t)ambit_notify_waiters(&news->notify) == n) {
            return;
        }
    }
}

static void so_many_are_woken(ambit_cx *cx, struct news *news, int64_t n)
{
    for (int i = 0; i < 100 && tally_get(&news->woken) < n; i++) {
        give_way(cx, 1);
    }
    want(tally_get(&news->woken) == n);
}

static unsigned spawn_hearers(ambit_cx *cx, ambit_region *s, struct news *news,
                              unsigned n)
{
    unsigned spawned = 0;
    for (unsigned i = 0; i < n; i++) {
        spawned += spawn_beside(cx, s, hears, &news);
    }
    return spawned;
}

/* However often it was called, one passes; the others wait, and are woken one by
 * one, the first one first. */
static int news_for_one(ambit_cx *cx, void *arg)
{
    struct news news = {.notify = AMBIT_NOTIFY_INIT};
    unsigned kept = ambit_choose(3), n = 1 + ambit_choose(3), order = 0;
    int rc = 0;
    (void)arg;
    for (unsigned i = 0; i < kept; i++) {
        ambit_notify_one(&news.notify);
    }
    ambit_scope (cx, s, &rc) {
        n = spawn_hearers(cx, s, &news, n);
        unsigned passed = kept > 0 && n > 0;
        all_have_come(cx, &news, n);
        so_many_are_woken(cx, &news, passed);
        for (unsigned left = n - passed; left > 0; left--) {
            want(ambit_notify_waiters(&news.notify) == left);
            ambit_notify_one(&news.notify);
            want(ambit_notify_waiters(&news.notify) == left - 1);
            so_many_are_woken(cx, &news, n - left + 1);
        }
    }
    for (unsigned i = 1; i <= n; i++) {
        order = order * 10 + i;
    }
    want(rc == 0 && tally_get(&news.woken) == n);
    want(tally_get(&news.order) == order);
    ambit_notify_fini(&news.notify);
    return rc;
}

/* All who wait; and who comes later waits. */
static int news_for_those_there(ambit_cx *cx, void *arg)
{
    struct news news = {.notify = AMBIT_NOTIFY_INIT};
    unsigned n = ambit_choose(4), late = 0;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        n = spawn_hearers(cx, s, &news, n);
        all_have_come(cx, &news, n);
        want(ambit_notify_waiters(&news.notify) == n);
        ambit_notify_all(&news.notify);
        want(ambit_notify_waiters(&news.notify) == 0);
        so_many_are_woken(cx, &news, n);
        late = spawn_hearers(cx, s, &news, 1);
        all_have_come(cx, &news, n + late);
        want(ambit_notify_waiters(&news.notify) == late);
        ambit_notify_all(&news.notify);
        if (disturbed) { /* some may have come later still */
            ambit_cancel(s, "enough");
        }
    }
    want(rc == 0 && tally_get(&news.woken) == n + late);
    ambit_notify_fini(&news.notify);
    return rc;
}

/* --- once ------------------------------------------------------------------ */

enum fate { FAILS, PANICS, IS_CANCELLED, FATES };

struct first {
    struct ambit_once once;
    struct tally runs, done, seen, failed;
    int64_t fails;          /* so many attempts */
    enum fate fate;         /* of those */
    struct tally inside;
};

static int attempt(ambit_cx *cx, void *arg)
{
    struct first *first = arg;
    always(tally_up(&first->inside) == 0 && tally_get(&first->done) == 0);
    int64_t before = tally_up(&first->runs);
    int rc = ambit_yield(cx);
    tally_down(&first->inside);
    if (rc < 0 || before >= first->fails) {
        tally_add(&first->done, rc == 0);
        return rc;
    }
    tally_up(&first->failed);
    if (first->fate == PANICS) {
        ambit_panic(cx, "in the middle of it");
    }
    return first->fate == IS_CANCELLED ? -ECANCELED : -EIO;
}

static int needs_it(ambit_cx *cx, void *arg)
{
    struct first *first = *(struct first **)arg;
    int rc = ambit_once(cx, &first->once, attempt, first);
    if (rc == 0) {
        always(tally_get(&first->done) == 1);
        always(ambit_once_is_done(&first->once));
        tally_up(&first->seen);
    }
    return rc;
}

/* As many attempts fail as are drawn, in a way that is drawn: the next one tries
 * again, and who comes after the one that did not fail finds it done. */
static int once_after_failures(ambit_cx *cx, void *arg)
{
    struct first first = {.once = AMBIT_ONCE_INIT}, *here = &first;
    int64_t callers = 1 + ambit_choose(4), spawned = 0;
    int rc = 0, inner_rc = 0;
    (void)arg;
    first.fails = ambit_choose((unsigned)callers + 1);
    first.fate = (enum fate)ambit_choose(FATES);
    ambit_scope (cx, s, &rc) {
        ambit_scope (cx, inner, &inner_rc, .policy = AMBIT_ISOLATE) {
            for (int64_t i = 0; i < callers; i++) {
                spawned += ambit_spawn(inner, needs_it, &here) == 0;
            }
        }
        want(spawned == callers);
        want(tally_get(&first.failed) == first.fails);
        want(tally_get(&first.seen) == callers - first.fails);
        want(tally_get(&first.done) == (first.fails < callers));
        want(ambit_once_is_done(&first.once) == (first.fails < callers));
        always(tally_get(&first.done) <= 1);
    }
    ambit_once_fini(&first.once);
    return rc;
}

SCENARIOS(kin,
    {"rwlock_line", rwlock_line, 2, CORE | MANY},
    {"readers_together", readers_together, 2, SMALL},
    {"barrier_of_drawn", barrier_of_drawn, 2, CORE},
    {"news_for_one", news_for_one, 2, SMALL},
    {"news_for_those_there", news_for_those_there, 2, SMALL},
    {"once_after_failures", once_after_failures, 2, CORE});
