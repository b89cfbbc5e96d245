/* SPDX-License-Identifier: MIT */
/*
 * file_await.c -- files for poll tasks.
 *
 *   AWAIT-IO-1  What is awaited does what the call does, its count apart.
 */
#include "src/io/file.h"
#include "src/io/op_await.h"
#include "src/runtime.h"

#include <stdlib.h>
#include <unistd.h>

_Static_assert(offsetof(struct ambit_file, handle) == 0, "op_await_close()");

static void undo_open(void *made, int32_t fd)
{
    free(made);
    if (fd >= 0) {
        close(fd);
    }
}

static int begin_open(struct task *task, struct await *await,
                      const struct op *op)
{
    struct op_await *record;
    int rc = op_await_make(task, NULL, &record);
    if (rc < 0) {
        return rc;
    }
    record->undo = undo_open;
    rc = io_fd_reserve(&record->place);
    if (rc == 0) {
        record->made = malloc(sizeof(struct ambit_file));
        rc = record->made != NULL ? 0 : -ENOMEM;
    }
    if (rc < 0) {
        op_await_undo(record, rc);
        return rc;
    }
    return op_await_run_made(task, await, record, op);
}

int ambit_await_file_open(ambit_cx *cx, struct ambit_await *wait,
                          const char *path, int flags, mode_t mode,
                          ambit_file **ret_file)
{
    struct op op = file_open_op(path, flags, mode);
    struct op_await *record;
    int rc;
    switch (op_await_look(task_of(cx), await_of(wait), &record, &rc)) {
    case AWAIT_ANSWER:
        return rc;
    case AWAIT_IDLE:
        return begin_open(task_of(cx), await_of(wait), &op);
    case AWAIT_SAID:
        break;
    }
    if (rc < 0) {
        op_await_undo(record, rc);
        return rc;
    }
    ambit_file *file = record->made;
    struct quota *place = record->place;
    record->place = NULL;
    op_await_end(record);
    io_handle_init(&file->handle, rc, false, place);
    *ret_file = file;
    return 0;
}

static int await_op(ambit_cx *cx, struct ambit_await *wait, ambit_file *file,
                    const struct op *op, size_t *ret_count)
{
    return op->offset > INT64_MAX
               ? -EINVAL
               : op_await_run(cx, wait, &file->handle, op, ret_count);
}

int ambit_await_file_read(ambit_cx *cx, struct ambit_await *wait,
                          ambit_file *file, void *buffer, size_t len,
                          uint64_t offset, size_t *ret_count)
{
    struct op op = file_op(OP_READ, buffer, len, offset);
    return await_op(cx, wait, file, &op, ret_count);
}

int ambit_await_file_write(ambit_cx *cx, struct ambit_await *wait,
                           ambit_file *file, const void *buffer, size_t len,
                           uint64_t offset, size_t *ret_count)
{
    struct op op =
        file_op(OP_WRITE, (void *)(uintptr_t)buffer, len, offset);
    return await_op(cx, wait, file, &op, ret_count);
}

static struct op write_rest(const char *memory, size_t len, uint64_t offset)
{
    return file_op(OP_WRITE, (void *)(uintptr_t)memory, len, offset);
}

int ambit_await_file_write_all(ambit_cx *cx, struct ambit_await *wait,
                               ambit_file *file, const void *buffer, size_t len,
                               uint64_t offset, size_t *ret_written)
{
    struct op_all all = {.handle = &file->handle,
                         .rest = write_rest,
                         .memory = buffer,
                         .len = len,
                         .offset = offset,
                         .when_none = -ENOSPC};
    return op_await_all(cx, wait, &all, ret_written);
}

static int await_sync(ambit_cx *cx, struct ambit_await *wait, ambit_file *file,
                      enum op_code code)
{
    struct op op = file_op(code, NULL, 0, 0);
    size_t none;
    return op_await_run(cx, wait, &file->handle, &op, &none);
}

int ambit_await_file_sync(ambit_cx *cx, struct ambit_await *wait,
                          ambit_file *file)
{
    return await_sync(cx, wait, file, OP_FSYNC);
}

int ambit_await_file_datasync(ambit_cx *cx, struct ambit_await *wait,
                              ambit_file *file)
{
    return await_sync(cx, wait, file, OP_FDATASYNC);
}

int ambit_await_file_close(ambit_cx *cx, struct ambit_await *wait,
                           ambit_file *file)
{
    return op_await_close(cx, wait, &file->handle);
}

/* --- truncate, on the pool ------------------------------------------------- */

static void truncate_run(struct blocking_job *job)
{
    struct op_await *record = CONTAINER_OF(job, struct op_await, job);
    int fd = record->use.handle->fd;
    int rc = ftruncate(fd, (off_t)record->size) < 0 ? -errno : 0;
    await_say(record->made, rc);
}

static enum await_off truncate_call_off(struct await *await)
{
    struct op_await *record = await->record;
    if (await_has_said(await)) {
        return AWAIT_OVER;
    }
    RULE(AWAIT_IO_2);
    if (!blocking_cancel(task_runtime(await->task)->pool, &record->job)) {
        return AWAIT_COMING;
    }
    op_await_end(record);
    return AWAIT_OFF;
}

static void truncate_forget(struct await *await)
{
    op_await_end(await->record);
}

static const struct await_kind in_truncate = {NULL, truncate_call_off,
                                              truncate_forget};

static int begin_truncate(struct task *task, struct await *await,
                          ambit_file *file, uint64_t size)
{
    struct op_await *record;
    int rc = op_await_make(task, &file->handle, &record);
    if (rc < 0) {
        return rc;
    }
    record->made = await;
    record->job.run = truncate_run;
    record->size = size;
    await_begin(await, task, &in_truncate);
    await->record = record;
    rc = blocking_submit(task_runtime(task)->pool, &record->job);
    if (rc < 0) {
        await_end(await);
        op_await_end(record);
        return rc;
    }
    return AMBIT_PENDING;
}

int ambit_await_file_truncate(ambit_cx *cx, struct ambit_await *wait,
                              ambit_file *file, uint64_t size)
{
    struct await *await = await_of(wait);
    int64_t said;
    if (size > INT64_MAX) {
        return -EINVAL;
    }
    switch (await_look(task_of(cx), await, &said)) {
    case AWAIT_IDLE:
        return begin_truncate(task_of(cx), await, file, size);
    case AWAIT_SAID:
        op_await_end(await->record);
        break;
    case AWAIT_ANSWER:
        break;
    }
    return (int)said;
}
