/* SPDX-License-Identifier: MIT */
/*
 * drain.c -- an echo server that drains on SIGTERM.
 *
 * Graceful drain needs no API of its own: it falls out of the nesting.  The
 * inner scope is the open door; the signal ends it.  The outer one is the
 * guests; they get five seconds.
 *
 *     ./drain 7000 &        nc 127.0.0.1 7000        kill -TERM %1
 */
#include <ambit.h>
#include <signal.h>
#include <stdio.h>

static int serve(ambit_cx *cx, void *arg)
{
    ambit_tcp *client = *(ambit_tcp **)arg;
    char text[4096];
    ssize_t n;
    while ((n = ambit_tcp_read(cx, client, text, sizeof text)) > 0) {
        n = ambit_tcp_write_all(cx, client, text, (size_t)n, NULL);
        if (n < 0) {
            break;
        }
    }
    ambit_tcp_close(cx, client);
    return (int)n;
}

static void not_served(void *arg)
{
    ambit_tcp_discard(*(ambit_tcp **)arg);
}

/* One guest: a seat, or a closed door.  Accepting ends with the error. */
static int admit(ambit_cx *cx, ambit_region *clients, ambit_tcp *listener)
{
    ambit_tcp *client;
    int rc = ambit_tcp_accept(cx, listener, &client);
    if (rc == -EMFILE || rc == -ENFILE) {
        return ambit_sleep(cx, ambit_ms(10)); /* out of descriptors for now */
    }
    if (rc < 0) {
        return rc;
    }
    rc = ambit_spawn_with(clients, serve, &client, .name = "client",
                          .dispose = not_served);
    if (rc < 0) {
        ambit_tcp_discard(client); /* -EDQUOT: no seat left */
    }
    return rc == -EDQUOT ? 0 : rc;
}

int ambit_main(ambit_cx *cx, int argc, char **argv)
{
    char address[64];
    ambit_tcp *listener;
    snprintf(address, sizeof address, "127.0.0.1:%s", argc > 1 ? argv[1] : "0");
    int rc = ambit_tcp_listen(address, &listener);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", address, ambit_strerror(rc));
        return rc;
    }
    setlinebuf(stdout);
    printf("listening on port %u\n", ambit_tcp_port(listener));
    ambit_scope (cx, clients, &rc, .tasks_max = 10000,
                 .policy = AMBIT_ISOLATE) {
        ambit_scope (cx, accepting, &rc, .until_signal = SIGTERM) {
            while (admit(cx, clients, listener) == 0) {
            }
        } /* SIGTERM: the door is shut */
        ambit_tcp_close(cx, listener);
        printf("draining %u clients\n", ambit_region_tasks(clients));
        ambit_set_deadline(clients, ambit_after(ambit_s(5)));
    } /* everyone served, or cut off at 5 s */
    printf("drained\n");
    return rc;
}
