build-cl/tsan-clang/src/io/net.o: src/io/net.c include/ambit/net.h \
  include/ambit/task.h include/ambit/region.h include/ambit/budget.h \
  include/ambit/time.h include/ambit/base.h include/ambit/capability.h \
  include/ambit/outcome.h src/io/address.h src/base.h src/io/handle.h \
  src/driver/driver.h src/list.h src/note.h src/spin.h src/task.h \
  src/blocking.h src/mask.h src/timer.h src/park.h src/quota.h \
  src/worker.h src/deque.h src/fiber.h src/lane.h src/queue.h src/slab.h \
  src/stack.h

include/ambit/net.h:

include/ambit/task.h:

include/ambit/region.h:

include/ambit/budget.h:

include/ambit/time.h:

include/ambit/base.h:

include/ambit/capability.h:

include/ambit/outcome.h:

src/io/address.h:

src/base.h:

src/io/handle.h:

src/driver/driver.h:

src/list.h:

src/note.h:

src/spin.h:

src/task.h:

src/blocking.h:

src/mask.h:

src/timer.h:

src/park.h:

src/quota.h:

src/worker.h:

src/deque.h:

src/fiber.h:

src/lane.h:

src/queue.h:

src/slab.h:

src/stack.h:
