build-cl/tsan-clang/src/error.o: src/error.c include/ambit/base.h \
  src/base.h

include/ambit/base.h:

src/base.h:
