build-cl/tsan-clang/docs/examples/kvd/main.o: docs/examples/kvd/main.c \
  docs/examples/kvd/folder.h docs/examples/kvd/holdings.h \
  include/ambit.h include/ambit/actor.h include/ambit/obligation.h \
  include/ambit/region.h include/ambit/budget.h include/ambit/time.h \
  include/ambit/base.h include/ambit/capability.h \
  include/ambit/outcome.h include/ambit/task.h include/ambit/broadcast.h \
  include/ambit/channel.h include/ambit/sync.h include/ambit/combine.h \
  include/ambit/file.h include/ambit/group.h include/ambit/heap.h \
  include/ambit/mask.h include/ambit/net.h include/ambit/poll.h \
  include/ambit/runtime.h include/ambit/server.h \
  include/ambit/supervisor.h include/ambit/token.h \
  include/ambit/unbounded.h include/ambit/watch.h \
  docs/examples/kvd/options.h docs/examples/kvd/say.h \
  docs/examples/kvd/service.h docs/examples/kvd/clients.h \
  docs/examples/kvd/ledger.h docs/examples/kvd/plan.h \
  docs/examples/kvd/command.h docs/examples/kvd/record.h \
  docs/examples/kvd/store.h docs/examples/kvd/bytes.h \
  docs/examples/kvd/memory.h docs/examples/kvd/reply.h \
  docs/examples/kvd/shard.h docs/examples/kvd/work.h

docs/examples/kvd/folder.h:

docs/examples/kvd/holdings.h:

include/ambit.h:

include/ambit/actor.h:

include/ambit/obligation.h:

include/ambit/region.h:

include/ambit/budget.h:

include/ambit/time.h:

include/ambit/base.h:

include/ambit/capability.h:

include/ambit/outcome.h:

include/ambit/task.h:

include/ambit/broadcast.h:

include/ambit/channel.h:

include/ambit/sync.h:

include/ambit/combine.h:

include/ambit/file.h:

include/ambit/group.h:

include/ambit/heap.h:

include/ambit/mask.h:

include/ambit/net.h:

include/ambit/poll.h:

include/ambit/runtime.h:

include/ambit/server.h:

include/ambit/supervisor.h:

include/ambit/token.h:

include/ambit/unbounded.h:

include/ambit/watch.h:

docs/examples/kvd/options.h:

docs/examples/kvd/say.h:

docs/examples/kvd/service.h:

docs/examples/kvd/clients.h:

docs/examples/kvd/ledger.h:

docs/examples/kvd/plan.h:

docs/examples/kvd/command.h:

docs/examples/kvd/record.h:

docs/examples/kvd/store.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:

docs/examples/kvd/reply.h:

docs/examples/kvd/shard.h:

docs/examples/kvd/work.h:
