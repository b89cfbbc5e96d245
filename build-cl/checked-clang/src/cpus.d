build-cl/checked-clang/src/cpus.o: src/cpus.c src/runtime.h \
  src/blocking.h src/list.h src/base.h src/driver/driver.h src/worker.h \
  src/deque.h src/fiber.h src/lane.h src/queue.h src/note.h \
  include/ambit/budget.h include/ambit/time.h include/ambit/base.h \
  src/slab.h src/stack.h src/timer.h include/ambit/runtime.h \
  include/ambit/task.h include/ambit/region.h include/ambit/capability.h \
  include/ambit/outcome.h src/cgroup.h

src/runtime.h:

src/blocking.h:

src/list.h:

src/base.h:

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

src/cgroup.h:
