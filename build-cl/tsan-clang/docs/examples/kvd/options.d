build-cl/tsan-clang/docs/examples/kvd/options.o: \
  docs/examples/kvd/options.c docs/examples/kvd/options.h \
  docs/examples/kvd/number.h docs/examples/kvd/bytes.h \
  docs/examples/kvd/memory.h

docs/examples/kvd/options.h:

docs/examples/kvd/number.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:
