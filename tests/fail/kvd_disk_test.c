/* SPDX-License-Identifier: MIT */
/*
 * kvd_disk_test.c -- a full disk, and logs that a crash or a hand damaged.
 */
#include "tests/harness/test.h"

#include "tests/harness/kvd_process.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { VALUE = 4000, LIMIT = 300 * 1024 };

static struct kvd_process kvd;
static char folder[64];

static void start(void)
{
    char text[4096];
    int err = kvd_start(&kvd, kvd_program(), "--port", "0", "--dir", folder,
                        "--shards", "1", "--fsync", "always");
    cr_assert(err == 0, "%s", kvd_stderr(&kvd, text, sizeof text));
}

static void stop(void)
{
    char text[4096];
    int status = kvd_stop(&kvd);
    cr_assert(status == 0, "status %d: %s", status,
              kvd_stderr(&kvd, text, sizeof text));
    cr_assert(strstr(kvd.said, "balanced=yes") != NULL, "%s", kvd.said);
    cr_assert(kvd_field(&kvd, "restarts") == 0, "%s", kvd.said);
    cr_assert(kvd_field(&kvd, "leaked_tasks") == 0, "%s", kvd.said);
    cr_assert(kvd_field(&kvd, "leaked_fds") == 0, "%s", kvd.said);
    kvd_forget(&kvd);
}

static bool set(struct kvd_client *client, int number, char said[80])
{
    static char value[VALUE + 1];
    struct kvd_reply reply;
    char key[32];
    char request[VALUE + 128];
    snprintf(key, sizeof key, "key%d", number);
    memset(value, 'v', VALUE);
    size_t len = kvd_encode(request, 0, sizeof request, 3,
                            (const char *[]){"SET", key, value});
    cr_assert(kvd_send(client, request, len) == 0);
    int err = kvd_read(client, &reply);
    cr_assert(err == 0, "SET %d: %s", number, strerror(-err));
    snprintf(said, 80, "%.*s", (int)reply.text_len, reply.text);
    return kvd_is(&reply, "OK");
}

static int64_t length_of(struct kvd_client *client, int number)
{
    struct kvd_reply reply;
    char key[32];
    snprintf(key, sizeof key, "key%d", number);
    cr_assert(kvd_ask(client, &reply, "STRLEN", key) == 0);
    cr_assert(reply.kind == ':', "%.80s", reply.text);
    return reply.value;
}

/* Writes until the disk is full; how many were acknowledged.  The refusal is
 * a sentence, the refused key is not there, reads go on. */
static int fill(struct kvd_client *client)
{
    char said[80] = "";
    int number = 0;
    while (number < 10000 && set(client, number, said)) {
        number++;
    }
    cr_assert(number > 0 && number < 10000, "%d writes", number);
    cr_assert(strncmp(said, "MISCONF shard 0 cannot write", 28) == 0, "%s",
              said);
    cr_assert(length_of(client, number) == 0, "a refused write is visible");
    cr_assert(length_of(client, number - 1) == VALUE, "a write was lost");
    cr_assert(!set(client, number + 1, said), "the disk is not full");
    return number;
}

static void check_kept(struct kvd_client *client, int acknowledged)
{
    for (int i = 0; i < acknowledged; i++) {
        cr_assert(length_of(client, i) == VALUE, "key%d was lost", i);
    }
    cr_assert(length_of(client, acknowledged) == 0, "a refused write is back");
}

static void limit_file_size(void)
{
    struct rlimit limit = {LIMIT, LIMIT};
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0) {
        _exit(126);
    }
}

/* Goal: a log that cannot grow refuses writes, keeps what it has, and is read
 * by the next process.  Method: a limit on the size of its files. */
Test(kvd_disk, a_log_that_cannot_grow_refuses_writes_and_loses_none,
     .timeout = 120)
{
    struct kvd_client client;
    cr_assert(kvd_make_folder(folder) != NULL);
    kvd.prepare = limit_file_size;
    start();
    cr_assert(kvd_connect(&client, kvd.port) == 0);
    int acknowledged = fill(&client);
    check_kept(&client, acknowledged);
    kvd_disconnect(&client);
    stop();
    kvd.prepare = NULL;
    start();
    cr_assert(kvd_connect(&client, kvd.port) == 0);
    check_kept(&client, acknowledged);
    kvd_disconnect(&client);
    stop();
    kvd_remove_folder(folder);
}

/* Goal: when the disk has room again, writes are taken again, without a
 * restart.  Method: a file system of 1 MiB, and a file that takes its room. */
Test(kvd_disk, a_full_disk_is_survived_and_left_behind, .timeout = 120)
{
    struct kvd_client client;
    char filler[96];
    char said[80];
    cr_assert(kvd_make_folder(folder) != NULL);
    if (unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", folder, "tmpfs", 0, "size=1m") < 0) {
        kvd_remove_folder(folder);
        cr_skip_test("only root may mount a small file system");
    }
    snprintf(filler, sizeof filler, "%s/filler", folder);
    int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(posix_fallocate(fd, 0, 512 * 1024) == 0);
    close(fd);
    start();
    cr_assert(kvd_connect(&client, kvd.port) == 0);
    int acknowledged = fill(&client);
    check_kept(&client, acknowledged);
    cr_assert(unlink(filler) == 0);
    bool is_back = false;
    for (int i = 0; i < KVD_TIMEOUT_MS / 10 && !is_back; i++) {
        kvd_pause_ms(10);
        is_back = set(&client, acknowledged, said);
    }
    cr_assert(is_back, "still refused: %s", said);
    kvd_disconnect(&client);
    stop();
    start();
    cr_assert(kvd_connect(&client, kvd.port) == 0);
    check_kept(&client, acknowledged + 1);
    kvd_disconnect(&client);
    stop();
    kvd_remove_folder(folder);
    umount2(folder, MNT_DETACH);
    rmdir(folder);
}

/* --- damaged logs ------------------------------------------------------- */

static void make_log(char path[96], struct stat *ret_stat)
{
    struct kvd_client client;
    char said[80];
    cr_assert(kvd_make_folder(folder) != NULL);
    start();
    cr_assert(kvd_connect(&client, kvd.port) == 0);
    for (int i = 0; i < 10; i++) {
        cr_assert(set(&client, i, said), "%s", said);
    }
    kvd_disconnect(&client);
    stop();
    snprintf(path, 96, "%s/shard-0.log", folder);
    cr_assert(stat(path, ret_stat) == 0);
}

/* Goal: the record that a crash left unfinished is cut off, and said.
 * Method: cut the file anywhere in its last record. */
Test(kvd_disk, a_torn_tail_is_cut_off_and_said, .timeout = 120)
{
    struct kvd_client client;
    struct stat made;
    char path[96];
    char said[4096];
    make_log(path, &made);
    for (int cut = 1; cut < 4000; cut = cut * 3 + 1) {
        cr_assert(truncate(path, made.st_size - cut) == 0);
        start();
        kvd_stderr(&kvd, said, sizeof said);
        cr_assert(strstr(said, "cut off") != NULL, "cut %d: %s", cut, said);
        cr_assert(kvd_connect(&client, kvd.port) == 0);
        check_kept(&client, 9);
        cr_assert(set(&client, 9, said), "%s", said);
        kvd_disconnect(&client);
        stop();
        struct stat now;
        cr_assert(stat(path, &now) == 0);
        cr_assert(now.st_size == made.st_size);
    }
    kvd_remove_folder(folder);
}

/* Goal: damage in the middle is refused, and where it is is said.  Method:
 * flip one bit of the fourth record. */
Test(kvd_disk, damage_in_the_middle_is_refused, .timeout = 120)
{
    struct stat made;
    char path[96];
    char said[4096];
    char byte;
    make_log(path, &made);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert(pread(fd, &byte, 1, made.st_size / 3) == 1);
    byte ^= 4;
    cr_assert(pwrite(fd, &byte, 1, made.st_size / 3) == 1);
    close(fd);
    kvd_start(&kvd, kvd_program(), "--port", "0", "--dir", folder, "--shards",
              "1");
    int status = kvd_wait_exit(&kvd, KVD_TIMEOUT_MS);
    kvd_stderr(&kvd, said, sizeof said);
    cr_assert(status == 1, "status %d: %s", status, said);
    cr_assert(strstr(said, "shard-0.log is damaged at byte") != NULL, "%s",
              said);
    kvd_forget(&kvd);
    struct stat now;
    cr_assert(stat(path, &now) == 0);
    cr_assert(now.st_size == made.st_size, "a damaged log was changed");
    kvd_remove_folder(folder);
}
