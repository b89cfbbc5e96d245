build-cl/checked-clang/src/park.o: src/park.c src/park.h src/base.h \
  src/seam.h src/task.h src/blocking.h src/list.h src/note.h src/mask.h \
  src/timer.h src/quota.h src/spin.h include/ambit/budget.h \
  include/ambit/time.h include/ambit/base.h include/ambit/capability.h \
  include/ambit/task.h include/ambit/region.h include/ambit/outcome.h \
  src/worker.h src/deque.h src/driver/driver.h src/fiber.h src/lane.h \
  src/queue.h src/slab.h src/stack.h

src/park.h:

src/base.h:

src/seam.h:

src/task.h:

src/blocking.h:

src/list.h:

src/note.h:

src/mask.h:

src/timer.h:

src/quota.h:

src/spin.h:

include/ambit/budget.h:

include/ambit/time.h:

include/ambit/base.h:

include/ambit/capability.h:

include/ambit/task.h:

include/ambit/region.h:

include/ambit/outcome.h:

src/worker.h:

src/deque.h:

src/driver/driver.h:

src/fiber.h:

src/lane.h:

src/queue.h:

src/slab.h:

src/stack.h:
