build-cl/checked-clang/docs/examples/kvd/table.o: \
  docs/examples/kvd/table.c docs/examples/kvd/table.h \
  docs/examples/kvd/store.h docs/examples/kvd/bytes.h \
  docs/examples/kvd/memory.h

docs/examples/kvd/table.h:

docs/examples/kvd/store.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:
