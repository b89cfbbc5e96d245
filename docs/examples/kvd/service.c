/* SPDX-License-Identifier: MIT */
/*
 * service.c -- the regions of kvd, one inside the other.
 */
#include "service.h"

#include "conn.h"
#include "say.h"
#include "sentinel.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    ACCEPT_PAUSE_MS = 100, /* when there are no file descriptors left */
    TURNED_AWAY_MAX = 32,  /* at once; the others are closed without a word */
};

struct member {
    char name[24];
    struct shard_config config;
};

/* What the supervisor works from: lives as long as it. */
struct crew {
    ambit_actor_ref sentinel;
    struct ambit_server_limits limits;
    struct ambit_server_type shard;
    size_t len;
    struct member *members;
    struct ambit_child *children;
};

/* Where the clients go. */
struct door {
    struct service *service;
    struct crew *crew;
    ambit_tcp *listener;
    ambit_region *clients;
    ambit_region *turned_away;
    ambit_time quiet_until; /* not to say the same thing every 100 ms */
};

static int listen_on(struct service *service, ambit_tcp **ret_listener);
static int make_crew(struct service *service, struct crew *crew);
static void free_crew(struct crew *crew);
static int start_crew(ambit_cx *cx, ambit_region *shards,
                      struct service *service, struct crew *crew);
static void serve(ambit_cx *cx, struct door *door);
static void keep_open(ambit_cx *cx, struct door *door);
static void sync_all(ambit_cx *cx, struct service *service);

int service_init(struct service *service, const struct options *options,
                 const struct folder *folder)
{
    size_t shards = (size_t)options->shards;
    *service = (struct service){
        .options = options,
        .folder = folder,
        .placement = {folder->placement, (uint32_t)shards},
        .refs = calloc(shards, sizeof *service->refs),
        .publics = calloc(shards, sizeof *service->publics),
        .started_ms = wall_clock_ms(),
    };
    clients_init(&service->clients);
    if (service->refs == NULL || service->publics == NULL) {
        service_fini(service);
        return -ENOMEM;
    }
    return 0;
}

void service_fini(struct service *service)
{
    clients_fini(&service->clients);
    free(service->refs);
    free(service->publics);
}

int service_run(ambit_cx *cx, void *arg)
{
    struct service *service = arg;
    struct crew crew;
    struct door door = {.service = service, .crew = &crew};
    int rc = 0;
    int err = listen_on(service, &door.listener);
    if (err < 0) {
        return err;
    }
    err = make_crew(service, &crew);
    ambit_scope (cx, shards, &rc, .name = "shards", .policy = AMBIT_COLLECT) {
        if (err == 0) {
            err = start_crew(cx, shards, service, &crew);
        }
        if (err == 0) {
            serve(cx, &door);
            sync_all(cx, service);
        }
        ambit_cancel(shards, "every client has been served");
    }
    free_crew(&crew);
    if (door.listener != NULL) {
        ambit_tcp_close(cx, door.listener);
    }
    return service->gave_up ? -EOWNERDEAD : err;
}

static int listen_on(struct service *service, ambit_tcp **ret_listener)
{
    const struct options *options = service->options;
    char address[128];
    bool is_v6 = strchr(options->bind, ':') != NULL;
    snprintf(address, sizeof address, is_v6 ? "[%s]:%d" : "%s:%d",
             options->bind, (int)options->port);
    int err = ambit_tcp_listen(address, ret_listener);
    if (err < 0) {
        say("cannot listen on %s: %s", address,
            err == -EADDRINUSE      ? "the port is in use"
            : err == -EADDRNOTAVAIL ? "this machine has no such address"
            : err == -EINVAL        ? "that is no address"
                                    : ambit_strerror(err));
        return err;
    }
    service->port = ambit_tcp_port(*ret_listener);
    return 0;
}

/* --- the shards --------------------------------------------------------- */

/* Each tick is a message that may be dropped: the next one does as well. */
static int tick(ambit_cx *cx, void *arg)
{
    struct service *service = *(struct service **)arg;
    int err;
    while ((err = ambit_sleep(cx, ambit_ms(TICK_MS))) == 0) {
        for (uint32_t i = 0; i < service->placement.shards; i++) {
            shard_tick(service->refs[i]);
        }
    }
    return err;
}

static int make_crew(struct service *service, struct crew *crew)
{
    const struct options *options = service->options;
    size_t shards = service->placement.shards;
    *crew = (struct crew){
        .limits = *shard_server->limits,
        .shard = *shard_server,
        .members = calloc(shards, sizeof *crew->members),
        .children = calloc(shards + 2, sizeof *crew->children),
    };
    if (crew->members == NULL || crew->children == NULL) {
        say("there is no memory for %zu shards", shards);
        return -ENOMEM;
    }
    crew->limits.mailbox_max = (uint32_t)options->queue_max;
    crew->shard.limits = &crew->limits;
    for (uint32_t i = 0; i < shards; i++) {
        struct member *member = &crew->members[i];
        snprintf(member->name, sizeof member->name, "shard %u", i);
        member->config = (struct shard_config){i, options, service->folder,
                                               &service->publics[i]};
        crew->children[crew->len++] = (struct ambit_child){
            .name = member->name,
            .server = &crew->shard,
            .arg = &member->config,
            .arg_size = sizeof member->config,
            .restart = AMBIT_PERMANENT,
            .ret_ref = &service->refs[i],
        };
    }
    return 0;
}

static void free_crew(struct crew *crew)
{
    free(crew->members);
    free(crew->children);
}

static void observe(void *user, const struct ambit_supervisor_event *event)
{
    struct service *service = user;
    int period_ms = (int)service->options->period_ms;
    const char *why = event->reason == -EOWNERDEAD
                          ? "it crashed"
                          : ambit_strerror(event->reason);
    if (event->gave_up) {
        service->gave_up = true;
        say("%s ended again: %s; after %u restarts within %d ms kvd gives up",
            event->child, why, event->restarts, period_ms);
        return;
    }
    ledger_count(&service->ledger, LEDGER_RESTARTS, 1);
    say("%s ended: %s; started again, restart %u of %d within %d ms",
        event->child, why, event->restarts, (int)service->options->intensity,
        period_ms);
}

static int start_crew(ambit_cx *cx, ambit_region *shards,
                      struct service *service, struct crew *crew)
{
    const struct options *options = service->options;
    crew->children[crew->len++] = (struct ambit_child){
        .name = "sentinel",
        .server = sentinel_server,
        .restart = AMBIT_PERMANENT,
        .ret_ref = &crew->sentinel,
    };
    crew->children[crew->len++] = (struct ambit_child){
        .name = "ticker",
        .task = tick,
        .arg = &service,
        .arg_size = sizeof service,
        .restart = AMBIT_PERMANENT,
    };
    int err =
        ambit_supervise(cx, shards, crew->children, crew->len, .name = "shards",
                        .intensity = (uint32_t)options->intensity,
                        .period = ambit_ms(options->period_ms),
                        .observe = observe, .observe_user = service);
    if (err == -EDQUOT || err == -ESHUTDOWN || err == -ECANCELED) {
        say("the shards did not start: %s", ambit_strerror(err));
    }
    return err;
}

/* So that a clean stop loses nothing, not even to a power cut. */
static void sync_all(ambit_cx *cx, struct service *service)
{
    for (uint32_t i = 0; i < service->placement.shards; i++) {
        int err = shard_order(cx, service->refs[i], SHARD_SYNC, 0);
        if (err < 0 && err != -EPIPE && err != -ESTALE) {
            say("shard %u could not sync its log at the end: %s", i,
                ambit_strerror(err));
        }
    }
}

/* --- the clients -------------------------------------------------------- */

static void announce(const struct service *service)
{
    const struct options *options = service->options;
    printf("kvd ready port=%d pid=%d\n", service->port, (int)getpid());
    if (options->serve) {
        printf("\n    redis-cli -h %s -p %d\n\n%s; Ctrl-C ends it.\n",
               options->bind, service->port,
               service->folder->is_temporary
                   ? "The data is in a temporary folder and goes with it"
                   : service->folder->path);
    }
    fflush(stdout);
}

/* Of everything below the clients' region: a client and one task for each shard
 * its batch is dealt out to, those turned away, and the door's own. */
static uint32_t tasks_in_all(const struct service *service)
{
    int64_t each = 1 + service->options->shards;
    int64_t all = service->options->clients_max * each + TURNED_AWAY_MAX + 2;
    return all < UINT32_MAX ? (uint32_t)all : UINT32_MAX;
}

static void serve(ambit_cx *cx, struct door *door)
{
    struct service *service = door->service;
    const struct options *options = service->options;
    ambit_time begun = {0};
    int rc = 0;
    ambit_scope (cx, clients, &rc, .name = "clients", .policy = AMBIT_ISOLATE,
                 .tasks_max = tasks_in_all(service)) {
        door->clients = clients;
        keep_open(cx, door);
        begun = ambit_now();
        clients_drain(&service->clients);
        ambit_set_deadline(clients, ambit_after(ambit_ms(options->drain_ms)));
    }
    service->drained_ms = (ambit_now().ns - begun.ns) / 1000000;
    if (rc == -ETIMEDOUT) {
        say("not everybody was done within %d ms: the others were cut off",
            (int)options->drain_ms);
    }
}

/* The door is one task, so nobody takes a seat between the look and the spawn. */
static bool has_a_seat(const struct door *door)
{
    return ambit_region_tasks(door->clients) <
           (uint32_t)door->service->options->clients_max;
}

static void greet(struct door *door, ambit_tcp *socket)
{
    struct service *service = door->service;
    struct conn_arg client = {service, socket};
    ledger_count(&service->ledger, LEDGER_CONNECTIONS_ACCEPTED, 1);
    if ((has_a_seat(door) &&
         ambit_spawn_with(door->clients, conn_serve, &client, .name = "client",
                          .dispose = conn_dispose) == 0) ||
        ambit_spawn_with(door->turned_away, conn_turn_away, &client,
                         .name = "turned away", .dispose = conn_dispose) == 0) {
        return;
    }
    ambit_tcp_discard(socket);
    ledger_count(&service->ledger, LEDGER_CONNECTIONS_REFUSED, 1);
}

/* Until it is cancelled. */
static void accept_clients(ambit_cx *cx, struct door *door)
{
    for (;;) {
        ambit_tcp *socket;
        int err = ambit_tcp_accept(cx, door->listener, &socket);
        if (err == 0) {
            greet(door, socket);
            continue;
        }
        if (err == -ECANCELED || err == -ESHUTDOWN) {
            return;
        }
        if (err == -ECONNABORTED) {
            continue;
        }
        if (ambit_now().ns >= door->quiet_until.ns) {
            door->quiet_until = ambit_after(ambit_s(10));
            say("cannot accept a connection: %s; waiting", ambit_strerror(err));
        }
        if (ambit_sleep(cx, ambit_ms(ACCEPT_PAUSE_MS)) < 0) {
            return;
        }
    }
}

struct watcher {
    struct door *door;
    ambit_region *accepting;
};

/* Shuts the door when the supervisor has given up. */
static int watch(ambit_cx *cx, void *arg)
{
    struct watcher *watcher = arg;
    if (sentinel_wait(cx, watcher->door->crew->sentinel) != -ECANCELED) {
        ambit_cancel(watcher->accepting, "the supervisor gave up");
    }
    return 0;
}

/* Returns when the door has been shut. */
static void keep_open(ambit_cx *cx, struct door *door)
{
    int rc[3] = {0};
    ambit_scope (cx, turned_away, &rc[0], .name = "turned away",
                 .policy = AMBIT_ISOLATE, .tasks_max = TURNED_AWAY_MAX) {
        door->turned_away = turned_away;
        ambit_scope (cx, until_term, &rc[1], .until_signal = SIGTERM) {
            ambit_scope (cx, accepting, &rc[2], .name = "accepting",
                         .until_signal = SIGINT) {
                ambit_spawn(accepting, watch,
                            &(struct watcher){door, accepting});
                announce(door->service);
                accept_clients(cx, door);
                ambit_cancel(accepting, "the door is shut");
            }
        }
        ambit_cancel(turned_away, "the door is shut");
    }
    ambit_tcp_close(cx, door->listener);
    door->listener = NULL;
}
