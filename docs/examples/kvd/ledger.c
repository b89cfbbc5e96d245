/* SPDX-License-Identifier: MIT */
/*
 * ledger.c -- counters that must add up.
 */
#include "ledger.h"

#include <stdio.h>

static const char *const names[LEDGER_LINES] = {
    [LEDGER_CONNECTIONS_ACCEPTED] = "connections_accepted",
    [LEDGER_CONNECTIONS_ANSWERED] = "connections_answered",
    [LEDGER_CONNECTIONS_REFUSED] = "connections_refused",
    [LEDGER_CONNECTIONS_CANCELLED] = "connections_cancelled",
    [LEDGER_REQUESTS_ACCEPTED] = "requests_accepted",
    [LEDGER_REQUESTS_ANSWERED] = "requests_answered",
    [LEDGER_REQUESTS_REFUSED] = "requests_refused",
    [LEDGER_REQUESTS_CANCELLED] = "requests_cancelled",
    [LEDGER_RESTARTS] = "restarts",
};

static bool adds_up(struct ledger *ledger, enum ledger_line accepted);

void ledger_count(struct ledger *ledger, enum ledger_line line, uint64_t n)
{
    if (n == 0) {
        return;
    }
    /* ORDER(ledger): relaxed.  Pairs with ledger_read().  A counter publishes
     * nothing but itself; the last look at it follows the end of the runtime's
     * threads. */
    atomic_fetch_add_explicit(&ledger->lines[line], n, memory_order_relaxed);
}

uint64_t ledger_read(struct ledger *ledger, enum ledger_line line)
{
    /* ORDER(ledger): relaxed, see ledger_count(). */
    return atomic_load_explicit(&ledger->lines[line], memory_order_relaxed);
}

bool ledger_is_balanced(struct ledger *ledger)
{
    return adds_up(ledger, LEDGER_CONNECTIONS_ACCEPTED) &&
           adds_up(ledger, LEDGER_REQUESTS_ACCEPTED);
}

void ledger_print(struct ledger *ledger, const char *separator, char equals,
                  char *ret_text, size_t room)
{
    size_t at = 0;
    for (int i = 0; i < LEDGER_LINES && at < room; i++) {
        at += (size_t)snprintf(
            ret_text + at, room - at, "%s%c%llu%s", names[i], equals,
            (unsigned long long)ledger_read(ledger, (enum ledger_line)i),
            separator);
    }
}

/* The three lines that follow `accepted` are its parts. */
static bool adds_up(struct ledger *ledger, enum ledger_line accepted)
{
    uint64_t parts = 0;
    for (int i = 1; i <= 3; i++) {
        parts += ledger_read(ledger, (enum ledger_line)(accepted + i));
    }
    return ledger_read(ledger, accepted) == parts;
}
