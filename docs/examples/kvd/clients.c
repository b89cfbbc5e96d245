/* SPDX-License-Identifier: MIT */
/*
 * clients.c -- a list of sockets.
 */
#include "clients.h"

#include <assert.h>
#include <sys/socket.h>

void clients_init(struct clients *clients)
{
    *clients = (struct clients){0};
    pthread_mutex_init(&clients->lock, NULL);
}

void clients_fini(struct clients *clients)
{
    assert(clients->first == NULL);
    assert(clients->count == 0);
    pthread_mutex_destroy(&clients->lock);
}

uint64_t clients_join(struct clients *clients, struct client *client)
{
    pthread_mutex_lock(&clients->lock);
    client->prev = NULL;
    client->next = clients->first;
    if (clients->first != NULL) {
        clients->first->prev = client;
    }
    clients->first = client;
    clients->count++;
    uint64_t number = ++clients->total;
    if (clients->is_draining) {
        ambit_tcp_shutdown(client->socket, SHUT_RD);
    }
    pthread_mutex_unlock(&clients->lock);
    return number;
}

void clients_leave(struct clients *clients, struct client *client)
{
    pthread_mutex_lock(&clients->lock);
    if (client->prev != NULL) {
        client->prev->next = client->next;
    } else {
        assert(clients->first == client);
        clients->first = client->next;
    }
    if (client->next != NULL) {
        client->next->prev = client->prev;
    }
    clients->count--;
    pthread_mutex_unlock(&clients->lock);
}

void clients_drain(struct clients *clients)
{
    pthread_mutex_lock(&clients->lock);
    clients->is_draining = true;
    for (struct client *c = clients->first; c != NULL; c = c->next) {
        ambit_tcp_shutdown(c->socket, SHUT_RD);
    }
    pthread_mutex_unlock(&clients->lock);
}

uint64_t clients_count(struct clients *clients)
{
    pthread_mutex_lock(&clients->lock);
    uint64_t count = clients->count;
    pthread_mutex_unlock(&clients->lock);
    return count;
}
