build-cl/checked-clang/src/main.o: src/main.c include/ambit/runtime.h \
  include/ambit/task.h include/ambit/region.h include/ambit/budget.h \
  include/ambit/time.h include/ambit/base.h include/ambit/capability.h \
  include/ambit/outcome.h

include/ambit/runtime.h:

include/ambit/task.h:

include/ambit/region.h:

include/ambit/budget.h:

include/ambit/time.h:

include/ambit/base.h:

include/ambit/capability.h:

include/ambit/outcome.h:
