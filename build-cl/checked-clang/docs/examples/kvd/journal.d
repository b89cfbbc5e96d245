build-cl/checked-clang/docs/examples/kvd/journal.o: \
  docs/examples/kvd/journal.c docs/examples/kvd/journal.h \
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
  docs/examples/kvd/folder.h docs/examples/kvd/record.h \
  docs/examples/kvd/store.h docs/examples/kvd/bytes.h \
  docs/examples/kvd/memory.h docs/examples/kvd/say.h

docs/examples/kvd/journal.h:

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

docs/examples/kvd/folder.h:

docs/examples/kvd/record.h:

docs/examples/kvd/store.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:

docs/examples/kvd/say.h:
