/* SPDX-License-Identifier: MIT */
/*
 * chain.c -- because of whom.
 *
 * A scope that failed leaves behind, for its host, a copy of what it failed of.
 * When the host ends with that very result, its own region keeps the copy as
 * the reason of its first failure; and so on outwards.
 *
 *     request: -ETIMEDOUT, deadline
 *        '-- its host "fetch" ends with -ETIMEDOUT
 *               '-- page: FAIL_FAST, "fetch" failed
 *                      '-- its host ...
 *
 * The copy lies in a list of the region the host is a task of; whoever ends
 * there looks for its own.  Nothing is allocated unless a scope has failed; a
 * chain that cannot be allocated is a shorter one.
 *
 *   CAN-11  A chain leads from a cancel to its root.
 *
 * Owner: chain_of_result() the host; the lists any thread, under the lock.
 */
#include "regions/region.h"

#include <stdio.h>
#include <stdlib.h>

static void put_text(char *room, size_t size, const char *text)
{
    snprintf(room, size, "%s", text != NULL ? text : "");
}

static struct ambit_cancel_link link_of(const struct region_cause *cause)
{
    struct ambit_cancel_link link = {.kind = cause->kind, .code = cause->code};
    put_text(link.region, sizeof link.region, cause->region);
    put_text(link.task, sizeof link.task, cause->task);
    put_text(link.text, sizeof link.text, cause->text);
    return link;
}

/* The root keeps its place at the end. */
static void chain_prepend(struct ambit_cancel_chain *chain,
                          const struct region_cause *cause)
{
    unsigned moved = chain->len;
    if (chain->len == AMBIT_CHAIN_MAX) {
        moved = AMBIT_CHAIN_MAX - 2;
        chain->cut = true;
    } else {
        chain->len++;
    }
    memmove(&chain->link[1], &chain->link[0], moved * sizeof chain->link[0]);
    chain->link[0] = link_of(cause);
}

static void chain_fill(struct ambit_cancel_chain *ret_chain,
                       const struct region_cause *cause)
{
    RULE(CAN_11);
    if (cause->because != NULL) {
        *ret_chain = *cause->because;
    } else {
        memset(ret_chain, 0, sizeof *ret_chain);
    }
    chain_prepend(ret_chain, cause);
}

/* The stronger one of those that came from here and from further out. */
static const struct region_cause *strongest(const struct region *region)
{
    return region->own.kind >= region->outer_cause.kind ? &region->own
                                                        : &region->outer_cause;
}

int ambit_cancel_chain(ambit_region *public,
                       struct ambit_cancel_chain *ret_chain)
{
    struct region *region = region_of(public);
    memset(ret_chain, 0, sizeof *ret_chain);
    spin_lock(&region->owner.lock);
    const struct region_cause *cause = strongest(region);
    if (cause->kind != AMBIT_CANCEL_NONE) {
        chain_fill(ret_chain, cause);
    }
    spin_unlock(&region->owner.lock);
    return (int)ret_chain->len;
}

/* What made the region give that result: the same order as result_now().  Lock
 * held. */
static struct region_cause cause_of(struct region *region, int result)
{
    const struct region_root *root = &region->root;
    struct region_cause cause = {.text = "a finalizer failed"};
    if (root->task != NULL) {
        bool fast = region->own.kind == AMBIT_CANCEL_FAIL_FAST;
        cause = (struct region_cause){
            .kind = fast ? AMBIT_CANCEL_FAIL_FAST : AMBIT_CANCEL_NONE,
            .task = root->task,
            .text = fast ? region->own.text : NULL,
            .because = root->cause != NULL ? &root->cause->chain : NULL,
        };
    } else if (region->outer_cause.kind != AMBIT_CANCEL_NONE) {
        cause = region->outer_cause;
        cause.code = result;
        return cause; /* of another region */
    } else if (region->own.kind >= AMBIT_CANCEL_DEADLINE) {
        cause = region->own;
    }
    cause.region = region->name;
    cause.code = result;
    return cause;
}

/* The region whose task the host is; NULL: that of an actor, or the root's. */
static struct region *home_of(struct task *host)
{
    return region_is_owner(host->owner) ? region_of_owner(host->owner) : NULL;
}

/* Takes the host's entry out of the list.  Lock held. */
static struct cause *cause_take(struct region *region, const void *host)
{
    for (struct cause **at = &region->causes; *at != NULL;
         at = &(*at)->next) {
        struct cause *cause = *at;
        if (cause->host == host) {
            *at = cause->next;
            return cause;
        }
    }
    return NULL;
}

/* In place of what the host had before. */
static void leave_with_host(struct region *home, struct cause *cause)
{
    spin_lock(&home->owner.lock);
    struct cause *before = cause_take(home, cause->host);
    cause->next = home->causes;
    home->causes = cause;
    spin_unlock(&home->owner.lock);
    free(before);
    /* ORDER(cancel): relaxed.  Read by this thread, when the host ends. */
    atomic_fetch_or_explicit(&home->owner.flags, OWNER_WATCHED,
                             memory_order_relaxed);
}

void chain_of_result(struct region *region, int result)
{
    if (LIKELY(result >= 0)) {
        return;
    }
    struct region *home = home_of(region->host);
    /* A cancel from further out may come until the region is detached. */
    spin_lock(&region->owner.lock);
    struct region_cause cause = cause_of(region, result);
    bool cut_off = region->outer_cause.kind != AMBIT_CANCEL_NONE;
    spin_unlock(&region->owner.lock);
    if (region->outcome != NULL) {
        chain_fill(&region->outcome->why, &cause);
    }
    /* Who was cut off from outside has not failed. */
    if (home == NULL || cut_off) {
        return;
    }
    struct cause *made = malloc(sizeof *made);
    if (made != NULL) {
        made->host = region->host;
        chain_fill(&made->chain, &cause);
        leave_with_host(home, made);
    }
}

struct cause *chain_of_exit(struct region *region,
                            const struct task_exit *exit)
{
    spin_lock(&region->owner.lock);
    struct cause *cause = cause_take(region, exit->who);
    spin_unlock(&region->owner.lock);
    if (cause != NULL && cause->chain.link[0].code != exit->result) {
        free(cause); /* it has failed of something else */
        cause = NULL;
    }
    return cause;
}

void chain_free_all(struct region *region)
{
    while (region->causes != NULL) {
        struct cause *next = region->causes->next;
        free(region->causes);
        region->causes = next;
    }
    free(region->root.cause);
}
