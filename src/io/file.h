/* SPDX-License-Identifier: MIT */
/* file.h -- a file, and what is asked of it. */
#ifndef AMBIT_SRC_IO_FILE_H
#define AMBIT_SRC_IO_FILE_H

#include "src/io/handle.h"

#include <ambit/file.h>

struct ambit_file {
    struct io_handle handle; /* the first: see op_await_close() */
};

struct op file_open_op(const char *path, int flags, mode_t mode);
struct op file_op(enum op_code code, void *memory, size_t len, uint64_t offset);

#endif
