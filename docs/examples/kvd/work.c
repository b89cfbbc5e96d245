/* SPDX-License-Identifier: MIT */
/*
 * work.c -- a list of copied requests.
 */
#include "work.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define REPLIES_MAX ((size_t)96 << 20)

struct work *work_create(void)
{
    struct work *work = calloc(1, sizeof *work);
    if (work != NULL) {
        work->memory.used_max = REPLIES_MAX;
        bytes_init(&work->reply, &work->memory);
    }
    return work;
}

void work_destroy(struct work *work)
{
    if (work == NULL) {
        return;
    }
    while (work->first != NULL) {
        struct request *request = work->first;
        work->first = request->next;
        free(request);
    }
    bytes_fini(&work->reply);
    free(work);
}

int work_add(struct work *work, const struct command *command, size_t argc,
             const struct slice *argv)
{
    size_t size = sizeof(struct request) + argc * sizeof *argv;
    for (size_t i = 0; i < argc; i++) {
        size += argv[i].len;
    }
    struct request *request = malloc(size);
    if (request == NULL) {
        return -ENOMEM;
    }
    *request = (struct request){.command = command, .argc = argc};
    char *to = (char *)(request->argv + argc);
    for (size_t i = 0; i < argc; i++) {
        request->argv[i] = (struct slice){to, argv[i].len};
        if (argv[i].len > 0) {
            memcpy(to, argv[i].ptr, argv[i].len);
        }
        to += argv[i].len;
    }
    assert(to == (char *)request + size);
    if (work->last != NULL) {
        work->last->next = request;
    } else {
        work->first = request;
    }
    work->last = request;
    work->todo = work->todo != NULL ? work->todo : request;
    work->bytes += size;
    return 0;
}
