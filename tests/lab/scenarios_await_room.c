/* SPDX-License-Identifier: MIT */
/*
 * scenarios_await_room.c -- machines and fibers in one line for room in a
 * mailbox; and what is given to a machine that panics before it looks: room, or
 * a request of a boundary.
 *
 * Whatever happens: who came first is served first, and nothing that was given
 * to nobody is missing.
 */
#include "tests/lab/scenario.h"

#include <errno.h>

/* --- an actor with one place ------------------------------------------------ */

struct room {
    ambit_actor_ref box;
    struct tally queued, ended, told;
    unsigned handled; /* a bit for each */
    int next;         /* the number that is to come; by the one who handles */
    bool in_order, is_ending;
};

static int room_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    memcpy(state, arg, sizeof(struct room *));
    return 0;
}

static int room_handle(ambit_cx *cx, void *state, const void *message,
                       size_t size)
{
    struct room *room = *(struct room **)state;
    int number;
    (void)cx;
    always(size == sizeof number);
    memcpy(&number, message, sizeof number);
    always((room->handled & 1u << number) == 0);
    want(!room->in_order || number == room->next);
    room->next = number + 1;
    room->handled |= 1u << number;
    return AMBIT_CONTINUE;
}

static const struct ambit_actor_type room_type = {
    .size_ = sizeof room_type,
    .name = "room",
    .state_size = sizeof(struct room *),
    .mailbox_max = 1,
    .init = room_init,
    .handle = room_handle,
};

enum manner { SENDS, RESERVES, PANICS, DROPS };

struct comer {
    struct ambit_await wait;
    struct ambit_permit permit;
    struct room *room;
    enum manner manner;
    int number;
    bool is_queued;
};

static int asks_for_room(ambit_cx *cx, struct comer *s)
{
    if (s->manner == SENDS) {
        return ambit_await_actor_send(cx, &s->wait, s->room->box, &s->number,
                                      sizeof s->number);
    }
    int rc = ambit_await_actor_reserve(cx, &s->wait, s->room->box,
                                       sizeof s->number, &s->permit);
    if (rc == 0 && s->manner == RESERVES) {
        memcpy(s->permit.message, &s->number, sizeof s->number);
        rc = ambit_commit(&s->permit);
    }
    return rc;
}

/* Room may have been given to it. */
static int gives_up(ambit_cx *cx, struct comer *s)
{
    int rc = ambit_await_drop(&s->wait);
    if (rc == -EBUSY && (rc = asks_for_room(cx, s)) == 0) {
        ambit_abort(&s->permit);
    }
    always(rc == 0 || rc == -EPIPE || is_called_off(rc) ||
           (rc == -ENOMEM && disturbed));
    return 0;
}

static void ends(struct room *room, int rc)
{
    always(rc == 0 || is_called_off(rc) || (rc == -EPIPE && room->is_ending) ||
           (disturbed && (rc == -EPIPE || rc == -ESTALE || rc == -ENOMEM)));
    tally_add(&room->ended, rc == 0);
    tally_add(&room->told, rc == -EPIPE);
}

static int comer_step(ambit_cx *cx, void *arg)
{
    struct comer *s = arg;
    if (s->is_queued && s->manner == PANICS) {
        ambit_panic(cx, "it may have got room");
    }
    if (s->is_queued && s->manner == DROPS) {
        return gives_up(cx, s);
    }
    int rc = asks_for_room(cx, s);
    if (!s->is_queued) {
        s->is_queued = true;
        tally_up(&s->room->queued);
    }
    if (rc != AMBIT_PENDING) {
        ends(s->room, rc);
    }
    return rc;
}

/* On the worker of the scenario: when that goes on, this waits. */
static int comes_as_fiber(ambit_cx *cx, void *arg)
{
    struct comer *s = arg;
    tally_up(&s->room->queued);
    int rc = ambit_send(cx, s->room->box, &s->number, sizeof s->number);
    ends(s->room, rc);
    return rc;
}

/* False: it is not in the line, and will not be. */
static bool come(ambit_cx *cx, ambit_region *region, struct comer *comer,
                 bool as_fiber)
{
    int64_t before = tally_get(&comer->room->queued);
    int rc = as_fiber ? ambit_spawn_with(region, comes_as_fiber, comer,
                                         .tier = AMBIT_FIBER)
                      : ambit_spawn_poll(region, comer_step, comer);
    want(rc == 0);
    while (rc == 0 && tally_get(&comer->room->queued) == before) {
        rc = ambit_yield(cx);
    }
    return rc == 0;
}

static int room_open(ambit_cx *cx, ambit_region *region, struct room *room)
{
    int rc = ambit_actor_start(cx, region, &room_type, &room, sizeof room,
                               &room->box);
    want(rc == 0);
    return rc;
}

/* Machines and fibers in a drawn order behind a permit, which is then used or
 * given back: they are handled in the order in which they came. */
static int await_room_in_order(ambit_cx *cx, void *arg)
{
    struct room room = {.in_order = true, .next = 1};
    struct ambit_permit first;
    int rc = 0, inner = 0, n = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        if (room_open(cx, s, &room) < 0 ||
            ambit_reserve(cx, room.box, sizeof n, &first) < 0) {
            always(disturbed);
            break;
        }
        ambit_scope (cx, comers, &inner, .policy = AMBIT_COLLECT) {
            for (n = 1; n <= 4; n++) {
                unsigned how = ambit_choose(3);
                struct comer comer = {.room = &room, .number = n,
                                      .manner = how == 1 ? RESERVES : SENDS};
                want(come(cx, comers, &comer, how == 2));
            }
            ambit_abort(&first);
        }
        (void)ambit_actor_stop(room.box);
    }
    want(rc == 0 && tally_get(&room.ended) == 4 && room.handled == 0x1e);
    return rc;
}

/* The first in the line panics, or gives up, as it may be given room. */
static int await_room_and_panic(ambit_cx *cx, void *arg)
{
    struct room room = {.in_order = false};
    struct comer comer = {.room = &room, .number = 1,
                          .manner = ambit_choose(2) ? DROPS : PANICS};
    struct ambit_permit first;
    uint32_t taken = 1;
    int rc = 0, inner = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
        if (room_open(cx, s, &room) < 0 ||
            ambit_reserve(cx, room.box, sizeof comer.number, &first) < 0) {
            always(disturbed);
            break;
        }
        ambit_scope (cx, comers, &inner, .policy = AMBIT_ISOLATE) {
            want(come(cx, comers, &comer, false));
            comer.manner = SENDS;
            comer.number = 2;
            if (ambit_choose(2)) {
                want(come(cx, comers, &comer, false));
                ambit_abort(&first);
            } else {
                ambit_abort(&first);
                want(ambit_spawn_poll(comers, comer_step, &comer) == 0);
            }
        }
        want(tally_get(&room.ended) == 1);
        while (ambit_actor_depth(room.box, &taken) == 0 && taken > 0 &&
               ambit_yield(cx) == 0) {
        }
        always(taken == 0 || disturbed);
        int again = ambit_try_reserve(room.box, 1, &first);
        want(again == 0);
        if (again == 0) {
            ambit_abort(&first);
        }
        (void)ambit_actor_stop(room.box);
    }
    want(rc == 0 && room.handled == 1u << 2);
    return rc;
}

/* The actor ends under those who wait, with its place still reserved. */
static int await_room_to_the_end(ambit_cx *cx, void *arg)
{
    struct room room = {.is_ending = true};
    struct ambit_permit first;
    int rc = 0, inner = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .policy = AMBIT_ISOLATE) {
        if (room_open(cx, s, &room) < 0 ||
            ambit_reserve(cx, room.box, sizeof(int), &first) < 0) {
            always(disturbed);
            break;
        }
        ambit_scope (cx, comers, &inner, .policy = AMBIT_ISOLATE) {
            for (int i = 0; i < 3; i++) {
                struct comer comer = {.room = &room, .number = i,
                                      .manner = i == 1 ? RESERVES : SENDS};
                want(come(cx, comers, &comer, i == 2));
            }
            (void)ambit_actor_kill(room.box, "closed");
        }
        ambit_abort(&first);
    }
    want(rc == 0 && tally_get(&room.told) == 3 && room.handled == 0);
    return rc;
}

/* --- a request that is given to one that panics ------------------------------ */

AMBIT_ASYNC_STATE(guards, 1, (struct ambit_await, wait),
                  (ambit_boundary *, boundary),
                  (struct ambit_boundary_request, request),
                  (struct tally *, begun), (bool, is_begun), (bool, panics));

static int receives(ambit_cx *cx, struct guards *s)
{
    if (s->is_begun && s->panics) {
        ambit_panic(cx, "it may have been given a request");
    }
    int rc = ambit_await_boundary(cx, &s->wait, s->boundary, &s->request);
    tally_add(s->begun, !s->is_begun);
    s->is_begun = true;
    return rc;
}

static int guards(ambit_cx *cx, void *arg)
{
    struct guards *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(guards, 1, s);
    for (;;) {
        AMBIT_AWAIT(1, rc, receives(cx, s));
        if (rc < 0) {
            always(rc == -EPIPE || is_called_off(rc));
            AMBIT_ASYNC_RETURN(rc == -EPIPE ? 0 : rc);
        }
        rc = ambit_boundary_respond(&s->request, s->request.data, 1);
        always(rc == 0 || (rc == -EPIPE && disturbed));
    }
    AMBIT_ASYNC_END(0);
}

static bool start_guard(ambit_cx *cx, ambit_region *region,
                        const struct guards *guard)
{
    int64_t before = tally_get(guard->begun);
    int rc = ambit_spawn_poll(region, guards, guard);
    want(rc == 0);
    while (rc == 0 && tally_get(guard->begun) == before) {
        rc = ambit_yield(cx);
    }
    return rc == 0;
}

/* The first gets the request, and the second the next one. */
static void ask_both(ambit_cx *cx, ambit_region *region, ambit_boundary *b,
                     struct tally *begun)
{
    struct guards guard = {.boundary = b, .begun = begun, .panics = true};
    struct ambit_boundary_ticket first, second;
    bool is_early = ambit_choose(2), is_served = false;
    char reply = 0;
    int rc = 0, got = -EAGAIN;
    ambit_scope (cx, inner, &rc, .policy = AMBIT_ISOLATE) {
        bool is_there = start_guard(cx, inner, &guard);
        guard.panics = false;
        is_served = is_there && is_early && start_guard(cx, region, &guard);
        always(ambit_boundary_try_call(b, "x", 1, ambit_never(), &first) == 0);
        if (!is_there) {
            ambit_cancel(inner, "nobody came");
        }
    }
    want(ambit_boundary_try(b, first, &reply, 1) == -ECANCELED);
    always(ambit_boundary_try_call(b, "y", 1, ambit_never(), &second) == 0);
    if (is_served || start_guard(cx, region, &guard)) {
        while ((got = ambit_boundary_try(b, second, &reply, 1)) == -EAGAIN &&
               ambit_yield(cx) == 0) {
        }
    }
    want(got == 1 && reply == 'y');
}

static int await_request_and_panic(ambit_cx *cx, void *arg)
{
    struct ambit_boundary_stats stats;
    struct tally begun = {0};
    ambit_boundary *b;
    int rc = 0;
    (void)arg;
    if (ambit_boundary_create(&b, .capacity = 2, .request_max = 1,
                              .reply_max = 1) < 0) {
        always(disturbed);
        return -ENOMEM;
    }
    ambit_scope (cx, s, &rc) {
        if (ambit_boundary_serve(s, b) < 0) {
            always(disturbed);
            break;
        }
        ask_both(cx, s, b, &begun);
        ambit_boundary_close(b);
    }
    ambit_boundary_stats(b, &stats);
    always(stats.held == 0 && stats.queued == 0 && stats.receivers == 0);
    want(rc == 0 && stats.cancelled == 1 && stats.answered == 1);
    ambit_boundary_unref(b);
    return rc;
}

SCENARIOS(await_room,
          {"await_room_in_order", await_room_in_order, 2, CORE,
           "AWAIT-ROOM-1"},
          {"await_room_and_panic", await_room_and_panic, 2, CORE,
           "AWAIT-ROOM-2 AWAIT-DROP-1"},
          {"await_room_to_the_end", await_room_to_the_end, 2, CORE},
          {"await_request_and_panic", await_request_and_panic, 2, CORE,
           "AWAIT-BND-2"});
