/* SPDX-License-Identifier: MIT */
/*
 * deque.c -- src/deque.c: each item is had once, and seen as it was pushed.
 *
 * With: src/deque.c
 * Fault: src/deque.c /^void .deque_pop/,/^}/s/top < last/top <= last/
 * Fault: src/deque.c /^static bool win_top/,/^}/s/top + 1/top/
 * Fault: src/deque.c s/ring_get(old, i))/ring_get(old, i + 1))/
 * Fault: src/deque.c /^void deque_cool/,/^}/s/if (deque->top_seen < own_bottom(deque))/if (false)/
 */
#include "src/deque.h"

#include "tests/models/model.h"

#define ITEMS 8

struct item {
    int value;
    int had;
};

static struct deque deque;
static struct item items[ITEMS];

/* Fills in and pushes the next one. */
static void push(int i)
{
    items[i].value = i;
    MUST(deque_push(&deque, &items[i]) == 0);
}

static void got(struct item *item)
{
    if (item != NULL) {
        MUST(item->value == (int)(item - items));
        item->had++;
    }
}

static void pop(void)
{
    got(deque_pop(&deque));
}

static void steal(void)
{
    bool again;
    got(deque_steal(&deque, &again));
}

static int pushed;

static void begin(int count)
{
    memset(items, 0, sizeof items);
    MUST(deque_init(&deque) == 0);
    for (int i = 0; i < count; i++) {
        push(i);
    }
    pushed = count;
}

static void begin_0(void)
{
    begin(0);
}

static void begin_1(void)
{
    begin(1);
}

static void begin_2(void)
{
    begin(2);
}

static void begin_3(void)
{
    begin(3);
}

static void begin_4(void)
{
    begin(4);
}

/* One is left, in a ring that was made for more. */
static void begin_grown(void)
{
    begin(5);
    for (int i = 0; i < 4; i++) {
        steal();
    }
}

static void pop_cool_push(void)
{
    pop();
    deque_cool(&deque);
    push(pushed++);
}

/* There may still be one. */
static void cool_push(void)
{
    deque_cool(&deque);
    push(pushed++);
}

static void steal_once(void)
{
    steal();
}

static void steal_twice(void)
{
    steal();
    steal();
}

static void pop_once(void)
{
    pop();
}

static void pop_twice(void)
{
    pop();
    pop();
}

static void push_once(void)
{
    push(pushed++);
}

static void pop_push_pop(void)
{
    pop();
    push(pushed++);
    pop();
}

static void push_pop(void)
{
    push(pushed++);
    pop();
}

/* Wraps around when a thief was there, and grows when none was. */
static void push_twice(void)
{
    push(pushed++);
    push(pushed++);
}

static void each_had_once(void)
{
    struct item *item;
    while ((item = deque_pop(&deque)) != NULL) {
        got(item);
    }
    for (int i = 0; i < pushed; i++) {
        MUST(items[i].had == 1);
    }
    deque_fini(&deque);
}

static const struct scenario scenarios[] = {
    {"last item", begin_1, {pop_once, steal_once}, each_had_once, 8, 4},
    {"two items", begin_2, {pop_twice, steal_twice}, each_had_once, 5, 3},
    {"a push to a thief",
     begin_0,
     {push_once, steal_once},
     each_had_once,
     8,
     4},
    {"pushed and popped", begin_0, {push_pop, steal_once}, each_had_once, 8, 4},
    {"popped and pushed anew",
     begin_1,
     {pop_push_pop, steal_twice},
     each_had_once,
     4,
     3},
    {"two thieves",
     begin_2,
     {pop_once, steal_once, steal_once},
     each_had_once,
     4,
     2},
    {"grown under a thief",
     begin_4,
     {push_once, steal_twice},
     each_had_once,
     4,
     3},
    {"wrapped around", begin_3, {push_twice, steal_twice}, each_had_once, 4, 3},
    {"small again",
     begin_grown,
     {pop_cool_push, steal_twice},
     each_had_once,
     4,
     3},
    {"small again, or not",
     begin_grown,
     {cool_push, steal_twice},
     each_had_once,
     4,
     3},
};

int main(int argc, char **argv)
{
    return model_main(argc, argv, scenarios,
                      sizeof scenarios / sizeof scenarios[0]);
}
