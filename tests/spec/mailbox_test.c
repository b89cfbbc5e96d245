/* SPDX-License-Identifier: MIT */
/*
 * mailbox_test.c -- credits, order, and the end of a mailbox:
 * spec/mailbox.md.
 */
#include "tests/spec/common.h"

/* --- an actor that looks at what it gets ---------------------------------- */

enum { SENDERS = 4 };

struct letter {
    uint32_t from;
    uint32_t number;
};

/* Kept by the scenario; the actor gets a pointer to it. */
struct office {
    struct count handled, disposed, inits, terminated;
    struct count inside;      /* handlers running now */
    struct count gate;        /* handle waits until it is > 0, when closed */
    bool closed;
    uint32_t next[SENDERS];   /* of the one running handler: plain */
    uint32_t batches;
};

struct desk {
    struct office *office;
};

static int desk_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    struct desk *desk = state;
    desk->office = *(struct office *const *)arg;
    count_up(&desk->office->inits);
    return 0;
}

static int desk_handle(ambit_cx *cx, void *state, const void *message,
                       size_t size)
{
    struct office *office = ((struct desk *)state)->office;
    const struct letter *letter = message;
    WANT_EQ(count_up(&office->inside), 0);
    WANT_EQ(size, sizeof *letter);
    WANT_EQ(letter->number, office->next[letter->from]);
    office->next[letter->from] = letter->number + 1;
    if (office->closed) {
        while (count_get(&office->gate) == 0 &&
               ambit_sleep(cx, ambit_us(50)) == 0) {
        }
    } else if (letter->number % 1024 == 0) {
        WANT_EQ(ambit_yield(cx), 0);
    }
    count_add(&office->inside, -1);
    count_up(&office->handled);
    return AMBIT_CONTINUE;
}

static void desk_terminate(ambit_cx *cx, void *state, int reason)
{
    (void)cx;
    (void)reason;
    count_up(&((struct desk *)state)->office->terminated);
}

static struct count *disposed_letters;

static void desk_dispose(void *message, size_t size)
{
    (void)message;
    WANT_EQ(size, sizeof(struct letter));
    count_up(disposed_letters);
}

static struct ambit_actor_type desk_type(uint32_t mailbox_max)
{
    return (struct ambit_actor_type){
        .size_ = sizeof(struct ambit_actor_type),
        .name = "desk",
        .state_size = sizeof(struct desk),
        .mailbox_max = mailbox_max,
        .init = desk_init,
        .handle = desk_handle,
        .terminate = desk_terminate,
        .dispose = desk_dispose,
    };
}

static void open_desk(ambit_cx *cx, ambit_region *region,
                      const struct ambit_actor_type *type,
                      struct office *office, ambit_actor_ref *ret_ref)
{
    disposed_letters = &office->disposed;
    WANT_EQ(ambit_actor_start(cx, region, type, &office, sizeof office,
                              ret_ref), 0);
}

/* --- MBX-ORDER-1, MBX-ONCE-1, MBX-CREDIT-1, MBX-ACTOR-1 ------------------- */

struct sender {
    ambit_actor_ref to;
    uint32_t from, letters, mailbox_max;
};

static int send_letters(ambit_cx *cx, void *arg)
{
    struct sender *s = arg;
    for (uint32_t i = 0; i < s->letters; i++) {
        struct letter letter = {s->from, i};
        uint32_t taken = 0;
        WANT_EQ(ambit_send(cx, s->to, &letter, sizeof letter), 0);
        if (i % 64 == 0) {
            WANT_EQ(ambit_actor_depth(s->to, &taken), 0);
            WANT(taken <= s->mailbox_max);
        }
    }
    return 0;
}

static void post_all(ambit_cx *cx, uint32_t mailbox_max, uint32_t letters)
{
    struct ambit_actor_type type = desk_type(mailbox_max);
    struct office office = {0};
    ambit_actor_ref desk;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        open_desk(cx, all, &type, &office, &desk);
        ambit_scope (cx, senders, &rc) {
            for (uint32_t i = 0; i < SENDERS; i++) {
                struct sender s = {desk, i, letters, mailbox_max};
                WANT_EQ(ambit_spawn(senders, send_letters, &s), 0);
            }
        }
        WANT_EQ(ambit_actor_stop(desk), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&office.handled), SENDERS * (int64_t)letters);
    WANT_EQ(count_get(&office.disposed), 0);
    WANT_EQ(count_get(&office.terminated), 1);
    for (int i = 0; i < SENDERS; i++) {
        WANT_EQ(office.next[i], letters);
    }
}

static int post_through_all_sizes(ambit_cx *cx, void *arg)
{
    (void)arg;
    post_all(cx, 1, 5000 / SPEC_SLOWER);
    post_all(cx, 2, 20000 / SPEC_SLOWER);
    post_all(cx, 7, 20000 / SPEC_SLOWER);
    post_all(cx, 1024, 200000 / SPEC_SLOWER);
    return 0;
}

/* Goal: what one sender commits is handled in that order.
 * Method: four senders with numbered letters through mailboxes of 1 to 1,024;
 * the handler knows which number comes next. */
Spec(MBX_ORDER_1, messages_of_a_sender_are_handled_in_order)
{
    spec_on_1_and_2_workers(post_through_all_sizes);
    spec_end("MBX_ORDER_1");
}

static int post_a_million(ambit_cx *cx, void *arg)
{
    (void)arg;
    post_all(cx, 256, 1000000 / SPEC_SLOWER / SPEC_SLOWER);
    return 0;
}

/* Goal: every message is handled once, none is lost or doubled.
 * Method: four times a million, counted by sender. */
Spec(MBX_ONCE_1, no_message_is_lost_or_handled_twice)
{
    spec_on(2, post_a_million);
    spec_end("MBX_ONCE_1");
}

static int leave_letters_behind(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int round = 0; round < 200 / SPEC_SLOWER; round++) {
        struct ambit_actor_type type = desk_type(64);
        struct office office = {.closed = true};
        ambit_actor_ref desk;
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            open_desk(cx, all, &type, &office, &desk);
            for (uint32_t i = 0; i < 64; i++) {
                struct letter letter = {0, i};
                WANT_EQ(ambit_try_send(desk, &letter, sizeof letter), 0);
            }
            if (round % 2) {
                let_others_run(cx);
            }
            ambit_cancel(all, "closing time");
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&office.handled) + count_get(&office.disposed), 64);
        WANT_EQ(count_get(&office.terminated), count_get(&office.inits));
    }
    return 0;
}

/* Goal: what is never handled is disposed, once.
 * Method: a desk that is closed with 64 letters on it. */
Spec(MBX_ONCE_1, messages_that_are_never_handled_are_disposed)
{
    spec_on_1_and_2_workers(leave_letters_behind);
    spec_end("MBX_ONCE_1");
}

/* Goal: the handler's state needs no lock.
 * Method: plain fields of the office, changed by every handler; an entry
 * count; TSan agrees. */
Spec(MBX_ACTOR_1, an_actor_handles_one_message_at_a_time)
{
    spec_on_1_and_2_workers(post_through_all_sizes);
    spec_end("MBX_ACTOR_1");
}

/* --- MBX-CREDIT-1, MBX-TRY-1 ---------------------------------------------- */

static int fill_the_mailbox(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const uint32_t sizes[] = {1, 2, 3, 100};
    for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
        struct ambit_actor_type type = desk_type(sizes[k]);
        struct office office = {.closed = true};
        ambit_actor_ref desk;
        int rc = 0;
        ambit_scope (cx, all, &rc) {
            struct ambit_permit permit[100], more;
            uint32_t taken = 0;
            open_desk(cx, all, &type, &office, &desk);
            for (uint32_t i = 0; i < sizes[k]; i++) {
                WANT_EQ(ambit_try_reserve(desk, sizeof(struct letter),
                                          &permit[i]), 0);
            }
            struct letter letter = {0, 0};
            WANT_EQ(ambit_try_reserve(desk, 8, &more), -EAGAIN);
            WANT_EQ(ambit_try_send(desk, &letter, sizeof letter), -EAGAIN);
            WANT_EQ(ambit_actor_depth(desk, &taken), 0);
            WANT_EQ(taken, sizes[k]);
            for (uint32_t i = 0; i < sizes[k]; i++) {
                *(struct letter *)permit[i].message = (struct letter){0, i};
                WANT_EQ(ambit_commit(&permit[i]), 0);
            }
            count_up(&office.gate);
            WANT_EQ(ambit_actor_stop(desk), 0);
        }
        WANT_EQ(rc, 0);
        WANT_EQ(count_get(&office.handled), sizes[k]);
    }
    return 0;
}

/* Goal: exactly mailbox_max credits.
 * Method: all of them reserved, one more refused, for several sizes. */
Spec(MBX_CREDIT_1, a_mailbox_gives_no_more_credits_than_it_has)
{
    spec_on_1_and_2_workers(fill_the_mailbox);
    spec_end("MBX_CREDIT_1");
}

/* Goal: the forms that never wait say so at once.
 * Method: the same full mailboxes; nobody could make room meanwhile. */
Spec(MBX_TRY_1, the_try_forms_answer_at_once)
{
    spec_on_1_and_2_workers(fill_the_mailbox);
    spec_end("MBX_TRY_1");
}

/* --- MBX-STOP-1 ----------------------------------------------------------- */

static int stop_when_full(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct ambit_actor_type type = desk_type(8);
    struct office office = {.closed = true};
    ambit_actor_ref desk;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        open_desk(cx, all, &type, &office, &desk);
        uint32_t sent = 0;
        struct letter letter = {0, 0};
        while (ambit_try_send(desk, &letter, sizeof letter) == 0) {
            letter.number = ++sent;
        }
        WANT(sent >= 8);
        WANT_EQ(ambit_actor_stop(desk), 0);
        WANT_EQ(ambit_actor_stop(desk), 0);
        WANT_EQ(count_get(&office.terminated), 0);
        count_up(&office.gate);
        WANT(until(cx, &office.terminated, 1));
        WANT_EQ(count_get(&office.handled), sent);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&office.disposed), 0);
    return 0;
}

/* Goal: a stop finds its way into a full mailbox and lets it be emptied.
 * Method: eight letters nobody handles yet, a stop, then the gate opens. */
Spec(MBX_STOP_1, a_stop_needs_no_room_and_comes_after_what_was_queued)
{
    spec_on_1_and_2_workers(stop_when_full);
    spec_end("MBX_STOP_1");
}

/* --- MBX-SIZE-1 ----------------------------------------------------------- */

static int check_bytes(ambit_cx *cx, void *state, const void *message,
                       size_t size)
{
    (void)cx;
    const unsigned char *bytes = message;
    struct count **intact = state;
    bool good = (uintptr_t)message % 16 == 0;
    for (size_t i = 0; i < size; i++) {
        good = good && bytes[i] == (unsigned char)(i * 31 + size);
    }
    WANT(good);
    count_up(*intact);
    return AMBIT_CONTINUE;
}

static int take_counter(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    memcpy(state, arg, sizeof(struct count *));
    return 0;
}

static int send_all_sizes(ambit_cx *cx, void *arg)
{
    (void)arg;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 64, 1000, 4097, 1 << 20};
    static const struct ambit_actor_type type = {
        .size_ = sizeof type,
        .state_size = sizeof(struct count *),
        .init = take_counter,
        .handle = check_bytes,
    };
    struct count intact = {0}, *pintact = &intact;
    ambit_actor_ref reader;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct ambit_permit permit;
        WANT_EQ(ambit_actor_start(cx, all, &type, &pintact, sizeof pintact,
                                  &reader), 0);
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            WANT_EQ(ambit_reserve(cx, reader, sizes[k], &permit), 0);
            WANT_EQ(permit.size, sizes[k]);
            unsigned char *bytes = permit.message;
            for (size_t i = 0; i < sizes[k]; i++) {
                bytes[i] = (unsigned char)(i * 31 + sizes[k]);
            }
            WANT_EQ(ambit_commit(&permit), 0);
        }
        WANT_EQ(ambit_reserve(cx, reader, (1 << 20) + 1, &permit), -E2BIG);
        WANT_EQ(ambit_try_send(reader, NULL, SIZE_MAX), -E2BIG);
        WANT_EQ(ambit_actor_stop(reader), 0);
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&intact), ARRAY_LEN(sizes));
    return 0;
}

/* Goal: what is built in the permit is what is handled.
 * Method: sizes from nothing to 1 MiB, and beyond. */
Spec(MBX_SIZE_1, a_message_of_any_size_arrives_intact)
{
    spec_on_1_and_2_workers(send_all_sizes);
    spec_end("MBX_SIZE_1");
}
