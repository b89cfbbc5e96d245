build-cl/checked-clang/src/sync/channel.o: src/sync/channel.c \
  src/sync/line.h src/base.h src/park.h src/spin.h src/task.h \
  src/blocking.h src/list.h src/note.h src/mask.h src/timer.h \
  src/quota.h include/ambit/budget.h include/ambit/time.h \
  include/ambit/base.h include/ambit/capability.h include/ambit/task.h \
  include/ambit/region.h include/ambit/outcome.h include/ambit/channel.h \
  include/ambit/sync.h include/ambit/obligation.h

src/sync/line.h:

src/base.h:

src/park.h:

src/spin.h:

src/task.h:

src/blocking.h:

src/list.h:

src/note.h:

src/mask.h:

src/timer.h:

src/quota.h:

include/ambit/budget.h:

include/ambit/time.h:

include/ambit/base.h:

include/ambit/capability.h:

include/ambit/task.h:

include/ambit/region.h:

include/ambit/outcome.h:

include/ambit/channel.h:

include/ambit/sync.h:

include/ambit/obligation.h:
