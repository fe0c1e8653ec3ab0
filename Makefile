# Coppice is built with GNU make and a C11 compiler; `make help` says what can be asked for.

VERSION   := 0.1.0
SOVERSION := 0

PREFIX     ?= /usr/local
INCLUDEDIR ?= $(PREFIX)/include
LIBDIR     ?= $(PREFIX)/lib
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man

# Each variant has a folder of its own, so that they stand side by side.
VARIANT := $(or $(SAN),$(ATOMICS))
BUILD   ?= build$(if $(VARIANT),-$(VARIANT))

OBJCOPY ?= objcopy
CFLAGS  ?= -O2 -g
WERROR  ?= -Werror
Q       := $(if $(V),,@)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:

# ---------------------------------------------------------------- what there is

# Programs stand beside what of the library they show.
TOP_SRC        := $(sort $(wildcard supervisor/observe/top*.c))
POSTMORTEM_SRC := $(sort $(wildcard supervisor/observe/postmortem*.c))

# What needs a library of somebody else's is a library of its own: libcoppice-NAME, with a header of that
# name. Its sources, its tests and the other programs that tests start (peer_NAME.c) are known by theirs.
OPTIONAL    := $(sort $(patsubst include/coppice-%.h,%,$(wildcard include/coppice-*.h)))
room_of      = $(if $(filter web,$(1)),supervisor/observe,actors/durable)
sources_of   = $(sort $(wildcard $(call room_of,$(1))/$(1)*.c))
tests_of     = $(sort $(foreach kind,test peer,$(wildcard tests/$(call room_of,$(1))/$(kind)_$(1)*.c)))
WEB_PAGE    := $(sort $(wildcard supervisor/observe/page/*))
WEB_TEST_SRC := $(call tests_of,web)

OPTIONAL_SRC := $(foreach library,$(OPTIONAL),$(call sources_of,$(library)))
BESIDE_SRC  := $(TOP_SRC) $(POSTMORTEM_SRC) $(OPTIONAL_SRC)
LIB_SRC     := $(filter-out $(BESIDE_SRC),$(sort $(wildcard runtime/*.c actors/*.c actors/durable/*.c \
    supervisor/*.c supervisor/observe/*.c)))
SUPPORT_SRC := $(filter-out tests/support/test_% %/last_words.c,$(sort $(wildcard tests/support/*.c)))
TEST_SRC    := $(filter-out $(WEB_TEST_SRC),$(sort $(wildcard tests/*/test_*.c \
    tests/actors/durable/test_*.c tests/supervisor/observe/test_*.c)))
PEER_SRC    := $(sort $(wildcard tests/*/peer_*.c tests/actors/durable/peer_*.c))
BENCH_SRC   := $(sort $(wildcard tests/bench/*.c))
SCENE_SRC   := $(sort $(wildcard tests/conformance/*.c))
GUIDE_SRC   := $(sort $(wildcard demos/guide/*.c))
DEMO_SRC    := $(filter-out $(GUIDE_SRC),$(sort $(wildcard demos/*/*.c)))
HEADERS     := $(sort $(wildcard include/coppice/*.h))
FORMATTED    = $(shell find include runtime actors supervisor tests demos -name '*.[ch]')

object       = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
demo_objects = $(call object,$(sort $(wildcard demos/$(1)/*.c)))

ARCHIVE := $(BUILD)/libcoppice.a
SHARED  := $(BUILD)/libcoppice.so.$(VERSION)
POSTMORTEM := $(BUILD)/coppice-postmortem
DEMOS   := $(sort $(patsubst demos/%/,$(BUILD)/demos/%,$(dir $(DEMO_SRC))))
PAGES   := $(filter-out kv,$(notdir $(DEMOS)))
GUIDE   := $(GUIDE_SRC:demos/%.c=$(BUILD)/%)
BENCH   := $(BUILD)/bench $(BUILD)/bench-count $(BUILD)/bench-durable
TOP     := $(BUILD)/coppice-top
SEEN    := $(BUILD)/observed
PEERS   := $(PEER_SRC:%.c=$(BUILD)/%)
SCENE   := $(if $(SCENE_SRC),$(BUILD)/scenario)
FUZZ    := $(sort $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c)))

# What `make test` runs: everything, or TESTS="runtime/test_mailbox demos/test_kv".
runnable = $(or $(wildcard tests/$(1).sh),$(BUILD)/tests/$(1))
TESTS   ?= $(patsubst tests/%,%,$(TEST_SRC) $(filter-out $(wildcard tests/web/*.sh), \
    $(wildcard tests/*/test_*.sh tests/actors/durable/test_*.sh tests/supervisor/observe/test_*.sh)))
RUN     := $(foreach test,$(sort $(basename $(TESTS))),$(call runnable,$(test)))

# ---------------------------------------------------------------- how it is compiled

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wundef \
    -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 \
    -Wimplicit-fallthrough -Wdouble-promotion

ifneq ($(filter-out c11,$(ATOMICS)),)
$(error ATOMICS is c11, or nothing for those of Concurrency Kit)
endif

# Sanitizers cannot see through libck's inline assembly, so they get the C11 operations.
SANITIZE := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
DEFINES  := -D_GNU_SOURCE $(if $(VARIANT),-DCOPI_C11_ATOMICS=1)

# The compiler and pkg-config may have to be installed first, so they are asked late, and once.
once    = $(eval $(1) := $(2))$($(1))
accepts = $(shell $(CC) -Werror $(1) -x c -c -o /dev/null /dev/null 2>/dev/null && echo $(1))
NO_PARTITION = $(call once,NO_PARTITION,$(call accepts,-fno-reorder-blocks-and-partition))
CHECK_CFLAGS = $(call once,CHECK_CFLAGS,$(shell pkg-config --cflags check))
CHECK_LIBS   = $(call once,CHECK_LIBS,$(shell pkg-config --libs check))

COMPILE = $(CC) -std=c11 $(DEFINES) $(WARNINGS) $(WERROR) -pthread -fno-omit-frame-pointer \
    $(SANITIZE) $(CPPFLAGS) $(CFLAGS) -MMD -MP
LINK    = $(CC) -pthread $(SANITIZE) $(CFLAGS) $(LDFLAGS) $(LAST_WORDS)
INSIDE  = -I. -Iinclude

# Initial-exec: finding the current process must not be a function call, nor allocate.
LIBRARY = -fPIC -fvisibility=hidden -fno-semantic-interposition -ftls-model=initial-exec \
    -fasynchronous-unwind-tables $(NO_PARTITION)

# All code of the library goes into one section with a name of its own: by the linker's
# __start_coppice_text and __stop_coppice_text the runtime tells a fault of its own from the
# application's, also when it is linked statically.  No flags are given: objcopy keeps the
# section's own, while a list of them without `contents` would leave it zeros instead of code.
rename = --rename-section $(1)=coppice_text
OWN_TEXT = $(foreach part,text text.hot text.unlikely text.startup text.exit,$(call rename,.$(part)))

# Bound at load: a crash report must not run the lazy resolver in a signal handler.  Sanitizers may
# leave symbols open, as clang links their runtime into programs only.
SHARED_FLAGS = -shared -Wl,-soname,libcoppice.so.$(SOVERSION) \
    -Wl,--version-script=tests/packaging/coppice.map -Wl,-Bsymbolic-functions -Wl,--as-needed \
    -Wl,-z,nodelete -Wl,-z,now $(if $(SAN),,-Wl,-z,defs)

# ---------------------------------------------------------------- the library

.PHONY: all
all: $(ARCHIVE) $(BUILD)/libcoppice.so $(POSTMORTEM) ## build both libraries into build/ (the default)

$(call object,$(LIB_SRC)): $(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D) && echo "  CC    $<"
	$(Q)$(COMPILE) $(LIBRARY) $(INSIDE) -c -o $@ $<
	$(Q)$(OBJCOPY) $(OWN_TEXT) $@

$(BUILD)/obj/runtime/recorder_file.o: private CPPFLAGS += -DCOPI_VERSION='"$(VERSION)"'

$(ARCHIVE): $(call object,$(LIB_SRC)) $(BUILD)/sources
	@echo "  AR    $@" && rm -f $@
	$(Q)$(AR) qcs $@ $(filter %.o,$^)

$(SHARED): $(call object,$(LIB_SRC)) tests/packaging/coppice.map $(BUILD)/sources
	@echo "  LD    $@"
	$(Q)$(LINK) $(SHARED_FLAGS) -o $@ $(filter %.o,$^) -lck

$(BUILD)/libcoppice.so.$(SOVERSION): $(SHARED)
	$(Q)ln -sf $(<F) $@

$(BUILD)/libcoppice.so: $(BUILD)/libcoppice.so.$(SOVERSION)
	$(Q)ln -sf $(<F) $@

# What a flight recorder's file says.
POSTMORTEM_OBJ := $(call object,$(POSTMORTEM_SRC))

$(POSTMORTEM_OBJ): $(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D) && echo "  CC    $<"
	$(Q)$(COMPILE) $(INSIDE) -c -o $@ $<

$(POSTMORTEM): $(POSTMORTEM_OBJ) $(ARCHIVE)
	@echo "  LD    $@"
	$(Q)$(LINK) -o $@ $^ -lck

# Other flags or another set of sources are changes like any other.
quoted = '$(subst ','\'',$(strip $(1)))'
define remember
@mkdir -p $(@D)
@echo $(call quoted,$(1)) | cmp -s - $@ || echo $(call quoted,$(1)) > $@
endef

$(BUILD)/flags: FORCE | deps-build
	$(call remember,$(COMPILE) $(LIBRARY) $(LDFLAGS))

$(BUILD)/sources: FORCE
	$(call remember,$(LIB_SRC) $(OPTIONAL_SRC) $(SUPPORT_SRC))

.PHONY: FORCE
FORCE:

# ---------------------------------------------------------------- coppice-top, a program of its own

.PHONY: top
top: deps-top $(TOP) ## build coppice-top, which shows a daemon's tree in a terminal

$(call object,$(TOP_SRC)): $(BUILD)/obj/%.o: %.c $(BUILD)/flags | deps-top
	@mkdir -p $(@D) && echo "  CC    $<"
	$(Q)$(COMPILE) $(INSIDE) -c -o $@ $<

$(TOP): $(call object,$(TOP_SRC) runtime/thread_clock.c)
	@echo "  LD    $@"
	$(Q)$(LINK) -o $@ $^ -lncursesw -ltinfo

.PHONY: top-picture
top-picture: deps-test top $(SEEN) ## draw the README's picture of coppice-top anew
	@BUILD=$(BUILD) tests/supervisor/observe/draw_top.sh demos/top.svg

# What it is tried with: a daemon whose processes are in every state that there is.
$(SEEN): $(call object,tests/supervisor/observe/daemon.c) $(ARCHIVE)
	$(Q)$(LINK) -o $@ $^ -lck

$(patsubst %.c,$(BUILD)/%,$(filter tests/supervisor/observe/test_top%,$(TEST_SRC))): \
    $(call object,$(filter-out %/top.c %/top_screen.c,$(TOP_SRC)))

# ---------------------------------------------------------------- optional libraries

# What each stands on, and the programs that stand on it but its tests.
web_LIBS          := -lmicrohttpd
web_CPPFLAGS      := -I$(BUILD)/page
web_PROGRAMS      := $(BUILD)/web-daemon $(BUILD)/tests/fuzz/fuzz_http $(if $(WEB),$(BUILD)/demos/kv $(BUILD)/demos/chaos)
sqlite_LIBS       := -lsqlite3
sqlite_PROGRAMS   := $(BUILD)/guide/08_durable $(BUILD)/demos/durable-order $(BUILD)/bench-durable \
    $(BUILD)/tests/fuzz/fuzz_sqlite
redis_LIBS        := -lhiredis
redis_PROGRAMS    := $(BUILD)/demos/stampede
postgres_LIBS     := -lpq
postgres_CPPFLAGS  = $(call once,postgres_CPPFLAGS,$(patsubst -I%,-isystem %,$(shell pkg-config --cflags libpq)))

.PHONY: $(OPTIONAL)
$(OPTIONAL): %: deps-% $(BUILD)/libcoppice-%.a $(BUILD)/libcoppice-%.so

# A file as the numbers of its bytes, for an array in C.
$(BUILD)/page/%.bytes: %
	@mkdir -p $(@D)
	$(Q)od -An -v -tu1 $< | sed 's/[0-9][0-9]*/&,/g' > $@

$(call object,$(call sources_of,web)): | $(WEB_PAGE:%=$(BUILD)/page/%.bytes)

$(call object,$(OPTIONAL_SRC)): $(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D) && echo "  CC    $<"
	$(Q)$(COMPILE) -fPIC -fvisibility=hidden $(INSIDE) -c -o $@ $<

$(OPTIONAL:%=$(BUILD)/libcoppice-%.a): $(BUILD)/libcoppice-%.a: \
    $$(call object,$$(call sources_of,$$*)) $(BUILD)/sources
	@echo "  AR    $@" && rm -f $@
	$(Q)$(AR) qcs $@ $(filter %.o,$^)

$(OPTIONAL:%=$(BUILD)/libcoppice-%.so.$(VERSION)): $(BUILD)/libcoppice-%.so.$(VERSION): \
    $$(call object,$$(call sources_of,$$*)) $(BUILD)/sources $(BUILD)/libcoppice.so tests/packaging/coppice.map
	@echo "  LD    $@"
	$(Q)$(LINK) -shared -Wl,-soname,libcoppice-$*.so.$(SOVERSION) \
	    -Wl,--version-script=tests/packaging/coppice.map -Wl,-z,nodelete $(if $(SAN),,-Wl,-z,defs) \
	    -o $@ $(filter %.o,$^) -L$(BUILD) -lcoppice $($*_LIBS)

$(OPTIONAL:%=$(BUILD)/libcoppice-%.so): %.so: %.so.$(VERSION)
	$(Q)ln -sf $(<F) $@.$(SOVERSION) && ln -sf $(@F).$(SOVERSION) $@

# stands_on OBJECTS PROGRAMS NAME: what they are compiled and linked with beside the library itself.
define stands_on
$(1): | deps-$(3)
$(1): private CPPFLAGS += $$($(3)_CPPFLAGS)
$(2): $(BUILD)/libcoppice-$(3).a
$(2): private MORE_LIBS += $$($(3)_LIBS)
endef
$(foreach library,$(OPTIONAL),$(eval $(call stands_on,$(call object,$(call sources_of,$(library)) \
    $(call tests_of,$(library))),$(patsubst %.c,$(BUILD)/%,$(call tests_of,$(library))) $($(library)_PROGRAMS),$(library))))

# The core comes last, as the others stand on it.
LINKED = $(filter %.o,$^) $(filter-out $(ARCHIVE),$(filter %.a,$^)) $(ARCHIVE) -lck $(MORE_LIBS)

# ---------------------------------------------------------------- the page

WEB_DAEMON  := $(BUILD)/web-daemon

# A daemon as people write them: what the page is tried with.
$(WEB_DAEMON): $(BUILD)/obj/tests/web/daemon.o $(ARCHIVE)
	$(Q)$(LINK) -o $@ $(LINKED)

.PHONY: test-web screenshots
test-web: deps-test deps-test-web web $(WEB_TEST_SRC:%.c=$(BUILD)/%) $(WEB_DAEMON) ## test the page and the metrics with curl, promtool and Chromium
	@BUILD=$(BUILD) SAN=$(SAN) .ci/run-tests $(WEB_TEST_SRC:%.c=$(BUILD)/%) $(sort $(wildcard tests/web/test_*.sh tests/web/test_*.py))

screenshots: deps-test-web web $(WEB_DAEMON) ## draw the README's picture of the page anew
	@BUILD=$(BUILD) COPPICE_RECORDER=$(BUILD)/screenshot.recorder tests/web/screenshots.py demos/page.png

# ---------------------------------------------------------------- tests, demos, benchmarks

.PHONY: test
test: deps-test all man $(filter $(BUILD)/%,$(RUN)) $(PEERS) $(DEMOS) $(GUIDE) $(SCENE) $(BUILD)/bench $(BUILD)/bench-durable $(TOP) $(SEEN) $(filter-out %_redis %_postgres %_web %_http,$(FUZZ)) ## run the tests, or TESTS="runtime/test_mailbox …"
	@BUILD=$(BUILD) SAN=$(SAN) .ci/run-tests $(RUN)

.PHONY: test-full
test-full: ## the same with numbers as large as the cases state them, which takes its time
	@COPPICE_FULL=1 CK_DEFAULT_TIMEOUT=300 CK_TIMEOUT_MULTIPLIER=10 TIMEOUT=1800 $(MAKE) test

$(BUILD)/obj/tests/%.o: tests/%.c $(BUILD)/flags | deps-test
	@mkdir -p $(@D) && echo "  CC    $<"
	$(Q)$(COMPILE) $(INSIDE) $(CHECK_CFLAGS) -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(call object,$(SUPPORT_SRC)) $(ARCHIVE)
	@mkdir -p $(@D)
	$(Q)$(LINK) $(call wrapped,tests/$*.c) -o $@ $(LINKED) $(CHECK_LIBS)

# Calls of what a source, or a header of the tests that it includes, declares with WRAP(name) reach the function
# declared so instead: tests/support/wrap.h.
wrapped = $(shell sed -n 's/.* WRAP(\([A-Za-z0-9_]*\));$$/-Wl,--wrap=\1/p' $(1) \
    $$(sed -n 's/^.include "\(tests.*\)"/\1/p' $(1)))

# Older runtimes of the sanitizers cannot place their shadow where a newer kernel randomises.
SAME_PLACES = $(if $(SAN),setarch $(shell uname -m) -R)

# Evidence: each a program, a line of figures at its end.
FAILURES = $(BUILD)/tests/stress/failures
$(FAILURES): private LDFLAGS += $(shell sed -n 's/^CALL.[^,]*, \([a-z0-9_]*\),.*/-Wl,--wrap=\1/p; \
    s/.* WRAP(\([a-z_]*\));$$/-Wl,--wrap=\1/p' tests/stress/points.c)
$(FAILURES): $(call object,$(wildcard tests/stress/failures_*.c) tests/stress/points.c tests/stress/left.c)

.PHONY: failures
failures: deps-test $(FAILURES) ## let everything that can fail fail once: EVERY=10 each tenth, PAIRS=1 and one more soon after
	@PAIRS=$(PAIRS) $(SAME_PLACES) $(FAILURES) $(or $(EVERY),1)

$(BUILD)/tests/stress/stops: $(call object,tests/stress/left.c)
.PHONY: stops
stops: $(BUILD)/tests/stress/stops | deps-test ## stop COUNT=1000 trees at any moment of their lives, from SEED=1 on
	@$(SAME_PLACES) $< $(or $(COUNT),1000) $(or $(SEED),1)

$(BUILD)/tests/stress/soak: $(call object,tests/stress/left.c tests/stress/ledger.c)
.PHONY: soak
soak: $(BUILD)/tests/stress/soak | deps-test ## do harm to 200 actors for SECONDS=60, with SEED=1
	@$(SAME_PLACES) $< $(or $(SECONDS),60) $(or $(SEED),1)

# What stands on atomic operations alone, or orders its locks.
LOCK_FREE = $(addprefix runtime/test_,mailbox message table thread thread_park timer block cycle signals exit_signal wait_races) \
    $(addprefix actors/test_,future waiters flight)
.PHONY: stress
stress: $(LOCK_FREE:%=$(BUILD)/tests/%) | deps-test ## the suites of the lock-free parts again and again for SECONDS=60, with SAN=thread
	@BUILD=$(BUILD) SAN=$(SAN) DURATION=$(or $(SECONDS),60) tests/stress/again.sh $^

# The suites of the rooms that need no library of somebody else's; test_steady, which traces itself, is not for a crowd.
CORE  = $(patsubst tests/%.c,%,$(wildcard $(patsubst %,tests/%/test_*.c,runtime actors supervisor)) tests/stress/test_steady.c)
CROWD = $(patsubst %,$(BUILD)/tests/%,$(if $(filter command line,$(origin TESTS)),$(TESTS),$(filter-out stress/%,$(CORE))))
.PHONY: crowd
crowd: $(BUILD)/tests/stress/misery $(CROWD) | deps-test ## the suites on a bad machine, two at a time for SECONDS=60: MISERY=threads, programs, starved or core
	@BUILD=$(BUILD) SAN=$(SAN) DURATION=$(or $(SECONDS),60) CK_TIMEOUT_MULTIPLIER=24 \
	    LAUNCHER="$< $(or $(MISERY),threads)" tests/stress/again.sh $$(shuf -e $(CROWD))

$(patsubst %.c,$(BUILD)/%,$(wildcard tests/supervisor/observe/test_postmortem_*.c)): \
    $(filter-out %/postmortem.o,$(POSTMORTEM_OBJ))

# Tests of the demos' parts stand on all of them but their main(), and those that stand on more than the core.
STAND_ALONE := %/main.c $(addsuffix /%,$(patsubst $(BUILD)/%,%, \
    $(foreach library,$(filter-out web,$(OPTIONAL)),$(filter $(BUILD)/demos/%,$($(library)_PROGRAMS)))))
$(patsubst %.c,$(BUILD)/%,$(filter tests/demos/%,$(TEST_SRC))): \
    $(call object,$(filter-out $(STAND_ALONE),$(DEMO_SRC)))

# Unoptimised, so that a line is a line; not counted twice where threads meet; kept when a program dies.
COVERED = BUILD=build-coverage CFLAGS="-O0 -g --coverage -fprofile-update=atomic" WERROR= \
    LAST_WORDS="build-coverage/last_words.o $(call wrapped,tests/support/last_words.c)"
ROOMS   = $(filter runtime/% actors/% supervisor/% stress/%,$(filter-out %/test_fault_linked.sh,$(TESTS)))

# The suites of the rooms but what links programs of its own, those of the page, a part of `make failures`. What failed
# is told at the end, and fails the whole; the rest is counted all the same.
.PHONY: coverage
coverage: deps-test ## say what of each room the tests reach; what they do not must stand in tests/unreached
	@mkdir -p build-coverage && find build-coverage -name '*.gcda' -delete
	@$(CC) -std=c11 $(DEFINES) -I. -O2 -g -fPIC -c -o build-coverage/last_words.o tests/support/last_words.c
	@rm -f build-coverage/failed
	@$(MAKE) --no-print-directory $(COVERED) TESTS="$(ROOMS)" test || echo test >> build-coverage/failed
	@$(MAKE) --no-print-directory $(COVERED) test-web || echo test-web >> build-coverage/failed
	@$(MAKE) --no-print-directory $(COVERED) EVERY=$(or $(EVERY),5) failures || echo failures >> build-coverage/failed
	@.ci/coverage

# Programs that are not of this tree, in a folder with a script `run` that builds them against ours.
.PHONY: acceptance
acceptance: $(ARCHIVE) ## build and run the programs in DIR=, which has a script of its own for that
ifdef DIR
	@CC="$(CC)" BUILD=$(BUILD) CFLAGS="$(SANITIZE)" LDFLAGS="$(SANITIZE)" \
	    $(SAME_PLACES) $(DIR)/run .
else
	@echo "acceptance: there is no DIR=, so nothing was tried" && echo "0 passed, 0 failed"
endif

.PHONY: conformance conformance-soak
conformance: $(SCENE) ## compare with Erlang and Elixir: behaviours, stored scenarios, N=200 fresh ones
	@BUILD=$(BUILD) tests/conformance/conformance.sh

conformance-soak: $(SCENE) ## the stored scenarios RUNS=100 times
	@BUILD=$(BUILD) tests/conformance/soak.sh

# ---------------------------------------------------------------- another machine

# Built with a cross compiler, run by qemu-user: that shows what is portable, and not the order of memory.
ARM64 := build-arm64/root/files/usr
CROSS  = BUILD=build-arm64 CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar OBJCOPY=aarch64-linux-gnu-objcopy \
    CPPFLAGS="-isystem $(ARM64)/include" LDFLAGS=-L$(ARM64)/lib/aarch64-linux-gnu \
    CHECK_CFLAGS= CHECK_LIBS="-lcheck_pic -lrt -lm -lsubunit"

QUICK  = $(addprefix runtime/test_,fault inbox mailbox map message name process send set signals table \
    thread timer wait) $(addprefix actors/test_,address framing genserver socket) supervisor/test_restart

.PHONY: test-arm64
test-arm64: ## build for arm64 and test with qemu: the quick suites, ALL=1 those of all rooms, or TESTS="runtime/test_mailbox …"
	@.ci/deps arm64 && .ci/arm64 build-arm64/root
	@TEST_SKIPS=tests/support/qemu.skips LAUNCHER="qemu-aarch64 -L /usr/aarch64-linux-gnu" CK_TIMEOUT_MULTIPLIER=8 \
	    $(MAKE) --no-print-directory $(CROSS) test-suites \
	    TESTS="$(if $(filter command line,$(origin TESTS)),$(TESTS),$(if $(ALL),$(CORE),$(QUICK)))"

.PHONY: test-suites
test-suites: all $(filter $(BUILD)/%,$(RUN))
	@BUILD=$(BUILD) .ci/run-tests $(RUN)

# ---------------------------------------------------------------- fuzzing

.PHONY: fuzz
fuzz: ## fuzz what reads foreign bytes, each target for SECONDS=60; TARGETS="resp framing …"
	@CC=clang .ci/deps fuzz
	@$(MAKE) --no-print-directory CC=clang SAN=address,undefined,fuzzer-no-link CFLAGS="-O1 -g" \
	    BUILD=build-fuzz MAIN=-fsanitize=fuzzer fuzz-run

.PHONY: fuzz-run
fuzz-run: $(or $(TARGETS:%=$(BUILD)/tests/fuzz/fuzz_%),$(FUZZ))
	@BUILD=$(BUILD) DURATION=$(or $(SECONDS),60) tests/fuzz/fuzz.sh $^

# Who runs the inputs: libFuzzer, or else what runs those in the tree.
MAIN = $(BUILD)/obj/tests/fuzz/replay.o
$(FUZZ): $(filter %.o,$(MAIN)) $(BUILD)/obj/tests/fuzz/json.o $(ARCHIVE)
$(FUZZ): $(BUILD)/%: $(BUILD)/obj/%.o
	@mkdir -p $(@D)
	$(Q)$(LINK) $(call wrapped,$*.c) -o $@ $(filter -f%,$(MAIN)) $(LINKED)

fuzzed = $(BUILD)/tests/fuzz/fuzz_$(1): $(call object,$(2))
$(call fuzzed,resp,demos/kv/resp.c)
$(call fuzzed,glob,demos/kv/glob.c)
$(call fuzzed,recording,$(patsubst %,supervisor/observe/postmortem_%.c,file tree))
$(call fuzzed,redis,$(patsubst %,actors/durable/redis_%.c,record reply))
$(BUILD)/tests/fuzz/fuzz_redis: private MORE_LIBS := $(redis_LIBS)
$(call fuzzed,postgres,$(patsubst %,actors/durable/postgres_%.c,news value))
$(BUILD)/tests/fuzz/fuzz_postgres: private MORE_LIBS := $(postgres_LIBS)
$(BUILD)/obj/tests/fuzz/fuzz_postgres.o: private CPPFLAGS += $(postgres_CPPFLAGS)
$(call fuzzed,scenario,$(patsubst %,tests/conformance/%.c,language option words))
$(call fuzzed,top,$(patsubst %,supervisor/observe/top_%.c,events picture text))
$(call fuzzed,web,$(patsubst %,supervisor/observe/web_%.c,guard json))
$(call fuzzed,arguments,$(filter-out %/top.c %/postmortem.c,$(TOP_SRC) $(POSTMORTEM_SRC)))
$(BUILD)/tests/fuzz/fuzz_arguments: private MORE_LIBS := -lncursesw -ltinfo
$(BUILD)/obj/tests/fuzz/fuzz_http.o: | deps-web
$(BUILD)/obj/tests/fuzz/fuzz_sqlite.o: | deps-sqlite

.PHONY: model
model: deps-model ## search the models of the lock-free parts, LONG=1 with larger numbers
	@tests/model/run.sh

.PHONY: demo
demo: deps-demo $(DEMOS) ## show the main job: a supervised key-value daemon
	@BUILD=$(BUILD) demos/kv/demo.sh

.PHONY: run
run: deps-demo $(BUILD)/demos/kv ## leave the key-value daemon running on port 7379
	@$(BUILD)/demos/kv --port 7379 $(ARGS)

# Every other demo by its name, with ARGS= or what is worth seeing.
.PHONY: $(PAGES)
$(PAGES): %: $(BUILD)/demos/%
	@$< $(or $(ARGS),$(args_$@))

stampede: deps-stampede

args_wordfreq = README.md LICENSE $(FORMATTED)
args_pipeline = $(BUILD)/pipeline.svg
.PHONY: chaos-top
chaos-top: $(BUILD)/demos/chaos top ## show the lessons of chaos in coppice-top; LESSON= and SEED= as for chaos
	@BUILD=$(BUILD) demos/chaos/top.sh $(filter-out --plain,$(args_chaos))

args_chaos    = --plain $(if $(WEB),--web 7380) $(if $(LESSON),--lesson $(LESSON)) $(if $(SEED),--seed $(SEED)) \
    $(if $(DEEDS),--deeds $(DEEDS)) $(if $(PAUSE),--pause $(PAUSE)) $(if $(PATIENCE),--patience $(PATIENCE))

# With the live page: make run WEB=1, ARGS="--web 7380"; make chaos WEB=1.
$(patsubst %,$(BUILD)/obj/demos/%/main.o,kv chaos): private CPPFLAGS += $(if $(WEB),-DWITH_WEB)
$(patsubst %,$(BUILD)/obj/demos/%/main.o,kv chaos): $(BUILD)/with-web
$(BUILD)/with-web: FORCE
	$(call remember,$(WEB))

$(BUILD)/obj/demos/%.o: demos/%.c $(BUILD)/flags
	@mkdir -p $(@D) && echo "  CC    $<"
	$(Q)$(COMPILE) -Iinclude -iquote . -c -o $@ $<

$(DEMOS): $(BUILD)/demos/%: $$(call demo_objects,$$*) $(ARCHIVE)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(LINKED)

# The guide's programs are a file each.
.PHONY: guide
guide: $(GUIDE) ## build the programs of demos/guide

$(GUIDE): $(BUILD)/guide/%: $(BUILD)/obj/demos/guide/%.o $(ARCHIVE)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(LINKED)

.PHONY: bench bench-durable bench-peers bench-redis bench-recorder
bench: $(BUILD)/bench$(if $(COUNT),-count) $(if $(ARGS),,$(BUILD)/bench-durable) ## measure; ARGS= is passed on, COUNT=1 counts mallocs, parks and so on
	@$< $(ARGS)
	$(if $(ARGS),,@echo && $(BUILD)/bench-durable -f $(BUILD))

bench-durable: $(BUILD)/bench-durable ## measure what durable promises cost; ARGS="-n 5 one hundred"
	@$< -f $(BUILD) $(ARGS)

bench-peers: $(BUILD)/bench ## measure side by side with Erlang, Elixir, Go and CAF; ARGS="-n 5 call cast"
	@BUILD=$(BUILD) tests/bench/peers.sh $(ARGS)

bench-recorder: all $(BUILD)/bench ## measure what the flight recorder costs
	@BUILD=$(BUILD) tests/bench/recorder.sh $(ARGS)

bench-redis: $(BUILD)/demos/kv ## measure the key-value daemon beside Redis; WEB=1 ARGS="-w": watched and not
	@.ci/deps bench-redis
	@BUILD=$(BUILD) WEB=$(WEB) tests/bench/redis.sh $(ARGS)

$(BUILD)/obj/tests/bench/%.o: tests/bench/%.c $(BUILD)/flags
	@mkdir -p $(@D) && echo "  CC    $<"
	$(Q)$(COMPILE) $(INSIDE) -c -o $@ $<

COUNTER = tests/bench/count.c

$(BUILD)/bench: $(call object,$(filter-out $(COUNTER),$(BENCH_SRC))) $(ARCHIVE)
	$(Q)$(LINK) -o $@ $^ -lck

$(BUILD)/bench-count: $(call object,$(BENCH_SRC)) $(ARCHIVE)
	$(Q)$(LINK) $(call wrapped,$(COUNTER)) -o $@ $^ -lck

$(BUILD)/bench-durable: $(call object,tests/bench/durable/main.c) $(ARCHIVE)
	$(Q)$(LINK) -o $@ $(LINKED)

$(BUILD)/scenario: $(call object,$(SCENE_SRC)) $(ARCHIVE)
	$(Q)$(LINK) -o $@ $^ -lck

# Everything that can be compiled, nothing run: what another compiler is tried with.
.PHONY: programs
programs: all $(patsubst %.c,$(BUILD)/%,$(TEST_SRC)) $(PEERS) $(DEMOS) $(GUIDE) $(BENCH) $(SCENE) $(TOP) $(SEEN)

# What the tests, the checks and the documents stand on, so that they can be made side by side.
.PHONY: everything
everything: deps-test deps-lint deps-top programs man $(OPTIONAL) $(FUZZ) $(WEB_DAEMON) $(WEB_TEST_SRC:%.c=$(BUILD)/%)

# ---------------------------------------------------------------- manners

.PHONY: format
format: deps-format ## lay out every C file
	$(Q)clang-format -i $(FORMATTED)

.PHONY: lint
lint: deps-lint check-house $(WEB_PAGE:%=$(BUILD)/page/%.bytes) ## check layout, clang-tidy, cppcheck, scripts and the rules of the house
	@FLAGS="-std=c11 $(DEFINES) $(INSIDE) $(foreach library,$(OPTIONAL),$($(library)_CPPFLAGS))" .ci/lint

.PHONY: analyze
analyze: deps-build ## look for paths that go wrong with gcc -fanalyzer
	@FLAGS="-std=c11 -pthread $(DEFINES) $(INSIDE) -DCOPI_VERSION='0'" .ci/analyze $(LIB_SRC) $(TOP_SRC) \
	    $(POSTMORTEM_SRC)

.PHONY: check-house
check-house: all $(OPTIONAL) deps-man ## check who includes what, which symbols each file uses, and that each has a test
	@$(if $(VARIANT),echo "check-house reads the plain build only" >&2; exit 1)
	@BUILD=$(BUILD) CC="$(CC)" WARNINGS="$(WARNINGS)" \
	    FLAGS="$(INSIDE) $(foreach library,$(OPTIONAL),$($(library)_CPPFLAGS))" .ci/check-house

.PHONY: man
man: $(BUILD)/man/done ## make manual pages of the public headers, in build/man

$(BUILD)/man/done: .ci/reference $(wildcard include/*.h) $(HEADERS) | deps-man
	@echo "  MAN   $(@D)" && rm -rf $(@D) && mkdir -p $(@D)
	$(Q).ci/reference man $(@D) $(VERSION) && touch $@

.PHONY: install
install: all man deps-install ## install below PREFIX=/usr/local, staged in DESTDIR=
	install -d "$(DESTDIR)$(INCLUDEDIR)/coppice" "$(DESTDIR)$(LIBDIR)/pkgconfig"
	install -m 644 include/coppice.h "$(DESTDIR)$(INCLUDEDIR)"
	install -m 644 $(HEADERS) "$(DESTDIR)$(INCLUDEDIR)/coppice"
	install -d "$(DESTDIR)$(BINDIR)"
	install -m 755 $(POSTMORTEM) $(wildcard $(TOP)) "$(DESTDIR)$(BINDIR)"
	install -m 644 $(ARCHIVE) $(SHARED) "$(DESTDIR)$(LIBDIR)"
	ln -sf $(notdir $(SHARED)) "$(DESTDIR)$(LIBDIR)/libcoppice.so.$(SOVERSION)"
	ln -sf libcoppice.so.$(SOVERSION) "$(DESTDIR)$(LIBDIR)/libcoppice.so"
	install -d "$(DESTDIR)$(MANDIR)/man1" "$(DESTDIR)$(MANDIR)/man3" "$(DESTDIR)$(MANDIR)/man7"
	install -m 644 $(patsubst $(BUILD)/%,supervisor/observe/%.1,$(POSTMORTEM) $(wildcard $(TOP))) \
	    "$(DESTDIR)$(MANDIR)/man1"
	install -m 644 $(BUILD)/man/man3/*.3 "$(DESTDIR)$(MANDIR)/man3"
	install -m 644 $(BUILD)/man/man7/*.7 "$(DESTDIR)$(MANDIR)/man7"
	$(call configured,coppice)
	$(refresh)

# Where the loader looks by itself, it has to be told.
refresh = $(if $(DESTDIR)$(filter-out /usr/%,$(LIBDIR)),,-ldconfig)

# NAME.pc, with what is only known now.
configured = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
	    -e 's|@VERSION@|$(VERSION)|' tests/packaging/$(1).pc.in > "$(DESTDIR)$(LIBDIR)/pkgconfig/$(1).pc"

.PHONY: $(OPTIONAL:%=install-%)
$(OPTIONAL:%=install-%): install-%: install %
	install -m 644 include/coppice-$*.h "$(DESTDIR)$(INCLUDEDIR)"
	install -m 644 $(BUILD)/libcoppice-$*.a $(BUILD)/libcoppice-$*.so.$(VERSION) "$(DESTDIR)$(LIBDIR)"
	ln -sf libcoppice-$*.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/libcoppice-$*.so.$(SOVERSION)"
	ln -sf libcoppice-$*.so.$(SOVERSION) "$(DESTDIR)$(LIBDIR)/libcoppice-$*.so"
	$(call configured,coppice-$*)
	$(refresh)

.PHONY: uninstall
uninstall: ## remove what install put there
	rm -rf "$(DESTDIR)$(INCLUDEDIR)/coppice" "$(DESTDIR)$(INCLUDEDIR)/coppice.h"
	rm -f "$(DESTDIR)$(MANDIR)"/man3/cop_*.3 "$(DESTDIR)$(MANDIR)"/man7/coppice.7 "$(DESTDIR)$(MANDIR)"/man7/coppice-*.7
	for name in $(notdir $(POSTMORTEM) $(TOP)); do \
	    rm -f "$(DESTDIR)$(BINDIR)/$$name" "$(DESTDIR)$(MANDIR)/man1/$$name.1"; done
	for name in coppice $(OPTIONAL:%=coppice-%); do rm -f "$(DESTDIR)$(INCLUDEDIR)/$$name.h" \
	    "$(DESTDIR)$(LIBDIR)/lib$$name".* "$(DESTDIR)$(LIBDIR)/pkgconfig/$$name.pc"; done

# ---------------------------------------------------------------- packages

TARBALL := $(BUILD)/coppice-$(VERSION).tar.xz

.PHONY: dist deb test-deb
dist: $(TARBALL) ## make a tarball of what is committed

$(TARBALL): FORCE
	@mkdir -p $(@D) && echo "  DIST  $@"
	$(Q)git archive --prefix=coppice-$(VERSION)/ HEAD | xz > $@

deb: deps-deb deps-man deps-top $(OPTIONAL:%=deps-%) $(TARBALL) ## make Debian packages of it, in build/deb
	@tests/packaging/deb.sh $(TARBALL) $(BUILD)/deb

test-deb: deb deps-test-deb ## install them in a clean Debian and build a program there; needs root
	@tests/packaging/fresh_root.sh $(BUILD)/deb

.PHONY: clean
clean: ## remove every variant's build folder
	rm -rf build build-*

.PHONY: deps
deps: ## install what building, tests and demo need, where it is missing
	@CC="$(CC)" .ci/deps build test demo

# deps-WORD: what `.ci/deps WORD` brings, for whoever names it as something to be had first.
deps-%: FORCE
	@CC="$(CC)" .ci/deps $(sort build $*)

.PHONY: help
help: ## say this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile
	@echo "  make NAME         run a demo that is a page, ARGS= are its own: $(PAGES)"
	@echo "  make LIBRARY, make install-LIBRARY   what needs a library of somebody else's: $(OPTIONAL)"
	@echo
	@echo "  SAN=address,undefined   a sanitized variant, in build-address,undefined/; or SAN=thread"
	@echo "  ATOMICS=c11             C11 atomics in place of Concurrency Kit's, in build-c11/"
	@echo "  CC=clang  CFLAGS=  WERROR=  BUILD=  V=1   another compiler, other flags, warnings let pass,"
	@echo "                          another folder, the commands in full"

ALL_SRC := $(LIB_SRC) $(BESIDE_SRC) tests/supervisor/observe/daemon.c $(SUPPORT_SRC) $(TEST_SRC) $(BENCH_SRC) $(SCENE_SRC) \
    $(DEMO_SRC) $(GUIDE_SRC) $(PEER_SRC) $(WEB_TEST_SRC) tests/web/daemon.c $(wildcard tests/fuzz/*.c tests/bench/durable/*.c)
-include $(patsubst %.o,%.d,$(call object,$(ALL_SRC)))
