/* SPDX-License-Identifier: MIT */
/* cgroup.h -- the cpu quota of control groups, version 2. */
#ifndef AMBIT_SRC_CGROUP_H
#define AMBIT_SRC_CGROUP_H

/* Whole cpus, rounded up, that the tightest quota from the process's group up to
 * the root allows; UINT_MAX where there is none.  `root` is where the groups are
 * mounted, `self` the file that names the process's own. */
unsigned cgroup_cpus(const char *root, const char *self);

#endif
