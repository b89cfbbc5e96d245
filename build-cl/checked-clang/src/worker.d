build-cl/checked-clang/src/worker.o: src/worker.c src/worker.h \
  src/deque.h src/base.h src/driver/driver.h src/fiber.h src/lane.h \
  src/queue.h src/note.h include/ambit/budget.h include/ambit/time.h \
  include/ambit/base.h src/slab.h src/stack.h src/list.h src/timer.h \
  src/overflow.h src/runtime.h src/blocking.h include/ambit/runtime.h \
  include/ambit/task.h include/ambit/region.h include/ambit/capability.h \
  include/ambit/outcome.h src/steal.h src/task.h src/mask.h src/park.h \
  src/quota.h src/spin.h

src/worker.h:

src/deque.h:

src/base.h:

src/driver/driver.h:

src/fiber.h:

src/lane.h:

src/queue.h:

src/note.h:

include/ambit/budget.h:

include/ambit/time.h:

include/ambit/base.h:

src/slab.h:

src/stack.h:

src/list.h:

src/timer.h:

src/overflow.h:

src/runtime.h:

src/blocking.h:

include/ambit/runtime.h:

include/ambit/task.h:

include/ambit/region.h:

include/ambit/capability.h:

include/ambit/outcome.h:

src/steal.h:

src/task.h:

src/mask.h:

src/park.h:

src/quota.h:

src/spin.h:
