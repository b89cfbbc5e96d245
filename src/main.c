/* SPDX-License-Identifier: MIT */
/*
 * main.c -- the main() of programs that define ambit_main() instead.
 *
 * An archive of its own, libambit_main.a: a program with a main() of its own
 * never pulls it in.
 */
#include <ambit/runtime.h>

int main(int argc, char **argv)
{
    return ambit_run_main_(ambit_main, argc, argv);
}
