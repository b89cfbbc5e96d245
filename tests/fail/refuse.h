/* SPDX-License-Identifier: MIT */
/*
 * refuse.h -- a process in which the n-th request for memory can be refused.
 *
 * malloc and its kin, mmap and the slab are ours in a program that includes
 * this, once: each request is counted, and the chosen one is refused.  The
 * tools bring a malloc of their own: under them REFUSE_WORKS is 0.
 */
#ifndef AMBIT_TESTS_FAIL_REFUSE_H
#define AMBIT_TESTS_FAIL_REFUSE_H

#include "tests/spec/common.h"

#include <sys/mman.h>
#include <sys/syscall.h>

/* The slab, with a door in front: its objects are requests, too. */
#define slab_alloc slab_alloc_indeed
#include "src/slab.c"
#undef slab_alloc

void *slab_alloc(struct slab_depot *depot, struct slab_cache *cache,
                 enum slab_class class_);

#if defined(TEST_UNDER_TSAN) || defined(TEST_UNDER_ASAN)
#define REFUSE_WORKS 0

void *slab_alloc(struct slab_depot *depot, struct slab_cache *cache,
                 enum slab_class class_)
{
    return slab_alloc_indeed(depot, cache, class_);
}

#else
#define REFUSE_WORKS 1

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *memory);

static struct count asked; /* since it was armed */
static struct count live;  /* blocks */
static struct count fail_at;

static bool is_refused(void)
{
    int64_t at = count_get(&fail_at);
    bool refused = at > 0 && count_up(&asked) + 1 == at;
    if (refused) {
        errno = ENOMEM;
    }
    return refused;
}

static void *counted(void *memory)
{
    count_add(&live, memory != NULL);
    return memory;
}

void *slab_alloc(struct slab_depot *depot, struct slab_cache *cache,
                 enum slab_class class_)
{
    return is_refused() ? NULL : slab_alloc_indeed(depot, cache, class_);
}

void *malloc(size_t size)
{
    return is_refused() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    return is_refused() ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *old, size_t size)
{
    if (is_refused()) {
        return NULL;
    }
    void *made = __libc_realloc(old, size);
    count_add(&live, old == NULL && made != NULL);
    return made;
}

void *aligned_alloc(size_t align, size_t size)
{
    return is_refused() ? NULL : counted(__libc_memalign(align, size));
}

void free(void *memory)
{
    count_add(&live, -(memory != NULL));
    __libc_free(memory);
}

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
    if (is_refused()) {
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, len, prot, flags, fd, offset);
}

/* From here on the at-th request is refused; 0: none. */
static inline void refuse_at(int64_t at)
{
    count_set(&fail_at, 0);
    count_set(&asked, 0);
    count_set(&fail_at, at);
}

#endif

#endif
