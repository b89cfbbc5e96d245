/* SPDX-License-Identifier: MIT */
/*
 * echo.c -- a TCP echo server on one cpu, its clients on the other.
 *
 * The clients are the program that drives the peers' servers too; its lines
 * are taken over as rows.
 */
#include "tests/bench/bench.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int echo(ambit_cx *cx, void *arg)
{
    ambit_tcp *socket = *(ambit_tcp **)arg;
    char buffer[4096];
    ssize_t got;
    while ((got = ambit_tcp_read(cx, socket, buffer, sizeof buffer)) > 0) {
        if (ambit_tcp_write_all(cx, socket, buffer, (size_t)got, NULL) < 0) {
            break;
        }
    }
    return ambit_tcp_close(cx, socket);
}

struct server {
    const char *address;
    int tell; /* where the port goes; -1: nobody asks */
};

static int serve(ambit_cx *cx, void *arg)
{
    const struct server *server = arg;
    ambit_tcp *listener;
    int rc = ambit_tcp_listen(server->address, &listener, .backlog = 4096);
    if (rc < 0) {
        return rc;
    }
    uint16_t port = ambit_tcp_port(listener);
    if (server->tell >= 0 &&
        write(server->tell, &port, sizeof port) != sizeof port) {
        return -EPIPE;
    }
    ambit_scope (cx, clients, &rc, .policy = AMBIT_ISOLATE,
                 .until_signal = SIGTERM) {
        ambit_tcp *socket;
        while (ambit_tcp_accept(cx, listener, &socket) == 0) {
            if (ambit_spawn(clients, echo, &socket) < 0) {
                ambit_tcp_discard(socket);
            }
        }
    }
    ambit_tcp_close(cx, listener);
    return rc;
}

int bench_echo_serve(const char *port)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%s", port);
    struct server server = {address, -1};
    return bench_run(serve, &server);
}

static pid_t start_server(uint16_t *ret_port)
{
    int ends[2];
    if (pipe(ends) < 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct server server = {"127.0.0.1:0", ends[1]};
        close(ends[0]);
        bench_pin(1);
        _exit(bench_run(serve, &server) < 0);
    }
    close(ends[1]);
    if (pid > 0 && read(ends[0], ret_port, sizeof *ret_port) !=
                       (ssize_t)sizeof *ret_port) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    close(ends[0]);
    return pid;
}

/* "W10_echo_64_rps ambit 150.2 kreq/s best=152.1 n=3" */
static void take_line(const char *line)
{
    char name[40];
    char unit[16];
    double median;
    double best;
    if (sscanf(line, "%39s %*s %lf %15s best=%lf", name, &median, unit,
               &best) != 4) {
        return;
    }
    struct bench_row *row = bench_row(name, unit, strstr(name, "rps") != NULL);
    snprintf(row->workload, sizeof row->workload, "%s", name);
    bench_add(row, median);
    fputs(line, stdout);
    fflush(stdout);
}

static int drive(pid_t server, uint16_t port, unsigned connections)
{
    char command[512];
    char line[256];
    double seconds = (double)bench.min_ns * 2e-9;
    unsigned reps = bench.reps > 3 ? 3 : bench.reps;
    snprintf(command, sizeof command, "'%s' ambit-%s %d %u %u %.2f %u",
             bench.loadgen, ambit_version(), (int)server, port, connections,
             seconds, reps);
    FILE *lines = popen(command, "r");
    if (lines == NULL) {
        return -errno;
    }
    while (fgets(line, sizeof line, lines) != NULL) {
        take_line(line);
    }
    return pclose(lines) == 0 ? 0 : -EPROTO;
}

int bench_echo(void)
{
    static const unsigned connections[] = {1, 64, 1000};
    uint16_t port = 0;
    int rc = 0;
    if (bench.loadgen == NULL || access(bench.loadgen, X_OK) < 0) {
        printf("# W10 left out: no load generator (--loadgen PROGRAM)\n");
        return 0;
    }
    pid_t server = start_server(&port);
    if (server < 0) {
        return -EPROTO;
    }
    bench_pin(0);
    for (unsigned i = 0; i < 3 && rc == 0; i++) {
        rc = drive(server, port, connections[i]);
    }
    kill(server, SIGTERM);
    int status = 0;
    waitpid(server, &status, 0);
    return rc < 0 ? rc : status == 0 ? 0 : -EPROTO;
}
