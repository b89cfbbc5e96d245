# SPDX-License-Identifier: MIT
#
# Ambit.  One Makefile, no recursion into folders.
#
#   make              libambit.a and libambit.so
#   make lib-spec     libambit_spec.a: the library in its lab, for tests of yours
#   make test         every test; ends with "N passed, N failed"
#   make demo         the supervised service under fire, checking itself
#   make serve        the same service, left running
#   make bench        the benchmarks
#   make lab          scenarios in the lab: SEEDS=2000 schedules of each, and
#                     injections everywhere; LAB_ARGS='cancel tcp_echo'
#   make counts       instructions of the hot paths against a file of them;
#                     UPDATE=1 writes it anew
#   make plots        cost against size, as SVG in build/plots
#   make peers        the same beside Go, Tokio, Erlang, libuv, Boost.Fiber, CAF
#   make check        the tidy scripts and the tests, warnings are errors
#   make tidy         the scripts of tests/tidy: style, layers, names, ...
#   make rules        each numbered rule, the code behind it, its tests
#   make models       the protocols under spin, the orders under a checker
#   make mutants      a seeded bug for each rule, and which test catches it
#   make coverage     branches of the core that the tests take, by file
#   make valgrind     the unit and spec tests under Valgrind
#   make aarch64      the fiber switch for aarch64, under qemu where present
#   make install      below $(DESTDIR)$(PREFIX); `make uninstall` undoes it
#   make clean help
#
#   MODE=release|checked|asan|ubsan|tsan   tests default to checked, the rest
#                                          to release; asan includes ubsan
#   CC=clang          another compiler, in a build folder of its own
#   T=fiber           only the test programs whose path holds such a word
#   FILTER='S/name'   only the tests that match, as Criterion's --filter
#   LITE=1            tests on the small harness instead of Criterion
#   WHOLE=            a release put together from parts: gcc does not see it as one
#   NO_INSTALL=1      say what is missing instead of installing it
#   WERROR=1 V=1 BUILD=folder JOBS=n CFLAGS= LDFLAGS=
#
# `test` and `demo` first let tests/deps.sh install what is missing, then start
# make anew: the first run may have begun before there was a compiler.

VERSION := 0.1.0
SOVERSION := 0

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BUILD ?= build
OBJCOPY ?= objcopy
CFLAGS ?= -O2 -g
ARCH ?= $(shell uname -m)

TEST_MODE := $(or $(MODE),checked)
ifeq ($(MODE),)
MODE := release
endif
ifeq ($(filter release checked asan ubsan tsan coverage counts,$(MODE)),)
$(error MODE is release, checked, asan, ubsan, tsan or coverage, not "$(MODE)")
endif

cc-name := $(filter-out cc gcc,$(notdir $(firstword $(CC))))
B := $(BUILD)/$(MODE)$(cc-name:%=-%)$(if $(LITE),-lite)
ifeq ($(MODE),tsan)
LITE := 1# Criterion cannot start under TSan
endif
Q := $(if $(V),,@)

# --- what there is ----------------------------------------------------------

# Assembly is chosen by its name: src/fiber_x86_64.S on x86_64.
LIB_SRC := $(filter-out src/cmd/% src/main.c,$(wildcard src/*.c src/*/*.c regions/*.c \
             actors/*.c)) $(wildcard src/*_$(ARCH).S)
# The longest programs first, so that none is left to run alone at the end.
TEST_SRC := $(foreach d,stress fail spec unit,$(wildcard tests/$d/*.c))
LAB_TEST_SRC := $(wildcard tests/lab/*_test.c)
LAB_MAIN := tests/lab/main.c
LAB_KIT := $(filter-out $(LAB_TEST_SRC) $(LAB_MAIN),$(wildcard tests/lab/*.c))
KVD_SRC := $(filter-out docs/examples/kvd/test_%,\
             $(wildcard docs/examples/kvd/*.c))
KVD_TEST_SRC := $(wildcard docs/examples/kvd/test_*.c)
DEMO_SRC := $(wildcard tests/demo/*.c)
EXAMPLE_SRC := $(wildcard docs/examples/*.c)
BENCH_SRC := $(wildcard tests/bench/*.c)
COUNTS_SRC := $(wildcard tests/bench/counts/*.c)

# A test of kvd is linked with all of kvd but the file that holds main().
has-main = $(shell grep -lE '^(int )?main\>' /dev/null $1)
KVD_MAIN := $(call has-main,$(KVD_SRC))
KVD_PARTS := $(filter-out $(KVD_MAIN),$(KVD_SRC))

obj = $(patsubst %,$B/%.o,$(basename $1))
LIB_OBJ := $(call obj,$(LIB_SRC))
TESTS := $(TEST_SRC:%.c=$B/%) $(KVD_TEST_SRC:%.c=$B/%) \
  $(if $(filter tsan,$(MODE)),,$(LAB_TEST_SRC:%.c=$B/%))
ifneq ($(T),)
TESTS := $(foreach t,$(TESTS),$(if $(strip $(foreach w,$(T),$(findstring $w,$t))),$t))
endif
EXAMPLES := $(EXAMPLE_SRC:%.c=$B/%)
BENCH := $(if $(BENCH_SRC),$B/ambit-bench)
KVD := $(if $(KVD_MAIN),$B/kvd)
DEMO := $(if $(call has-main,$(DEMO_SRC)),$B/demo-driver)
ALL_OBJ := $(LIB_OBJ) $(call obj,$(TEST_SRC) $(LAB_TEST_SRC) $(LAB_KIT) $(LAB_MAIN) $(KVD_TEST_SRC) $(KVD_SRC) \
             $(DEMO_SRC) $(EXAMPLE_SRC) $(BENCH_SRC) $(COUNTS_SRC))

# --- flags ------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wmissing-prototypes \
  -Wstrict-prototypes -Wvla -Wundef $(if $(WERROR),-Werror)
HARDEN := -fstack-protector-strong -fstack-clash-protection \
  -fno-omit-frame-pointer -fno-delete-null-pointer-checks \
  $(if $(filter x86_64,$(ARCH)),-fcf-protection=full)
# -fno-strict-overflow gives signed overflow a meaning, and thus hides it from
# UBSan: not in the builds that look for it.  Two words put together in a vector
# register to be stored by one instruction reach whoever loads one of them later: a
# yield takes 5 % longer, a spawn 1 to 5 %.
PLAIN := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fno-strict-overflow \
  -fno-tree-slp-vectorize

MODE_release := $(PLAIN)
MODE_checked := $(PLAIN) -DAMBIT_CHECKED
# The release build that, under Valgrind, sleeps where Valgrind can see it.
MODE_counts := $(PLAIN) -DAMBIT_VALGRIND
MODE_asan := -fsanitize=address,undefined
MODE_ubsan := -fsanitize=undefined
MODE_tsan := -fsanitize=thread
# Without exceptions: each call would count as a branch that is always taken.
MODE_coverage := -U_FORTIFY_SOURCE -DAMBIT_CHECKED -O0 -fprofile-update=atomic \
  --coverage -fno-exceptions
SAN := $(filter -fsanitize=%,$(MODE_$(MODE)))
MODE_FLAGS := $(MODE_$(MODE)) $(if $(SAN),-fno-sanitize-recover=all \
  -U_FORTIFY_SOURCE -DAMBIT_CHECKED) $(if $(LITE),-DAMBIT_LITE) \
  $(if $(VALGRIND),-DTEST_UNDER_VALGRIND)
ifeq ($(MODE)$(findstring clang,$(cc-name)),tsan)
MODE_FLAGS += -Wno-tsan# gcc warns of each fence, which TSan does not model
endif

# What users link is one object, and gcc sees all of it before it writes the code
# of a release: calls between files are in line, 5 to 12 % fewer instructions
# (docs/explanation/speed.md).  Tests of MODE=release link the same code, but for
# those that bring a part of their own.  Where the compiler cannot, it is put
# together from parts; clang would need lld for it.  On aarch64 nobody has run it:
# there a compiler that sees both sides of a switch of stacks might keep the
# address of a thread's variable.  The warning is right within a file, and wrong
# across.
WHOLE_FLAGS := -flto=auto -Wno-maybe-uninitialized
whole-works = $(shell at=$$(mktemp) && echo 'int x;' | \
  $(CC) $(CFLAGS) $(WHOLE_FLAGS) -flinker-output=nolto-rel -nostdlib -r -x c \
    -o $$at - 2>/dev/null && echo yes; rm -f $$at)
WHOLE := $(and $(filter release counts,$(MODE)),$(filter x86_64,$(ARCH)),\
  $(whole-works),$(WHOLE_FLAGS))

INCLUDES := -I. -Iinclude
COMPILE := -std=gnu11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -fexceptions \
  -pthread $(WARN) $(HARDEN) $(MODE_FLAGS)
LINK = $(CC) $(CFLAGS) $(SAN) $(filter --coverage,$(MODE_$(MODE))) -pthread \
  -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS)
LIBS := -luring -lxxhash
CRITERION := $(if $(LITE),,-lcriterion)

# --- entrance ---------------------------------------------------------------

DEPS := NO_INSTALL='$(NO_INSTALL)' CC='$(CC)' tests/deps.sh
AGAIN = +$(Q)$(MAKE) --no-print-directory \
  $(if $(findstring --jobserver,$(MAKEFLAGS)),,-j$(JOBS))
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: all lib-spec test demo serve bench counts where lab run-lab peers plots rules check tidy models mutants \
  coverage valgrind aarch64 install uninstall clean help lib run-tests run-demo \
  run-serve run-bench run-counts run-peers run-plots run-coverage mutants-env FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all:
	@NO_INSTALL=1 CC='$(CC)' tests/deps.sh build
	$(AGAIN) lib MODE=$(MODE)

lib-spec:
	@NO_INSTALL=1 CC='$(CC)' tests/deps.sh build
	$(AGAIN) $B/libambit_spec.a MODE=$(MODE)

test:
	@$(DEPS) test $(TEST_MODE)
	$(AGAIN) run-tests MODE=$(TEST_MODE)

demo:
	@$(DEPS) demo
	$(AGAIN) run-demo MODE=$(MODE)

serve:
	@$(DEPS) demo
	$(AGAIN) run-serve MODE=$(MODE)

bench:
	@$(DEPS) demo
	$(AGAIN) run-bench MODE=$(MODE)

lab:
	@$(DEPS) demo
	$(AGAIN) run-lab MODE=$(TEST_MODE)

# Instructions of the hot paths against tests/bench/counts/counts.txt.
counts:
	@$(DEPS) valgrind
	$(AGAIN) run-counts MODE=counts

where:
	@tests/bench/counts/where.sh $(BUILD)/counts/counts $(PATHS)

# Some minutes; drawn by gnuplot.
plots:
	@$(DEPS) plots
	$(AGAIN) run-plots MODE=$(MODE)

# Installs the peers through apt-get, and says what.
peers:
	@$(DEPS) demo
	@NO_INSTALL='$(NO_INSTALL)' tests/bench/peers/setup.sh
	$(AGAIN) run-peers MODE=$(MODE)

valgrind:
	@$(DEPS) valgrind
	$(AGAIN) run-tests MODE=checked LITE=1 VALGRIND=1 \
	  T='$(or $(T),tests/unit tests/spec)'

# T=REG_FIN selects mutants by their names.
mutants:
	@$(DEPS) test checked
	+@MAKE='$(MAKE)' JOBS='$(JOBS)' BUILD='$(BUILD)' T='$(T)' \
	  tests/mutants/run.sh

# Without kvd's failures: one that has become nobody cannot write its counts, and
# says so on its stderr, which its test looks at.
COVER := tests/unit/ tests/spec/ tests/stress/ \
  $(basename $(filter-out tests/fail/kvd_%,$(wildcard tests/fail/*.c)))
coverage:
	@$(DEPS) coverage
	@mkdir -p $(BUILD)
	@find $(BUILD) -path '*/coverage*' -name '*.gcda' -delete
	$(AGAIN) run-tests MODE=coverage \
	  T='$(or $(T),$(COVER))'
	@$(MAKE) --no-print-directory run-coverage MODE=coverage

check:
	@$(MAKE) --no-print-directory tidy
	@$(MAKE) --no-print-directory test WERROR=1

lib: $B/libambit.a $B/libambit_main.a $B/libambit.so

# --- the library ------------------------------------------------------------

# A change of flags or compiler rebuilds.
STAMP := $(CC) $(CFLAGS) $(COMPILE) $(WHOLE) \
  $(if $(WHOLE),$(shell $(CC) -dumpfullversion))
$B/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(STAMP)' | cmp -s - $@ || \
	  printf '%s\n' '$(STAMP)' >$@

$B/%.o: %.c $B/flags
	@mkdir -p $(@D); $(if $V,,echo "  CC   $<")
	$Q$(CC) $(CFLAGS) $(COMPILE) $(INCLUDES) -MMD -MP -c -o $@ $<

$B/%.o: %.S $B/flags
	@mkdir -p $(@D); $(if $V,,echo "  AS   $<")
	$Q$(CC) $(CFLAGS) $(COMPILE) $(INCLUDES) -MMD -MP -c -o $@ $<

# Tests see the inner names; the archive for users holds one object in which
# every name but ambit_* has become local.
$B/ambit.o: $(LIB_OBJ)
	@$(if $V,,echo "  LD   $@")
	$Q$(CC) $(if $(WHOLE),$(CFLAGS) $(COMPILE) $(WHOLE) -flinker-output=nolto-rel) \
	  -nostdlib -r -o $@ $^

# A test that brings a part of its own cannot take the rest as one object.
PART_OBJ := $(if $(WHOLE),$(patsubst %,$B/parts/%.o,$(basename $(LIB_SRC))),$(LIB_OBJ))
REPLACES := $(shell grep -l 'fail/refuse.h"' /dev/null $(TEST_SRC))

$B/parts/%.o: %.c $B/flags
	@mkdir -p $(@D); $(if $V,,echo "  CC   $< (apart)")
	$Q$(CC) $(CFLAGS) $(COMPILE) $(INCLUDES) -DAMBIT_NO_SITES -MMD -MP -c -o $@ $<

$B/parts/%.o: %.S $B/flags
	@mkdir -p $(@D)
	$Q$(CC) $(CFLAGS) $(COMPILE) $(INCLUDES) -MMD -MP -c -o $@ $<

$B/parts.a: $(PART_OBJ)
	@rm -f $@
	$Q$(AR) rcs $@ $^

$B/internal.a: $(if $(WHOLE),$B/ambit.o,$(LIB_OBJ))
	@rm -f $@
	$Q$(AR) rcs $@ $^

$B/libambit.a: $B/ambit.o
	@mkdir -p $B/public; rm -f $@; $(if $V,,echo "  AR   $@")
	$Q$(OBJCOPY) --wildcard --keep-global-symbol='ambit_*' $< $B/public/ambit.o
	$Q$(AR) rcs $@ $B/public/ambit.o

# main() for programs that define ambit_main(); pulled in by those only.
$B/libambit_main.a: $B/src/main.o
	@rm -f $@
	$Q$(AR) rcs $@ $^

$B/libambit.so: $B/ambit.o ambit.map
	@$(if $V,,echo "  LD   $@")
	$Q$(LINK) -shared -Wl,-soname,libambit.so.$(SOVERSION) \
	  -Wl,--version-script=ambit.map $(if $(SAN),,-Wl,-z,defs) -o $@ $< $(LIBS)
	@ln -sf libambit.so $B/libambit.so.$(SOVERSION)

# --- the lab ----------------------------------------------------------------

# The library as it runs in the lab: its own sources, with spec/lab/os.h for the
# system.  The signal handler for overflows has no thread of its own there, and
# its kernel has no epoll.
LAB_SRC := $(filter-out src/overflow.c src/driver/epoll%,$(LIB_SRC))
SPEC_SRC := $(wildcard spec/*/*.c)
LAB_OBJ := $(patsubst %,$B/lab/%.o,$(basename $(LAB_SRC))) \
  $(call obj,$(SPEC_SRC))

$B/lab/%.o: %.c spec/lab/os.h $B/flags
	@mkdir -p $(@D); $(if $V,,echo "  LAB  $<")
	$Q$(CC) $(CFLAGS) $(COMPILE) -UAMBIT_CHECKED -DAMBIT_CHECKED $(INCLUDES) \
	  -DAMBIT_NO_SITES -include spec/lab/os.h -MMD -MP -c -o $@ $<

$B/lab/%.o: %.S $B/flags
	@mkdir -p $(@D)
	$Q$(CC) $(CFLAGS) $(COMPILE) $(INCLUDES) -MMD -MP -c -o $@ $<

$B/internal-lab.a: $(LAB_OBJ)
	@rm -f $@
	$Q$(AR) rcs $@ $^

$B/libambit_spec.a: $(LAB_OBJ)
	@rm -f $@ $B/ambit_spec.o; $(if $V,,echo "  AR   $@")
	$Q$(CC) -nostdlib -r -o $B/ambit_spec.o $^
	$Q$(OBJCOPY) --wildcard --keep-global-symbol='ambit_*' $B/ambit_spec.o
	$Q$(AR) rcs $@ $B/ambit_spec.o

# --- programs ---------------------------------------------------------------

# Examples and kvd are users: they get the public headers and nothing else.
$(call obj,$(EXAMPLE_SRC) $(KVD_SRC)): INCLUDES := -Iinclude
$(LIB_OBJ): INCLUDES += -DAMBIT_NO_SITES $(firstword $(WHOLE))

KVD_UNIT := $(filter tests/unit/kvd_%,$(TEST_SRC))
$(KVD_UNIT:%.c=$B/%): $(call obj,$(KVD_PARTS))
$(call obj,$(KVD_UNIT)): INCLUDES += -Idocs/examples/kvd
$(filter-out $(REPLACES:%.c=$B/%),$(TEST_SRC:%.c=$B/%)): %: %.o $B/internal.a
	$Q$(LINK) -o $@ $(filter %.o,$^) $B/internal.a $(CRITERION) $(LIBS)

$(REPLACES:%.c=$B/%): %: %.o $B/parts.a
	$Q$(LINK) -o $@ $(filter %.o,$^) $B/parts.a $(CRITERION) $(LIBS)

$(LAB_TEST_SRC:%.c=$B/%): %: %.o $(call obj,$(LAB_KIT)) $B/internal-lab.a
	$Q$(LINK) -o $@ $(filter %.o,$^) $B/internal-lab.a $(CRITERION) $(LIBS)

$B/ambit-lab: $(call obj,$(LAB_MAIN) $(LAB_KIT)) $B/internal-lab.a
	$Q$(LINK) -o $@ $^ $(LIBS)

$(KVD_TEST_SRC:%.c=$B/%): %: %.o $(call obj,$(KVD_PARTS)) $B/internal.a
	$Q$(LINK) -o $@ $^ $(CRITERION) $(LIBS)

# What is measured is what a user links: the archive, with the flags above.
$B/tests/bench/machine.o: INCLUDES += \
  -DBENCH_FLAGS='"$(CFLAGS) $(HARDEN) $(MODE_FLAGS) $(firstword $(WHOLE))"'
$B/ambit-bench: $(call obj,$(BENCH_SRC)) $B/libambit.a
	$Q$(LINK) -o $@ $^ $(LIBS)

$B/ambit-counts: $(call obj,$(COUNTS_SRC)) $B/libambit.a
	$Q$(LINK) -o $@ $^ $(LIBS)

# The echo clients of ours and of the peers.
$B/bench-loadgen: tests/bench/peers/c/loadgen.c tests/bench/peers/c/bench.h
	@mkdir -p $(@D)
	$Q$(CC) -O3 -std=gnu11 -D_GNU_SOURCE -o $@ $< -luring

$(EXAMPLES): %: %.o $B/libambit_main.a $B/libambit.a
	$Q$(LINK) -o $@ $^ $(LIBS)

$B/kvd: $(call obj,$(KVD_SRC)) $B/libambit_main.a $B/libambit.a
	$Q$(LINK) -o $@ $^ $(LIBS)

$B/demo-driver: $(call obj,$(DEMO_SRC)) $B/internal.a
	$Q$(LINK) -o $@ $^ $(LIBS)

# --- running ----------------------------------------------------------------

# Each program leaves "passed failed" in its .ran file; sum.sh adds them up.
RAN := $(TESTS:=.ran)
# The longest first: what begins last, one core has to wait for.
LONG := $(filter %/campaign_test.ran %/soak_test.ran %/kvd_crash_test.ran,$(RAN))
RAN := $(LONG) $(filter-out $(LONG),$(RAN))

run-tests: $(RAN) | $(EXAMPLES) $(KVD) $(DEMO)
	@tests/harness/sum.sh $(RAN)

$(RAN): %.ran: % FORCE | $(EXAMPLES) $(KVD)
	@BUILD_DIR='$B' MODE='$(MODE)' VALGRIND='$(VALGRIND)' \
	  tests/harness/run.sh $< $@ $(if $(FILTER),--filter '$(FILTER)')

# How tests/mutants/run.sh compiles and links like us.
mutants-env:
	@mkdir -p $(BUILD)/mutants
	@printf '%s\n' "B='$B'" "CC_FLAGS='$(CC) $(CFLAGS) $(COMPILE)'" \
	  "LINK='$(LINK)'" "LIBS='$(CRITERION) $(LIBS)'" >$(BUILD)/mutants/$(MODE).env

run-coverage:
	@tests/harness/coverage.sh $B

run-demo: $(KVD) $(DEMO)
	@$(if $(and $(KVD),$(DEMO)),,echo "demo: there is no kvd or no \
	  tests/demo to run yet"; exit 1)
	$Q$B/demo-driver --kvd $B/kvd $(DEMO_ARGS)

KVD_SERVE_ARGS ?= --serve --port 0
run-serve: $(KVD)
	@$(if $(KVD),,echo "serve: there is no kvd yet"; exit 1)
	$Q$B/kvd $(KVD_SERVE_ARGS)

run-bench: $(BENCH) $B/bench-loadgen
	@$B/ambit-bench --loadgen $B/bench-loadgen --json $B/bench.json \
	  $(BENCH_ARGS)

run-plots: $(BENCH)
	@mkdir -p $(BUILD)/plots
	@$B/ambit-bench --sweep --reps 3 --min-ms 100 \
	  --json $(BUILD)/plots/sweep.json $(PLOTS_ARGS)
	@tests/bench/plots/plots.sh $(BUILD)/plots/sweep.json $(BUILD)/plots

run-counts: $B/ambit-counts
	@CC='$(CC)' UPDATE='$(UPDATE)' tests/bench/counts/run.sh $B/ambit-counts \
	  $B/counts

run-lab: $B/ambit-lab
	@SEEDS='$(SEEDS)' JOBS='$(LAB_JOBS)' $B/ambit-lab $(LAB_ARGS)

run-peers: $(BENCH) $B/bench-loadgen
	@AMBIT='$B/ambit-bench' LOADGEN='$B/bench-loadgen' OUT='$(BUILD)/peers' \
	  tests/bench/peers/run.sh $(PEERS_ARGS)

tidy:
	@tests/tidy/all.sh
	@tests/tidy/names.sh

rules:
	@tests/tidy/rules.sh --table

models:
	@$(DEPS) models
	@CC='$(CC)' tests/models/run.sh $(BUILD)/models

# --- aarch64 ----------------------------------------------------------------

A64 := $(BUILD)/aarch64
A64_SRC := $(wildcard src/base.c src/fiber.c src/stack.c src/fiber_aarch64.S)
A64_TEST := $(wildcard tests/unit/harness_test.c tests/unit/fiber_test.c)
aarch64: $(A64_TEST:tests/unit/%.c=$(A64)/%)
	@command -v qemu-aarch64 >/dev/null || \
	  { echo "aarch64: built; no qemu-aarch64 here to run it"; exit 0; }; \
	for t in $^; do echo "== $$t"; qemu-aarch64 $$t || exit 1; done

$(A64)/%: tests/unit/%.c $(A64_SRC) FORCE
	@mkdir -p $(@D)
	$(Q)aarch64-linux-gnu-gcc -O2 -g -std=gnu11 -D_GNU_SOURCE -DAMBIT_CHECKED \
	  -DAMBIT_LITE -fexceptions $(WARN) $(INCLUDES) -static -pthread -o $@ \
	  $(A64_SRC) $<

# --- install ----------------------------------------------------------------

D_LIB = $(DESTDIR)$(LIBDIR)
D_INC = $(DESTDIR)$(INCLUDEDIR)

SED_PC = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
  -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|'

install: all lib-spec
	install -d $(D_LIB)/pkgconfig $(D_INC)/ambit
	install -m 644 include/ambit.h $(D_INC)/
	install -m 644 include/ambit/*.h $(D_INC)/ambit/
	install -m 644 $B/libambit.a $B/libambit_main.a $B/libambit_spec.a $(D_LIB)/
	install -m 755 $B/libambit.so $(D_LIB)/libambit.so.$(VERSION)
	ln -sf libambit.so.$(VERSION) $(D_LIB)/libambit.so.$(SOVERSION)
	ln -sf libambit.so.$(SOVERSION) $(D_LIB)/libambit.so
	$(SED_PC) ambit.pc.in >$(D_LIB)/pkgconfig/ambit.pc
	$(SED_PC) ambit-spec.pc.in >$(D_LIB)/pkgconfig/ambit-spec.pc

uninstall:
	rm -f $(D_INC)/ambit.h $(D_LIB)/libambit.a $(D_LIB)/libambit_main.a \
	  $(D_LIB)/libambit_spec.a $(D_LIB)/libambit.so $(D_LIB)/libambit.so.* \
	  $(D_LIB)/pkgconfig/ambit.pc $(D_LIB)/pkgconfig/ambit-spec.pc
	rm -rf $(D_INC)/ambit
	$(if $(DESTDIR),cd $(DESTDIR) && rmdir -p --ignore-fail-on-non-empty \
	  .$(LIBDIR)/pkgconfig .$(INCLUDEDIR) 2>/dev/null || true,\
	  rmdir --ignore-fail-on-non-empty $(D_LIB)/pkgconfig)

clean:
	rm -rf $(BUILD)

help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' Makefile

-include $(ALL_OBJ:.o=.d) $(LAB_OBJ:.o=.d) $(PART_OBJ:.o=.d)
