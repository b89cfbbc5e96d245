/* SPDX-License-Identifier: MIT */
/*
 * fiber_aarch64.S -- the switch for 64-bit ARM, AAPCS64.
 *
 * A parked stack, from its saved stack pointer up (struct fiber_frame in
 * fiber.c is the same, in C):
 *
 *     0  x19 .. x28
 *    80  x29 (frame pointer), x30 (where to go on)
 *    96  d8 .. d15 (the ABI preserves only the low halves of v8 .. v15)
 *   160  fpcr, unused
 *
 * fpcr is written only if it differs: the write is slow on many cores, and
 * nearly all fibers agree about it.
 *
 * Built with -mbranch-protection, the return address is signed against the
 * stack pointer like any function's; both instructions are hints, no-ops on
 * older processors.
 */
    .text

/* void fiber_switch_bare(struct fiber *from, struct fiber *to) */
    .globl fiber_switch_bare
    .hidden fiber_switch_bare
    .type fiber_switch_bare, %function
    .p2align 4
fiber_switch_bare:
    .cfi_startproc
    hint #34                    // bti c
#ifdef __ARM_FEATURE_PAC_DEFAULT
    hint #25                    // paciasp
    .cfi_window_save
#endif
    sub sp, sp, #176
    .cfi_def_cfa_offset 176
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    .cfi_rel_offset d8, 96
    .cfi_rel_offset d9, 104
    .cfi_rel_offset d10, 112
    .cfi_rel_offset d11, 120
    .cfi_rel_offset d12, 128
    .cfi_rel_offset d13, 136
    .cfi_rel_offset d14, 144
    .cfi_rel_offset d15, 152
    mrs x9, fpcr
    str x9, [sp, #160]

    mov x10, sp
    str x10, [x0]
    ldr x10, [x1]
    mov sp, x10

    ldr x11, [sp, #160]
    cmp x9, x11
    b.eq 1f
    msr fpcr, x11
1:
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    add sp, sp, #176
    .cfi_def_cfa_offset 0
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    .cfi_restore d8
    .cfi_restore d9
    .cfi_restore d10
    .cfi_restore d11
    .cfi_restore d12
    .cfi_restore d13
    .cfi_restore d14
    .cfi_restore d15
#ifdef __ARM_FEATURE_PAC_DEFAULT
    hint #29                    // autiasp
    .cfi_window_save
#endif
    ret
    .cfi_endproc
    .size fiber_switch_bare, . - fiber_switch_bare

/* Where a new fiber goes on: x19 holds the argument, x20 the entry function,
 * x29 is zero.  An undefined return address tells unwinders that this is the
 * outermost frame.  An entry that returns runs into brk. */
    .globl fiber_entry
    .hidden fiber_entry
    .type fiber_entry, %function
    .p2align 4
fiber_entry:
    .cfi_startproc
    .cfi_undefined x30
    hint #36                    // bti j
    mov x0, x19
    blr x20
    brk #1
    .cfi_endproc
    .size fiber_entry, . - fiber_entry

    .section .note.GNU-stack, "", %progbits
