build-cl/tsan-clang/regions/retry.o: regions/retry.c regions/combinator.h \
  regions/region.h regions/word.h src/base.h src/list.h src/runtime.h \
  src/blocking.h src/driver/driver.h src/worker.h src/deque.h \
  src/fiber.h src/lane.h src/queue.h src/note.h include/ambit/budget.h \
  include/ambit/time.h include/ambit/base.h src/slab.h src/stack.h \
  src/timer.h include/ambit/runtime.h include/ambit/task.h \
  include/ambit/region.h include/ambit/capability.h \
  include/ambit/outcome.h src/task.h src/mask.h src/park.h src/quota.h \
  src/spin.h include/ambit/combine.h

regions/combinator.h:

regions/region.h:

regions/word.h:

src/base.h:

src/list.h:

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

src/task.h:

src/mask.h:

src/park.h:

src/quota.h:

src/spin.h:

include/ambit/combine.h:
