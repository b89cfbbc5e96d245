/* SPDX-License-Identifier: MIT */
/*
 * hooks.c -- what the compiler calls for each plain access.
 *
 * Under -fsanitize=thread every load and store of memory that others might
 * reach becomes a call.  Here the calls go to the model instead of to the
 * sanitizer's library, which is not linked.
 */
#include "tests/models/model.h"

/* The names are the compiler's. */
#define HOOK(name) \
    void __tsan_##name(void *address); \
    void __tsan_##name(void *address)

HOOK(read1) { memory_plain(address, 1, false); }
HOOK(read2) { memory_plain(address, 2, false); }
HOOK(read4) { memory_plain(address, 4, false); }
HOOK(read8) { memory_plain(address, 8, false); }
HOOK(read16) { memory_plain(address, 16, false); }
HOOK(write1) { memory_plain(address, 1, true); }
HOOK(write2) { memory_plain(address, 2, true); }
HOOK(write4) { memory_plain(address, 4, true); }
HOOK(write8) { memory_plain(address, 8, true); }
HOOK(write16) { memory_plain(address, 16, true); }
HOOK(unaligned_read2) { memory_plain(address, 2, false); }
HOOK(unaligned_read4) { memory_plain(address, 4, false); }
HOOK(unaligned_read8) { memory_plain(address, 8, false); }
HOOK(unaligned_read16) { memory_plain(address, 16, false); }
HOOK(unaligned_write2) { memory_plain(address, 2, true); }
HOOK(unaligned_write4) { memory_plain(address, 4, true); }
HOOK(unaligned_write8) { memory_plain(address, 8, true); }
HOOK(unaligned_write16) { memory_plain(address, 16, true); }
HOOK(func_entry) { (void)address; }

void __tsan_read_range(void *address, size_t size);
void __tsan_read_range(void *address, size_t size)
{
    memory_plain(address, size, false);
}

void __tsan_write_range(void *address, size_t size);
void __tsan_write_range(void *address, size_t size)
{
    memory_plain(address, size, true);
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

void __tsan_init(void);
void __tsan_init(void)
{
}
