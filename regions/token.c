/* SPDX-License-Identifier: MIT */
/*
 * token.c -- a cancel that is an object.
 *
 *   open --ambit_token_cancel(), of it or of one above--> cancelled
 *
 * Whoever moves it to cancelled, and nobody else, empties its three lists: who
 * waits, what is to be called, the tokens below.  One entry at a time is taken
 * out under the lock and served without it, so no code but ours runs under the
 * lock, and an entry that can no longer be found in its list is being served.
 *
 *   TOKEN-WAIT-1  Each waiter is woken once, or takes itself out.
 *   TOKEN-CALL-1  A call is made at most once, and not after unregister.
 *   TOKEN-TREE-1  The cancel reaches all below, whatever the depth.
 *
 * A child holds its parent; a parent knows its children without holding them.
 * token.lock: nothing is taken under it.
 */
#include "regions/region.h"

#include "src/await.h"

#include <ambit/token.h>

#include <pthread.h>
#include <stdlib.h>

struct ambit_token {
    ambit_token *parent; /* once; held */
    struct spin lock;    /* guards the rest, but for what is atomic */
    struct list_node waiters;
    struct list_node calls;
    struct list_node children;
    struct list_node sibling;   /* parent.children; the parent's lock */
    size_t waiting;
    const char *text;
    struct ambit_token_call *running; /* the call being made just now */
    pthread_t runner;                 /* by whom */
    ambit_token *next; /* written once: by whoever cancels the parent */
    _Atomic uint32_t refs;      /* any thread: ORDER(token-refs) */
    _Atomic uint32_t cancelled; /* any thread: ORDER(token) */
};

_Static_assert(offsetof(struct ambit_token_call, prev_) -
                       offsetof(struct ambit_token_call, next_) ==
                   offsetof(struct list_node, prev),
               "a call is linked as a list node is");

static struct list_node *call_node(struct ambit_token_call *call)
{
    return (struct list_node *)(void *)&call->next_;
}

static struct ambit_token_call *call_of_node(struct list_node *node)
{
    return CONTAINER_OF((struct ambit_token_call **)(void *)node,
                        struct ambit_token_call, next_);
}

/* --- life ----------------------------------------------------------------- */

int ambit_token_create(ambit_token *parent, ambit_token **ret_token)
{
    ambit_token *token = calloc(1, sizeof *token);
    if (token == NULL) {
        return -ENOMEM;
    }
    spin_init(&token->lock);
    list_init(&token->waiters);
    list_init(&token->calls);
    list_init(&token->children);
    list_init(&token->sibling);
    atomic_init(&token->refs, 1);
    atomic_init(&token->cancelled, 0);
    if (parent != NULL) {
        token->parent = ambit_token_ref(parent);
        spin_lock(&parent->lock);
        if (ambit_token_is_cancelled(parent)) {
            RULE(TOKEN_TREE_1);
            token->text = parent->text;
            atomic_init(&token->cancelled, 1);
        } else {
            list_push_back(&parent->children, &token->sibling);
        }
        spin_unlock(&parent->lock);
    }
    *ret_token = token;
    return 0;
}

ambit_token *ambit_token_ref(ambit_token *token)
{
    /* ORDER(token-refs): relaxed.  The caller holds it already. */
    atomic_fetch_add_explicit(&token->refs, 1, memory_order_relaxed);
    return token;
}

/* For a token found in its parent's list: false when its last holder is about
 * to take it out of there. */
static bool try_ref(ambit_token *token)
{
    /* ORDER(token-refs): relaxed.  A guess for the CAS. */
    uint32_t refs = atomic_load_explicit(&token->refs, memory_order_relaxed);
    do {
        if (refs == 0) {
            return false;
        }
        /* ORDER(token-refs): relaxed.  What is in it is read under a lock. */
    } while (!atomic_compare_exchange_weak_explicit(
        &token->refs, &refs, refs + 1, memory_order_relaxed,
        memory_order_relaxed));
    return true;
}

void ambit_token_unref(ambit_token *token)
{
    while (token != NULL) {
        ambit_token *parent = token->parent;
        /* ORDER(token-refs): acq_rel.  Pairs with itself: the last one sees
         * what the others did to it. */
        if (atomic_fetch_sub_explicit(&token->refs, 1, memory_order_acq_rel) !=
            1) {
            return;
        }
        ASSERT(list_is_empty(&token->waiters));
        if (parent != NULL) {
            spin_lock(&parent->lock);
            list_remove(&token->sibling);
            spin_unlock(&parent->lock);
        }
        free(token);
        token = parent; /* which it held */
    }
}

bool ambit_token_is_cancelled(ambit_token *token)
{
    /* ORDER(token): acquire.  Pairs with cancel_begin(). */
    return atomic_load_explicit(&token->cancelled, memory_order_acquire) != 0;
}

const char *ambit_token_text(ambit_token *token)
{
    spin_lock(&token->lock);
    const char *text = token->text;
    spin_unlock(&token->lock);
    return text;
}

size_t ambit_token_waiters(ambit_token *token)
{
    spin_lock(&token->lock);
    size_t waiting = token->waiting;
    spin_unlock(&token->lock);
    return waiting;
}

/* --- cancel --------------------------------------------------------------- */

struct token_waiter {
    struct list_node node; /* token.waiters */
    ambit_token *token;
    struct who *who;
};

/* True for one caller only: the lists are its. */
static bool cancel_begin(ambit_token *token, const char *text)
{
    spin_lock(&token->lock);
    bool first = !ambit_token_is_cancelled(token);
    if (first) {
        RULE(TOKEN_CANCEL_1);
        token->text = text;
        /* ORDER(token): release.  Pairs with ambit_token_is_cancelled(). */
        atomic_store_explicit(&token->cancelled, 1, memory_order_release);
    }
    spin_unlock(&token->lock);
    return first;
}

static void wake_all(ambit_token *token)
{
    for (;;) {
        spin_lock(&token->lock);
        struct list_node *node = list_pop_front(&token->waiters);
        token->waiting -= node != NULL;
        spin_unlock(&token->lock);
        if (node == NULL) {
            return;
        }
        RULE(TOKEN_WAIT_1);
        who_wake(CONTAINER_OF(node, struct token_waiter, node)->who, 0);
    }
}

static void call_all(ambit_token *token)
{
    for (;;) {
        spin_lock(&token->lock);
        struct list_node *node = list_pop_front(&token->calls);
        struct ambit_token_call *call =
            node != NULL ? call_of_node(node) : NULL;
        token->running = call;
        token->runner = pthread_self();
        spin_unlock(&token->lock);
        if (call == NULL) {
            return;
        }
        RULE(TOKEN_CALL_1);
        call->fn(call->arg); /* after which `call` may be gone */
    }
}

/* The children, held, in front of the list. */
static ambit_token *take_children(ambit_token *token, ambit_token *list)
{
    spin_lock(&token->lock);
    struct list_node *node;
    while ((node = list_pop_front(&token->children)) != NULL) {
        ambit_token *child = CONTAINER_OF(node, struct ambit_token, sibling);
        if (try_ref(child)) {
            RULE(TOKEN_TREE_1);
            child->next = list;
            list = child;
        }
    }
    spin_unlock(&token->lock);
    return list;
}

void ambit_token_cancel(ambit_token *token, const char *text)
{
    ambit_token *list = NULL;
    ambit_token *at = ambit_token_ref(token);
    while (at != NULL) {
        if (cancel_begin(at, text)) {
            wake_all(at);
            call_all(at);
            list = take_children(at, list);
        }
        ambit_token_unref(at);
        at = list;
        list = at != NULL ? at->next : NULL;
    }
}

/* --- wait ----------------------------------------------------------------- */

/* True when it was there: it is the caller's again. */
static bool waiter_remove(struct token_waiter *waiter)
{
    ambit_token *token = waiter->token;
    spin_lock(&token->lock);
    bool there = list_is_linked(&waiter->node);
    if (there) {
        RULE(TOKEN_WAIT_2);
        list_remove(&waiter->node);
        token->waiting--;
    }
    spin_unlock(&token->lock);
    return there;
}

static enum park_answer wait_abort(struct task *task, void *arg)
{
    (void)task;
    return waiter_remove(arg) ? PARK_ABORTED : PARK_BUSY;
}

/* False: it is cancelled already. */
static bool waiter_add(struct token_waiter *waiter, ambit_token *token,
                       struct who *who)
{
    waiter->token = token;
    waiter->who = who;
    list_init(&waiter->node);
    spin_lock(&token->lock);
    bool cancelled = ambit_token_is_cancelled(token);
    if (!cancelled) {
        list_push_back(&token->waiters, &waiter->node);
        token->waiting++;
    }
    spin_unlock(&token->lock);
    return !cancelled;
}

int ambit_token_wait(ambit_cx *cx, ambit_token *token)
{
    struct task *task = task_of(cx);
    struct token_waiter waiter;
    int rc = park_check(task);
    if (rc < 0 || !waiter_add(&waiter, token, who_parks(task))) {
        return rc;
    }
    return (int)park(task, PARK_TOKEN, wait_abort, &waiter);
}

static enum await_off wait_call_off(struct await *await)
{
    RULE(AWAIT_TOKEN_1);
    if (waiter_remove(AWAIT_KEPT(struct token_waiter, await))) {
        return AWAIT_OFF;
    }
    await_until_said(await);
    return AWAIT_OVER;
}

static const struct await_kind in_token = {.call_off = wait_call_off};

int ambit_await_token(ambit_cx *cx, struct ambit_await *wait,
                      ambit_token *token)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    int64_t said;
    if (await_look(task, await, &said) != AWAIT_IDLE) {
        return (int)said;
    }
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    await_begin(await, task, &in_token);
    if (!waiter_add(AWAIT_KEPT(struct token_waiter, await), token,
                    who_awaits(await))) {
        await_end(await);
        return 0;
    }
    return AMBIT_PENDING;
}

/* --- calls ---------------------------------------------------------------- */

int ambit_token_register(ambit_token *token, struct ambit_token_call *call,
                         void (*fn)(void *arg), void *arg)
{
    call->fn = fn;
    call->arg = arg;
    list_init(call_node(call));
    spin_lock(&token->lock);
    bool cancelled = ambit_token_is_cancelled(token);
    if (!cancelled) {
        list_push_back(&token->calls, call_node(call));
    }
    spin_unlock(&token->lock);
    return cancelled ? -ECANCELED : 0;
}

/* Lock held. */
static bool runs_elsewhere(ambit_token *token, struct ambit_token_call *call)
{
    return token->running == call &&
           !pthread_equal(token->runner, pthread_self());
}

bool ambit_token_unregister(ambit_token *token, struct ambit_token_call *call)
{
    spin_lock(&token->lock);
    bool there = call->next_ != NULL && list_is_linked(call_node(call));
    if (there) {
        list_remove(call_node(call));
    }
    RULE(TOKEN_CALL_2);
    while (!there && runs_elsewhere(token, call)) {
        spin_unlock(&token->lock);
        sched_yield();
        spin_lock(&token->lock);
    }
    spin_unlock(&token->lock);
    return there;
}

/* --- a region that ends with it ------------------------------------------- */

struct token_bond {
    struct ambit_token_call call;
    ambit_token *token;
    ambit_region *region;
};

static void bond_cancel(void *arg)
{
    struct token_bond *bond = arg;
    RULE(TOKEN_BIND_1);
    ambit_cancel(bond->region, ambit_token_text(bond->token));
}

/* A finalizer of the region: no cancel can be on its way to it after this. */
static void bond_end(void *arg)
{
    struct token_bond *bond = arg;
    (void)ambit_token_unregister(bond->token, &bond->call);
    ambit_token_unref(bond->token);
    free(bond);
}

int ambit_token_bind(ambit_token *token, ambit_region *region)
{
    struct token_bond *bond = calloc(1, sizeof *bond);
    if (bond == NULL) {
        return -ENOMEM;
    }
    bond->token = ambit_token_ref(token);
    bond->region = region;
    int rc = ambit_defer(region, bond_end, bond);
    if (rc < 0) {
        ambit_token_unref(token);
        free(bond);
        return rc;
    }
    if (ambit_token_register(token, &bond->call, bond_cancel, bond) < 0) {
        bond_cancel(bond);
    }
    return 0;
}
