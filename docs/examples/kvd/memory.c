/* SPDX-License-Identifier: MIT */
/*
 * memory.c -- a counted allowance of memory.
 */
#include "memory.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

static bool memory_admits(struct memory *memory, size_t more);

void *memory_alloc(struct memory *memory, size_t size)
{
    return memory_resize(memory, NULL, 0, size);
}

void *memory_alloc_zeroed(struct memory *memory, size_t size)
{
    assert(size > 0);
    void *block = memory_admits(memory, size) ? calloc(1, size) : NULL;
    if (block != NULL && memory != NULL) {
        memory->used += size;
    }
    return block;
}

void *memory_resize(struct memory *memory, void *block, size_t old_size,
                    size_t new_size)
{
    assert(new_size > 0);
    size_t more = new_size > old_size ? new_size - old_size : 0;
    if (!memory_admits(memory, more)) {
        return NULL;
    }
    void *moved = realloc(block, new_size);
    if (moved != NULL && memory != NULL) {
        assert(memory->used >= old_size);
        memory->used = memory->used - old_size + new_size;
    }
    return moved;
}

void memory_free(struct memory *memory, void *block, size_t size)
{
    if (block == NULL) {
        return;
    }
    if (memory != NULL) {
        assert(memory->used >= size);
        memory->used -= size;
    }
    free(block);
}

static bool memory_admits(struct memory *memory, size_t more)
{
    if (memory == NULL) {
        return true;
    }
    if (memory->fail_in > 0 && --memory->fail_in == 0) {
        return false;
    }
    if (memory->used_max == 0 || more == 0) {
        return true;
    }
    /* What is held may already lie above a ceiling that was lowered. */
    return memory->used <= memory->used_max &&
           more <= memory->used_max - memory->used;
}
