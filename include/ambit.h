/* SPDX-License-Identifier: MIT */
/* ambit.h -- all of Ambit. */
#ifndef AMBIT_H
#define AMBIT_H

#include <ambit/actor.h>
#include <ambit/async.h>
#include <ambit/await.h>
#include <ambit/base.h>
#include <ambit/boundary.h>
#include <ambit/broadcast.h>
#include <ambit/budget.h>
#include <ambit/capability.h>
#include <ambit/channel.h>
#include <ambit/combine.h>
#include <ambit/file.h>
#include <ambit/group.h>
#include <ambit/heap.h>
#include <ambit/local.h>
#include <ambit/mask.h>
#include <ambit/net.h>
#include <ambit/obligation.h>
#include <ambit/outcome.h>
#include <ambit/poll.h>
#include <ambit/region.h>
#include <ambit/ring.h>
#include <ambit/runtime.h>
#include <ambit/server.h>
#include <ambit/supervisor.h>
#include <ambit/sync.h>
#include <ambit/task.h>
#include <ambit/time.h>
#include <ambit/token.h>
#include <ambit/unbounded.h>
#include <ambit/watch.h>

#endif
