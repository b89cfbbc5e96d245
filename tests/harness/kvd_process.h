/* SPDX-License-Identifier: MIT */
/*
 * kvd_process.h -- starting kvd, and reading what it says at its end.
 *
 *     struct kvd_process kvd;
 *     kvd_start(&kvd, path, "--dir", dir, "--fsync", "always");
 *     ...connect to kvd.port...
 *     status = kvd_stop(&kvd);
 *     lost = kvd_field(&kvd, "leaked_fds");
 *
 * stdout goes through a pipe: the ready line, and the ledger at the end.
 * stderr goes to a file that kvd_stderr() reads.
 */
#ifndef AMBIT_TESTS_HARNESS_KVD_PROCESS_H
#define AMBIT_TESTS_HARNESS_KVD_PROCESS_H

#include "tests/harness/kvd_client.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { KVD_ARGS_MAX = 40, KVD_SAID_MAX = 8192 };

/* What a sanitizer's shadow and quarantine may add to a limit on memory.  The
 * programs of one build folder are built alike. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KVD_RSS_EXTRA_KIB (1024L * 1024)
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KVD_RSS_EXTRA_KIB (1024L * 1024)
#endif
#ifndef KVD_RSS_EXTRA_KIB
#define KVD_RSS_EXTRA_KIB 0L
#endif

struct kvd_process {
    pid_t pid; /* 0: not running */
    int port;
    int out;                 /* its stdout */
    int err;                 /* its stderr, a memory file */
    char said[KVD_SAID_MAX]; /* stdout so far */
    size_t said_len;
    int status;            /* of waitpid */
    void (*prepare)(void); /* in the child, before exec; may be NULL */
};

/* Where the program is: AMBIT_KVD, or beside the tests, or in release. */
static inline const char *kvd_program(void)
{
    static char path[512];
    const char *set = getenv("AMBIT_KVD");
    const char *build = getenv("BUILD_DIR");
    snprintf(path, sizeof path, "%s%s",
             set     ? set
             : build ? build
                     : "build/release",
             set ? "" : "/kvd");
    return path;
}

/* Reads its stdout until `wanted` appears, or its end.  0 or -ETIMEDOUT,
 * -EPIPE. */
static inline int kvd_listen_for(struct kvd_process *kvd, const char *wanted,
                                 int timeout_ms)
{
    int64_t until = kvd_now_us() + (int64_t)timeout_ms * 1000;
    while (wanted == NULL || strstr(kvd->said, wanted) == NULL) {
        struct pollfd p = {.fd = kvd->out, .events = POLLIN};
        int64_t left = (until - kvd_now_us()) / 1000;
        if (left <= 0 || poll(&p, 1, (int)left) <= 0) {
            return -ETIMEDOUT;
        }
        ssize_t n = read(kvd->out, kvd->said + kvd->said_len,
                         sizeof kvd->said - kvd->said_len - 1);
        if (n <= 0) {
            return -EPIPE;
        }
        kvd->said_len += (size_t)n;
        kvd->said[kvd->said_len] = '\0';
    }
    return 0;
}

static inline void kvd_child(struct kvd_process *kvd, int out, char **argv)
{
    dup2(out, STDOUT_FILENO);
    dup2(kvd->err, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test fail */
    if (kvd->prepare != NULL) {
        kvd->prepare();
    }
    execv(argv[0], argv);
    fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static inline int kvd_start_(struct kvd_process *kvd, const char *program,
                             int argc, const char *const *args)
{
    char *argv[KVD_ARGS_MAX] = {(char *)program};
    int pipe_fds[2];
    void (*prepare)(void) = kvd->prepare;
    memcpy(argv + 1, args, (size_t)argc * sizeof *args);
    *kvd = (struct kvd_process){.prepare = prepare};
    kvd->err = memfd_create("kvd-stderr", MFD_CLOEXEC);
    if (kvd->err < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0) {
        return -errno;
    }
    kvd->out = pipe_fds[0];
    kvd->pid = fork();
    if (kvd->pid == 0) {
        kvd_child(kvd, pipe_fds[1], argv);
    }
    close(pipe_fds[1]);
    int err = kvd_listen_for(kvd, "\n", KVD_TIMEOUT_MS);
    const char *port = strstr(kvd->said, "kvd ready port=");
    if (err == 0 && port != NULL) {
        kvd->port = atoi(port + strlen("kvd ready port="));
    }
    return kvd->port > 0 ? 0 : err < 0 ? err : -EPROTO;
}

/* Waits for its ready line.  0, or an error: then it said why, see
 * kvd_stderr(), and kvd_wait_exit() gives its status.  kvd->prepare must be
 * set or NULL. */
#define kvd_start(kvd, program, ...)                                        \
    kvd_start_(                                                             \
        (kvd), (program),                                                   \
        (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), \
        (const char *const[]){__VA_ARGS__})

/* Its exit status, -signal when one ended it, -ETIMEDOUT when it does not
 * end: it is then killed. */
static inline int kvd_wait_exit(struct kvd_process *kvd, int timeout_ms)
{
    bool is_late = kvd_listen_for(kvd, NULL, timeout_ms) == -ETIMEDOUT;
    if (is_late) {
        kill(kvd->pid, SIGKILL);
    }
    while (waitpid(kvd->pid, &kvd->status, 0) < 0 && errno == EINTR) {
    }
    close(kvd->out);
    kvd->pid = 0;
    if (is_late) {
        return -ETIMEDOUT;
    }
    return WIFEXITED(kvd->status) ? WEXITSTATUS(kvd->status)
                                  : -WTERMSIG(kvd->status);
}

/* SIGTERM, then its exit status as above. */
static inline int kvd_stop(struct kvd_process *kvd)
{
    kill(kvd->pid, SIGTERM);
    return kvd_wait_exit(kvd, KVD_TIMEOUT_MS);
}

static inline void kvd_kill(struct kvd_process *kvd)
{
    kill(kvd->pid, SIGKILL);
    kvd_wait_exit(kvd, KVD_TIMEOUT_MS);
}

/* What it wrote to stderr, whether it still runs or not. */
static inline const char *kvd_stderr(struct kvd_process *kvd, char *text,
                                     size_t room)
{
    ssize_t n = pread(kvd->err, text, room - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline void kvd_forget(struct kvd_process *kvd)
{
    close(kvd->err);
    kvd->err = -1;
}

/* A number of the ledger line, after its end; -1: there is none. */
static inline int64_t kvd_field(const struct kvd_process *kvd, const char *name)
{
    char key[80];
    const char *ledger = strstr(kvd->said, "kvd ledger");
    snprintf(key, sizeof key, " %s=", name);
    const char *found = ledger != NULL ? strstr(ledger, key) : NULL;
    return found != NULL ? strtoll(found + strlen(key), NULL, 10) : -1;
}

/* Its memory in KiB; -1: unknown. */
static inline long kvd_rss_kib(const struct kvd_process *kvd)
{
    char path[64];
    char line[256];
    long kib = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)kvd->pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kib = atol(line + 6);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

/* A folder of its own, and its removal: files only. */
static inline char *kvd_make_folder(char path[64])
{
    const char *parent = getenv("TMPDIR");
    snprintf(path, 64, "%.40s/kvd-test-XXXXXX", parent ? parent : "/tmp");
    return mkdtemp(path);
}

static inline void kvd_remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        unlinkat(dirfd(dir), e->d_name, 0);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    rmdir(path);
}

#endif
