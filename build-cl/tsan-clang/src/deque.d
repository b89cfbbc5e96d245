build-cl/tsan-clang/src/deque.o: src/deque.c src/deque.h src/base.h

src/deque.h:

src/base.h:
