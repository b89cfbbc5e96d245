build-cl/checked-clang/src/io/file.o: src/io/file.c include/ambit/file.h \
  include/ambit/task.h include/ambit/region.h include/ambit/budget.h \
  include/ambit/time.h include/ambit/base.h include/ambit/capability.h \
  include/ambit/outcome.h src/io/handle.h src/driver/driver.h src/base.h \
  src/list.h src/note.h src/spin.h src/task.h src/blocking.h src/mask.h \
  src/timer.h src/park.h src/quota.h

include/ambit/file.h:

include/ambit/task.h:

include/ambit/region.h:

include/ambit/budget.h:

include/ambit/time.h:

include/ambit/base.h:

include/ambit/capability.h:

include/ambit/outcome.h:

src/io/handle.h:

src/driver/driver.h:

src/base.h:

src/list.h:

src/note.h:

src/spin.h:

src/task.h:

src/blocking.h:

src/mask.h:

src/timer.h:

src/park.h:

src/quota.h:
