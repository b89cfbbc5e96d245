build-cl/tsan-clang/tests/demo/clients.o: tests/demo/clients.c \
  tests/demo/demo.h tests/harness/kvd_load.h tests/harness/kvd_client.h \
  tests/harness/kvd_process.h

tests/demo/demo.h:

tests/harness/kvd_load.h:

tests/harness/kvd_client.h:

tests/harness/kvd_process.h:
