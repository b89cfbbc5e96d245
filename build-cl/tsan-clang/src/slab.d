build-cl/tsan-clang/src/slab.o: src/slab.c src/slab.h src/base.h \
  src/seam.h src/tools.h

src/slab.h:

src/base.h:

src/seam.h:

src/tools.h:
