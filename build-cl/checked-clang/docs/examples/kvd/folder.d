build-cl/checked-clang/docs/examples/kvd/folder.o: \
  docs/examples/kvd/folder.c docs/examples/kvd/folder.h \
  docs/examples/kvd/record.h docs/examples/kvd/store.h \
  docs/examples/kvd/bytes.h docs/examples/kvd/memory.h

docs/examples/kvd/folder.h:

docs/examples/kvd/record.h:

docs/examples/kvd/store.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:
