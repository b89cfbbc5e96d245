/* SPDX-License-Identifier: MIT */
/*
 * driver_same_test.c -- the two drivers do the same: DRV-SAME and DRV-FILE of
 * spec/driver.md.
 */
#include "tests/spec/pair.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* False where the machine refuses io_uring. */
static bool have_io_uring(void)
{
    ambit_runtime *runtime = NULL;
    unsetenv("AMBIT_DRIVER");
    int rc = ambit_runtime_create(&runtime,
                                  &(const struct ambit_runtime_options){
                                      .size_ = sizeof(
                                          struct ambit_runtime_options),
                                      .workers = 1,
                                      .log = spec_log_line,
                                      .driver = AMBIT_DRIVER_URING,
                                  });
    ambit_runtime_destroy(runtime);
    return rc == 0;
}

/* --- DRV-SAME-1 ----------------------------------------------------------- */

/* What each call answered, as a text; that of one driver beside the other's. */
struct record {
    size_t len;
    char text[4096];
};

static void note_that(struct record *record, const char *what, int64_t result)
{
    size_t room = sizeof record->text - record->len;
    record->len += (size_t)snprintf(record->text + record->len, room,
                                    "%s: %lld\n", what, (long long)result);
}

static void refused_ones(ambit_cx *cx, struct record *r)
{
    ambit_tcp *none = NULL;
    ambit_file *file = NULL;
    note_that(r, "nobody listens", ambit_tcp_connect(cx, "127.0.0.1:1", &none));
    note_that(r, "no network",
              ambit_tcp_connect(cx, "255.255.255.255:9", &none));
    note_that(r, "no such file",
              ambit_file_open(cx, "/none/at/all", O_RDONLY, 0, &file));
    note_that(r, "a folder", ambit_file_open(cx, "/", O_RDWR, 0, &file));
    note_that(r, "there already",
              ambit_file_open(cx, "/dev/null", O_RDWR | O_CREAT | O_EXCL, 0600,
                              &file));
    WANT(none == NULL && file == NULL);
}

static void streams(ambit_cx *cx, struct record *r)
{
    struct pair pair;
    char bytes[64];
    pair_open(cx, &pair);
    note_that(r, "written", ambit_tcp_write(cx, pair.here, "12345", 5));
    note_that(r, "some", ambit_tcp_read(cx, pair.there, bytes, 3));
    note_that(r, "the rest", ambit_tcp_read(cx, pair.there, bytes, 64));
    note_that(r, "shut", ambit_tcp_shutdown(pair.here, SHUT_WR));
    note_that(r, "the end", ambit_tcp_read(cx, pair.there, bytes, 64));
    note_that(r, "once more", ambit_tcp_read(cx, pair.there, bytes, 64));
    note_that(r, "backwards", ambit_tcp_write(cx, pair.there, "6", 1));
    note_that(r, "after shut", ambit_tcp_write(cx, pair.here, "7", 1));
    note_that(r, "read of a listener",
              ambit_tcp_read(cx, pair.listener, bytes, 1));
    note_that(r, "accept of none",
              ambit_tcp_accept(cx, pair.here, &pair.listener));
    pair_close(&pair);
}

static void resets(ambit_cx *cx, struct record *r)
{
    struct pair pair;
    char bytes[64];
    pair_open(cx, &pair);
    WANT_EQ(ambit_tcp_write(cx, pair.here, "unread", 6), 6);
    WANT_EQ(ambit_tcp_read(cx, pair.there, bytes, 1), 1); /* they are there */
    ambit_tcp_discard(pair.there); /* with bytes in it: a reset */
    pair.there = NULL;
    note_that(r, "reset", ambit_tcp_read(cx, pair.here, bytes, 64));
    note_that(r, "after it", ambit_tcp_read(cx, pair.here, bytes, 64));
    note_that(r, "into it", ambit_tcp_write(cx, pair.here, "x", 1));
    pair_close(&pair);
}

static void cut_off(ambit_cx *cx, struct record *r)
{
    struct pair pair;
    ambit_tcp *none = NULL;
    char byte;
    int rc = 0, result = 0;
    pair_open(cx, &pair);
    ambit_scope (cx, all, &rc, .deadline = ambit_after(ambit_ms(2))) {
        result = (int)ambit_tcp_read(cx, pair.here, &byte, 1);
    }
    note_that(r, "read cut off", result);
    note_that(r, "its scope", rc);
    rc = 0;
    ambit_scope (cx, all, &rc, .deadline = ambit_after(ambit_ms(2))) {
        result = ambit_tcp_accept(cx, pair.listener, &none);
    }
    note_that(r, "accept cut off", result);
    WANT_EQ(ambit_tcp_write(cx, pair.there, "b", 1), 1);
    note_that(r, "nothing is lost", ambit_tcp_read(cx, pair.here, &byte, 1));
    pair_close(&pair);
}

struct folder {
    char path[64];
    char file[80];
};

static void folder_make(struct folder *folder)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%s/ambit-XXXXXX",
             tmp != NULL && strlen(tmp) < 40 ? tmp : P_tmpdir);
    WANT(mkdtemp(folder->path) != NULL);
    snprintf(folder->file, sizeof folder->file, "%s/f", folder->path);
}

static void folder_remove(struct folder *folder)
{
    WANT_EQ(unlink(folder->file), 0);
    WANT_EQ(rmdir(folder->path), 0);
}

static void files(ambit_cx *cx, struct record *r)
{
    struct folder folder;
    ambit_file *file = NULL;
    char bytes[16];
    folder_make(&folder);
    note_that(r, "made", ambit_file_open(cx, folder.file, O_WRONLY | O_CREAT,
                                         0600, &file));
    note_that(r, "at 3", ambit_file_write(cx, file, "abcdef", 6, 3));
    note_that(r, "not for reading", ambit_file_read(cx, file, bytes, 1, 0));
    note_that(r, "synced", ambit_file_sync(cx, file));
    note_that(r, "its data", ambit_file_datasync(cx, file));
    note_that(r, "closed", ambit_file_close(cx, file));
    WANT_EQ(ambit_file_open(cx, folder.file, O_RDONLY, 0, &file), 0);
    note_that(r, "up to the end", ambit_file_read(cx, file, bytes, 16, 5));
    note_that(r, "behind it", ambit_file_read(cx, file, bytes, 16, 9));
    note_that(r, "not for writing", ambit_file_write(cx, file, "x", 1, 0));
    note_that(r, "closed too", ambit_file_close(cx, file));
    WANT_EQ(ambit_file_open(cx, folder.path, O_RDONLY, 0, &file), 0);
    note_that(r, "read of a folder", ambit_file_read(cx, file, bytes, 1, 0));
    WANT_EQ(ambit_file_close(cx, file), 0);
    WANT_EQ(ambit_file_open(cx, "/dev/full", O_WRONLY, 0, &file), 0);
    note_that(r, "no room", ambit_file_write(cx, file, "x", 1, 0));
    note_that(r, "not to be synced", ambit_file_sync(cx, file));
    WANT_EQ(ambit_file_close(cx, file), 0);
    folder_remove(&folder);
}

/* A pipe has no positions, can wait, and ends when its writers have gone. */
static void pipes(ambit_cx *cx, struct record *r)
{
    struct folder folder;
    ambit_file *here = NULL, *there = NULL;
    char bytes[16];
    int rc = 0, result = 0;
    folder_make(&folder);
    WANT_EQ(mkfifo(folder.file, 0600), 0);
    WANT_EQ(ambit_file_open(cx, folder.file, O_RDWR, 0, &there), 0);
    note_that(r, "a pipe", ambit_file_open(cx, folder.file, O_RDONLY, 0,
                                           &here));
    ambit_scope (cx, all, &rc, .deadline = ambit_after(ambit_ms(2))) {
        result = (int)ambit_file_read(cx, here, bytes, 16, 0);
    }
    note_that(r, "an empty one", result);
    note_that(r, "put in", ambit_file_write(cx, there, "pipe", 4, 0));
    note_that(r, "taken out", ambit_file_read(cx, here, bytes, 2, 0));
    note_that(r, "at a position", ambit_file_read(cx, here, bytes, 16, 77));
    WANT_EQ(ambit_file_close(cx, there), 0);
    note_that(r, "without writers", ambit_file_read(cx, here, bytes, 1, 0));
    WANT_EQ(ambit_file_close(cx, here), 0);
    folder_remove(&folder);
}

static int every_call(ambit_cx *cx, void *arg)
{
    struct record *r = arg;
    refused_ones(cx, r);
    streams(cx, r);
    resets(cx, r);
    cut_off(cx, r);
    files(cx, r);
    pipes(cx, r);
    return 0;
}

/* Goal: a program need not know what is below it.
 * Method: the same calls with both, in all the ways they can end; the answers
 * must be the same text. */
Spec(DRV_SAME_1, each_call_answers_the_same_with_either_driver)
{
    static struct record uring, epoll;
    if (!have_io_uring()) {
        cr_skip_test("this machine refuses io_uring");
    }
    WANT_EQ(spec_run(every_call, &uring, .workers = 1,
                     .driver = AMBIT_DRIVER_URING), 0);
    WANT_EQ(spec_run(every_call, &epoll, .workers = 1,
                     .driver = AMBIT_DRIVER_EPOLL), 0);
    if (strcmp(uring.text, epoll.text) != 0) {
        fprintf(stderr, "uring:\n%s\nepoll:\n%s\n", uring.text, epoll.text);
        WANT(!"the same");
    }
    WANT(uring.len > 500 && uring.len < sizeof uring.text - 100);
    spec_end("DRV_SAME_1");
}

/* Many ops on one descriptor: two readers and a writer of one connection. */
static int count_bytes(ambit_cx *cx, void *arg)
{
    struct pair *pair = *(struct pair **)arg;
    char bytes[7];
    int sum = 0;
    ssize_t n;
    while ((n = ambit_tcp_read(cx, pair->there, bytes, sizeof bytes)) > 0) {
        sum += (int)n;
    }
    return n < 0 ? (int)n : sum;
}

static int send_back(ambit_cx *cx, void *arg)
{
    struct pair *pair = *(struct pair **)arg;
    static const char bytes[1 << 16];
    size_t written = 0;
    for (int i = 0; i < 20; i++) {
        int rc = ambit_tcp_write_all(cx, pair->there, bytes, sizeof bytes,
                                     &written);
        WANT_EQ(rc, 0);
    }
    return 0;
}

static int drain(ambit_cx *cx, ambit_tcp *socket, size_t wanted)
{
    static char bytes[5000];
    size_t got = 0;
    while (got < wanted) {
        ssize_t n = ambit_tcp_read(cx, socket, bytes, sizeof bytes);
        if (n <= 0) {
            return -EIO;
        }
        got += (size_t)n;
    }
    return 0;
}

static int three_at_one_end(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct pair pair, *ppair = &pair;
    ambit_task one, two;
    int rc = 0, sum_one = 0, sum_two = 0;
    pair_open(cx, &pair);
    ambit_scope (cx, all, &rc) {
        WANT_EQ(ambit_spawn_with(all, count_bytes, &ppair, .ret_task = &one),
                0);
        WANT_EQ(ambit_spawn_with(all, count_bytes, &ppair, .ret_task = &two),
                0);
        WANT_EQ(ambit_spawn(all, send_back, &ppair), 0);
        for (int i = 0; i < 500; i++) {
            WANT_EQ(ambit_tcp_write_all(cx, pair.here, "1234", 4, NULL), 0);
        }
        WANT_EQ(drain(cx, pair.here, 20 << 16), 0);
        WANT_EQ(ambit_tcp_shutdown(pair.here, SHUT_WR), 0);
        WANT_EQ(ambit_join(cx, one, &sum_one), 0);
        WANT_EQ(ambit_join(cx, two, &sum_two), 0);
    }
    WANT_EQ(sum_one + sum_two, 2000);
    pair_close(&pair);
    return 0;
}

/* Goal: several calls on one descriptor do not get into each other's way.
 * Method: two readers and a writer at one end, while the other end does both;
 * more bytes than the kernel's buffers hold. */
Spec(DRV_SAME_1, several_calls_share_a_descriptor)
{
    unsetenv("AMBIT_DRIVER");
    for (unsigned workers = 1; workers <= 2; workers++) {
        WANT_EQ(spec_run(three_at_one_end, NULL, .workers = workers,
                         .driver = AMBIT_DRIVER_EPOLL), 0);
    }
    spec_end("DRV_SAME_1");
}

/* --- DRV-FILE-1 ----------------------------------------------------------- */

struct pipe_end {
    const char *path;
    int flags;
    struct count *begun;
};

static int open_end(ambit_cx *cx, void *arg)
{
    struct pipe_end *end = arg;
    ambit_file *file = NULL;
    count_up(end->begun);
    int rc = ambit_file_open(cx, end->path, end->flags | O_CREAT, 0600, &file);
    ambit_file_discard(file);
    return rc;
}

static int both_ends_of_a_pipe(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct folder folder;
    struct count begun = {0};
    int rc = 0;
    folder_make(&folder);
    WANT_EQ(mkfifo(folder.file, 0600), 0);
    for (int round = 0; round < 4; round++) {
        int first = round % 2 == 0 ? O_RDONLY : O_WRONLY;
        count_set(&begun, 0);
        ambit_scope (cx, ends, &rc) {
            struct pipe_end end = {folder.file, first, &begun};
            WANT_EQ(ambit_spawn(ends, open_end, &end), 0);
            WANT(until(cx, &begun, 1));
            let_others_run(cx);
            end.flags = O_RDONLY + O_WRONLY - first;
            WANT_EQ(ambit_spawn(ends, open_end, &end), 0);
        }
        WANT_EQ(rc, 0);
    }
    folder_remove(&folder);
    return 0;
}

static int nobody_at_the_other_end(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct folder folder;
    struct count begun = {0};
    int fds = test_open_fds();
    folder_make(&folder);
    WANT_EQ(mkfifo(folder.file, 0600), 0);
    for (int round = 0; round < 8; round++) {
        int rc = 0;
        count_set(&begun, 0);
        ambit_scope (cx, ends, &rc) {
            struct pipe_end end = {folder.file,
                                   round % 2 == 0 ? O_RDONLY : O_WRONLY,
                                   &begun};
            WANT_EQ(ambit_spawn(ends, open_end, &end), 0);
            WANT(until(cx, &begun, 1));
            /* From before the open is begun to long after. */
            WANT_EQ(ambit_sleep(cx, ambit_us(100 * round * round)), 0);
            ambit_cancel(ends, "nobody comes");
        }
        WANT_EQ(rc, 0);
        WANT_EQ(test_open_fds(), fds);
    }
    folder_remove(&folder);
    return 0;
}

static void with_each_driver(ambit_task_fn *fn)
{
    bool both = have_io_uring();
    WANT_EQ(spec_run(fn, NULL, .workers = 1, .driver = AMBIT_DRIVER_EPOLL), 0);
    if (both) {
        WANT_EQ(spec_run(fn, NULL, .workers = 1, .driver = AMBIT_DRIVER_URING),
                0);
    }
}

/* Goal: a call that waits in a file holds nobody up.
 * Method: one worker; one task waits in the open of a named pipe for another
 * that comes later. */
Spec(DRV_FILE_1, a_file_that_waits_holds_nobody_up)
{
    with_each_driver(both_ends_of_a_pipe);
    spec_end("DRV_FILE_1");
}

/* Goal: nor for ever, once it is cancelled.
 * Method: an open of a named pipe to whose other end nobody comes, both ways. */
Spec(DRV_FILE_1, an_open_for_which_nobody_comes_can_be_cancelled)
{
    with_each_driver(nobody_at_the_other_end);
    spec_end("DRV_FILE_1");
}
