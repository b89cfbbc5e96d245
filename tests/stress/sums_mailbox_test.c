/* SPDX-License-Identifier: MIT */
/*
 * sums_mailbox_test.c -- each message to a mailbox has one fate, also when the
 * mailbox ends while senders of all kinds are under way, at every capacity from 1.
 *
 *     a call answered 0              handled or disposed of, once
 *     a commit answered -EPIPE       disposed of, once
 *     a send answered -EPIPE         never handled; disposed of or never there
 *     refused, aborted, dropped      never there
 */
#include "tests/stress/sums.h"

enum {
    FIBERS = 3,
    MACHINES = 3,
    THREADS = 2,
    SENDERS = FIBERS + MACHINES + THREADS,
    EACH = 100 / SPEC_SLOWER + 10,
    TOTAL = SENDERS * EACH,
};

enum fate { REFUSED, SENT, COMMITTED_LATE, UNSURE };

/* dispose has no argument of its own */
static struct mail {
    struct count handled[TOTAL], disposed[TOTAL];
    enum fate fates[TOTAL]; /* each by its sender */
    struct count offered, senders;
} mail;

/* --- the actor ---------------------------------------------------------------- */

static int handles(ambit_cx *cx, void *state, const void *message, size_t size)
{
    int64_t value = *(const int64_t *)message;
    (void)state;
    WANT_EQ(size, sizeof value);
    if (value % 5 == 0) {
        (void)ambit_yield(cx); /* where a kill finds it, now and then */
    }
    count_up(&mail.handled[value]);
    return AMBIT_CONTINUE;
}

static void disposes(void *message, size_t size)
{
    (void)size;
    count_up(&mail.disposed[*(int64_t *)message]);
}

/* --- one message ----------------------------------------------------------------- */

static void offer(int64_t value, enum fate fate)
{
    mail.fates[value] = fate;
    count_up(&mail.offered);
}

static bool is_refusal(int rc)
{
    return rc == -EAGAIN || rc == -EPIPE || rc == -ESTALE;
}

static enum fate fate_of_send(int rc)
{
    WANT(rc == 0 || is_refusal(rc));
    return rc == 0 ? SENT : rc == -EPIPE ? UNSURE : REFUSED;
}

static enum fate fate_of_permit(struct ambit_permit *permit, int rc,
                                int64_t value)
{
    if (rc < 0) {
        WANT(is_refusal(rc));
        return REFUSED;
    }
    if (value % 7 == 0) {
        ambit_abort(permit);
        return REFUSED;
    }
    *(int64_t *)permit->message = value;
    rc = ambit_commit(permit);
    WANT(rc == 0 || rc == -EPIPE);
    return rc == 0 ? SENT : COMMITTED_LATE;
}

/* --- who sends ------------------------------------------------------------------- */

struct sender {
    ambit_actor_ref to;
    int64_t first;
};

static void try_one(ambit_actor_ref to, int64_t value)
{
    struct ambit_permit permit;
    offer(value, value % 2 == 0
                     ? fate_of_send(ambit_try_send(to, &value, sizeof value))
                     : fate_of_permit(&permit,
                                      ambit_try_reserve(to, sizeof value,
                                                        &permit), value));
}

static void *tries_from_outside(void *arg)
{
    struct sender *s = arg;
    for (int64_t i = 0; i < EACH; i++) {
        try_one(s->to, s->first + i);
        sched_yield();
    }
    count_up(&mail.senders);
    return NULL;
}

static int sends_as_fiber(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    struct ambit_permit permit;
    for (int64_t value = s->first; value < s->first + EACH; value++) {
        if (value % 4 == 0) {
            try_one(s->to, value);
        } else if (value % 4 == 1) {
            offer(value, fate_of_send(ambit_send(cx, s->to, &value,
                                                 sizeof value)));
        } else {
            offer(value, fate_of_permit(&permit,
                                        ambit_reserve(cx, s->to, sizeof value,
                                                      &permit), value));
        }
    }
    count_up(&mail.senders);
    return 0;
}

struct machine {
    struct ambit_await wait;
    struct ambit_permit permit;
    ambit_actor_ref to;
    int64_t value, end;
};

/* A wait that is given up has sent nothing, or has got its room. */
static int reserve_or_drop(ambit_cx *cx, struct machine *s)
{
    int rc = ambit_await_actor_reserve(cx, &s->wait, s->to, sizeof s->value,
                                       &s->permit);
    if (rc != AMBIT_PENDING || s->value % 11 != 0) {
        return rc;
    }
    rc = ambit_await_drop(&s->wait);
    WANT(rc == 0 || rc == -EBUSY);
    return rc == 0 ? -EAGAIN
                   : ambit_await_actor_reserve(cx, &s->wait, s->to,
                                               sizeof s->value, &s->permit);
}

static int sends_as_machine(ambit_cx *cx, void *arg)
{
    struct machine *s = arg;
    while (s->value < s->end) {
        bool sends = s->value % 3 == 0;
        int rc = sends ? ambit_await_actor_send(cx, &s->wait, s->to,
                                                &s->value, sizeof s->value)
                       : reserve_or_drop(cx, s);
        if (rc == AMBIT_PENDING) {
            return rc;
        }
        offer(s->value, sends ? fate_of_send(rc)
                              : fate_of_permit(&s->permit, rc, s->value));
        s->value++;
    }
    count_up(&mail.senders);
    return 0;
}

static void start_all(ambit_region *region, ambit_actor_ref to,
                      pthread_t *threads, struct sender *outside)
{
    int64_t first = 0;
    for (int i = 0; i < FIBERS; i++, first += EACH) {
        struct sender sender = {to, first};
        WANT_EQ(ambit_spawn(region, sends_as_fiber, &sender), 0);
    }
    for (int i = 0; i < MACHINES; i++, first += EACH) {
        struct machine machine = {.to = to, .value = first,
                                  .end = first + EACH};
        WANT_EQ(ambit_spawn_poll(region, sends_as_machine, &machine), 0);
    }
    for (int i = 0; i < THREADS; i++, first += EACH) {
        outside[i] = (struct sender){to, first};
        WANT_EQ(pthread_create(&threads[i], NULL, tries_from_outside,
                               &outside[i]), 0);
    }
}

/* --- what became of them ----------------------------------------------------------- */

static void look_at_each(uint32_t capacity, bool ends_early)
{
    int64_t n[4] = {0}, all_disposed = 0;
    for (int i = 0; i < TOTAL; i++) {
        int64_t handled = count_get(&mail.handled[i]);
        int64_t disposed = count_get(&mail.disposed[i]);
        n[mail.fates[i]]++;
        all_disposed += disposed;
        switch (mail.fates[i]) {
        case REFUSED:
            WANT_EQ(handled + disposed, 0);
            break;
        case SENT:
            WANT_EQ(handled + disposed, 1);
            break;
        case COMMITTED_LATE:
            WANT_EQ(handled, 0);
            WANT_EQ(disposed, 1);
            break;
        case UNSURE:
            WANT_EQ(handled, 0);
            WANT(disposed <= 1);
        }
    }
    WANT_EQ(count_get(&mail.offered), TOTAL);
    WANT(n[SENT] > 0);
    WANT(n[REFUSED] > 0);
    WANT(ends_early || n[COMMITTED_LATE] + n[UNSURE] == 0);
    WANT(ends_early || capacity % 2 != 0 || all_disposed == 0);
}

/* On the pool: no worker spins meanwhile. */
static int join_threads(void *arg)
{
    pthread_t *threads = arg;
    for (int i = 0; i < THREADS; i++) {
        WANT_EQ(pthread_join(threads[i], NULL), 0);
    }
    return 0;
}

static void end_actor(ambit_actor_ref to, uint32_t capacity)
{
    WANT_EQ(capacity % 2 != 0 ? ambit_actor_kill(to, "enough")
                              : ambit_actor_stop(to), 0);
}

static int through_a_mailbox(ambit_cx *cx, uint32_t capacity, bool ends_early)
{
    const struct ambit_actor_type type = {
        .size_ = sizeof type, .name = "sums", .handle = handles,
        .mailbox_max = capacity, .dispose = disposes};
    struct sender outside[THREADS];
    pthread_t threads[THREADS];
    int rc = 0;
    memset(&mail, 0, sizeof mail);
    ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
        ambit_actor_ref to;
        WANT_EQ(ambit_actor_start(cx, s, &type, NULL, 0, &to), 0);
        start_all(s, to, threads, outside);
        if (ends_early) {
            WANT(until(cx, &mail.offered, TOTAL / 2));
            end_actor(to, capacity);
        }
        WANT_EQ(ambit_blocking(cx, join_threads, threads), 0);
        WANT(until(cx, &mail.senders, SENDERS));
        if (!ends_early) {
            end_actor(to, capacity);
        }
    }
    look_at_each(capacity, ends_early);
    return 0;
}

static int ends_under_senders(ambit_cx *cx, void *arg)
{
    return through_a_mailbox(cx, *(uint32_t *)arg, true);
}

static int ends_after_senders(ambit_cx *cx, void *arg)
{
    return through_a_mailbox(cx, *(uint32_t *)arg, false);
}

/* Goal: a mailbox that ends loses nothing, and handles nothing it refused.
 * Method: fibers, machines and foreign threads that send, try, reserve, commit,
 * abort and drop; stopped or killed in the middle; the fate of each message, at
 * each capacity, on one worker and two. */
Spec(MBX_ONCE_1, each_message_has_one_fate_when_the_mailbox_ends)
{
    sums_at_every_capacity(ends_under_senders);
    spec_end("MBX_ONCE_1");
}

/* Goal, method: the same without an end in the middle: all that was sent. */
Spec(AWAIT_ROOM_1, each_message_of_any_sender_has_one_fate)
{
    sums_at_every_capacity(ends_after_senders);
    spec_end("AWAIT_ROOM_1");
}
