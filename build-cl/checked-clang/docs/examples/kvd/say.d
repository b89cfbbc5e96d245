build-cl/checked-clang/docs/examples/kvd/say.o: docs/examples/kvd/say.c \
  docs/examples/kvd/say.h

docs/examples/kvd/say.h:
