build-cl/checked-clang/docs/examples/kvd/reply.o: \
  docs/examples/kvd/reply.c docs/examples/kvd/reply.h \
  docs/examples/kvd/bytes.h docs/examples/kvd/memory.h \
  docs/examples/kvd/number.h

docs/examples/kvd/reply.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:

docs/examples/kvd/number.h:
