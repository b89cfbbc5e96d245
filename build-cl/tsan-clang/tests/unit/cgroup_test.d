build-cl/tsan-clang/tests/unit/cgroup_test.o: tests/unit/cgroup_test.c \
  tests/harness/test.h tests/harness/criterion_lite.h \
  tests/harness/census.h src/base.h src/cgroup.h

tests/harness/test.h:

tests/harness/criterion_lite.h:

tests/harness/census.h:

src/base.h:

src/cgroup.h:
