build-cl/checked-clang/docs/examples/kvd/number.o: \
  docs/examples/kvd/number.c docs/examples/kvd/number.h \
  docs/examples/kvd/bytes.h docs/examples/kvd/memory.h

docs/examples/kvd/number.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:
