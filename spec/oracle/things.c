/* SPDX-License-Identifier: MIT */
/*
 * things.c -- addresses into numbers.
 *
 * An address is used again and again; a thing is one life at it.
 */
#include "spec/oracle/oracle.h"

#include <stdio.h>
#include <stdlib.h>

struct things *things_begin(void)
{
    struct things *things = calloc(1, sizeof *things);
    ASSERT(things != NULL);
    list_init(&things->all);
    return things;
}

void things_end(struct things *things)
{
    struct list_node *node;
    while ((node = list_pop_front(&things->all)) != NULL) {
        free(CONTAINER_OF(node, struct thing, node));
    }
    free(things);
}

static struct thing **bucket_of(struct things *things, const void *at)
{
    uint64_t hash = (uint64_t)(uintptr_t)at * 0x9e3779b97f4a7c15u;
    return &things->bucket[hash >> 52 & (THING_BUCKETS - 1)];
}

struct thing *thing_find(const struct things *things, const void *at,
                         enum thing_kind kind)
{
    struct thing *thing = *bucket_of((struct things *)(uintptr_t)things, at);
    while (thing != NULL && (thing->at != at || thing->kind != kind)) {
        thing = thing->next;
    }
    return thing;
}

static void unhash(struct things *things, struct thing *thing)
{
    struct thing **link = bucket_of(things, thing->at);
    while (*link != thing) {
        link = &(*link)->next;
    }
    *link = thing->next;
    thing->here = false;
}

struct thing *thing_born(struct things *things, const void *at,
                         enum thing_kind kind)
{
    struct thing *old = thing_find(things, at, kind);
    if (old != NULL) {
        thing_gone(things, old);
    }
    struct thing *thing = calloc(1, sizeof *thing);
    ASSERT(thing != NULL);
    struct thing **link = bucket_of(things, at);
    thing->next = *link;
    *link = thing;
    thing->at = at;
    thing->here = true;
    thing->kind = kind;
    thing->number = ++things->count[kind];
    list_init(&thing->of);
    list_init(&thing->has);
    list_push_back(&things->all, &thing->node);
    return thing;
}

void thing_gone(struct things *things, struct thing *thing)
{
    unhash(things, thing);
    if (thing->kind == THING_TASK || thing->kind == THING_REGION) {
        return;
    }
    list_remove(&thing->of);
    struct list_node *node;
    while ((node = list_pop_front(&thing->has)) != NULL) {
        CONTAINER_OF(node, struct thing, of)->owner = NULL;
    }
    list_remove(&thing->node);
    free(thing);
}

void thing_owned_by(struct thing *thing, struct thing *owner)
{
    list_remove(&thing->of);
    thing->owner = owner;
    if (owner != NULL) {
        list_push_back(&owner->has, &thing->of);
    }
}

const char *thing_name(const struct thing *thing)
{
    static const char *const words[THING_KINDS] = {
        [THING_NONE] = "thing",       [THING_TASK] = "task",
        [THING_REGION] = "region",    [THING_FINALIZER] = "finalizer",
        [THING_MAILBOX] = "mailbox",  [THING_MESSAGE] = "message",
        [THING_CALL] = "call",        [THING_TIMER] = "timer",
        [THING_DUTY] = "obligation",  [THING_BLOCK] = "block",
    };
    static char buffers[8][64];
    static unsigned turn;
    if (thing == NULL) {
        return "nobody";
    }
    char *text = buffers[turn++ % ARRAY_LEN(buffers)];
    snprintf(text, sizeof buffers[0], thing->name[0] ? "%s %u \"%s\"" : "%s %u",
             words[thing->kind], thing->number, thing->name);
    return text;
}

const struct thing *thing_by_number(const struct things *things,
                                    enum thing_kind kind, uint32_t number)
{
    list_for_each(node, &things->all)
    {
        const struct thing *thing = CONTAINER_OF(node, struct thing, node);
        if (thing->kind == kind && thing->number == number) {
            return thing;
        }
    }
    return NULL;
}
