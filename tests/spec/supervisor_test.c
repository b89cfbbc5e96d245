/* SPDX-License-Identifier: MIT */
/*
 * supervisor_test.c -- who is started again, how often, and what becomes of
 * the others: spec/supervisor.md.
 *
 * What a restart leaves of a mailbox is in restart_test.c.
 */
#include "tests/spec/common.h"

/* --- children that end as they are told ----------------------------------- */

/* What all children of a scenario write to. */
struct book {
    struct count started, terminated, live;
    struct count order_len;
    char order[32];
    int init_fails_from; /* this start and later ones fail; 0: none */
};

struct kid {
    struct book *book;
    char letter; /* 0: is not written down */
    int init_result;
};

static void book_write(struct book *book, char letter)
{
    int64_t at = count_up(&book->order_len);
    if (letter != 0 && at < (int64_t)sizeof book->order - 1) {
        book->order[at] = letter;
    }
}

static int kid_handle_init(ambit_cx *cx, struct kid *state, const void *arg)
{
    *state = *(const struct kid *)arg;
    int64_t nth = count_up(&state->book->started) + 1;
    WANT_EQ(ambit_yield(cx), 0);
    book_write(state->book, state->letter);
    if (state->book->init_fails_from != 0 &&
        nth >= state->book->init_fails_from) {
        return -EACCES;
    }
    return state->init_result;
}

/* A call says how to end: 0 goes on, AMBIT_STOP, a panic when negative. */
static int kid_handle_call(ambit_cx *cx, struct kid *state,
                           const int64_t *call, int64_t *ret_reply)
{
    (void)state;
    *ret_reply = *call;
    if (*call < 0) {
        ambit_panic(cx, "it was told to");
    }
    return (int)*call;
}

static int kid_handle_cast(ambit_cx *cx, struct kid *state,
                           const int64_t *cast)
{
    (void)cx;
    (void)state;
    return (int)*cast;
}

static void kid_handle_terminate(ambit_cx *cx, struct kid *state, int reason)
{
    (void)reason;
    WANT_EQ(ambit_yield(cx), 0);
    book_write(state->book,
               (char)(state->letter != 0 ? state->letter - 'a' + 'A' : 0));
    count_up(&state->book->terminated);
}

AMBIT_SERVER(kid, struct kid, int64_t, int64_t, .init = kid_handle_init,
             .handle_call = kid_handle_call, .handle_cast = kid_handle_cast,
             .terminate = kid_handle_terminate);

static struct ambit_child kid_child(const char *name, struct kid *kid,
                                    ambit_actor_ref *ret_ref)
{
    return (struct ambit_child){
        .name = name,
        .server = &kid_type,
        .arg = kid,
        .arg_size = sizeof *kid,
        .ret_ref = ret_ref,
    };
}

/* --- SUP-START-1 ---------------------------------------------------------- */

static void start_five(ambit_cx *cx, int failing, const char *wanted)
{
    struct book book = {0};
    struct kid kids[5];
    struct ambit_child children[5];
    ambit_actor_ref refs[5] = {{0}};
    int rc = 0;
    for (int i = 0; i < 5; i++) {
        kids[i] = (struct kid){&book, (char)('a' + i),
                               i == failing ? -EACCES : 0};
        children[i] = kid_child("kid", &kids[i], &refs[i]);
    }
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_supervise(cx, all, children, 5),
                failing < 0 ? 0 : -EACCES);
        int64_t reply;
        for (int i = 0; i < 5 && failing < 0; i++) {
            WANT_EQ(kid_call(cx, refs[i], &reply, 0), 0);
        }
        ambit_cancel(all, "enough");
    }
    WANT_EQ(rc, 0);
    if (strcmp(book.order, wanted) != 0) {
        fprintf(stderr, "the order was %s\n", book.order);
        WANT(!"the order of starting and ending");
    }
}

static int start_in_order(ambit_cx *cx, void *arg)
{
    (void)arg;
    start_five(cx, -1, "abcdeEDCBA");
    start_five(cx, 0, "a");
    start_five(cx, 2, "abcBA");
    start_five(cx, 4, "abcdeDCBA");
    return 0;
}

/* Goal: one after the other, and all or none.
 * Method: five children write when they start and end; one of them fails. */
Spec(SUP_START_1, children_start_in_order_or_not_at_all)
{
    spec_on_1_and_2_workers(start_in_order);
    spec_end("SUP_START_1");
}

/* --- SUP-RESTART-1 -------------------------------------------------------- */

enum ending { NORMAL_STOP, NORMAL_CALL, ERROR, PANIC, KILL, ENDINGS };

static void end_kid(ambit_cx *cx, ambit_actor_ref kid, enum ending how)
{
    int64_t reply;
    switch (how) {
    case NORMAL_STOP:
        WANT_EQ(ambit_actor_stop(kid), 0);
        break;
    case NORMAL_CALL:
        WANT_EQ(kid_call(cx, kid, &reply, AMBIT_STOP), 0);
        break;
    case ERROR:
        WANT_EQ(kid_cast(cx, kid, -EIO), 0);
        break;
    case PANIC:
        WANT_EQ(kid_call(cx, kid, &reply, -1), -EOWNERDEAD);
        break;
    default:
        WANT_EQ(ambit_actor_kill(kid, "killed"), 0);
    }
}

static bool call_meets_new_life(ambit_cx *cx, ambit_actor_ref kid,
                                struct book *book)
{
    int64_t reply;
    /* a kill may find the kid in the middle of this very call */
    for (int i = 0; i < 1000 && count_get(&book->started) < 2; i++) {
        int rc = kid_call(cx, kid, &reply, 0);
        if (rc == -EPIPE || rc == -ESTALE) {
            return false;
        }
        WANT(rc == 0 || rc == -EOWNERDEAD);
    }
    return kid_call(cx, kid, &reply, 0) == 0;
}

static int restart_by_type(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (int type = AMBIT_PERMANENT; type <= AMBIT_TEMPORARY; type++) {
        for (enum ending how = NORMAL_STOP; how < ENDINGS; how++) {
            bool again = type == AMBIT_PERMANENT ||
                         (type == AMBIT_TRANSIENT && how >= ERROR);
            struct book book = {0}, other = {0};
            struct kid kid = {&book, 0, 0}, sibling = {&other, 0, 0};
            ambit_actor_ref refs[2];
            int rc = 0;
            ambit_scope (cx, all, &rc) {
                struct ambit_child children[] = {
                    kid_child("kid", &kid, &refs[0]),
                    kid_child("sibling", &sibling, &refs[1]),
                };
                children[0].restart = (enum ambit_restart)type;
                WANT_EQ(ambit_supervise(cx, all, children, 2), 0);
                end_kid(cx, refs[0], how);
                WANT_EQ(call_meets_new_life(cx, refs[0], &book), again);
                int64_t reply;
                WANT_EQ(kid_call(cx, refs[1], &reply, 0), 0);
                ambit_cancel(all, "enough");
            }
            WANT_EQ(rc, 0);
            WANT_EQ(count_get(&book.started), again ? 2 : 1);
            WANT_EQ(count_get(&book.terminated), again ? 2 : 1);
            WANT_EQ(count_get(&other.started), 1);
        }
    }
    return 0;
}

/* Goal: permanent, transient and temporary mean what they say.
 * Method: three types, five ways to end; the next call, and the sibling's. */
Spec(SUP_RESTART_1, the_restart_type_decides)
{
    spec_on_1_and_2_workers(restart_by_type);
    spec_end("SUP_RESTART_1");
}

/* --- SUP-RESTART-2 -------------------------------------------------------- */

struct crasher {
    struct count *starts;
    int64_t crashes; /* then it waits */
    int64_t before_ns;
};

static int crash_again(ambit_cx *cx, void *arg)
{
    struct crasher *c = arg;
    if (count_up(c->starts) >= c->crashes) {
        return ambit_sleep_until(cx, ambit_never());
    }
    WANT_EQ(ambit_sleep(cx, ambit_ns(c->before_ns)), 0);
    ambit_panic(cx, "once more");
}

static void crash_until_given_up(ambit_cx *cx, uint32_t intensity)
{
    struct count starts = {0};
    struct crasher crasher = {&starts, INT64_MAX, 0};
    const struct ambit_child child = {.name = "crasher",
                                      .task = crash_again,
                                      .arg = &crasher,
                                      .arg_size = sizeof crasher};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        (void)ambit_supervise(cx, all, &child, 1, .intensity = intensity,
                              .never_restart = intensity == 0,
                              .period = ambit_s(100));
        (void)ambit_sleep_until(cx, ambit_never());
    }
    WANT_EQ(rc, -EOWNERDEAD);
    WANT_EQ(count_get(&starts), 1 + intensity);
}

static void fail_to_restart(ambit_cx *cx, uint32_t intensity)
{
    struct book book = {.init_fails_from = 2};
    struct kid kid = {&book, 0, 0};
    ambit_actor_ref ref;
    int64_t reply;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct ambit_child child = kid_child("kid", &kid, &ref);
        WANT_EQ(ambit_supervise(cx, all, &child, 1, .intensity = intensity,
                                .period = ambit_s(100)), 0);
        WANT_EQ(kid_call(cx, ref, &reply, -1), -EOWNERDEAD);
        (void)ambit_sleep_until(cx, ambit_never());
    }
    WANT_EQ(rc, -EOWNERDEAD);
    WANT_EQ(count_get(&book.started), 1 + intensity);
}

static void crash_now_and_then(ambit_cx *cx)
{
    struct count starts = {0};
    struct crasher crasher = {&starts, 15, 5000000};
    const struct ambit_child child = {.name = "crasher",
                                      .task = crash_again,
                                      .arg = &crasher,
                                      .arg_size = sizeof crasher};
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_supervise(cx, all, &child, 1, .intensity = 1,
                                .period = ambit_ms(1)), 0);
        WANT(until(cx, &starts, 16));
        ambit_cancel(all, "it lives on");
    }
    WANT_EQ(rc, 0);
}

static int count_restarts(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (uint32_t intensity = 0; intensity <= 6; intensity++) {
        crash_until_given_up(cx, intensity);
    }
    for (uint32_t intensity = 1; intensity <= 4; intensity++) {
        fail_to_restart(cx, intensity);
    }
    crash_now_and_then(cx);
    return 0;
}

/* Goal: so many restarts and not one more.
 * Method: crash loops under intensities of 0 to 6, failing inits, and crashes
 * that are farther apart than the period. */
Spec(SUP_RESTART_2, a_supervisor_restarts_exactly_as_often_as_it_may)
{
    spec_on_1_and_2_workers(count_restarts);
    spec_end("SUP_RESTART_2");
}

/* --- SUP-RESTART-3, SUP-OBSERVE-1 ----------------------------------------- */

struct witness {
    int restarts, gave_up;
    bool good;
};

static void take_note(void *user, const struct ambit_supervisor_event *event)
{
    struct witness *w = user;
    w->restarts += !event->gave_up;
    w->gave_up += event->gave_up;
    w->good = w->good && strcmp(event->supervisor, "boss") == 0 &&
              strcmp(event->child, "crasher") == 0 &&
              event->reason == -EOWNERDEAD &&
              event->total == (uint64_t)w->restarts &&
              event->restarts == (uint32_t)w->restarts;
}

static int give_up(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct book book = {0};
    struct count starts = {0};
    struct crasher crasher = {&starts, INT64_MAX, 200000};
    struct kid kids[3];
    struct ambit_child children[4];
    struct witness witness = {.good = true};
    ambit_actor_ref refs[3];
    int rc = 0;
    for (int i = 0; i < 3; i++) {
        kids[i] = (struct kid){&book, (char)('a' + i), 0};
        children[i] = kid_child("kid", &kids[i], &refs[i]);
    }
    children[3] = (struct ambit_child){.name = "crasher",
                                       .task = crash_again,
                                       .arg = &crasher,
                                       .arg_size = sizeof crasher};
    ambit_scope (cx, all, &rc) {
        (void)ambit_supervise(cx, all, children, 4, .name = "boss",
                              .intensity = 3, .period = ambit_s(100),
                              .observe = take_note, .observe_user = &witness);
        WANT_EQ(ambit_sleep_until(cx, ambit_never()), -ECANCELED);
    }
    WANT_EQ(rc, -EOWNERDEAD);
    WANT_EQ(strcmp(book.order, "abcCBA"), 0);
    WANT_EQ(witness.restarts, 3);
    WANT_EQ(witness.gave_up, 1);
    WANT(witness.good);
    return 0;
}

/* Goal: giving up ends all and is the region's failure.
 * Method: three quiet children and one that crashes on and on. */
Spec(SUP_RESTART_3, giving_up_ends_the_children_in_reverse_and_fails)
{
    spec_on_1_and_2_workers(give_up);
    spec_end("SUP_RESTART_3");
}

/* Goal: nothing is restarted behind anybody's back.
 * Method: the same crash loop; the observer's count, names and reasons. */
Spec(SUP_OBSERVE_1, the_observer_is_told_of_every_restart)
{
    spec_on_1_and_2_workers(give_up);
    spec_end("SUP_OBSERVE_1");
}
