/* SPDX-License-Identifier: MIT */
/*
 * ceiling_test.c -- limits on what is there at one time: REG-BUDGET-6, 7 and
 * REG-LIMIT-1 of spec/region.md.
 */
#include "tests/spec/common.h"

#include "regions/budget.h"

#include <fcntl.h>

/* --- one of each kind ----------------------------------------------------- */

/* What a ceiling counts: as many as it grants, and how to give them back. */
struct holder {
    enum ambit_limit kind;
    ambit_region *region;
    int held;
    struct count started, cancelled, release;
    struct ambit_scope_block blocks[8];
    ambit_tcp *sockets[8];
    ambit_file *file;
    ambit_tcp *listener;
};

static int wait_for_release(ambit_cx *cx, void *arg)
{
    struct holder *h = *(struct holder **)arg;
    count_up(&h->started);
    return until(cx, &h->release, 1) ? 0 : -ECANCELED;
}

/* An operation that stays in the kernel until it is cancelled. */
static int accept_nobody(ambit_cx *cx, void *arg)
{
    struct holder *h = *(struct holder **)arg;
    ambit_tcp *none;
    count_up(&h->started);
    int rc = ambit_tcp_accept(cx, h->listener, &none);
    return rc == -ESHUTDOWN ? 0 : rc;
}

static int hold_op(ambit_cx *cx, struct holder *h)
{
    int64_t before = count_get(&h->started);
    int rc = ambit_spawn(h->region, accept_nobody, &h);
    WANT_EQ(rc, 0);
    WANT(until(cx, &h->started, before + 1));
    /* under way at the latest when the use has arrived at the limit's count */
    while (ambit_region_used(h->region, AMBIT_LIMIT_OPS) <=
           (uint64_t)h->held) {
        WANT_EQ(ambit_yield(cx), 0);
    }
    return 0;
}

/* One more; 0 or -EDQUOT. */
static int hold(ambit_cx *cx, struct holder *h)
{
    int rc = 0;
    switch (h->kind) {
    case AMBIT_LIMIT_TASKS:
        rc = ambit_spawn(h->region, wait_for_release, &h);
        break;
    case AMBIT_LIMIT_CHILDREN:
        rc = ambit_scope_open(cx, &h->blocks[h->held], NULL);
        break;
    case AMBIT_LIMIT_HEAP:
        rc = region_charge_bytes(region_of(h->region), 1);
        break;
    case AMBIT_LIMIT_FDS:
        rc = ambit_tcp_listen("127.0.0.1:0", &h->sockets[h->held]);
        break;
    default:
        rc = hold_op(cx, h);
        break;
    }
    h->held += rc == 0;
    return rc;
}

/* The one that is too much. */
static int hold_one_more(ambit_cx *cx, struct holder *h)
{
    char byte;
    return h->kind == AMBIT_LIMIT_OPS
               ? (int)ambit_file_read(cx, h->file, &byte, 1, 0)
               : hold(cx, h);
}

static void let_tasks_go(ambit_cx *cx, struct holder *h)
{
    count_set(&h->release, 1);
    while (ambit_region_tasks(h->region) > 0) {
        WANT_EQ(ambit_yield(cx), 0);
    }
    count_set(&h->release, 0);
}

/* Gives all of them back. */
static void let_go(ambit_cx *cx, struct holder *h)
{
    for (; h->held > 0; h->held--) {
        switch (h->kind) {
        case AMBIT_LIMIT_CHILDREN:
            WANT_EQ(ambit_scope_close(cx, &h->blocks[h->held - 1], 0), 0);
            break;
        case AMBIT_LIMIT_HEAP:
            region_uncharge_bytes(region_of(h->region), 1);
            break;
        case AMBIT_LIMIT_FDS:
            if (h->held % 2 == 0) {
                WANT_EQ(ambit_tcp_close(cx, h->sockets[h->held - 1]), 0);
            } else {
                ambit_tcp_discard(h->sockets[h->held - 1]);
            }
            break;
        default:
            break;
        }
    }
    if (h->kind == AMBIT_LIMIT_OPS) {
        WANT_EQ(ambit_tcp_close(cx, h->listener), 0);
        WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &h->listener), 0);
    }
    let_tasks_go(cx, h);
}

static struct ambit_budget budget_of(enum ambit_limit kind, uint32_t n)
{
    struct ambit_budget b = {.polls_max = 0};
    b.tasks_max = kind == AMBIT_LIMIT_TASKS ? n : 0;
    b.children_max = kind == AMBIT_LIMIT_CHILDREN ? n : 0;
    b.heap_max = kind == AMBIT_LIMIT_HEAP ? n : 0;
    b.fds_max = kind == AMBIT_LIMIT_FDS ? n : 0;
    b.ops_max = kind == AMBIT_LIMIT_OPS ? n : 0;
    return b;
}

static const enum ambit_limit ceilings[] = {
    AMBIT_LIMIT_TASKS, AMBIT_LIMIT_CHILDREN, AMBIT_LIMIT_HEAP,
    AMBIT_LIMIT_FDS, AMBIT_LIMIT_OPS};

static void holder_open(ambit_cx *cx, struct holder *h, enum ambit_limit kind)
{
    memset(h, 0, sizeof *h);
    h->kind = kind;
    WANT_EQ(ambit_file_open(cx, "/dev/zero", O_RDONLY, 0, &h->file), 0);
    WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &h->listener), 0);
}

static void holder_shut(struct holder *h)
{
    ambit_file_discard(h->file);
    ambit_tcp_discard(h->listener);
}

/* --- REG-BUDGET-7 --------------------------------------------------------- */

static void fill_and_empty(ambit_cx *cx, enum ambit_limit kind, uint32_t n)
{
    struct holder h;
    const struct ambit_budget limit = budget_of(kind, n);
    int rc = 0;
    holder_open(cx, &h, kind);
    ambit_scope (cx, own, &rc, .budget = &limit) {
        h.region = own;
        for (int round = 0; round < 3; round++) {
            for (uint32_t i = 0; i < n; i++) {
                WANT_EQ(hold(cx, &h), 0); /* below, and at the limit */
                WANT_EQ(ambit_region_used(own, kind), i + 1);
            }
            for (int again = 0; again < 3; again++) {
                WANT_EQ(hold_one_more(cx, &h), -EDQUOT); /* above */
                WANT_EQ(ambit_region_used(own, kind), n);
            }
            WANT_EQ(ambit_checkpoint(cx), 0);
            let_go(cx, &h);
            WANT_EQ(ambit_region_used(own, kind), 0);
        }
    }
    WANT_EQ(rc, 0);
    holder_shut(&h);
}

/* Two spawners; each task looks how many there are. */
struct crowd {
    struct count *live, *ran, *refused;
    int rounds;
};

static int one_of_crowd(ambit_cx *cx, void *arg)
{
    struct crowd *c = arg;
    WANT(count_up(c->live) < 7);
    (void)ambit_yield(cx);
    count_up(c->ran);
    count_add(c->live, -1);
    return 0;
}

/* Each from a child region of its own. */
static int spawn_crowd(ambit_cx *cx, void *arg)
{
    struct crowd *c = arg;
    int rc = 0, granted = 0;
    WANT(count_up(c->live) < 7);
    ambit_scope (cx, own, &rc) {
        while (granted < c->rounds) {
            int spawned = ambit_spawn(own, one_of_crowd, c);
            WANT(spawned == 0 || spawned == -EDQUOT);
            granted += spawned == 0;
            count_add(c->refused, spawned == -EDQUOT);
            if (spawned < 0) {
                WANT_EQ(ambit_yield(cx), 0);
            }
        }
    }
    count_add(c->live, -1);
    return rc;
}

static int crowd_under_a_ceiling(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct count live = {0}, ran = {0}, refused = {0};
    int rc = 0, rounds = (int)(4000 / SPEC_SLOWER);
    ambit_scope (cx, all, &rc, .tasks_max = 7) {
        struct crowd c = {&live, &ran, &refused, rounds};
        WANT_EQ(ambit_spawn(all, spawn_crowd, &c), 0);
        while (ambit_spawn(all, spawn_crowd, &c) == -EDQUOT) {
            WANT_EQ(ambit_yield(cx), 0); /* the first one has all places */
        }
    }
    WANT_EQ(rc, 0);
    WANT_EQ(count_get(&ran), 2 * rounds);
    WANT(count_get(&refused) > 0);
    return 0;
}

static int fill_all_kinds(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
        for (uint32_t n = 1; n <= 4; n += 3) {
            fill_and_empty(cx, ceilings[i], n);
        }
    }
    return 0;
}

/* Goal: so many and no more, and a place that is free is given again.
 * Method: each kind filled, refused, emptied, three times; a crowd from two
 * child regions on two workers. */
Spec(REG_BUDGET_7, a_ceiling_refuses_without_effect)
{
    spec_on_1_and_2_workers(fill_all_kinds);
    spec_on_1_and_2_workers(crowd_under_a_ceiling);
    spec_end("REG_BUDGET_7");
}

/* --- REG-BUDGET-6 --------------------------------------------------------- */

/* The limit is outside or inside; whoever is tighter refuses, and what was
 * counted on the way is taken back. */
static void share_a_limit(ambit_cx *cx, enum ambit_limit kind)
{
    struct holder h, far;
    const struct ambit_budget four = budget_of(kind, 4);
    const struct ambit_budget nine = budget_of(kind, 9);
    int rc = 0;
    int own = kind == AMBIT_LIMIT_CHILDREN; /* the inner scope itself */
    holder_open(cx, &h, kind);
    holder_open(cx, &far, kind);
    ambit_scope (cx, outer, &rc, .name = "outer", .budget = &four) {
        far.region = outer;
        WANT_EQ(own ? 0 : hold(cx, &far), 0);
        ambit_scope (cx, inner, &rc, .name = "inner", .budget = &nine) {
            h.region = inner;
            for (int i = 1; i < 4; i++) {
                WANT_EQ(hold(cx, &h), 0);
            }
            WANT_EQ(ambit_region_used(outer, kind), 4);
            WANT_EQ(ambit_region_used(inner, kind), 3);
            WANT_EQ(hold_one_more(cx, &h), -EDQUOT);
            WANT_EQ(ambit_region_used(outer, kind), 4);
            WANT_EQ(ambit_region_used(inner, kind), 3);
            let_go(cx, &h);
            WANT_EQ(ambit_region_used(outer, kind), 1);
            WANT_EQ(ambit_region_used(inner, kind), 0);
        }
        WANT_EQ(ambit_region_used(outer, kind), 1 - own);
        let_go(cx, &far);
        WANT_EQ(ambit_region_used(outer, kind), 0);
    }
    WANT_EQ(rc, 0);
    holder_shut(&h);
    holder_shut(&far);
}

/* A descriptor counts until it is closed, wherever it went. */
static int hand_out_a_socket(ambit_cx *cx, void *arg)
{
    (void)arg;
    ambit_tcp *kept = NULL, *late = NULL;
    int rc = 0;
    ambit_scope (cx, outer, &rc, .fds_max = 1) {
        ambit_scope (cx, inner, &rc, .fds_max = 3) {
            WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &kept), 0);
        }
        WANT_EQ(ambit_region_used(outer, AMBIT_LIMIT_FDS), 1);
        WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &late), -EDQUOT);
        WANT_EQ(ambit_tcp_close(cx, kept), 0);
        WANT_EQ(ambit_region_used(outer, AMBIT_LIMIT_FDS), 0);
        WANT_EQ(ambit_tcp_listen("127.0.0.1:0", &late), 0);
    }
    WANT_EQ(rc, 0);
    ambit_tcp_discard(late); /* its regions are gone */
    return 0;
}

/* Blocks of a heap count while they are there, and until its region closes. */
static int allocate_to_the_limit(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc = 0;
    ambit_scope (cx, outer, &rc, .heap_max = 64) {
        ambit_scope (cx, inner, &rc) {
            void *block[5] = {NULL};
            for (int i = 0; i < 4; i++) {
                WANT_EQ(ambit_alloc(inner, 16, &block[i]), 0);
            }
            WANT_EQ(ambit_alloc(inner, 1, &block[4]), -EDQUOT);
            WANT(block[4] == NULL);
            WANT_EQ(ambit_region_used(outer, AMBIT_LIMIT_HEAP), 64);
            ambit_free(inner, block[0], 16);
            WANT_EQ(ambit_alloc(outer, 16, &block[4]), 0);
            WANT_EQ(ambit_alloc(outer, 5000, &block[0]), -EDQUOT);
        }
        WANT_EQ(ambit_region_used(outer, AMBIT_LIMIT_HEAP), 16);
    }
    WANT_EQ(rc, 0);
    return 0;
}

static int quota_of_the_outer(ambit_cx *cx, void *arg)
{
    (void)arg;
    int rc[2] = {0, 0};
    ambit_scope (cx, outer, &rc[0], .cost_max = 5, .polls_max = 3) {
        ambit_scope (cx, inner, &rc[1], .cost_max = 4, .polls_max = 9) {
            WANT_EQ(ambit_charge(cx, 3), 0);
            WANT_EQ(ambit_yield(cx), 0);
            WANT_EQ(ambit_yield(cx), 0);
        }
        WANT_EQ(ambit_region_used(outer, AMBIT_LIMIT_COST), 3);
        WANT_EQ(ambit_region_used(outer, AMBIT_LIMIT_POLLS), 2);
        ambit_scope (cx, again, &rc[1], .cost_max = 4) {
            WANT_EQ(ambit_charge(cx, 3), -EDQUOT);
            WANT_EQ(ambit_region_used(again, AMBIT_LIMIT_COST), 0);
            WANT(!ambit_cancel_reason(again).own);
        }
        WANT_EQ(ambit_cancel_reason(outer).kind, AMBIT_CANCEL_BUDGET);
    }
    WANT_EQ(rc[1], -ECANCELED);
    WANT_EQ(rc[0], -EDQUOT);
    return 0;
}

static int share_all_kinds(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
        share_a_limit(cx, ceilings[i]);
    }
    return 0;
}

/* Goal: a part counts for the whole.
 * Method: an inner region with room left meets the outer one's limit, for each
 * kind; a socket outlives both. */
Spec(REG_BUDGET_6, what_a_child_region_uses_counts_for_all_around)
{
    spec_on_1_and_2_workers(share_all_kinds);
    spec_on_1_and_2_workers(hand_out_a_socket);
    spec_on_1_and_2_workers(allocate_to_the_limit);
    spec_on_1_and_2_workers(quota_of_the_outer);
    spec_end("REG_BUDGET_6");
}

/* --- REG-LIMIT-1 ---------------------------------------------------------- */

static void want_error(ambit_region *region, enum ambit_limit kind,
                       uint64_t limit, uint64_t live, uint64_t asked,
                       const char *name)
{
    struct ambit_limit_error e = {.kind = AMBIT_LIMIT_NONE};
    WANT_EQ(ambit_limit_error(region, &e), 0);
    WANT_EQ(e.kind, kind);
    WANT_EQ(e.limit, limit);
    WANT_EQ(e.live, live);
    WANT_EQ(e.asked, asked);
    WANT(e.region != NULL && strcmp(e.region, name) == 0);
}

static int name_the_limit(ambit_cx *cx, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
        struct holder h;
        struct ambit_limit_error e;
        const struct ambit_budget two = budget_of(ceilings[i], 2);
        int rc = 0;
        holder_open(cx, &h, ceilings[i]);
        ambit_scope (cx, own, &rc, .name = "narrow", .budget = &two) {
            h.region = own;
            WANT_EQ(ambit_limit_error(own, &e), -ENOENT);
            WANT_EQ(hold(cx, &h), 0);
            WANT_EQ(hold(cx, &h), 0);
            WANT_EQ(ambit_limit_error(own, &e), -ENOENT);
            WANT_EQ(hold_one_more(cx, &h), -EDQUOT);
            want_error(own, ceilings[i], 2, 2, 1, "narrow");
            WANT_EQ(hold_one_more(cx, &h), -EDQUOT);
            let_go(cx, &h);
        }
        WANT_EQ(rc, 0);
        holder_shut(&h);
    }
    int rc = 0, inner_rc = 0;
    ambit_scope (cx, wide, &rc, .name = "wide", .cost_max = 100) {
        ambit_scope (cx, inner, &inner_rc, .name = "inner", .cost_max = 1000) {
            WANT_EQ(ambit_charge(cx, 90), 0);
            WANT_EQ(ambit_charge(cx, 11), -EDQUOT);
            want_error(inner, AMBIT_LIMIT_COST, 100, 90, 11, "wide");
        }
    }
    ambit_scope (cx, none, &rc) {
        struct ambit_limit_error e;
        WANT_EQ(ambit_limit_error(none, &e), -ENOENT);
    }
    return 0;
}

static int times_logged(const char *word)
{
    int n = 0;
    for (const char *at = spec_log.text; (at = strstr(at, word)) != NULL;
         at += strlen(word)) {
        n++;
    }
    return n;
}

/* Goal: whoever is refused can say by what.
 * Method: each kind is asked by the getter, and the log has one line each. */
Spec(REG_LIMIT_1, a_refusal_names_its_limit)
{
    spec_on_1_and_2_workers(name_the_limit);
    const char *const words[] = {"tasks_max of 2", "children_max of 2",
                                 "heap_max of 2", "fds_max of 2",
                                 "ops_max of 2", "cost_max of 100"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        WANT_EQ(times_logged(words[i]), 2); /* two runs */
    }
    WANT_EQ(times_logged("region \"narrow\""), 10);
    spec_end("REG_LIMIT_1");
}
