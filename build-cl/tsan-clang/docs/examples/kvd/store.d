build-cl/tsan-clang/docs/examples/kvd/store.o: docs/examples/kvd/store.c \
  docs/examples/kvd/store.h docs/examples/kvd/bytes.h \
  docs/examples/kvd/memory.h docs/examples/kvd/expiry.h \
  docs/examples/kvd/table.h

docs/examples/kvd/store.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:

docs/examples/kvd/expiry.h:

docs/examples/kvd/table.h:
