build-cl/tsan-clang/docs/examples/kvd/resp.o: docs/examples/kvd/resp.c \
  docs/examples/kvd/resp.h docs/examples/kvd/bytes.h \
  docs/examples/kvd/memory.h docs/examples/kvd/number.h

docs/examples/kvd/resp.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:

docs/examples/kvd/number.h:
