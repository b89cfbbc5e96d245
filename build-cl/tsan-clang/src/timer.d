build-cl/tsan-clang/src/timer.o: src/timer.c src/timer.h src/base.h

src/timer.h:

src/base.h:
