/* SPDX-License-Identifier: MIT */
/*
 * fiber_x86_64.S -- the switch for x86-64, System V ABI.
 *
 * A parked stack, from its saved stack pointer up (struct fiber_frame in
 * fiber.c is the same, in C):
 *
 *    0  mxcsr (4 bytes), x87 control word (2), unused (2)
 *    8  r15, r14, r13, r12, rbx, rbp
 *   56  where to go on
 *
 * The last step is a `ret`.  The processor predicts it from the calls that it has
 * seen: fibers that wait leave by the same call, in worker_switch_out(), and those
 * that yield by one in ambit_yield(), so what the one that leaves has pushed there is
 * right for the one that comes, where both do the same, and so it is for every frame
 * above that the two have in common.  A jump would leave one
 * call too many on that stack, and each return after it would be predicted wrong:
 * measured, a yield takes twice as long, though a bare switch is faster for it.
 *
 * The offsets in the unwind tables hold on both sides of the exchange, as both
 * stacks are laid out alike; so a profiler or debugger may interrupt anywhere.
 * No shadow stacks: the object carries no SHSTK note, so none are switched on.
 */
    .text

    .macro keep reg
    pushq %\reg
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %\reg, 0
    .endm

    .macro bring reg
    popq %\reg
    .cfi_adjust_cfa_offset -8
    .cfi_restore %\reg
    .endm

/* void fiber_switch_bare(struct fiber *from, struct fiber *to) */
    .globl fiber_switch_bare
    .hidden fiber_switch_bare
    .type fiber_switch_bare, @function
    .p2align 4
fiber_switch_bare:
    .cfi_startproc
    endbr64
    keep rbp
    keep rbx
    keep r12
    keep r13
    keep r14
    keep r15
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw 4(%rsp)

    movq %rsp, (%rdi)
    movq (%rsi), %rsp

    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    bring r15
    bring r14
    bring r13
    bring r12
    bring rbx
    bring rbp
    ret
    .cfi_endproc
    .size fiber_switch_bare, . - fiber_switch_bare

/* Where a new fiber goes on: r12 holds the argument, r13 the entry function,
 * rbp is zero.  An undefined return address tells unwinders that this is the
 * outermost frame.  An entry that returns runs into ud2. */
    .globl fiber_entry
    .hidden fiber_entry
    .type fiber_entry, @function
    .p2align 4
fiber_entry:
    .cfi_startproc
    .cfi_undefined %rip
    endbr64
    movq %r12, %rdi
    callq *%r13
    ud2
    .cfi_endproc
    .size fiber_entry, . - fiber_entry

    .section .note.GNU-stack, "", @progbits
