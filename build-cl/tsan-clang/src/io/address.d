build-cl/tsan-clang/src/io/address.o: src/io/address.c src/io/address.h \
  src/base.h

src/io/address.h:

src/base.h:
