build-cl/tsan-clang/src/blocking.o: src/blocking.c src/blocking.h \
  src/list.h src/base.h

src/blocking.h:

src/list.h:

src/base.h:
