/* SPDX-License-Identifier: MIT */
/*
 * machines.c -- clients without stacks: each waits its time, draws a number from
 * a server, tries its luck a few times, and sends what it has.
 *
 *     machines         1000 clients; prints the sum of their numbers
 *     machines 30      the same with 30
 *
 * docs/howto/async.md tells how to write such a thing.
 */
#include <ambit.h>

#include <stdio.h>
#include <stdlib.h>

/* --- a server that hands out numbers, a task with a stack or none ---------- */

struct drawer {
    int last;
};

struct ticket {
    int number;
};

static int draw(ambit_cx *cx, struct drawer *state, const int *call,
                struct ticket *ret_ticket)
{
    (void)cx, (void)call;
    ret_ticket->number = ++state->last;
    return 0;
}

AMBIT_SERVER(drawer, struct drawer, int, struct ticket, .handle_call = draw);

/* --- a machine within another: tries until it works ------------------------ */

AMBIT_ASYNC_STATE(attempt, 1, (struct ambit_await, wait), (int, number),
                  (int, tries));

/* Works at the first, second or third try; what it took is the result. */
static int attempt(ambit_cx *cx, struct attempt *s)
{
    int rc;
    AMBIT_ASYNC_BEGIN(attempt, 1, s);
    for (s->tries = 1; s->tries <= s->number % 3; s->tries++) {
        AMBIT_AWAIT(1, rc, ambit_await_sleep(cx, &s->wait, ambit_us(100)));
        if (rc < 0)
            AMBIT_ASYNC_RETURN(rc);
    }
    AMBIT_ASYNC_END(0);
}

/* --- a client --------------------------------------------------------------- */

AMBIT_ASYNC_STATE(client, 4, (struct ambit_await, wait),
                  (ambit_actor_ref, server), (struct ambit_channel *, results),
                  (struct ticket, ticket), (struct attempt, attempt));

static int client(ambit_cx *cx, void *arg)
{
    struct client *s = arg;
    int rc;
    AMBIT_ASYNC_BEGIN(client, 4, s);
    AMBIT_AWAIT(1, rc, ambit_await_sleep(cx, &s->wait, ambit_ms(1)));
    if (rc < 0)
        AMBIT_ASYNC_RETURN(rc);
    AMBIT_AWAIT(2, rc, drawer_await_call(cx, &s->wait, s->server, &s->ticket,
                                         0));
    if (rc < 0)
        AMBIT_ASYNC_RETURN(rc);
    AMBIT_ASYNC_INIT(attempt, &s->attempt, .number = s->ticket.number);
    AMBIT_AWAIT(3, rc, attempt(cx, &s->attempt));
    if (rc < 0)
        AMBIT_ASYNC_RETURN(rc);
    AMBIT_AWAIT(4, rc, ambit_await_send(cx, &s->wait, s->results,
                                        &s->ticket.number));
    AMBIT_ASYNC_END(rc);
}

/* --- the rest has a stack --------------------------------------------------- */

static int run(ambit_cx *cx, ambit_region *region, int clients, long *ret_sum)
{
    int room[16], number, rc;
    struct ambit_channel results;
    ambit_actor_ref server;
    ambit_channel_init(&results, room, 16, sizeof(int));
    rc = drawer_start(cx, region, NULL, 0, &server);
    ambit_scope (cx, all, &rc) {
        for (int i = 0; i < clients && rc == 0; i++)
            rc = ambit_spawn_poll(all, client,
                                  &(struct client){.server = server,
                                                   .results = &results});
        for (int i = 0; i < clients && rc == 0; i++) {
            rc = ambit_channel_receive(cx, &results, &number);
            *ret_sum += number;
        }
    }
    ambit_channel_fini(&results);
    ambit_actor_stop(server);
    return rc;
}

int ambit_main(ambit_cx *cx, int argc, char **argv)
{
    int clients = argc > 1 ? atoi(argv[1]) : 1000;
    long sum = 0;
    int rc = 0;
    ambit_scope (cx, region, &rc) {
        rc = run(cx, region, clients, &sum);
    }
    if (rc == 0)
        printf("%d clients of %zu bytes, sum %ld\n", clients,
               sizeof(struct client), sum);
    return rc;
}
