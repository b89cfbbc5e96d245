build-cl/checked-clang/src/fiber_x86_64.o: src/fiber_x86_64.S
