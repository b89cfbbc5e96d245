build-cl/checked-clang/src/stack.o: src/stack.c src/stack.h src/fiber.h \
  src/base.h src/list.h src/tools.h

src/stack.h:

src/fiber.h:

src/base.h:

src/list.h:

src/tools.h:
