build-cl/checked-clang/src/driver/uring_prep.o: src/driver/uring_prep.c \
  src/driver/uring_prep.h src/driver/driver.h src/base.h \
  src/driver/uring_abi.h

src/driver/uring_prep.h:

src/driver/driver.h:

src/base.h:

src/driver/uring_abi.h:
