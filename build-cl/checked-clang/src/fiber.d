build-cl/checked-clang/src/fiber.o: src/fiber.c src/fiber.h src/base.h \
  src/tools.h

src/fiber.h:

src/base.h:

src/tools.h:
