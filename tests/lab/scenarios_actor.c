/* SPDX-License-Identifier: MIT */
/*
 * scenarios_actor.c -- mailboxes: order, credits, full, stopped, killed.
 */
#include "tests/lab/scenario.h"

struct letter {
    int from;
    int number;
};

/* What all that takes part knows of the letters. */
struct post {
    ambit_actor_ref box;
    struct tally sent, handled, disposed, refused, ended;
    int last[4]; /* of each sender, by the one who handles */
};

static struct post *post_now; /* dispose has no other way to it */

static int box_init(ambit_cx *cx, void *state, const void *arg)
{
    (void)cx;
    memcpy(state, arg, sizeof(struct post *));
    return 0;
}

static int box_handle(ambit_cx *cx, void *state, const void *message,
                      size_t size)
{
    struct post *post = *(struct post **)state;
    const struct letter *letter = message;
    always(size == sizeof *letter);
    always(letter->number > post->last[letter->from]);
    post->last[letter->from] = letter->number;
    tally_up(&post->handled);
    (void)ambit_yield(cx);
    return letter->number == 99 ? AMBIT_STOP : AMBIT_CONTINUE;
}

static void box_terminate(ambit_cx *cx, void *state, int reason)
{
    (void)cx;
    (void)reason;
    tally_up(&(*(struct post **)state)->ended);
}

static void box_dispose(void *message, size_t size)
{
    (void)message;
    (void)size;
    tally_up(&post_now->disposed);
}

static const struct ambit_actor_type box_type = {
    .size_ = sizeof box_type,
    .name = "box",
    .state_size = sizeof(struct post *),
    .mailbox_max = 2,
    .init = box_init,
    .handle = box_handle,
    .terminate = box_terminate,
    .dispose = box_dispose,
};

static int open_box(ambit_cx *cx, ambit_region *region, struct post *post)
{
    post_now = post;
    int rc = ambit_actor_start(cx, region, &box_type, &post, sizeof post,
                               &post->box);
    want(rc == 0);
    return rc;
}

struct sender {
    struct post *post;
    int from;
};

static int post_one(ambit_cx *cx, struct sender *sender, int number)
{
    struct ambit_permit permit;
    int rc = ambit_reserve(cx, sender->post->box, sizeof(struct letter),
                           &permit);
    if (rc < 0) {
        tally_up(&sender->post->refused);
        return rc;
    }
    *(struct letter *)permit.message = (struct letter){sender->from, number};
    tally_up(&sender->post->sent); /* disposed of, if too late */
    return ambit_commit(&permit);
}

static int sends(ambit_cx *cx, void *arg)
{
    struct sender *sender = arg;
    int rc = 0;
    for (int i = 1; i <= 3 && rc == 0; i++) {
        rc = post_one(cx, sender, i);
    }
    want(rc == 0 || rc == -EPIPE || rc == -ESTALE || is_called_off(rc));
    return disturbed || rc == -EPIPE || rc == -ESTALE ? 0 : rc;
}

/* Once the region of the box has closed. */
static void count_letters(struct post *post)
{
    always(tally_get(&post->sent) ==
           tally_get(&post->handled) + tally_get(&post->disposed));
    ambit_observe(tally_get(&post->handled));
}

static int actor_order(ambit_cx *cx, void *arg)
{
    struct post post = {0};
    int rc = 0, inner_rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (open_box(cx, s, &post) < 0) {
            break;
        }
        ambit_scope (cx, senders, &inner_rc) {
            ambit_spawn(senders, sends, (&(struct sender){&post, 0}));
            ambit_spawn(senders, sends, (&(struct sender){&post, 1}));
            ambit_spawn(senders, sends, (&(struct sender){&post, 2}));
        }
        want(ambit_actor_stop(post.box) == 0);
    }
    count_letters(&post);
    want(rc == 0 && tally_get(&post.handled) == 9);
    return rc;
}

static int actor_credits(ambit_cx *cx, void *arg)
{
    struct post post = {0};
    struct ambit_permit one, two, three;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (open_box(cx, s, &post) < 0 ||
            ambit_try_reserve(post.box, sizeof(struct letter), &one) < 0) {
            break; /* which cancels */
        }
        int second = ambit_try_reserve(post.box, sizeof(struct letter), &two);
        want(second == 0);
        int third = ambit_try_reserve(post.box, sizeof(struct letter), &three);
        want(third == -EAGAIN);
        if (third == 0) {
            ambit_abort(&three);
        }
        ambit_abort(&one);
        if (second == 0) {
            *(struct letter *)two.message = (struct letter){0, 99};
            tally_up(&post.sent);
            want(ambit_commit(&two) == 0);
        } else {
            ambit_cancel(s, "nothing stops it");
        }
    }
    count_letters(&post);
    want(rc == 0 && tally_get(&post.handled) == 1);
    return rc;
}

/* Reserved before, committed after it has gone. */
static int actor_dies_between(ambit_cx *cx, void *arg)
{
    struct post post = {0};
    struct ambit_permit permit = {0};
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (open_box(cx, s, &post) < 0) {
            break;
        }
        int reserved =
            ambit_try_reserve(post.box, sizeof(struct letter), &permit);
        want(reserved == 0);
        want(ambit_actor_kill(post.box, "in between") == 0);
        if (reserved < 0) {
            break;
        }
        (void)ambit_yield(cx);
        (void)ambit_sleep(cx, ambit_us(20));
        *(struct letter *)permit.message = (struct letter){0, 1};
        tally_up(&post.sent);
        int committed = ambit_commit(&permit);
        want(committed == -EPIPE || committed == 0);
    }
    count_letters(&post);
    want(rc == -EOWNERDEAD || rc == 0);
    return disturbed ? rc : 0;
}

static int stops_box(ambit_cx *cx, void *arg)
{
    struct post *post = *(struct post **)arg;
    int rc = ambit_yield(cx);
    int stopped = ambit_actor_stop(post->box);
    always(stopped == 0 || stopped == -EPIPE || stopped == -ESTALE);
    return rc;
}

static int actor_stop_against_send(ambit_cx *cx, void *arg)
{
    struct post post = {0}, *here = &post;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (open_box(cx, s, &post) < 0) {
            break;
        }
        ambit_spawn(s, sends, (&(struct sender){&post, 0}));
        ambit_spawn(s, sends, (&(struct sender){&post, 1}));
        if (ambit_spawn(s, stops_box, &here) < 0) {
            ambit_cancel(s, "nobody stops it");
        }
    }
    count_letters(&post);
    always(tally_get(&post.ended) <= 1);
    want(rc == 0 && tally_get(&post.ended) == 1);
    return rc;
}

static int kills_box(ambit_cx *cx, void *arg)
{
    struct post *post = *(struct post **)arg;
    int rc = ambit_yield(cx);
    int killed = ambit_actor_kill(post->box, "to be sure");
    always(killed == 0 || killed == -EPIPE || killed == -ESTALE);
    return rc;
}

static int actor_kill_against_send(ambit_cx *cx, void *arg)
{
    struct post post = {0}, *here = &post;
    int rc = 0;
    (void)arg;
    ambit_scope (cx, s, &rc, .policy = AMBIT_COLLECT) {
        if (open_box(cx, s, &post) < 0) {
            break;
        }
        ambit_spawn(s, sends, (&(struct sender){&post, 0}));
        ambit_spawn(s, sends, (&(struct sender){&post, 1}));
        if (ambit_spawn(s, kills_box, &here) < 0) {
            ambit_cancel(s, "nobody kills it");
        }
    }
    count_letters(&post);
    want(rc == -EOWNERDEAD);
    return disturbed ? rc : 0;
}

/* The senders to a full mailbox are cancelled; what they hold is given up. */
static int actor_full_against_cancel(ambit_cx *cx, void *arg)
{
    struct post post = {0};
    struct ambit_permit permits[2];
    int rc = 0, inner_rc = 0, held = 0;
    (void)arg;
    ambit_scope (cx, s, &rc) {
        if (open_box(cx, s, &post) < 0) {
            break;
        }
        while (held < 2 && ambit_try_reserve(post.box, sizeof(struct letter),
                                             &permits[held]) == 0) {
            held++;
        }
        ambit_scope (cx, senders, &inner_rc,
                     .deadline = ambit_after(ambit_us(50))) {
            ambit_spawn(senders, sends, (&(struct sender){&post, 0}));
            ambit_spawn(senders, sends, (&(struct sender){&post, 1}));
        }
        want(held == 2 && tally_get(&post.refused) == 2);
        uint32_t taken = 0;
        int asked = ambit_actor_depth(post.box, &taken);
        always(asked < 0 || taken <= 2);
        while (held > 0) {
            ambit_abort(&permits[--held]);
        }
        want(ambit_actor_stop(post.box) == 0);
    }
    count_letters(&post);
    want(rc == 0 && inner_rc == -ETIMEDOUT);
    return rc;
}

/* --- turns that end and begin on two workers --------------------------------- */

/* Half of them park: on the stack of their own turn, and go on there. */
static int court_handle(ambit_cx *cx, void *state, const void *message,
                        size_t size)
{
    struct post *post = *(struct post **)state;
    struct letter letter = *(const struct letter *)message;
    unsigned here = ambit_cx_worker(cx);
    always(size == sizeof letter && letter.number > post->last[letter.from]);
    post->last[letter.from] = letter.number;
    always(tally_up(&post->ended) == 0); /* one at a time */
    int rc = letter.number % 2 == 0 ? ambit_yield(cx) : 0;
    always(ambit_cx_worker(cx) == here);
    always(letter.number == post->last[letter.from]);
    tally_down(&post->ended);
    tally_up(&post->handled);
    return rc < 0 ? rc : AMBIT_CONTINUE;
}

static const struct ambit_actor_type court_type = {
    .size_ = sizeof court_type,
    .name = "court",
    .state_size = sizeof(struct post *),
    .mailbox_max = 16,
    .init = box_init,
    .handle = court_handle,
    .dispose = box_dispose,
};

/* Each letter finds the court at the end of a turn, here or at the other's.  It
 * was reserved before the one ahead of it, so that it never has the memory of one
 * that the court still takes for the last. */
static int plays(ambit_cx *cx, void *arg)
{
    struct sender *sender = arg;
    struct post *post = sender->post;
    struct ambit_permit permits[8];
    int reserved = 0, rc = 0;
    while (reserved < 8 && rc == 0) {
        rc = ambit_reserve(cx, post->box, sizeof(struct letter),
                           &permits[reserved]);
        reserved += rc == 0;
    }
    for (int i = 0; i < reserved; i++) {
        *(struct letter *)permits[i].message =
            (struct letter){sender->from, i + 1};
        tally_up(&post->sent); /* disposed of, if too late */
        int sent = ambit_commit(&permits[i]);
        rc = rc < 0 ? rc : sent;
        rc = rc < 0 ? rc : ambit_yield(cx);
    }
    want(rc == 0);
    return disturbed ? 0 : rc;
}

static int actor_of_two_workers(ambit_cx *cx, void *arg)
{
    struct post post = {0}, *here = &post;
    int rc = 0, inner_rc = 0;
    (void)arg;
    post_now = &post;
    ambit_scope (cx, s, &rc) {
        int made = ambit_actor_start(cx, s, &court_type, &here, sizeof here,
                                     &post.box);
        want(made == 0);
        if (made < 0) {
            break;
        }
        ambit_scope (cx, players, &inner_rc) {
            for (unsigned i = 0; i < 2; i++) {
                int spawned = ambit_spawn_with(
                    players, plays, (&(struct sender){&post, (int)i}),
                    .placement = AMBIT_PINNED, .worker = i);
                want(spawned == 0);
            }
        }
        want(ambit_actor_stop(post.box) == 0);
    }
    count_letters(&post);
    want(rc == 0 && tally_get(&post.handled) == 16);
    return rc;
}

SCENARIOS(actor, {"actor_order", actor_order, 2, 0},
          {"actor_of_two_workers", actor_of_two_workers, 2, 0},
          {"actor_credits", actor_credits, 1, 0},
          {"actor_dies_between", actor_dies_between, 2, TIMED},
          {"actor_stop_against_send", actor_stop_against_send, 2, CORE},
          {"actor_kill_against_send", actor_kill_against_send, 2, 0},
          {"actor_full_against_cancel", actor_full_against_cancel, 2, TIMED});
