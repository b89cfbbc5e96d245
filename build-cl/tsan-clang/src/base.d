build-cl/tsan-clang/src/base.o: src/base.c src/base.h src/spin.h

src/base.h:

src/spin.h:
