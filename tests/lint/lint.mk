# Linters over every C file, script and test. LINT_JOBS bounds the parallel ones.
LINT_JOBS ?= 2

LINT_SOURCES := $(wildcard daemon/*.c daemon/*/*.c cli/*.c)
LINT_C       := $(LINT_SOURCES) $(wildcard bpf/*.c bpf/*.h daemon/*.h daemon/*/*.h cli/*.h \
	tests/*/*.c tests/*/*.h tests/*/*.cc tests/*/*.cpp)
LINT_SCRIPTS := deploy/install-deps .ci/run $(wildcard tests/*.sh tests/*/*.sh tests/*/*/*.sh deploy/*.sh)

.PHONY: lint lint-format lint-rooms lint-scripts lint-cppcheck lint-tidy
lint: lint-format lint-rooms lint-scripts lint-cppcheck lint-tidy

lint-format:
	@echo '== clang-format'
	@clang-format --dry-run -Werror $(LINT_C)

lint-rooms:
	@echo '== order of rooms'
	@$(PYTHON) tests/lint/room_order.py .

lint-scripts:
	@echo '== shellcheck'
	@shellcheck $(LINT_SCRIPTS)

# The system's headers are left out: cppcheck knows the standard functions itself. It does not know
# _Noreturn, takes "if (*p) return *p;" for a condition within the same condition, and a buffer that
# is handed on to be written for one that is read.
CPPCHECK_FLAGS := --std=c11 --enable=warning,performance,portability --inline-suppr --quiet \
	--error-exitcode=1 --suppress=missingInclude --suppress=identicalInnerCondition \
	--suppress=ctuuninitvar '-D_Noreturn=__attribute__((noreturn))' -D__$(shell uname -m)__

lint-cppcheck:
	@echo '== cppcheck'
	@mkdir -p $(BUILD)/cppcheck
	@cppcheck $(CPPCHECK_FLAGS) -j$(LINT_JOBS) --cppcheck-build-dir=$(BUILD)/cppcheck \
		$(filter -D_% -I%,$(CPPFLAGS)) $(LINT_SOURCES)

# What is generated is not ours to mend.
$(BUILD)/lint/%.skel.h: $(BUILD)/%.skel.h
	@mkdir -p $(@D)
	@{ echo '/* NOLINTBEGIN */'; cat $<; echo '/* NOLINTEND */'; } > $@

# One clang-tidy a file; the .clang-tidy file says which checks and why. On standard error it counts
# warnings that it does not show.
lint-tidy: $(BUILD)/lint/memwatch.skel.h $(BUILD)/lint/trial.skel.h
	@echo '== clang-tidy'
	@printf '%s\n' $(LINT_SOURCES) | xargs -P$(LINT_JOBS) -I{} \
		clang-tidy --quiet --warnings-as-errors='*' {} -- -std=c11 -I$(BUILD)/lint \
		$(CPPFLAGS) -Wall -Wextra 2>$(BUILD)/lint/clang-tidy.log
