build-cl/tsan-clang/docs/examples/kvd/work.o: docs/examples/kvd/work.c \
  docs/examples/kvd/work.h docs/examples/kvd/command.h \
  docs/examples/kvd/record.h docs/examples/kvd/store.h \
  docs/examples/kvd/bytes.h docs/examples/kvd/memory.h \
  docs/examples/kvd/reply.h

docs/examples/kvd/work.h:

docs/examples/kvd/command.h:

docs/examples/kvd/record.h:

docs/examples/kvd/store.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:

docs/examples/kvd/reply.h:
