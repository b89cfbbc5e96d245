/* SPDX-License-Identifier: MIT */
/*
 * memory.h -- a counted allowance of memory.
 *
 * A store and the byte strings of its owner take their memory from one
 * struct memory, so that "how much do we hold" is a field and "no more" is a
 * ceiling, met as -ENOMEM on the path that every command has anyway.
 *
 *   MEM-1  used is the sum of the sizes asked for and not yet given back.
 *   MEM-2  An allocation that would pass the ceiling fails, nothing changes.
 *
 * A NULL struct memory is legal everywhere: plain malloc, not counted.
 * Owner: one task at a time.  No atomics.
 */
#ifndef KVD_MEMORY_H
#define KVD_MEMORY_H

#include <stddef.h>

struct memory {
    size_t used;     /* bytes held now */
    size_t used_max; /* the ceiling in bytes; 0: none */
    long fail_in;    /* tests: the n-th allocation from now fails; 0: never */
};

/* NULL when the ceiling is met or the system has none left. */
void *memory_alloc(struct memory *memory, size_t size);

/* The same, all zero; a large block's pages are touched only when used. */
void *memory_alloc_zeroed(struct memory *memory, size_t size);

/* As realloc: on NULL the old block is untouched and still the caller's. */
void *memory_resize(struct memory *memory, void *block, size_t old_size,
                    size_t new_size);

/* size is what was asked for.  A NULL block is ignored. */
void memory_free(struct memory *memory, void *block, size_t size);

#endif
