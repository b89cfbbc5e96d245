/* SPDX-License-Identifier: MIT */
/*
 * list.h -- an intrusive doubly linked ring.
 *
 * A head is a node that belongs to nobody.  A node that is in no list points
 * at itself, so removing twice is harmless and membership can be asked.
 * Not thread-safe: the owner of the head owns the ring.
 */
#ifndef AMBIT_SRC_LIST_H
#define AMBIT_SRC_LIST_H

#include "src/base.h"

struct list_node {
    struct list_node *next;
    struct list_node *prev;
};

static inline void list_init(struct list_node *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool list_is_empty(const struct list_node *head)
{
    return head->next == head;
}

static inline bool list_is_linked(const struct list_node *node)
{
    return node->next != node;
}

static inline void list_insert(struct list_node *after, struct list_node *node)
{
    node->next = after->next;
    node->prev = after;
    after->next->prev = node;
    after->next = node;
}

static inline void list_push_front(struct list_node *head,
                                   struct list_node *node)
{
    list_insert(head, node);
}

static inline void list_push_back(struct list_node *head,
                                  struct list_node *node)
{
    list_insert(head->prev, node);
}

static inline void list_remove(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

static inline struct list_node *list_pop_front(struct list_node *head)
{
    struct list_node *node = head->next;
    if (node == head) {
        return NULL;
    }
    list_remove(node);
    return node;
}

/* The body may remove the current node. */
#define list_for_each(node, head) \
    for (struct list_node *node = (head)->next, *node##_next_ = node->next; \
         node != (head); node = node##_next_, node##_next_ = node->next)

#endif
