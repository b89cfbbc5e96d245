/* SPDX-License-Identifier: MIT */
/*
 * conn.h -- one client, from accept to close.
 *
 *     read -> parse what is whole -> run it as a batch -> one write -> read
 *
 *   CONN-1  Each request that was parsed is counted, and counted as answered
 *           only when its reply was handed to the kernel.
 *   CONN-2  A client that does not take its replies, or does not finish a
 *           request it began, is cut off when its time is over.
 *   CONN-3  Memory is bounded: one request's limits for the input, one batch
 *           of replies for the output.
 */
#ifndef KVD_CONN_H
#define KVD_CONN_H

#include "service.h"

struct conn_arg {
    struct service *service;
    ambit_tcp *socket; /* owned */
};

/* Task functions over a struct conn_arg; each counts its connection once. */
int conn_serve(ambit_cx *cx, void *arg);
int conn_turn_away(ambit_cx *cx, void *arg);

/* For an argument whose task never ran. */
void conn_dispose(void *arg);

#endif
