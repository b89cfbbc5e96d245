/* SPDX-License-Identifier: MIT */
/*
 * clients.h -- who is connected, so that a drain can tell them.
 *
 * Draining shuts down the receiving half of each socket: what a client had
 * sent by then is still read and answered, then its connection reads the end
 * and closes in good order.
 *
 * Any task, any worker.  The lock is held for a few instructions and never
 * across a call that takes cx.
 */
#ifndef KVD_CLIENTS_H
#define KVD_CLIENTS_H

#include <ambit.h>

#include <pthread.h>

struct client {
    struct client *next; /* clients.first */
    struct client *prev;
    ambit_tcp *socket;
};

struct clients {
    pthread_mutex_t lock; /* guards all of this */
    struct client *first;
    uint64_t count;
    uint64_t total; /* since the start; gives each client its number */
    bool is_draining;
};

void clients_init(struct clients *clients);
void clients_fini(struct clients *clients);

/* client->socket is set; stays in the list until clients_leave(), which comes
 * before the socket is closed.  Returns the client's number, from 1. */
uint64_t clients_join(struct clients *clients, struct client *client);
void clients_leave(struct clients *clients, struct client *client);

void clients_drain(struct clients *clients);
uint64_t clients_count(struct clients *clients);

#endif
