# Holdfast. `make help` lists what can be asked for.
# A file is built because of the folder it is in; this file need not change.

VERSION	:= 0.1.0
CC	?= cc
PREFIX	?= /usr/local
DESTDIR	?=
O	?= build
PYTHON	:= $(firstword $(wildcard /usr/bin/python3) python3)

# libholdfast: the supervisor and what it forks; holdfastd is one call of it.
# libzmq weighs more than all of a worker, so what needs it is a part that only
# the control process loads.
SRC_LIB	:= $(filter-out supervisor/main.c,$(wildcard supervisor/*.c supervisor/conf/*.c \
	supervisor/keeper/*.c supervisor/persist/*.c supervisor/reload/*.c \
	supervisor/api/*.c workers/*.c workers/hooks/*.c workers/action/*.c \
	workers/serial/*.c workers/twin/*.c workers/proto/*.c shm/*.c))
SRC_C	:= $(wildcard control/*.c control/cmd/*.c control/zmq/*.c)
# and the page for the http process, with the files that it shows
SRC_H	:= $(wildcard control/http/*.c)
WEB	:= $(shell find control/web -type f)
SRC_CLI	:= $(wildcard control/cli/*.c)
# GnuTLS, likewise, is for the workers of type tls alone
SRC_TLS	:= $(wildcard workers/tls/*.c)
# and for the one command that makes certificates
SRC_CERTS := $(wildcard control/cli/certs/*.c)
# libedit is for the one command that reads lines from a person
SRC_LINE := $(wildcard control/cli/line/*.c)
# Lua, where there is one, for those that run scripts
SRC_LUA	:= $(wildcard workers/lua/*.c)
PLUGINS	:= $(patsubst workers/plugins/%.c,$(O)/plugins/%.so,$(wildcard workers/plugins/*.c))
MAINS	:= control/cli/main.c
SUITES	:= $(wildcard tests/check_*.c)
TOOLS	:= $(filter-out $(SUITES) $(wildcard tests/fuzz_*.c),$(wildcard tests/*.c))
FUZZERS	:= $(wildcard tests/fuzz_*.c)
# what several of them share
SRC_T	:= $(wildcard tests/lib/*.c)
CLIENTS	:= $(wildcard tests/clients/*.c)
EXAMPLES := $(patsubst conf/%.c,$(O)/%,$(wildcard conf/examples/*.c))
PRELOADS := $(patsubst %.c,$(O)/%.so,$(wildcard tests/preload/*.c))

comma	:= ,
obj	= $(patsubst %.c,$(O)/obj/%.o,$(1))
bin	= $(patsubst tests/%.c,$(O)/tests/%,$(1))
pc	= $(shell pkg-config $(1) $(2) 2>/dev/null)

OPT	?= -O2 -g
# A request crosses seven files: the library, and each part with all that it
# uses, is optimised as a whole. Tests and tools link the same objects file by
# file.
LTO	?= $(if $(findstring clang,$(CC)),,-flto=auto -ffat-lto-objects)
WARN	:= -Wall -Wextra -Wshadow -Wcast-qual -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -Wformat=2
HARDEN	?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIC -fno-semantic-interposition \
	-fstack-clash-protection
# without link-time optimisation each function by itself, so that a shared
# object holds what it uses and no more, as with it
SECTIONS := $(if $(strip $(LTO)$(SANITIZE)),,-ffunction-sections -fdata-sections)
CFLAGS	+= -std=gnu11 $(OPT) $(LTO) $(SECTIONS) $(WARN) $(HARDEN) $(SANITIZE) -pthread
CPPFLAGS += -I. -D_GNU_SOURCE -DHOLDFAST_VERSION='"$(VERSION)"' \
	-DHOLDFAST_PREFIX='"$(PREFIX)"' $(call pc,--cflags,jansson libevent_core gnutls)
LDFLAGS	+= -Wl,-z,relro,-z,now,--as-needed $(SANITIZE) -pthread
LD_EXE	= $(CC) -fno-lto -pie $(LDFLAGS)
# a shared object that exports what it is told to, and gets all that it uses
LD_SO	= $(CC) $(OPT) $(LTO) $(HARDEN) -shared $(LDFLAGS) \
	-Wl,-Bsymbolic,--gc-sections $(if $(SANITIZE),,-Wl,-z,defs)
# not before they are used: bootstrap may have to install pkg-config first
LIBS_LIB = $(call pc,--libs,libevent_core jansson) -ldl -lm
LIBS_TLS = $(call pc,--libs,gnutls)
LIBS_ZMQ = $(call pc,--libs,libzmq jansson)
LIBS_T	= $(call pc,--libs,check libevent_core jansson libzmq gnutls) -ldl

# the number counts up when a program that was linked before would no longer run
SONAME	:= libholdfast.so.0
LIB	:= libholdfast.so.$(VERSION)
PARTS	:= $(O)/parts/control.so $(O)/parts/http.so $(O)/parts/tls.so $(O)/parts/certs.so \
	$(O)/parts/line.so
PROGRAMS := $(O)/parts/lua $(O)/libholdfast.so $(O)/holdfast.pc $(O)/holdfastd \
	$(O)/holdfast-simulator $(PARTS) \
	$(O)/holdfast $(O)/holdfast.py $(O)/holdfast_actions.py $(PLUGINS)

all: bootstrap-build $(PROGRAMS)

help:
	@echo "make            build into $(O)/"
	@echo "make run        install what is missing, build, serve conf/demo.json"
	@echo "make check      install the test tools, build, run every test"
	@echo "                T=check_store runs one"
	@echo "make bench      measure against bare servers; BENCH=udp: only that"
	@echo "make torture    every kill harness and model in full, which takes hours;"
	@echo "                SECS=60; SECS=3 is a twentieth of it"
	@echo "make fuzz       each fuzz target; FUZZSECS=30"
	@echo "make asan tsan  build and test with the sanitizers, into $(O)/asan $(O)/tsan"
	@echo "make tidy deps  format and include rules"
	@echo "make install    DESTDIR= PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR);"
	@echo "                make uninstall"

bootstrap-build:
	@./bootstrap build

bootstrap-tests: bootstrap-build
	@./bootstrap tests

# the two links are what the loader and the linker look for
$(O)/libholdfast.so: $(call obj,$(SRC_LIB)) supervisor/holdfast.map
	$(LD_SO) -Wl,-soname,$(SONAME),--version-script=supervisor/holdfast.map \
	    -o $(O)/$(LIB) $(call obj,$(SRC_LIB)) $(LIBS_LIB)
	@ln -sf $(LIB) $(O)/$(SONAME)
	@ln -sf $(SONAME) $@

# beside the library, as it is built, or in sbin beside lib, as installed
$(O)/holdfastd: $(call obj,supervisor/main.c) $(O)/libholdfast.so
	$(LD_EXE) -Wl,--enable-new-dtags,-rpath,'$$ORIGIN:$$ORIGIN/../lib' -o $@ $^

$(O)/holdfast-simulator: $(call obj,supervisor/simulator/main.c) $(O)/libholdfast.so $(O)/setup.json
	$(LD_EXE) -Wl,--enable-new-dtags,-rpath,'$$ORIGIN:$$ORIGIN/../lib' -o $@ \
	    $(filter-out %.json,$^)

# what it serves if it is told nothing else
$(O)/setup.json: conf/setup.json | bootstrap-build
	@mkdir -p $(@D)
	@cp $< $@

# says how to build with holdfast.h and libholdfast.so: where, from what, and
# what more the linker is to be told
write_pc = sed -e 's|@PREFIX@|$(1)|' -e 's|@LIBDIR@|$(2)|' \
	-e 's|@INCLUDEDIR@|$(3)|' -e 's|@RPATH@|$(4)|' \
	-e 's|@VERSION@|$(VERSION)|' supervisor/holdfast.pc.in

# PKG_CONFIG_PATH=build; programs made with it run without installing
$(O)/holdfast.pc: supervisor/holdfast.pc.in | bootstrap-build
	@mkdir -p $(O)/include
	@ln -sfn $(CURDIR)/supervisor/holdfast.h $(O)/include/holdfast.h
	@ln -sfn $(CURDIR)/supervisor/holdfast $(O)/include/holdfast
	@$(call write_pc,$(abspath $(O)),$${prefix},$${prefix}/include, \
	    -Wl$(comma)-rpath$(comma)$${libdir}) >$@

# A part has all that it uses in itself, and exports what its host asks for
# (supervisor/part.h).
LIBS_control = $(LIBS_ZMQ)
LIBS_http = $(LIBS_LIB) -lm
LIBS_tls = $(LIBS_TLS)
LIBS_certs = $(LIBS_TLS)
LIBS_line = $(call pc,--libs,libedit)
LIBS_lua = $(call pc,--libs,lua5.4)
ENTRY_control := control_main
ENTRY_http := http_main
ENTRY_tls := transport_tls
ENTRY_certs := certs_part
ENTRY_line := line_part
ENTRY_lua := script_lua

$(O)/parts/control.so: $(call obj,$(SRC_C))
$(O)/parts/http.so: $(call obj,$(SRC_H)) $(O)/obj/web.o $(O)/obj/webdata.o
$(O)/parts/tls.so: $(call obj,$(SRC_TLS))
$(O)/parts/certs.so: $(call obj,$(SRC_CERTS))
$(O)/parts/line.so: $(call obj,$(SRC_LINE))
$(O)/parts/lua.so: $(call obj,$(SRC_LUA))
$(call obj,$(SRC_LUA)): CPPFLAGS += $(call pc,--cflags,lua5.4)
$(O)/parts/%.so: $(O)/core.a
	@mkdir -p $(@D)
	@echo '{ global: part_join; $(ENTRY_$*); local: *; };' >$(@:.so=.map)
	$(LD_SO) -Wl,-u,part_join,--version-script=$(@:.so=.map) -o $@ \
	    $(filter %.o,$^) $(O)/core.a $(LIBS_$*) $(LIBS_LIB)

# Asked only here, as bootstrap may have to install it first.
$(O)/parts/lua: $(O)/core.a
	@if pkg-config --exists lua5.4 2>/dev/null; then \
	    $(MAKE) --no-print-directory O="$(O)" $(O)/parts/lua.so; \
	else \
	    rm -f $(O)/parts/lua.so; \
	    echo "without Lua: there is no lua5.4 (liblua5.4-dev)"; \
	fi

# a plugin is somebody else's: it sees holdfast.h and nothing more; what is in a
# folder of its name is of it
$(foreach p,$(PLUGINS),$(eval $(p): $$(wildcard workers/plugins/$(basename $(notdir $(p)))/*.[ch])))
$(O)/plugins/%.so: workers/plugins/%.c supervisor/holdfast.h $(wildcard supervisor/holdfast/*.h) | bootstrap-build
	@mkdir -p $(@D)
	$(CC) -Isupervisor -D_GNU_SOURCE -std=gnu11 $(OPT) $(WARN) $(SANITIZE) -fPIC -shared -o $@ $(filter %.c,$^)

$(O)/holdfast: $(call obj,$(SRC_CLI)) $(O)/core.a
	$(LD_EXE) -o $@ $^ $(LIBS_ZMQ) -ldl -lm

$(O)/core.a: $(call obj,$(filter-out $(MAINS),$(SRC_LIB) $(SRC_C) $(SRC_TLS) \
    $(SRC_CLI) $(SRC_CERTS) $(SRC_H))) $(O)/obj/web.o $(O)/obj/webdata.o
	@rm -f $@
	@$(AR) rcs $@ $^

$(O)/obj/%.o: %.c | bootstrap-build
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# what the page consists of, compressed and as it is
$(O)/web.c: $(WEB) control/http/embed.sh
	@mkdir -p $(@D)
	control/http/embed.sh control/web $(O)/web

$(O)/obj/web.o: $(O)/web.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(O)/obj/webdata.o: $(O)/web.c
	@mkdir -p $(@D)
	$(CC) -fPIC -c -o $@ $(O)/web.S

$(O)/tests.a: $(call obj,$(SRC_T))
	@rm -f $@
	@$(AR) rcs $@ $^

# what tests.a defines is taken before what the system would give core.a
$(O)/tests/%: $(O)/obj/tests/%.o $(O)/tests.a $(O)/core.a
	@mkdir -p $(@D)
	$(LD_EXE) -o $@ $^ $(LIBS_T) -lm

# somebody else's client code; nothing of ours is linked to it
$(O)/tests/clients/%: tests/clients/%.c | bootstrap-tests
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(call pc,--cflags,libmodbus) -pie $(LDFLAGS) \
	    -o $@ $< $(call pc,--libs,libmodbus)

# as their users build them
$(O)/examples/%: conf/examples/%.c $(O)/libholdfast.so $(O)/holdfast.pc
	@mkdir -p $(@D)
	$(CC) $(OPT) $(WARN) $(SANITIZE) -pthread -o $@ $< \
	    $$(PKG_CONFIG_PATH=$(O) pkg-config --cflags --libs holdfast) -lm

# loaded into the daemon from outside, to count what it does
$(O)/tests/preload/%.so: tests/preload/%.c | bootstrap-build
	@mkdir -p $(@D)
	$(CC) -I. -D_GNU_SOURCE -std=gnu11 $(OPT) $(WARN) -fPIC -shared -o $@ $< -ldl

# one file, which is all that a program in Python needs beside pyzmq
$(O)/holdfast.py: control/holdfast.py Makefile | bootstrap-build
	@mkdir -p $(@D)
	@sed 's/^__version__ = .*/__version__ = "$(VERSION)"/' $< > $@

# what runs a Python module of actions; only holdfastd looks for it
$(O)/holdfast_actions.py: workers/action/holdfast_actions.py | bootstrap-build
	@mkdir -p $(@D)
	@cp $< $@

programs: $(PROGRAMS)
tests: bootstrap-tests programs $(PRELOADS) $(EXAMPLES) \
	$(call bin,$(SUITES) $(TOOLS) $(CLIENTS))

run: all
	@conf/try.sh $(O)

check: tests
	@$(PYTHON) tests/run.py --build $(O) $(if $(SEED),--seed $(SEED)) $(T)

bench: bootstrap-tests programs $(call bin,$(TOOLS))
	@$(PYTHON) tests/bench.py --build $(O) $(BENCH)

SECS ?= 60
torture: tests
	@$(PYTHON) tests/run.py --build $(O) --torture --seconds $(SECS) \
	    $(if $(SEED),--seed $(SEED)) $(T)

# What is undefined is a trap, which the other one reports (tests/run.py): beside
# it, gcc's library for it knows standard error only, and a worker's may be gone.
asan:
	@$(MAKE) O=$(O)/asan OPT="-O1 -g" LTO= HARDEN=-fPIC T="$(T)" \
	    SANITIZE="-fsanitize=address,undefined -fno-omit-frame-pointer \
	    -fsanitize-undefined-trap-on-error" check

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

# Where this machine's Python looks below PREFIX, if it does; PYDIR= elsewhere.
PYDIR	?= $(or $(shell $(PYTHON) -c 'import sys; print(*[p for p in sys.path \
	if p.startswith("$(PREFIX)/lib/python3") and p.endswith("-packages")][:1])' \
	2>/dev/null),$(PREFIX)/lib/python3/dist-packages)

# Where systemd looks below PREFIX; UNITDIR= elsewhere.
UNITDIR	?= $(or $(if $(filter /usr,$(PREFIX)),$(strip $(call pc,--variable=systemdsystemunitdir,systemd))),$(PREFIX)/lib/systemd/system)
# where the units look for configurations
SYSCONFDIR ?= $(if $(filter /usr /usr/local /opt/%,$(PREFIX)),/etc,$(PREFIX)/etc)
SAMPLE	= $(DESTDIR)$(SYSCONFDIR)/holdfast/holdfast.json
UNITS	:= $(notdir $(wildcard conf/*.service conf/*.socket))
MANUALS	:= $(wildcard */*.[1-8] */*/*.[1-8])

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin \
	    $(DESTDIR)$(PREFIX)/lib/pkgconfig \
	    $(DESTDIR)$(PREFIX)/lib/holdfast/parts \
	    $(DESTDIR)$(PREFIX)/lib/holdfast/plugins \
	    $(DESTDIR)$(PREFIX)/include/holdfast \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 \
	    $(DESTDIR)$(PREFIX)/share/man/man3 $(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/share/holdfast/examples/plugins $(DESTDIR)$(PYDIR)
	install $(O)/holdfastd $(DESTDIR)$(PREFIX)/sbin
	install $(O)/holdfast $(O)/holdfast-simulator $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(O)/$(LIB) $(DESTDIR)$(PREFIX)/lib
	ln -sf $(LIB) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libholdfast.so
	$(call write_pc,$(PREFIX),$${prefix}/lib,$${prefix}/include) \
	    >$(DESTDIR)$(PREFIX)/lib/pkgconfig/holdfast.pc
	install -m 644 $(PARTS) $$(ls $(O)/parts/lua.so 2>/dev/null) \
	    $(DESTDIR)$(PREFIX)/lib/holdfast/parts
	install -m 644 $(PLUGINS) $(DESTDIR)$(PREFIX)/lib/holdfast/plugins
	install -m 644 supervisor/holdfast.h $(DESTDIR)$(PREFIX)/include
	install -m 644 supervisor/holdfast/*.h $(DESTDIR)$(PREFIX)/include/holdfast
	install -m 644 $(O)/holdfast.py $(DESTDIR)$(PYDIR)
	install -m 644 $(O)/holdfast.py $(DESTDIR)$(PREFIX)/share/holdfast
	install -m 644 $(O)/holdfast_actions.py $(O)/setup.json $(DESTDIR)$(PREFIX)/lib/holdfast
	for m in $(MANUALS); do install -m 644 $$m \
	    $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}; done
	install -m 644 $(wildcard conf/*.json conf/*.md conf/*.csv conf/*.py conf/*.lua conf/examples/*.[cp]*) \
	    $(DESTDIR)$(PREFIX)/share/holdfast/examples
	install -m 644 conf/holdfast.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/holdfast
	ln -sf holdfast $(DESTDIR)$(PREFIX)/share/bash-completion/completions/holdfastd
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(PREFIX)/lib/sysusers.d
	for u in $(UNITS); do sed -e 's|/usr/local/|$(PREFIX)/|g' \
	    -e 's|/etc/holdfast|$(SYSCONFDIR)/holdfast|g' conf/$$u | \
	    install -m 644 /dev/stdin $(DESTDIR)$(UNITDIR)/$$u || exit 1; done
	install -m 644 conf/holdfast.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/holdfast.conf
	install -m 644 $(wildcard workers/plugins/*.c) \
	    $(DESTDIR)$(PREFIX)/share/holdfast/examples/plugins
	install -d $(DESTDIR)$(PREFIX)/share/holdfast/examples/plugins/replay
	install -m 644 $(wildcard workers/plugins/replay/*.[ch]) \
	    $(DESTDIR)$(PREFIX)/share/holdfast/examples/plugins/replay
# the loader's list of libraries; who installs elsewhere, or is not root, has none
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig || :
# a configuration that is there is somebody's
	[ -e $(SAMPLE) ] || install -D -m 644 conf/service.json $(SAMPLE)
	@[ -n "$(DESTDIR)" ] || sed -e 's|PREFIX|$(PREFIX)|g' \
	    -e 's|CONF|$(SAMPLE)|g' conf/installed.txt

# what install put there, and nothing that somebody else may have: so a
# configuration that was edited stays
uninstall:
	cd $(DESTDIR)$(PREFIX) && rm -rf sbin/holdfastd bin/holdfast \
	    bin/holdfast-simulator lib/libholdfast.so* lib/holdfast \
	    lib/pkgconfig/holdfast.pc lib/sysusers.d/holdfast.conf \
	    include/holdfast.h include/holdfast share/holdfast \
	    share/bash-completion/completions/holdfast \
	    share/bash-completion/completions/holdfastd \
	    $(foreach m,$(notdir $(MANUALS)),share/man/man$(subst .,,$(suffix $(m)))/$(m))
	! cmp -s conf/service.json $(SAMPLE) || rm $(SAMPLE)
	rmdir $(dir $(SAMPLE)) 2>/dev/null || :
	rm -f $(DESTDIR)$(PYDIR)/holdfast.py $(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS))

clean:
	rm -rf $(O)

.PHONY: all help bootstrap-build bootstrap-tests programs tests run check \
	bench torture asan tsan fuzz tidy deps install uninstall clean $(O)/parts/lua
.SECONDARY:
-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
