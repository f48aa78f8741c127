# Holdfast. `make help` lists what can be asked for.
# A file is built because of the folder it is in; this file need not change.

VERSION	:= 0.1.0
CC	?= cc
PREFIX	?= /usr/local
DESTDIR	?=
O	?= build
PYTHON	:= $(firstword $(wildcard /usr/bin/python3) python3)

# holdfastd: the supervisor and what it forks. libzmq weighs more than all of
# a worker, so what needs it is a part that only the control process loads.
SRC_D	:= $(wildcard supervisor/*.c workers/*.c workers/serial/*.c \
	workers/proto/*.c shm/*.c)
SRC_C	:= $(wildcard control/*.c)
SRC_CLI	:= $(wildcard control/cli/*.c)
# GnuTLS, likewise, is for the workers of type tls alone
SRC_TLS	:= $(wildcard workers/tls/*.c)
# and for the one command that makes certificates
SRC_CERTS := $(wildcard control/cli/certs/*.c)
PLUGINS	:= $(patsubst workers/plugins/%.c,$(O)/plugins/%.so,$(wildcard workers/plugins/*.c))
MAINS	:= supervisor/main.c control/cli/main.c
SUITES	:= $(wildcard tests/check_*.c)
TOOLS	:= $(filter-out $(SUITES) $(wildcard tests/fuzz_*.c),$(wildcard tests/*.c))
FUZZERS	:= $(wildcard tests/fuzz_*.c)
# what several of them share
SRC_T	:= $(wildcard tests/lib/*.c)
CLIENTS	:= $(wildcard tests/clients/*.c)
PRELOADS := $(patsubst %.c,$(O)/%.so,$(wildcard tests/preload/*.c))

obj	= $(patsubst %.c,$(O)/obj/%.o,$(1))
bin	= $(patsubst tests/%.c,$(O)/tests/%,$(1))
pc	= $(shell pkg-config $(1) $(2) 2>/dev/null)

OPT	?= -O2 -g
# A request crosses seven files: the daemon is optimised as a whole. Tests and
# tools link the same objects file by file.
LTO	?= $(if $(findstring clang,$(CC)),,-flto=auto -ffat-lto-objects)
WARN	:= -Wall -Wextra -Wshadow -Wcast-qual -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -Wformat=2
HARDEN	?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIC -fno-semantic-interposition \
	-fstack-clash-protection
CFLAGS	+= -std=gnu11 $(OPT) $(LTO) $(WARN) $(HARDEN) $(SANITIZE) -pthread
CPPFLAGS += -I. -D_GNU_SOURCE -DHOLDFAST_VERSION='"$(VERSION)"' \
	-DHOLDFAST_PREFIX='"$(PREFIX)"' $(call pc,--cflags,jansson libevent_core gnutls)
LDFLAGS	+= -pie -Wl,-z,relro,-z,now,--as-needed $(SANITIZE) -pthread
# not before they are used: bootstrap may have to install pkg-config first
LIBS_D	= $(call pc,--libs,libevent_core jansson) -ldl
LIBS_TLS = $(call pc,--libs,gnutls)
LIBS_ZMQ = $(call pc,--libs,libzmq jansson)
LIBS_T	= $(call pc,--libs,check libevent_core jansson libzmq gnutls) -ldl

PARTS	:= $(O)/parts/control.so $(O)/parts/tls.so $(O)/parts/certs.so
PROGRAMS := $(O)/holdfastd $(PARTS) $(O)/holdfast $(PLUGINS)

all: bootstrap-build $(PROGRAMS)

help:
	@echo "make            build into $(O)/"
	@echo "make run        install what is missing, build, serve conf/demo.json"
	@echo "make check      install the test tools, build, run every test"
	@echo "                T=check_store runs one"
	@echo "make bench      measure against bare servers; BENCH=udp: only that"
	@echo "make torture    every kill harness and model in full; SECS=60"
	@echo "make fuzz       each fuzz target; FUZZSECS=30"
	@echo "make asan tsan  build and test with the sanitizers, into $(O)/asan $(O)/tsan"
	@echo "make tidy deps  format and include rules"
	@echo "make install    DESTDIR= PREFIX=$(PREFIX)"

bootstrap-build:
	@./bootstrap build

bootstrap-tests: bootstrap-build
	@./bootstrap tests

# what parts may call; all else is free to be inlined
$(O)/exports: $(call obj,$(SRC_C) $(SRC_TLS))
	@{ echo '{'; nm -u $^ | awk 'NF == 2 { print $$2 ";" }' | sort -u; \
	    echo '};'; } > $@

$(O)/holdfastd: $(call obj,$(SRC_D)) $(O)/exports
	$(CC) $(OPT) $(LTO) $(HARDEN) $(LDFLAGS) \
	    -Wl,--dynamic-list=$(O)/exports -o $@ $(call obj,$(SRC_D)) $(LIBS_D)

$(O)/parts/control.so: $(call obj,$(SRC_C))
	@mkdir -p $(@D)
	$(CC) -fno-lto -shared -Wl,-Bsymbolic $(filter-out -pie,$(LDFLAGS)) -o $@ $^ $(LIBS_ZMQ)

$(O)/parts/tls.so: $(call obj,$(SRC_TLS))
	@mkdir -p $(@D)
	$(CC) -fno-lto -shared -Wl,-Bsymbolic $(filter-out -pie,$(LDFLAGS)) -o $@ $^ $(LIBS_TLS)

$(O)/parts/certs.so: $(call obj,$(SRC_CERTS) workers/proto/role.c)
	@mkdir -p $(@D)
	$(CC) -fno-lto -shared -Wl,-Bsymbolic $(filter-out -pie,$(LDFLAGS)) -o $@ $^ $(LIBS_TLS)

# a plugin is somebody else's: it sees holdfast.h and nothing more
$(O)/plugins/%.so: workers/plugins/%.c supervisor/holdfast.h $(wildcard supervisor/holdfast/*.h) | bootstrap-build
	@mkdir -p $(@D)
	$(CC) -Isupervisor -D_GNU_SOURCE -std=gnu11 $(OPT) $(WARN) -fPIC -shared -o $@ $<

$(O)/holdfast: $(call obj,$(SRC_CLI)) $(O)/core.a
	$(CC) -fno-lto $(LDFLAGS) -o $@ $^ $(LIBS_ZMQ) -ldl

$(O)/core.a: $(call obj,$(filter-out $(MAINS),$(SRC_D) $(SRC_C) $(SRC_TLS) \
    $(SRC_CLI) $(SRC_CERTS)))
	@rm -f $@
	@$(AR) rcs $@ $^

$(O)/obj/%.o: %.c | bootstrap-build
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(O)/tests.a: $(call obj,$(SRC_T))
	@rm -f $@
	@$(AR) rcs $@ $^

# what tests.a defines is taken before what the system would give core.a
$(O)/tests/%: $(O)/obj/tests/%.o $(O)/tests.a $(O)/core.a
	@mkdir -p $(@D)
	$(CC) -fno-lto $(LDFLAGS) -o $@ $^ $(LIBS_T) -lm

# somebody else's client code; nothing of ours is linked to it
$(O)/tests/clients/%: tests/clients/%.c | bootstrap-tests
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(call pc,--cflags,libmodbus) $(LDFLAGS) \
	    -o $@ $< $(call pc,--libs,libmodbus)

# loaded into the daemon from outside, to count what it does
$(O)/tests/preload/%.so: tests/preload/%.c | bootstrap-build
	@mkdir -p $(@D)
	$(CC) -I. -D_GNU_SOURCE -std=gnu11 $(OPT) $(WARN) -fPIC -shared -o $@ $< -ldl

programs: $(PROGRAMS)
tests: bootstrap-tests programs $(PRELOADS) \
	$(call bin,$(SUITES) $(TOOLS) $(CLIENTS))

run: all
	@conf/try.sh $(O)

check: tests
	@$(PYTHON) tests/run.py --build $(O) $(T)

bench: bootstrap-tests programs $(call bin,$(TOOLS))
	@$(PYTHON) tests/bench.py --build $(O) $(BENCH)

SECS ?= 60
torture: tests
	@$(PYTHON) tests/run.py --build $(O) --torture --seconds $(SECS) $(T)

asan:
	@$(MAKE) O=$(O)/asan OPT="-O1 -g" LTO= HARDEN=-fPIC T="$(T)" \
	    SANITIZE="-fsanitize=address,undefined -fno-omit-frame-pointer" check

tsan:
	@$(MAKE) O=$(O)/tsan OPT="-O1 -g" LTO= HARDEN=-fPIC T="$(T)" \
	    SANITIZE="-fsanitize=thread" check

FUZZSECS ?= 30
fuzz: bootstrap-tests
	@tests/fuzz.sh $(O) $(FUZZSECS) $(basename $(notdir $(FUZZERS)))

tidy: bootstrap-tests
	@tests/tidy.sh

deps: bootstrap-tests
	@tests/deps.sh

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin \
	    $(DESTDIR)$(PREFIX)/lib/holdfast/parts \
	    $(DESTDIR)$(PREFIX)/lib/holdfast/plugins $(DESTDIR)$(PREFIX)/include/holdfast \
	    $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 \
	    $(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/share/holdfast/examples
	install $(O)/holdfastd $(DESTDIR)$(PREFIX)/sbin
	install $(O)/holdfast $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(O)/parts/*.so $(DESTDIR)$(PREFIX)/lib/holdfast/parts
	install -m 644 $(PLUGINS) $(DESTDIR)$(PREFIX)/lib/holdfast/plugins
	install -m 644 supervisor/holdfast.h $(DESTDIR)$(PREFIX)/include
	install -m 644 supervisor/holdfast/*.h $(DESTDIR)$(PREFIX)/include/holdfast
	for m in $(wildcard */*.[1-8] */*/*.[1-8]); do install -m 644 $$m \
	    $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}; done
	install -m 644 $(wildcard conf/*.json workers/plugins/*.c) $(DESTDIR)$(PREFIX)/share/holdfast/examples

clean:
	rm -rf $(O)

.PHONY: all help bootstrap-build bootstrap-tests programs tests run check \
	bench torture asan tsan fuzz tidy deps install clean
.SECONDARY:
-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
