build-cl/tsan-clang/docs/examples/kvd/command.o: \
  docs/examples/kvd/command.c docs/examples/kvd/command.h \
  docs/examples/kvd/record.h docs/examples/kvd/store.h \
  docs/examples/kvd/bytes.h docs/examples/kvd/memory.h \
  docs/examples/kvd/reply.h docs/examples/kvd/command_parts.h

docs/examples/kvd/command.h:

docs/examples/kvd/record.h:

docs/examples/kvd/store.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:

docs/examples/kvd/reply.h:

docs/examples/kvd/command_parts.h:
