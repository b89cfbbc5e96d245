build-cl/tsan-clang/docs/examples/kvd/memory.o: \
  docs/examples/kvd/memory.c docs/examples/kvd/memory.h

docs/examples/kvd/memory.h:
