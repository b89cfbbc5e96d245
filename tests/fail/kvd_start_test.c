/* SPDX-License-Identifier: MIT */
/*
 * kvd_start_test.c -- what keeps kvd from starting: one sentence on stderr
 * that names it, status 1, and nothing else.
 */
#include "tests/harness/test.h"

#include "tests/harness/kvd_process.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static struct kvd_process kvd;
static char folder[64];

/* It ended with status 1, one line on stderr, and that holds `words`. */
static void must_have_refused(const char *words)
{
    char said[4096];
    int status = kvd_wait_exit(&kvd, KVD_TIMEOUT_MS);
    kvd_stderr(&kvd, said, sizeof said);
    cr_assert(status == 1, "status %d: %s", status, said);
    cr_assert(strstr(said, words) != NULL, "\"%s\" does not say \"%s\"", said,
              words);
    cr_assert(strncmp(said, "kvd: ", 5) == 0, "%s", said);
    cr_assert(strchr(said, '\n') == said + strlen(said) - 1,
              "more than one line: %s", said);
    cr_assert(kvd.said_len == 0, "%s", kvd.said);
    kvd_forget(&kvd);
}

/* Goal: a wrong option is named.  Method: a table. */
Test(kvd_start, a_wrong_option_is_named)
{
    static const struct {
        const char *option;
        const char *value;
        const char *words;
    } cases[] = {
        {"--prot", "1", "there is no option --prot"},
        {"--port", "65536", "--port is a number from 0 to 65535"},
        {"--port", "", "--port needs a value"},
        {"--shards", "0", "--shards is a number from 1"},
        {"--shards", "four", "not \"four\""},
        {"--fsync", "never", "--fsync is always or everysec"},
        {"--bind", "nowhere", "cannot listen on nowhere"},
        {"--bind", "192.0.2.1", "this machine has no such address"},
    };
    cr_assert(kvd_make_folder(folder) != NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        kvd_start(&kvd, kvd_program(), "--dir", folder, "--port", "0",
                  cases[i].option, cases[i].value);
        must_have_refused(cases[i].words);
    }
    kvd_start(&kvd, kvd_program(), "--port", "0");
    must_have_refused("--dir is missing");
    kvd_remove_folder(folder);
}

/* Goal: a port in use is said to be.  Method: listen on it first. */
Test(kvd_start, a_port_in_use_is_said)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    char port[16];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&at, len) == 0);
    cr_assert(listen(fd, 1) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    snprintf(port, sizeof port, "%d", ntohs(at.sin_port));
    cr_assert(kvd_make_folder(folder) != NULL);
    kvd_start(&kvd, kvd_program(), "--dir", folder, "--port", port);
    must_have_refused("the port is in use");
    close(fd);
    kvd_remove_folder(folder);
}

static void become_nobody(void)
{
    if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0)) {
        _exit(126);
    }
}

/* Goal: a folder that cannot be written is named.  Method: its mode, and a
 * user for whom modes count. */
Test(kvd_start, an_unwritable_folder_is_named)
{
    cr_assert(kvd_make_folder(folder) != NULL);
    cr_assert(chmod(folder, 0555) == 0);
    kvd.prepare = become_nobody;
    kvd_start(&kvd, kvd_program(), "--dir", folder, "--port", "0");
    must_have_refused("cannot write in the folder");
    kvd.prepare = NULL;
    kvd_start(&kvd, kvd_program(), "--dir", "/nowhere/at/all", "--port", "0");
    must_have_refused("cannot make the folder /nowhere/at/all");
    kvd_start(&kvd, kvd_program(), "--dir", "/dev/null", "--port", "0");
    must_have_refused("/dev/null");
    kvd_remove_folder(folder);
}

/* Goal: two processes never share a folder.  Method: start a second one. */
Test(kvd_start, a_folder_in_use_is_refused)
{
    static struct kvd_process first;
    cr_assert(kvd_make_folder(folder) != NULL);
    cr_assert(
        kvd_start(&first, kvd_program(), "--dir", folder, "--port", "0") == 0);
    kvd_start(&kvd, kvd_program(), "--dir", folder, "--port", "0");
    must_have_refused("in use by another kvd");
    cr_assert(kvd_stop(&first) == 0);
    kvd_forget(&first);
    kvd_remove_folder(folder);
}

/* Goal: data is never read with another number of shards.  Method: make it
 * with 4, come with 3. */
Test(kvd_start, another_number_of_shards_is_refused)
{
    cr_assert(kvd_make_folder(folder) != NULL);
    cr_assert(kvd_start(&kvd, kvd_program(), "--dir", folder, "--port", "0") ==
              0);
    cr_assert(kvd_stop(&kvd) == 0);
    kvd_forget(&kvd);
    kvd_start(&kvd, kvd_program(), "--dir", folder, "--port", "0", "--shards",
              "3");
    must_have_refused("made for 4 shards");
    kvd_remove_folder(folder);
}

static void refuse_io_uring(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {
        .len = sizeof filter / sizeof filter[0],
        .filter = filter,
    };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        _exit(126);
    }
}

static void insist_on_io_uring(void)
{
    refuse_io_uring();
    setenv("AMBIT_DRIVER", "uring", 1);
}

/* Goal: where io_uring is forbidden the user learns by what.  Method: the
 * filter that container runtimes install, reduced to this call; insist. */
Test(kvd_start, a_refused_io_uring_is_explained)
{
    cr_assert(kvd_make_folder(folder) != NULL);
    kvd.prepare = insist_on_io_uring;
    kvd_start(&kvd, kvd_program(), "--dir", folder, "--port", "0");
    must_have_refused("io_uring");
    kvd.prepare = NULL;
    kvd_remove_folder(folder);
}

static void leave_it_open(void)
{
    refuse_io_uring();
    unsetenv("AMBIT_DRIVER");
}

/* Goal: the service runs there, and says by what.  Method: the same filter;
 * a start, a stop, and what was said. */
Test(kvd_start, a_refused_io_uring_is_replaced)
{
    char said[4096];
    cr_assert(kvd_make_folder(folder) != NULL);
    kvd.prepare = leave_it_open;
    cr_assert(kvd_start(&kvd, kvd_program(), "--dir", folder, "--port", "0") ==
              0);
    cr_assert(kvd_stop(&kvd) == 0);
    kvd_stderr(&kvd, said, sizeof said);
    cr_assert(strstr(said, "going on with epoll") != NULL, "said: %s", said);
    kvd_forget(&kvd);
    kvd.prepare = NULL;
    kvd_remove_folder(folder);
}
