build-cl/tsan-clang/src/driver/probe.o: src/driver/probe.c \
  src/driver/driver.h src/base.h src/driver/uring_abi.h

src/driver/driver.h:

src/base.h:

src/driver/uring_abi.h:
