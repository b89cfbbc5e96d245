build-cl/checked-clang/docs/examples/kvd/expiry.o: \
  docs/examples/kvd/expiry.c docs/examples/kvd/expiry.h \
  docs/examples/kvd/store.h docs/examples/kvd/bytes.h \
  docs/examples/kvd/memory.h

docs/examples/kvd/expiry.h:

docs/examples/kvd/store.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:
