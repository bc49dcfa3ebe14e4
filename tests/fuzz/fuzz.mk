# Fuzz targets: tests/fuzz/fuzz_*.c, one program each, libFuzzer with ASan and UBSan, linked with the
# rooms they feed. Seeds lie in tests/fuzz/seeds/fuzz_*/; what a run finds stays in the build folder.
FUZZ_SOURCES  := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_PROGRAMS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/fuzz/%)
FUZZ_CFLAGS   := -std=c11 $(WARN) -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_ROOM_OBJECTS := $(ROOM_SOURCES:%.c=$(BUILD)/fuzz/obj/%.o)

# A bound on runs rather than on time, so that a slow machine checks as much as a fast one.
FUZZ_RUNS    ?= 20000
FUZZ_SECONDS ?= 300
FUZZ_OPTIONS := -timeout=10 -rss_limit_mb=1024 -max_len=65536 -verbosity=0

$(BUILD)/fuzz/obj/daemon/probe/object.o: $(SKELETON)
$(BUILD)/fuzz/obj/daemon/probe/trial.o: $(TRIAL_SKELETON)

$(BUILD)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/fuzz/libmemwatch.a: $(FUZZ_ROOM_OBJECTS)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/fuzz/libmemwatch.a
	$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ $< \
		$(BUILD)/fuzz/libmemwatch.a $(DAEMON_LIBS)

# What memwatchctl reads: linked with it, but for its main.
FUZZ_CLI_OBJECTS := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(filter-out cli/main.c,$(CLI_SOURCES)) \
	$(GROUP_SOURCES) $(PLAN_SOURCES))
FUZZ_CLI_PROGRAMS := $(addprefix $(BUILD)/fuzz/fuzz_,snapshot recording)

$(FUZZ_CLI_PROGRAMS): $(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_CLI_OBJECTS)
	$(CLANG) -Icli $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ \
		$(filter %.c %.o,$^) $(CLI_LIBS)

# $(call fuzz_each,OPTIONS): every program in turn; the first crash fails, its input is kept.
define fuzz_each
@set -e; for program in $(FUZZ_PROGRAMS); do \
	name=$$(basename $$program); \
	corpus=$(BUILD)/fuzz/corpus/$$name; \
	seeds=tests/fuzz/seeds/$$name; \
	mkdir -p $$corpus; \
	[ -d $$seeds ] || seeds=; \
	echo "== $$name"; \
	$$program $(FUZZ_OPTIONS) $(1) -artifact_prefix=$(BUILD)/fuzz/$$name- $$corpus $$seeds \
		>$$program.log 2>&1 || { cat $$program.log; exit 1; }; \
done
endef

.PHONY: fuzz-check
fuzz-check: $(FUZZ_PROGRAMS)
	$(call fuzz_each,-seed=1 -runs=$(FUZZ_RUNS))

.PHONY: fuzz
fuzz: $(FUZZ_PROGRAMS)
	$(call fuzz_each,-max_total_time=$(FUZZ_SECONDS))
