/* SPDX-License-Identifier: MIT */
/*
 * memory.c -- the library's allocations: counted, and refused when asked to.
 */
#include "spec/lab/lab.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "spec/lab/os.h"
#include "src/seam.h"

#undef malloc
#undef calloc
#undef realloc
#undef aligned_alloc
#undef free
#undef mmap
#undef munmap

bool lab_refuses(struct lab *lab)
{
    uint64_t at = ++lab->memory.asked;
    uint64_t fail = lab->options.fail_alloc_at;
    bool refused =
        fail != 0 && (at == fail || (at > fail && lab->options.fail_alloc_on));
    if (refused) {
        errno = ENOMEM;
    }
    return refused;
}

static bool is_refused(void)
{
    return lab_self != NULL && lab_refuses(lab_self);
}

/* An object of a slab is asked for: a request as any other. */
bool seam_refuses(void)
{
    return is_refused();
}

static void *counted(void *memory)
{
    if (lab_self != NULL && memory != NULL) {
        lab_self->memory.live++;
    }
    return memory;
}

void *lab_malloc(size_t size)
{
    return is_refused() ? NULL : counted(malloc(size));
}

void *lab_calloc(size_t n, size_t size)
{
    return is_refused() ? NULL : counted(calloc(n, size));
}

void *lab_realloc(void *old, size_t size)
{
    if (is_refused()) {
        return NULL;
    }
    void *made = realloc(old, size);
    return old == NULL ? counted(made) : made;
}

void *lab_aligned_alloc(size_t align, size_t size)
{
    return is_refused() ? NULL : counted(aligned_alloc(align, size));
}

void lab_free(void *memory)
{
    if (lab_self != NULL && memory != NULL) {
        lab_self->memory.live--;
    }
    free(memory);
}

void *lab_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
    if (is_refused()) {
        return MAP_FAILED;
    }
    void *map = mmap(at, len, prot, flags, fd, offset);
    if (lab_self != NULL && map != MAP_FAILED) {
        lab_self->memory.mapped += (int64_t)len;
    }
    return map;
}

int lab_munmap(void *at, size_t len)
{
    if (lab_self != NULL) {
        lab_self->memory.mapped -= (int64_t)len;
    }
    return munmap(at, len);
}
