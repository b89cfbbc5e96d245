/* SPDX-License-Identifier: MIT */
/*
 * folder.c -- making, locking and leaving the folder of the data.
 */
#include "folder.h"

#include "record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int make(struct folder *folder, const char *dir, char why[600]);
static int lock(struct folder *folder, char why[600]);
static int find_placement(struct folder *folder, char why[600]);
static void remove_all(const char *path);

int folder_open(struct folder *folder, const char *dir, char ret_why[600])
{
    *folder = (struct folder){.lock = -1};
    int err = make(folder, dir, ret_why);
    if (err < 0) {
        return err;
    }
    err = lock(folder, ret_why);
    if (err == 0) {
        err = find_placement(folder, ret_why);
    }
    if (err < 0) {
        folder_close(folder);
    }
    return err;
}

void folder_close(struct folder *folder)
{
    if (folder->is_temporary) {
        remove_all(folder->path);
    }
    if (folder->lock >= 0) {
        close(folder->lock);
    }
    folder->lock = -1;
}

void folder_log_path(const struct folder *folder, uint32_t shard,
                     const char *suffix, char *ret_path, int room)
{
    snprintf(ret_path, (size_t)room, "%s/shard-%u.%s", folder->path, shard,
             suffix);
}

static int make(struct folder *folder, const char *dir, char why[600])
{
    if (dir == NULL) {
        const char *parent = getenv("TMPDIR");
        snprintf(folder->path, sizeof folder->path, "%s/kvd-XXXXXX",
                 parent != NULL ? parent : "/tmp");
        if (mkdtemp(folder->path) == NULL) {
            snprintf(why, 600, "cannot make a temporary folder %s: %s",
                     folder->path, strerror(errno));
            return -errno;
        }
        folder->is_temporary = true;
        return 0;
    }
    if (strlen(dir) >= sizeof folder->path) {
        snprintf(why, 600, "the path of the folder is longer than %zu bytes",
                 sizeof folder->path - 1);
        return -ENAMETOOLONG;
    }
    strcpy(folder->path, dir);
    if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
        int err = -errno;
        snprintf(why, 600, "cannot make the folder %s: %s", dir,
                 strerror(-err));
        return err;
    }
    return 0;
}

static void say_who_locked(const struct folder *folder, char why[600])
{
    char pid[16] = "";
    ssize_t len = pread(folder->lock, pid, sizeof pid - 1, 0);
    for (ssize_t i = 0; i < len; i++) {
        if (pid[i] < '0' || pid[i] > '9') {
            pid[i] = '\0';
        }
    }
    snprintf(why, 600, "the folder %s is in use by another kvd%s%s",
             folder->path, pid[0] != '\0' ? ", process " : "", pid);
}

static int lock(struct folder *folder, char why[600])
{
    char path[FOLDER_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/kvd.lock", folder->path);
    folder->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (folder->lock < 0) {
        int err = -errno;
        snprintf(why, 600, "cannot write in the folder %s: %s", folder->path,
                 strerror(-err));
        return err;
    }
    if (flock(folder->lock, LOCK_EX | LOCK_NB) < 0) {
        int err = -errno;
        say_who_locked(folder, why);
        return err;
    }
    char pid[16];
    int len = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    /* Only there to name us to the next one: a full disk is no reason. */
    if (ftruncate(folder->lock, 0) == 0 &&
        pwrite(folder->lock, pid, (size_t)len, 0) < 0) {
        return 0;
    }
    return 0;
}

/* The seed stands in the header of each log; the log of shard 0 is made
 * before the others.  Whether it is whole is for the shard to say. */
static int find_placement(struct folder *folder, char why[600])
{
    char path[FOLDER_PATH_MAX + 32];
    char header[RECORD_FILE_HEADER_BYTES];
    char unused[160];
    struct record_file found;
    folder_log_path(folder, 0, "log", path, sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t len = read(fd, header, sizeof header);
        close(fd);
        struct slice input = {header, len > 0 ? (size_t)len : 0};
        if (record_file_decode(input, &found, unused) == 0) {
            folder->placement = found.placement;
            return 0;
        }
    }
    if (getrandom(&folder->placement, sizeof folder->placement, 0) < 0) {
        snprintf(why, 600, "the system gives no random numbers: %s",
                 strerror(errno));
        return -EIO;
    }
    return 0;
}

/* Files only: kvd makes no folders in its folder. */
static void remove_all(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return;
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        unlinkat(dirfd(dir), e->d_name, 0);
    }
    closedir(dir);
    rmdir(path);
}
