build-cl/checked-clang/tests/demo/overload.o: tests/demo/overload.c \
  tests/demo/demo.h tests/harness/kvd_load.h tests/harness/kvd_client.h \
  tests/harness/kvd_process.h

tests/demo/demo.h:

tests/harness/kvd_load.h:

tests/harness/kvd_client.h:

tests/harness/kvd_process.h:
