# memwatch. `make run` starts the daemon, `make check` runs every test; see README.md.
VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= gcc
CLANG   ?= clang
# On Ubuntu /usr/sbin/bpftool is a script that insists on the running kernel's own; any will do here.
BPFTOOL ?= $(firstword $(wildcard /usr/lib/linux-tools/*/bpftool /usr/local/sbin/bpftool \
	/usr/sbin/bpftool /sbin/bpftool) bpftool)
STRIP   ?= llvm-strip
# A target that failed half-way is no target.
.DELETE_ON_ERROR:

ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

WARN    := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wvla
CPPFLAGS += -D_GNU_SOURCE -DMEMWATCH_VERSION='"$(VERSION)"' -Ibpf -Idaemon -isystem $(BUILD)
CFLAGS  ?= -O2 -g
CFLAGS  += -std=c11 $(WARN) -fno-omit-frame-pointer
DAEMON_LIBS := -lbpf -lelf -ldw -lmicrohttpd -lcjson -lcapstone -liberty -lz -llzma -lpthread -lm
CLI_LIBS    := -lcurl -lcjson -lcapstone -lz -lm

BPF_SOURCES    := $(wildcard bpf/*.bpf.c)
BPF_HEADERS    := $(wildcard bpf/*.h)
# trial.bpf.c is an object of its own, see there.
BPF_OBJECTS    := $(filter-out %/trial.bpf.o,$(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/bpf/%.bpf.o))
SKELETON       := $(BUILD)/memwatch.skel.h
TRIAL_SKELETON := $(BUILD)/trial.skel.h
# What every room may use, and main alone reads: see tests/lint/room_order.py.
ROOT_ROOM      := daemon/config.c daemon/config_value.c daemon/log.c daemon/procfs.c
ROOM_SOURCES   := $(wildcard daemon/*/*.c) $(ROOT_ROOM)
ROOM_OBJECTS   := $(ROOM_SOURCES:%.c=$(BUILD)/%.o)
CLI_SOURCES    := $(wildcard cli/*.c)
# How probes are planned, which `memwatchctl doctor --allocators` explains without a daemon.
PLAN_SOURCES   := $(addprefix daemon/probe/,plan.c plan_names.c allocator.c elf_code.c \
	elf_function.c elf_program.c function_flow.c probe_address.c x86_register.c)
# How sites are summed up by line, which `memwatchctl diff` does with snapshots.
GROUP_SOURCES  := $(addprefix daemon/view/,line_groups.c line_key.c line_sum.c wildcard.c)
CLI_OBJECTS    := $(patsubst %.c,$(BUILD)/%.o,$(CLI_SOURCES) $(PLAN_SOURCES) $(GROUP_SOURCES))

.PHONY: all
all: $(BUILD)/memwatchd $(BUILD)/memwatchctl

# ---- BPF: one object per concern, linked into one, embedded by a skeleton
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra -Werror -Wno-unused-parameter -Ibpf \
	-I/usr/include/$(shell uname -m)-linux-gnu

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BPF_HEADERS) | $(BUILD)/bpf
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/memwatch.bpf.o: $(BPF_OBJECTS)
	$(BPFTOOL) gen object $@ $^

$(SKELETON): $(BUILD)/memwatch.bpf.o
	$(BPFTOOL) gen skeleton $< name memwatch_bpf > $@.tmp && mv $@.tmp $@

$(TRIAL_SKELETON): $(BUILD)/bpf/trial.bpf.o
	$(BPFTOOL) gen skeleton $< name trial_bpf > $@.tmp && mv $@.tmp $@

# ---- daemon and CLI
$(BUILD)/daemon/probe/object.o: $(SKELETON)
$(BUILD)/daemon/probe/trial.o: $(TRIAL_SKELETON)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libmemwatch.a: $(ROOM_OBJECTS)
	rm -f $@ && $(AR) rcs $@ $^

MAIN_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(ROOT_ROOM),$(wildcard daemon/*.c)))

$(BUILD)/memwatchd: $(MAIN_OBJECTS) $(BUILD)/libmemwatch.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

$(BUILD)/memwatchctl: $(CLI_OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)

$(BUILD) $(BUILD)/bpf:
	mkdir -p $@

-include $(shell find $(BUILD) -path $(BUILD)/packages -prune -o -name '*.d' -type f -print 2>/dev/null)

.PHONY: clean
clean:
	rm -rf $(BUILD)

include tests/unit/unit.mk
include tests/programs/programs.mk
include tests/targets.mk
include deploy/install.mk
