build-cl/checked-clang/docs/examples/kvd/record.o: \
  docs/examples/kvd/record.c docs/examples/kvd/record.h \
  docs/examples/kvd/store.h docs/examples/kvd/bytes.h \
  docs/examples/kvd/memory.h

docs/examples/kvd/record.h:

docs/examples/kvd/store.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:
