build-cl/tsan-clang/docs/examples/kvd/bytes.o: docs/examples/kvd/bytes.c \
  docs/examples/kvd/bytes.h docs/examples/kvd/memory.h

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:
