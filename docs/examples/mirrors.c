/* SPDX-License-Identifier: MIT */
/* mirrors.c -- race, hedge, quorum and timeout: four mirrors on the loopback,
 * of which one is down and one is slow. */
#include <ambit.h>
#include <stdio.h>
#include <string.h>

struct mirror {
    const char *name;
    int64_t delay_ms;
    ambit_tcp *listener;
    char address[64];
};

struct client {
    ambit_tcp *socket;
    const struct mirror *mirror;
};

struct answer {
    char text[32];
};

/* --- the mirrors ---------------------------------------------------------- */

static void client_dispose(void *arg)
{
    ambit_tcp_discard(((struct client *)arg)->socket);
}

static int serve_client(ambit_cx *cx, void *arg)
{
    struct client *c = arg;
    int rc = ambit_sleep(cx, ambit_ms(c->mirror->delay_ms));
    if (rc == 0) {
        /* A client that has lost interest is gone: no matter. */
        (void)ambit_tcp_write_all(cx, c->socket, c->mirror->name,
                                  strlen(c->mirror->name), NULL);
    }
    ambit_tcp_discard(c->socket);
    return rc;
}

static int serve(ambit_cx *cx, void *arg)
{
    const struct mirror *mirror = *(struct mirror **)arg;
    for (;;) {
        struct client client = {.mirror = mirror};
        int rc = ambit_tcp_accept(cx, mirror->listener, &client.socket);
        if (rc < 0) {
            return rc;
        }
        rc = ambit_spawn_with(ambit_cx_region(cx), serve_client, &client,
                              .dispose = client_dispose);
        if (rc < 0) {
            client_dispose(&client);
        }
    }
}

static int mirror_open(struct mirror *mirror)
{
    if (mirror->delay_ms < 0) { /* this one is down: nobody is at its port */
        snprintf(mirror->address, sizeof mirror->address, "127.0.0.1:1");
        return 0;
    }
    int rc = ambit_tcp_listen("127.0.0.1:0", &mirror->listener);
    return rc < 0 ? rc
                  : ambit_tcp_local(mirror->listener, mirror->address,
                                    sizeof mirror->address);
}

/* --- the client ----------------------------------------------------------- */

static int ask(ambit_cx *cx, const struct mirror *mirror,
               struct answer *ret_answer)
{
    ambit_tcp *socket;
    int rc = ambit_tcp_connect(cx, mirror->address, &socket);
    if (rc < 0) {
        return rc;
    }
    ssize_t n = ambit_tcp_read(cx, socket, ret_answer->text,
                               sizeof ret_answer->text - 1);
    ambit_tcp_discard(socket);
    if (n <= 0) {
        return n < 0 ? (int)n : -ECONNRESET;
    }
    ret_answer->text[n] = '\0';
    return 0;
}

AMBIT_BRANCH(ask, const struct mirror, struct answer)

static int ask_around(ambit_cx *cx, const struct mirror *fast,
                      const struct mirror *slow, const struct mirror *down,
                      const struct mirror *other)
{
    struct answer answer, answers[4];
    size_t who;
    int rc = ambit_race_all(cx, AMBIT_BRANCHES(ask_branch(slow, &answer),
                                               ask_branch(fast, &answer)),
                            &who);
    if (rc == 0) {
        printf("race: %s, number %zu\n", answer.text, who);
        rc = ambit_hedge(cx, AMBIT_BRANCHES(ask_branch(slow, &answer),
                                            ask_branch(other, &answer)),
                         ambit_ms(20), &who);
    }
    if (rc < 0) {
        return rc;
    }
    printf("hedge: %s, number %zu\n", answer.text, who);
    struct ambit_branch all[] = {
        ask_branch(fast, &answers[0]), ask_branch(down, &answers[1]),
        ask_branch(slow, &answers[2]), ask_branch(other, &answers[3])};
    rc = ambit_quorum(cx, all, 4, 2);
    printf("quorum: %s\n", ambit_strerror(rc));
    for (size_t i = 0; i < 4; i++) {
        printf("  %s\n", all[i].result < 0 ? ambit_strerror(all[i].result)
                                           : answers[i].text);
    }
    rc = ambit_timeout(cx, ambit_ms(20), ask_branch(slow, &answer));
    printf("timeout: %s\n", ambit_strerror(rc));
    rc = ambit_retry(cx, ask_branch(down, &answer), .attempts_max = 3,
                     .delay = ambit_ms(1));
    printf("retry: %s\n", ambit_strerror(rc));
    return 0;
}

int ambit_main(ambit_cx *cx, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct mirror mirrors[] = {
        {.name = "alpha", .delay_ms = 1},
        {.name = "beta", .delay_ms = 60000},
        {.name = "gamma", .delay_ms = -1},
        {.name = "delta", .delay_ms = 2},
    };
    int rc = 0;
    ambit_scope (cx, servers, &rc) {
        for (int i = 0; i < 4 && rc == 0; i++) {
            struct mirror *mirror = &mirrors[i];
            rc = mirror_open(mirror);
            if (rc == 0 && mirror->listener != NULL) {
                rc = ambit_spawn(servers, serve, &mirror);
            }
        }
        if (rc == 0) {
            rc = ask_around(cx, &mirrors[0], &mirrors[1], &mirrors[2],
                            &mirrors[3]);
        }
        ambit_cancel(servers, "asked enough");
    }
    for (int i = 0; i < 4; i++) {
        ambit_tcp_discard(mirrors[i].listener);
    }
    return rc;
}
