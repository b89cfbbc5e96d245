/* SPDX-License-Identifier: MIT */
/*
 * scenarios_group.c -- task groups, whose results are fetched one by one, and
 * cancels that are handed around.
 */
#include "tests/lab/scenario.h"

/* --- groups ---------------------------------------------------------------- */

struct values {
    struct tally made, fetched, disposed;
};

struct order {
    struct values *values;
    int turns;
    int result;
};

struct value {
    struct values *values;
    int64_t number;
};

static int delivers(ambit_cx *cx, struct order *order, struct value *ret)
{
    int rc = 0;
    for (int i = 0; i < order->turns && rc == 0; i++) {
        rc = ambit_yield(cx);
    }
    rc = rc < 0 ? rc : order->result;
    if (rc >= 0) {
        *ret = (struct value){order->values, 10 + rc};
        tally_up(&order->values->made);
    }
    return rc;
}

static void value_put_away(void *ret)
{
    tally_up(&((struct value *)ret)->values->disposed);
}

AMBIT_BRANCH(delivers, struct order, struct value, .dispose = value_put_away)

static int send_off(struct ambit_group *group, struct values *values, int turns,
                    int result, ambit_future *ret_future)
{
    struct order order = {values, turns, result};
    int rc = ambit_group_spawn(group, delivers_branch(&order, NULL), ret_future);
    want(rc == 0 || rc == -ESHUTDOWN);
    return rc;
}

/* What came of it; -ESTALE when it never began, or was fetched before. */
static int fetch(ambit_cx *cx, ambit_future future, struct values *values)
{
    struct value value = {NULL, 0};
    int result = 0;
    int rc = ambit_future_join(cx, future, &value, &result);
    if (rc < 0) {
        return rc;
    }
    always(result < 0 || value.number == 10 + result);
    if (result >= 0) {
        tally_up(&values->fetched);
    }
    return result;
}

static void values_settled(struct values *values)
{
    always(tally_get(&values->made) ==
           tally_get(&values->fetched) + tally_get(&values->disposed));
    ambit_observe(tally_get(&values->made));
    ambit_observe(tally_get(&values->fetched));
}

/* One that failed and was fetched is no failure of the group; one that nobody
 * fetched is. */
static int group(ambit_cx *cx, void *arg)
{
    struct values values = {0};
    ambit_future one = {0}, two = {0}, three = {0};
    int rc = 0, got[3] = {0};
    (void)arg;
    ambit_group (cx, g, &rc) {
        send_off(g, &values, 2, 4, &one);
        send_off(g, &values, 1, -EIO, &two);
        send_off(g, &values, 0, 6, &three);
        send_off(g, &values, 2, -EPIPE, NULL);
        got[2] = fetch(cx, three, &values);
        got[1] = fetch(cx, two, &values);
        got[0] = fetch(cx, one, &values);
        want(fetch(cx, one, &values) == -ESTALE);
    }
    values_settled(&values);
    want(got[0] == 4 && got[1] == -EIO && got[2] == 6 && rc == -EPIPE);
    return disturbed ? rc : 0;
}

struct hunt {
    struct values *values;
    ambit_future prey;
    struct tally got, missed;
};

static int hunts(ambit_cx *cx, void *arg)
{
    struct hunt *hunt = *(struct hunt **)arg;
    int rc = fetch(cx, hunt->prey, hunt->values);
    want(rc == 5 || rc == -EBUSY || rc == -ESTALE);
    tally_up(rc == 5 ? &hunt->got : &hunt->missed);
    return 0;
}

/* Two tasks of the group and its opener after one future. */
static int group_hunters(ambit_cx *cx, void *arg)
{
    struct values values = {0};
    struct hunt hunt = {.values = &values}, *here = &hunt;
    int rc = 0, opener = 0;
    (void)arg;
    ambit_group (cx, g, &rc) {
        if (send_off(g, &values, 1, 5, &hunt.prey) < 0) {
            break;
        }
        ambit_spawn(g->region, hunts, &here);
        ambit_spawn(g->region, hunts, &here);
        opener = fetch(cx, hunt.prey, &values);
    }
    always(tally_get(&hunt.got) + (opener == 5) <= 1);
    want(tally_get(&hunt.got) + (opener == 5) == 1 && rc == 0);
    values_settled(&values);
    return rc;
}

/* Left in the middle: what is not fetched is cancelled or disposed of. */
static int group_left(ambit_cx *cx, void *arg)
{
    struct values values = {0};
    ambit_future one = {0}, two = {0};
    int rc = 0;
    (void)arg;
    ambit_group (cx, g, &rc) {
        send_off(g, &values, 1, 4, &one);
        send_off(g, &values, 3, 5, &two);
        send_off(g, &values, 0, 6, NULL);
        (void)fetch(cx, one, &values);
        break;
    }
    want(rc == 0);
    int late = fetch(cx, two, &values);
    want(late == -ESTALE);
    always(late < 0);
    values_settled(&values);
    return rc;
}

/* Its own cancel: the futures say so, and none is lost. */
static int group_cancelled(ambit_cx *cx, void *arg)
{
    struct values values = {0};
    ambit_future one = {0}, two = {0};
    int rc = 0, got = 0;
    (void)arg;
    ambit_group (cx, g, &rc) {
        send_off(g, &values, 1, 4, &one);
        send_off(g, &values, 3, 5, &two);
        got = fetch(cx, one, &values);
        ambit_group_cancel(g, "enough");
        always(fetch(cx, two, &values) < 0);
    }
    want(got == 4 && rc == 0);
    values_settled(&values);
    return rc;
}

/* --- tokens ---------------------------------------------------------------- */

struct signal_tree {
    ambit_token *token;
    struct tally woken, called_off, called, unregistered, late;
};

static int waits_for_token(ambit_cx *cx, void *arg)
{
    struct signal_tree *tree = *(struct signal_tree **)arg;
    int rc = ambit_token_wait(cx, tree->token);
    always(rc == 0 || rc == -ECANCELED);
    always(rc < 0 || ambit_token_is_cancelled(tree->token));
    tally_up(rc == 0 ? &tree->woken : &tree->called_off);
    return 0;
}

static int cancels_token(ambit_cx *cx, void *arg)
{
    struct signal_tree *tree = *(struct signal_tree **)arg;
    int rc = ambit_yield(cx);
    ambit_token_cancel(tree->token, "go");
    return rc;
}

/* Each of those that wait is woken, once, whoever of the two cancels. */
static int token_waiters(ambit_cx *cx, void *arg)
{
    struct signal_tree tree = {0}, *here = &tree;
    int rc = ambit_token_create(NULL, &tree.token);
    int waiters = 0;
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            for (int i = 0; i < 3; i++) {
                waiters += ambit_spawn(s, waits_for_token, &here) == 0;
            }
            if (ambit_spawn(s, cancels_token, &here) < 0 ||
                ambit_spawn(s, cancels_token, &here) < 0) {
                break;
            }
        }
        always(ambit_token_waiters(tree.token) == 0);
        want(tally_get(&tree.woken) == waiters && rc == 0);
        always(tally_get(&tree.woken) + tally_get(&tree.called_off) <= waiters);
    }
    ambit_token_unref(tree.token);
    return rc;
}

static int cancels_region(ambit_cx *cx, void *arg)
{
    ambit_region *region = *(ambit_region **)arg;
    int rc = ambit_yield(cx);
    ambit_cancel(region, "against the token");
    return rc;
}

/* Those who leave and those who are woken: none is left on the token. */
static int token_against_cancel(ambit_cx *cx, void *arg)
{
    struct signal_tree tree = {0}, *here = &tree;
    int rc = ambit_token_create(NULL, &tree.token);
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            ambit_spawn(s, waits_for_token, &here);
            if (ambit_spawn(s, cancels_region, &s) < 0) {
                break;
            }
            ambit_spawn(s, cancels_token, &here);
            ambit_spawn(s, waits_for_token, &here);
        }
        always(ambit_token_waiters(tree.token) == 0);
        ambit_observe(tally_get(&tree.woken));
        ambit_observe(tally_get(&tree.called_off));
    }
    want(rc == 0);
    ambit_token_unref(tree.token);
    return rc;
}

static void token_calls_back(void *arg)
{
    struct signal_tree *tree = arg;
    always(tally_get(&tree->unregistered) == 0);
    always(tally_up(&tree->called) == 0);
}

static int unregisters(ambit_cx *cx, void *arg)
{
    struct signal_tree *tree = *(struct signal_tree **)arg;
    struct ambit_token_call call = {0};
    int rc = ambit_token_register(tree->token, &call, token_calls_back, tree);
    always(rc == 0 || rc == -ECANCELED);
    if (rc == 0) {
        (void)ambit_yield(cx);
        bool spared = ambit_token_unregister(tree->token, &call);
        always(spared == (tally_get(&tree->called) == 0));
        tally_up(&tree->unregistered);
        (void)ambit_yield(cx);
        always(spared == (tally_get(&tree->called) == 0));
    } else {
        tally_up(&tree->late);
    }
    return 0;
}

/* A call against the end of its registration: once, or not at all. */
static int token_call(ambit_cx *cx, void *arg)
{
    struct signal_tree tree = {0}, *here = &tree;
    int rc = ambit_token_create(NULL, &tree.token);
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            ambit_spawn(s, cancels_token, &here);
            ambit_spawn(s, unregisters, &here);
        }
        ambit_observe(tally_get(&tree.called));
        ambit_observe(tally_get(&tree.late));
    }
    want(rc == 0);
    ambit_token_unref(tree.token);
    return rc;
}

/* Makes a child token, and one below that: both end with the root. */
static int grows(ambit_cx *cx, void *arg)
{
    struct signal_tree *tree = *(struct signal_tree **)arg;
    ambit_token *child = NULL, *below = NULL;
    int rc = ambit_token_create(tree->token, &child);
    if (rc == 0) {
        rc = ambit_yield(cx);
    }
    if (rc == 0) {
        rc = ambit_token_create(child, &below);
    }
    if (rc == 0 && ambit_token_wait(cx, below) == 0) {
        always(ambit_token_is_cancelled(child));
        always(ambit_token_is_cancelled(tree->token));
        tally_up(&tree->woken);
    }
    ambit_token_unref(child);
    ambit_token_unref(below);
    return rc;
}

static int token_tree(ambit_cx *cx, void *arg)
{
    struct signal_tree tree = {0}, *here = &tree;
    ambit_token *beside = NULL;
    int rc = ambit_token_create(NULL, &tree.token);
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            if (ambit_spawn(s, cancels_token, &here) < 0) {
                break;
            }
            ambit_spawn(s, grows, &here);
            ambit_spawn(s, grows, &here);
        }
        want(rc == 0 && tally_get(&tree.woken) == 2);
        rc = rc < 0 ? rc : ambit_token_create(NULL, &beside);
        always(beside == NULL || !ambit_token_is_cancelled(beside));
    }
    ambit_token_unref(beside);
    ambit_token_unref(tree.token);
    return rc;
}

static int waits_under_token(ambit_cx *cx, void *arg)
{
    struct signal_tree *tree = *(struct signal_tree **)arg;
    int rc = ambit_sleep_until(cx, ambit_never());
    always(rc < 0);
    tally_up(&tree->called_off);
    return rc;
}

/* Bound before and after the cancel, closing before and after it. */
static int binds(ambit_cx *cx, void *arg)
{
    struct signal_tree *tree = *(struct signal_tree **)arg;
    int rc = 0;
    ambit_scope (cx, short_one, &rc) {
        int bound = ambit_token_bind(tree->token, short_one);
        want(bound == 0);
        (void)ambit_yield(cx);
    }
    ambit_scope (cx, s, &rc) {
        if (ambit_token_bind(tree->token, s) < 0) {
            break;
        }
        ambit_spawn(s, waits_under_token, &tree);
    }
    want(rc == 0);
    return rc;
}

static int token_bind(ambit_cx *cx, void *arg)
{
    struct signal_tree tree = {0}, *here = &tree;
    int rc = ambit_token_create(NULL, &tree.token);
    (void)arg;
    if (rc == 0) {
        ambit_scope (cx, s, &rc) {
            if (ambit_spawn(s, cancels_token, &here) < 0) {
                break;
            }
            ambit_spawn(s, binds, &here);
            ambit_spawn(s, binds, &here);
        }
        want(rc == 0);
    }
    ambit_token_unref(tree.token);
    return rc;
}

SCENARIOS(group, {"group", group, 2, CORE},
          {"group_hunters", group_hunters, 2, 0},
          {"group_left", group_left, 2, 0},
          {"group_cancelled", group_cancelled, 2, 0},
          {"token_waiters", token_waiters, 2, 0},
          {"token_against_cancel", token_against_cancel, 2, CORE},
          {"token_call", token_call, 2, SMALL},
          {"token_tree", token_tree, 2, 0}, {"token_bind", token_bind, 2, 0});
