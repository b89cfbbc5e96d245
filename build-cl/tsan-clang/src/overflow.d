build-cl/tsan-clang/src/overflow.o: src/overflow.c src/overflow.h \
  src/stack.h src/fiber.h src/base.h src/list.h

src/overflow.h:

src/stack.h:

src/fiber.h:

src/base.h:

src/list.h:
