build-cl/checked-clang/docs/examples/kvd/command_key.o: \
  docs/examples/kvd/command_key.c docs/examples/kvd/command_parts.h \
  docs/examples/kvd/command.h docs/examples/kvd/record.h \
  docs/examples/kvd/store.h docs/examples/kvd/bytes.h \
  docs/examples/kvd/memory.h docs/examples/kvd/reply.h \
  docs/examples/kvd/number.h

docs/examples/kvd/command_parts.h:

docs/examples/kvd/command.h:

docs/examples/kvd/record.h:

docs/examples/kvd/store.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:

docs/examples/kvd/reply.h:

docs/examples/kvd/number.h:
