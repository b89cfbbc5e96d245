/* SPDX-License-Identifier: MIT */
/*
 * local_parts.h -- what local.c and introspect.c share; not for others.
 */
#ifndef KVD_LOCAL_PARTS_H
#define KVD_LOCAL_PARTS_H

#include "local.h"

struct local_entry {
    const char *name; /* lower case */
    int arity;        /* with all names; negative: at least; 0: was checked */
    int (*run)(struct local_call *call);
};

/* argv[1] names the subcommand, in any case.  Answers unknown names and wrong
 * numbers of arguments by itself. */
int local_run_sub(struct local_call *call, const char *container,
                  const struct local_entry *entries, size_t count);

/* introspect.c */
int local_command(struct local_call *call);
int local_config(struct local_call *call);
int local_info(struct local_call *call);

#endif
