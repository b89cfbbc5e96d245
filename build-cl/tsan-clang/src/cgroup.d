build-cl/tsan-clang/src/cgroup.o: src/cgroup.c src/cgroup.h src/base.h

src/cgroup.h:

src/base.h:
