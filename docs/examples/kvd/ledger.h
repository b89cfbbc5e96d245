/* SPDX-License-Identifier: MIT */
/*
 * ledger.h -- what came in, and what became of it.
 *
 *   LEDGER-1  accepted = answered + refused + cancelled, for connections and
 *             for requests, exactly, once the last connection has ended.
 *
 *   answered   the reply was handed to the kernel; the connection ended in
 *              good order
 *   refused    told "no" without having been carried out: overload, full
 *              disk, too many clients, a protocol error
 *   cancelled  cut off: the client left or did not read, a shard crashed in
 *              the middle, the time to drain was over
 *
 * Any thread may count.
 */
#ifndef KVD_LEDGER_H
#define KVD_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ledger_line {
    LEDGER_CONNECTIONS_ACCEPTED,
    LEDGER_CONNECTIONS_ANSWERED,
    LEDGER_CONNECTIONS_REFUSED,
    LEDGER_CONNECTIONS_CANCELLED,
    LEDGER_REQUESTS_ACCEPTED,
    LEDGER_REQUESTS_ANSWERED,
    LEDGER_REQUESTS_REFUSED,
    LEDGER_REQUESTS_CANCELLED,
    LEDGER_RESTARTS, /* of shards */
    LEDGER_LINES,
};

/* Zeroed is empty. */
struct ledger {
    _Atomic uint64_t lines[LEDGER_LINES]; /* any thread: ORDER(ledger) */
};

void ledger_count(struct ledger *ledger, enum ledger_line line, uint64_t n);
uint64_t ledger_read(struct ledger *ledger, enum ledger_line line);

/* LEDGER-1; true only when nothing is under way. */
bool ledger_is_balanced(struct ledger *ledger);

/* "connections_accepted=3 connections_answered=3 ..." with `separator` behind
 * each field and `equals` inside it; room >= 512. */
void ledger_print(struct ledger *ledger, const char *separator, char equals,
                  char *ret_text, size_t room);

#endif
