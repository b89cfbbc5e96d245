/* SPDX-License-Identifier: MIT */
/*
 * file_test.c -- files by position: IO-FILE and IO-EFFECT-3 of spec/io.md.
 */
#include "tests/spec/common.h"

#include <fcntl.h>
#include <sys/stat.h>

/* A folder of our own, and paths in it. */
struct folder {
    char path[64];
};

static void folder_make(struct folder *folder)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%s/ambit-XXXXXX",
             tmp != NULL && strlen(tmp) < 40 ? tmp : P_tmpdir);
    WANT(mkdtemp(folder->path) != NULL);
}

static const char *in_folder(const struct folder *folder, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return path;
}

static void folder_remove(struct folder *folder, const char *file)
{
    WANT_EQ(unlink(in_folder(folder, file)), 0);
    WANT_EQ(rmdir(folder->path), 0);
}

/* --- IO-FILE-1 ------------------------------------------------------------ */

static unsigned char pattern(uint64_t at)
{
    return (unsigned char)(at * 2654435761u >> 11);
}

static void write_all_over(ambit_cx *cx, ambit_file *file)
{
    unsigned char piece[5000];
    /* pieces in a mixed order, so that no position could be implied */
    for (size_t i = 0; i < 211; i++) {
        uint64_t at = i * 97 % 211 * 5000;
        size_t len = sizeof piece, written = 0;
        for (size_t k = 0; k < len; k++) {
            piece[k] = pattern(at + k);
        }
        WANT_EQ(ambit_file_write_all(cx, file, piece, len, at, &written), 0);
        WANT_EQ(written, len);
    }
}

static void read_all_over(ambit_cx *cx, ambit_file *file, uint64_t size)
{
    unsigned char piece[7000];
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t at = i * 61 % 100 * (size / 100);
        ssize_t n = ambit_file_read(cx, file, piece, sizeof piece, at);
        WANT(n > 0);
        bool good = true;
        for (ssize_t k = 0; k < n; k++) {
            good = good && piece[k] == pattern(at + (uint64_t)k);
        }
        WANT(good);
    }
    WANT_EQ(ambit_file_read(cx, file, piece, sizeof piece, size), 0);
    WANT_EQ(ambit_file_read(cx, file, piece, sizeof piece, size + 12345), 0);
    WANT_EQ(ambit_file_read(cx, file, piece, 100, size - 3), 3);
}

static int use_a_file(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct folder folder;
    ambit_file *file;
    uint64_t size = 0;
    folder_make(&folder);
    int rc = ambit_file_open(cx, in_folder(&folder, "f"), O_RDWR | O_CREAT,
                             0600, &file);
    WANT_EQ(rc, 0);
    if (rc < 0) {
        return rc;
    }
    write_all_over(cx, file);
    WANT_EQ(ambit_file_size(file, &size), 0);
    WANT_EQ(size, 211 * 5000);
    read_all_over(cx, file, size);
    WANT_EQ(ambit_file_sync(cx, file), 0);
    WANT_EQ(ambit_file_datasync(cx, file), 0);

    const uint64_t far = UINT64_C(5) << 30;
    char last[4] = "";
    WANT_EQ(ambit_file_write(cx, file, "far", 4, far), 4);
    WANT_EQ(ambit_file_read(cx, file, last, 4, far), 4);
    WANT_EQ(strcmp(last, "far"), 0);
    WANT_EQ(ambit_file_truncate(cx, file, 10), 0);
    WANT_EQ(ambit_file_size(file, &size), 0);
    WANT_EQ(size, 10);
    WANT_EQ(ambit_file_close(cx, file), 0);
    folder_remove(&folder, "f");
    return 0;
}

/* Goal: what is written at an offset is read at that offset.
 * Method: 211 pieces in a mixed order, beyond 4 GiB, at and behind the end. */
Spec(IO_FILE_1, a_file_is_read_and_written_by_position)
{
    spec_on_1_and_2_workers(use_a_file);
    spec_end("IO_FILE_1");
}

/* --- IO-FILE-2 ------------------------------------------------------------ */

static void check_like_open(ambit_cx *cx, const char *path, int flags)
{
    ambit_file *file = NULL;
    int fd = open(path, flags, 0600);
    int wanted = fd < 0 ? -errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    int rc = ambit_file_open(cx, path, flags, 0600, &file);
    if (rc != wanted) {
        fprintf(stderr, "open(\"%s\", %#o)\n", path, (unsigned)flags);
    }
    WANT_EQ(rc, wanted);
    WANT((file != NULL) == (rc == 0));
    if (file != NULL) {
        WANT_EQ(ambit_file_close(cx, file), 0);
    }
}

/* Every descriptor is closed by exec but the standard ones. */
static void check_cloexec(const char *path)
{
    char link[300], name[64];
    int found = 0;
    for (int fd = 0; fd < 64; fd++) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(name, link, sizeof link - 1);
        link[n > 0 ? n : 0] = '\0';
        if (n > 0 && strcmp(link, path) == 0) {
            WANT((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
            found++;
        }
    }
    WANT_EQ(found, 1);
}

static int open_like_open(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct folder folder;
    ambit_file *file;
    folder_make(&folder);
    char path[128];
    snprintf(path, sizeof path, "%s", in_folder(&folder, "f"));
    check_like_open(cx, path, O_RDONLY);
    WANT_EQ(ambit_file_open(cx, path, O_RDWR | O_CREAT, 0640, &file), 0);
    check_cloexec(path);
    struct stat st;
    WANT_EQ(stat(path, &st), 0);
    WANT_EQ(st.st_mode & 0137, 0); /* 0640 under some umask */
    WANT_EQ(ambit_file_close(cx, file), 0);
    check_like_open(cx, path, O_RDONLY);
    check_like_open(cx, path, O_WRONLY | O_CREAT | O_EXCL);
    check_like_open(cx, path, O_RDONLY | O_DIRECTORY);
    check_like_open(cx, folder.path, O_WRONLY);
    check_like_open(cx, in_folder(&folder, "f/below"), O_RDONLY);
    check_like_open(cx, in_folder(&folder, "no/such/folder"), O_RDONLY);
    check_like_open(cx, "", O_RDONLY);
    folder_remove(&folder, "f");
    return 0;
}

/* Goal: opening answers as open(2) does, and the descriptor dies at exec.
 * Method: the same paths and flags to both; the flags of the descriptor. */
Spec(IO_FILE_2, opening_a_file_answers_as_open_does)
{
    spec_on_1_and_2_workers(open_like_open);
    spec_end("IO_FILE_2");
}

/* --- IO-EFFECT-3, CAN-2 --------------------------------------------------- */

static int fill_the_disk(ambit_cx *cx, void *arg)
{
    (void)arg;
    ambit_file *full;
    size_t written = 77;
    WANT_EQ(ambit_file_open(cx, "/dev/full", O_WRONLY, 0, &full), 0);
    WANT_EQ(ambit_file_write_all(cx, full, "lost", 4, 0, &written), -ENOSPC);
    WANT_EQ(written, 0);
    WANT_EQ(ambit_file_close(cx, full), 0);
    return 0;
}

/* Goal: a full disk is an error with a count.
 * Method: the device that is always full. */
Spec(IO_EFFECT_3, a_write_to_a_full_disk_says_how_much_was_taken)
{
    spec_on_1_and_2_workers(fill_the_disk);
    spec_end("IO_EFFECT_3");
}

static int use_files_under_cancel(ambit_cx *cx, void *arg)
{
    (void)arg;
    struct folder folder;
    ambit_file *file, *second = NULL;
    folder_make(&folder);
    int rc = 0;
    WANT_EQ(ambit_file_open(cx, in_folder(&folder, "f"), O_RDWR | O_CREAT,
                            0600, &file), 0);
    WANT_EQ(ambit_file_write(cx, file, "before", 6, 0), 6);
    ambit_scope (cx, over, &rc) {
        char buffer[8];
        size_t written = 77;
        ambit_cancel(over, "nothing more");
        WANT_EQ(ambit_file_write(cx, file, "after!", 6, 0), -ECANCELED);
        WANT_EQ(ambit_file_write_all(cx, file, "after!", 6, 0, &written),
                -ECANCELED);
        WANT_EQ(written, 0);
        WANT_EQ(ambit_file_read(cx, file, buffer, 8, 0), -ECANCELED);
        WANT_EQ(ambit_file_sync(cx, file), -ECANCELED);
        WANT_EQ(ambit_file_truncate(cx, file, 0), -ECANCELED);
        WANT_EQ(ambit_file_open(cx, in_folder(&folder, "g"), O_RDWR | O_CREAT,
                                0600, &second), -ECANCELED);
    }
    WANT_EQ(rc, 0);
    char buffer[8] = "";
    WANT_EQ(ambit_file_read(cx, file, buffer, 7, 0), 6);
    WANT_EQ(strcmp(buffer, "before"), 0);
    WANT_EQ(ambit_file_close(cx, file), 0);
    WANT(second == NULL && access(in_folder(&folder, "g"), F_OK) != 0);
    folder_remove(&folder, "f");
    return 0;
}

/* Goal: under a cancel a file call does nothing and says so.
 * Method: all of them in a cancelled scope; the file is as it was. */
Spec(CAN_2, a_file_call_under_a_cancel_does_nothing)
{
    spec_on_1_and_2_workers(use_files_under_cancel);
    spec_end("CAN_2");
}
