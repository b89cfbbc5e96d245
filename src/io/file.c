/* SPDX-License-Identifier: MIT */
/*
 * file.c -- files, by position, over the driver.
 */
#include <ambit/file.h>

#include "src/io/file.h"
#include "src/task.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* One that was interrupted has opened nothing; by a cancel, which the next try
 * sees before it begins. */
static int open_fd(ambit_cx *cx, struct op *op)
{
    int fd;
    do {
        fd = io_run_bare(task_of(cx), op);
    } while (fd == -EINTR);
    return fd;
}

struct op file_open_op(const char *path, int flags, mode_t mode)
{
    return (struct op){
        .code = OP_OPEN,
        .memory = (void *)(uintptr_t)path,
        .flags = (uint32_t)flags,
        .len = mode,
    };
}

int ambit_file_open(ambit_cx *cx, const char *path, int flags, mode_t mode,
                    ambit_file **ret_file)
{
    struct op op = file_open_op(path, flags, mode);
    struct quota *place;
    int rc = park_check_with(task_of(cx), OWNER_WITHOUT(AMBIT_CAP_IO));
    if (rc == 0) {
        rc = io_fd_reserve(&place);
    }
    if (rc < 0) {
        return rc;
    }
    ambit_file *file = malloc(sizeof *file);
    int fd = file != NULL ? open_fd(cx, &op) : -ENOMEM;
    RULE(IO_EFFECT_4);
    if (fd < 0) {
        RULE(IO_FILE_2);
        io_fd_release(place);
        free(file);
        return fd;
    }
    io_handle_init(&file->handle, fd, false, place);
    *ret_file = file;
    return 0;
}

struct op file_op(enum op_code code, void *memory, size_t len,
                         uint64_t offset)
{
    return (struct op){
        .code = code,
        .memory = memory,
        .len = len > INT_MAX ? INT_MAX : (uint32_t)len,
        .offset = offset,
    };
}

static int32_t file_run(ambit_cx *cx, ambit_file *file, enum op_code code,
                        void *memory, size_t len, uint64_t offset)
{
    if (offset > INT64_MAX) {
        return -EINVAL;
    }
    struct op op = file_op(code, memory, len, offset);
    RULE(IO_FILE_1);
    return io_run(task_of(cx), &file->handle, &op);
}

ssize_t ambit_file_read(ambit_cx *cx, ambit_file *file, void *buffer,
                        size_t len, uint64_t offset)
{
    return file_run(cx, file, OP_READ, buffer, len, offset);
}

ssize_t ambit_file_write(ambit_cx *cx, ambit_file *file, const void *buffer,
                         size_t len, uint64_t offset)
{
    return file_run(cx, file, OP_WRITE, (void *)(uintptr_t)buffer, len, offset);
}

/* All of it under one use: between two operations the file must stay. */
static int write_all(struct io_use *use, const char *buffer, size_t len,
                     uint64_t offset, size_t *ret_written)
{
    int32_t n = 0;
    while (*ret_written < len && n >= 0) {
        if (offset + *ret_written > INT64_MAX) {
            return -EINVAL;
        }
        const char *rest = buffer + *ret_written;
        struct op op = file_op(OP_WRITE, (void *)(uintptr_t)rest,
                               len - *ret_written, offset + *ret_written);
        n = io_op(use, &op);
        n = n == 0 ? -ENOSPC : n;
        *ret_written += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? n : 0;
}

int ambit_file_write_all(ambit_cx *cx, ambit_file *file, const void *buffer,
                         size_t len, uint64_t offset, size_t *ret_written)
{
    size_t done = 0;
    struct io_use use;
    int rc = io_begin(task_of(cx), &file->handle, &use);
    if (rc == 0) {
        rc = io_end(&use, write_all(&use, buffer, len, offset, &done));
    }
    if (ret_written != NULL) {
        RULE(IO_EFFECT_3);
        *ret_written = done;
    }
    return rc;
}

int ambit_file_sync(ambit_cx *cx, ambit_file *file)
{
    return file_run(cx, file, OP_FSYNC, NULL, 0, 0);
}

int ambit_file_datasync(ambit_cx *cx, ambit_file *file)
{
    return file_run(cx, file, OP_FDATASYNC, NULL, 0, 0);
}

int ambit_file_size(ambit_file *file, uint64_t *ret_size)
{
    struct stat st;
    if (fstat(file->handle.fd, &st) < 0) {
        return -errno;
    }
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

struct truncation {
    int fd;
    uint64_t size;
};

static int truncate_now(void *arg)
{
    struct truncation *what = arg;
    return ftruncate(what->fd, (off_t)what->size) < 0 ? -errno : 0;
}

int ambit_file_truncate(ambit_cx *cx, ambit_file *file, uint64_t size)
{
    struct io_use use;
    if (size > INT64_MAX) {
        return -EINVAL;
    }
    int rc = io_begin(task_of(cx), &file->handle, &use);
    if (rc < 0) {
        return rc;
    }
    struct truncation what = {file->handle.fd, size};
    return io_end(&use, offload(task_of(cx), truncate_now, &what));
}

int ambit_file_close(ambit_cx *cx, ambit_file *file)
{
    int rc = io_close(task_of(cx), &file->handle);
    if (rc != -EALREADY && rc != -EDEADLK) {
        free(file);
    }
    return rc;
}

void ambit_file_discard(void *file)
{
    ambit_file *f = file;
    if (f != NULL) {
        io_discard(&f->handle);
        free(f);
    }
}
