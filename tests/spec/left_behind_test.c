/* SPDX-License-Identifier: MIT */
/*
 * left_behind_test.c -- permits and replies that were forgotten: OBL-PERMIT-1
 * and OBL-REPLY-1 of spec/obligation.md.
 */
#include "tests/spec/common.h"

static int take_message(ambit_cx *cx, void *state, const void *message,
                        size_t size)
{
    (void)cx, (void)state, (void)message, (void)size;
    return AMBIT_CONTINUE;
}

static const struct ambit_actor_type narrow = {
    .size_ = sizeof(struct ambit_actor_type),
    .name = "narrow",
    .mailbox_max = 1,
    .handle = take_message,
};

struct sender {
    ambit_actor_ref to;
    struct count *reserved;
    bool commits;
};

static int reserve_and_forget(ambit_cx *cx, void *arg)
{
    struct sender *sender = arg;
    int rc = 0;
    ambit_scope (cx, mine, &rc) {
        struct ambit_obligation record = {0};
        struct ambit_permit permit;
        WANT_EQ(ambit_reserve(cx, sender->to, 4, &permit), 0);
        WANT_EQ(ambit_oblige_permit(mine, &record, &permit), 0);
        count_up(sender->reserved);
        let_others_run(cx);
        if (sender->commits) {
            memset(permit.message, 0, 4);
            WANT_EQ(ambit_fulfil(&record), 0);
            WANT_EQ(ambit_commit(&permit), 0);
            break;
        }
        ambit_panic(cx, "between reserve and commit");
    }
    return rc;
}

/* Whether the credit is back after each of three who panic. */
static bool lose_one_by_one(ambit_cx *cx, ambit_region *region,
                            struct sender *sender)
{
    int bad = 0;
    for (int i = 0; i < 3 && bad == 0; i++) {
        ambit_task task = {0};
        struct ambit_permit permit;
        int result = 0;
        WANT_EQ(ambit_spawn_with(region, reserve_and_forget, sender,
                                 .ret_task = &task), 0);
        WANT_EQ(ambit_join(cx, task, &result), 0);
        bad = ambit_try_reserve(sender->to, 4, &permit);
        WANT_EQ(bad, 0);
        if (bad == 0) {
            ambit_abort(&permit);
        }
    }
    return bad == 0;
}

static int lose_permits(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc, .policy = AMBIT_ISOLATE) {
        struct count reserved = {0};
        struct sender sender = {.reserved = &reserved};
        WANT_EQ(ambit_actor_start(cx, all, &narrow, NULL, 0, &sender.to), 0);
        if (!lose_one_by_one(cx, all, &sender)) {
            break; /* the others would wait for ever */
        }
        for (int i = 1; i <= 20; i++) {
            sender.commits = i % 3 == 0;
            WANT_EQ(ambit_spawn(all, reserve_and_forget, &sender), 0);
        }
        /* the one credit goes from each to the next */
        WANT(until(cx, &reserved, 23));
        WANT_EQ(ambit_send(cx, sender.to, &rc, sizeof rc), 0);
        WANT_EQ(ambit_actor_stop(sender.to), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: a sender that dies between its two steps gives its credit back.
 * Method: one credit, twenty senders, two of three panic holding it. */
Spec(OBL_PERMIT_1, a_permit_left_behind_gives_its_credit_to_the_next)
{
    spec_on_1_and_2_workers(lose_permits);
    spec_end("OBL_PERMIT_1");
}

static int taken_at;

static int keep_it(ambit_cx *cx, void *state, const void *call, void *ret)
{
    (void)state, (void)call, (void)ret;
    taken_at = __LINE__ + 1;
    (void)ambit_reply_later(cx);
    return AMBIT_NO_REPLY;
}

static const struct ambit_server_type keeper = {
    .size_ = sizeof(struct ambit_server_type),
    .name = "keeper",
    .call_size = 4,
    .reply_size = 4,
    .handle_call = keep_it,
};

static int call_keeper(ambit_cx *cx, void *arg)
{
    struct sender *sender = arg;
    int call = 0, reply = 0;
    count_up(sender->reserved);
    WANT_EQ(ambit_call(cx, sender->to, &call, sizeof call, &reply,
                       sizeof reply), -EOWNERDEAD);
    return 0;
}

static int forget_replies(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, all, &rc) {
        struct count calling = {0};
        struct sender sender = {.reserved = &calling};
        WANT_EQ(ambit_server_start(cx, all, &keeper, NULL, 0, &sender.to), 0);
        for (int i = 0; i < 11; i++) {
            WANT_EQ(ambit_spawn(all, call_keeper, &sender), 0);
        }
        WANT(until(cx, &calling, 11));
        let_others_run(cx);
        uint32_t taken = 1;
        while (taken > 0 && ambit_actor_depth(sender.to, &taken) == 0) {
            (void)ambit_yield(cx);
        }
        WANT_EQ(ambit_actor_stop(sender.to), 0);
    }
    WANT_EQ(rc, 0);
    return 0;
}

/* Goal: the log says which reply was forgotten, and stays short.
 * Method: a server ends with eleven; its callers see it dead. */
Spec(OBL_REPLY_1, the_line_of_a_forgotten_reply_is_logged)
{
    char site[160];
    spec_on(1, forget_replies);
    snprintf(site, sizeof site, "\"keeper\" ends without the reply it took at "
             "%s:%d;", __FILE__, taken_at);
    WANT(spec_logged(site));
    int lines = 0;
    for (const char *at = spec_log.text; (at = strstr(at, "took at")); at++) {
        lines++;
    }
    WANT_EQ(lines, 8);
    spec_end("OBL_REPLY_1");
}
