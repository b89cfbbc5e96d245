build-cl/tsan-clang/src/sync/mutex.o: src/sync/mutex.c src/sync/mutex.h \
  src/sync/semaphore.h src/sync/line.h src/base.h src/park.h src/spin.h \
  include/ambit/sync.h include/ambit/obligation.h include/ambit/region.h \
  include/ambit/budget.h include/ambit/time.h include/ambit/base.h \
  include/ambit/capability.h include/ambit/outcome.h \
  include/ambit/task.h src/task.h src/blocking.h src/list.h src/note.h \
  src/mask.h src/timer.h src/quota.h

src/sync/mutex.h:

src/sync/semaphore.h:

src/sync/line.h:

src/base.h:

src/park.h:

src/spin.h:

include/ambit/sync.h:

include/ambit/obligation.h:

include/ambit/region.h:

include/ambit/budget.h:

include/ambit/time.h:

include/ambit/base.h:

include/ambit/capability.h:

include/ambit/outcome.h:

include/ambit/task.h:

src/task.h:

src/blocking.h:

src/list.h:

src/note.h:

src/mask.h:

src/timer.h:

src/quota.h:
