build-cl/tsan-clang/docs/examples/kvd/ledger.o: \
  docs/examples/kvd/ledger.c docs/examples/kvd/ledger.h

docs/examples/kvd/ledger.h:
