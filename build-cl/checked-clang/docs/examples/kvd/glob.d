build-cl/checked-clang/docs/examples/kvd/glob.o: docs/examples/kvd/glob.c \
  docs/examples/kvd/glob.h docs/examples/kvd/bytes.h \
  docs/examples/kvd/memory.h

docs/examples/kvd/glob.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:
