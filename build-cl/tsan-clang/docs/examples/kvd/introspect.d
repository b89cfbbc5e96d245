build-cl/tsan-clang/docs/examples/kvd/introspect.o: \
  docs/examples/kvd/introspect.c docs/examples/kvd/local_parts.h \
  docs/examples/kvd/local.h docs/examples/kvd/command.h \
  docs/examples/kvd/record.h docs/examples/kvd/store.h \
  docs/examples/kvd/bytes.h docs/examples/kvd/memory.h \
  docs/examples/kvd/reply.h docs/examples/kvd/glob.h

docs/examples/kvd/local_parts.h:

docs/examples/kvd/local.h:

docs/examples/kvd/command.h:

docs/examples/kvd/record.h:

docs/examples/kvd/store.h:

docs/examples/kvd/bytes.h:

docs/examples/kvd/memory.h:

docs/examples/kvd/reply.h:

docs/examples/kvd/glob.h:
