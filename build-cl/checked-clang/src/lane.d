build-cl/checked-clang/src/lane.o: src/lane.c src/lane.h src/deque.h \
  src/base.h src/queue.h src/note.h include/ambit/budget.h \
  include/ambit/time.h include/ambit/base.h src/task.h src/blocking.h \
  src/list.h src/mask.h src/timer.h src/park.h src/quota.h src/spin.h \
  include/ambit/capability.h include/ambit/task.h include/ambit/region.h \
  include/ambit/outcome.h src/worker.h src/driver/driver.h src/fiber.h \
  src/slab.h src/stack.h

src/lane.h:

src/deque.h:

src/base.h:

src/queue.h:

src/note.h:

include/ambit/budget.h:

include/ambit/time.h:

include/ambit/base.h:

src/task.h:

src/blocking.h:

src/list.h:

src/mask.h:

src/timer.h:

src/park.h:

src/quota.h:

src/spin.h:

include/ambit/capability.h:

include/ambit/task.h:

include/ambit/region.h:

include/ambit/outcome.h:

src/worker.h:

src/driver/driver.h:

src/fiber.h:

src/slab.h:

src/stack.h:
