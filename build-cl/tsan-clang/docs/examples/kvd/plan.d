build-cl/tsan-clang/docs/examples/kvd/plan.o: docs/examples/kvd/plan.c \
  docs/examples/kvd/plan.h docs/examples/kvd/command.h \
  docs/examples/kvd/record.h docs/examples/kvd/store.h \
  docs/examples/kvd/bytes.h docs/examples/kvd/memory.h \
  docs/examples/kvd/reply.h docs/examples/kvd/number.h

docs/examples/kvd/plan.h:

docs/examples/kvd/command.h:

docs/examples/kvd/record.h:

docs/examples/kvd/store.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:

docs/examples/kvd/reply.h:

docs/examples/kvd/number.h:
