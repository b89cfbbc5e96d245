/* SPDX-License-Identifier: MIT */
/*
 * uring_abi.h -- kernel constants newer than the liburing we build with.
 *
 * Values are the kernel's ABI and never change.  Found missing in Debian 12's
 * liburing 2.3; whatever the header in use has, wins.
 */
#ifndef AMBIT_SRC_DRIVER_URING_ABI_H
#define AMBIT_SRC_DRIVER_URING_ABI_H

#include <liburing.h>

#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7)
#endif
#ifndef IORING_SETUP_COOP_TASKRUN
#define IORING_SETUP_COOP_TASKRUN (1U << 8)
#endif
#ifndef IORING_SETUP_TASKRUN_FLAG
#define IORING_SETUP_TASKRUN_FLAG (1U << 9)
#endif
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif
#ifndef IORING_SQ_TASKRUN
#define IORING_SQ_TASKRUN (1U << 2)
#endif

_Static_assert(sizeof(struct io_uring_sqe) == 64, "kernel ABI");
_Static_assert(sizeof(struct io_uring_cqe) == 16, "kernel ABI");

#endif
