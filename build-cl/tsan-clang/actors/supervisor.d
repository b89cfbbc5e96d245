build-cl/tsan-clang/actors/supervisor.o: actors/supervisor.c \
  actors/supervisor.h actors/actor.h actors/mailbox.h src/list.h \
  src/base.h src/runtime.h src/blocking.h src/driver/driver.h \
  src/worker.h src/deque.h src/fiber.h src/lane.h src/queue.h src/note.h \
  include/ambit/budget.h include/ambit/time.h include/ambit/base.h \
  src/slab.h src/stack.h src/timer.h include/ambit/runtime.h \
  include/ambit/task.h include/ambit/region.h include/ambit/capability.h \
  include/ambit/outcome.h src/spin.h src/task.h src/mask.h src/park.h \
  src/quota.h include/ambit/actor.h include/ambit/obligation.h \
  actors/reply.h include/ambit/server.h regions/region.h regions/word.h \
  include/ambit/supervisor.h

actors/supervisor.h:

actors/actor.h:

actors/mailbox.h:

src/list.h:

src/base.h:

src/runtime.h:

src/blocking.h:

src/driver/driver.h:

src/worker.h:

src/deque.h:

src/fiber.h:

src/lane.h:

src/queue.h:

src/note.h:

include/ambit/budget.h:

include/ambit/time.h:

include/ambit/base.h:

src/slab.h:

src/stack.h:

src/timer.h:

include/ambit/runtime.h:

include/ambit/task.h:

include/ambit/region.h:

include/ambit/capability.h:

include/ambit/outcome.h:

src/spin.h:

src/task.h:

src/mask.h:

src/park.h:

src/quota.h:

include/ambit/actor.h:

include/ambit/obligation.h:

actors/reply.h:

include/ambit/server.h:

regions/region.h:

regions/word.h:

include/ambit/supervisor.h:
