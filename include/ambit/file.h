/* SPDX-License-Identifier: MIT */
/*
 * ambit/file.h -- files, by position.
 *
 * Disk operations cannot be cut short once the kernel works on them: a cancel
 * that arrives then waits for the completion, and the call reports what
 * happened.  A cancel that arrives before reports -ECANCELED and nothing
 * happened.
 */
#ifndef AMBIT_FILE_H
#define AMBIT_FILE_H

#include <ambit/task.h>

AMBIT_BEGIN

typedef struct ambit_file ambit_file;

/* flags and mode of open(2); O_CLOEXEC is added.  0 or -errno of open(2). */
AMBIT_API int ambit_file_open(ambit_cx *cx, const char *path, int flags,
                              mode_t mode, ambit_file **ret_file);

/* Up to len bytes at offset: how many, 0 at the end of the file, or -errno. */
AMBIT_API ssize_t ambit_file_read(ambit_cx *cx, ambit_file *file, void *buffer,
                                  size_t len, uint64_t offset);
AMBIT_API ssize_t ambit_file_write(ambit_cx *cx, ambit_file *file,
                                   const void *buffer, size_t len,
                                   uint64_t offset);

/* All of it: 0, or -errno, -ENOSPC when the disk is full; *ret_written (may be
 * NULL) is set in both cases. */
AMBIT_API int ambit_file_write_all(ambit_cx *cx, ambit_file *file,
                                   const void *buffer, size_t len,
                                   uint64_t offset, size_t *ret_written);

/* fsync(2) and fdatasync(2). */
AMBIT_API int ambit_file_sync(ambit_cx *cx, ambit_file *file);
AMBIT_API int ambit_file_datasync(ambit_cx *cx, ambit_file *file);

/* Does not suspend. */
AMBIT_API int ambit_file_size(ambit_file *file, uint64_t *ret_size);

/* Runs on the blocking pool. */
AMBIT_API int ambit_file_truncate(ambit_cx *cx, ambit_file *file,
                                  uint64_t size);

/* Waits for the calls others have under way, then closes and frees.  Cannot be
 * interrupted.  0; -EALREADY; -EDEADLK as for ambit_tcp_close(); the error of
 * close(2). */
AMBIT_API int ambit_file_close(ambit_cx *cx, ambit_file *file);

/* As ambit_tcp_discard(). */
AMBIT_API void ambit_file_discard(void *file);

#ifndef AMBIT_NO_SITES
#define ambit_file_open(cx, ...) ambit_file_open(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_file_read(cx, ...) ambit_file_read(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_file_write(cx, ...) ambit_file_write(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_file_write_all(cx, ...) \
    ambit_file_write_all(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_file_sync(cx, ...) ambit_file_sync(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_file_datasync(cx, ...) \
    ambit_file_datasync(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_file_truncate(cx, ...) \
    ambit_file_truncate(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_file_close(cx, ...) ambit_file_close(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
