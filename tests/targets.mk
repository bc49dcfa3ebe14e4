# What one does with a build: run it, see it work, check it, measure it.
PYTHON ?= /usr/bin/python3

# ---- run: the daemon in the foreground, on the default paths
SUDO := $(if $(filter-out 0,$(shell id -u)),sudo)

.PHONY: install-deps
install-deps:
	@deploy/install-deps

.PHONY: run
run: install-deps
	@$(MAKE) --no-print-directory all
	@echo 'memwatchd starts here, in the foreground; Ctrl-C ends it. In another terminal:'
	@echo '    $(strip $(SUDO) $(BUILD)/memwatchctl leaks --pid PID)'
	@exec $(SUDO) $(BUILD)/memwatchd

# ---- demo: a daemon on temporary paths, a program that leaks, the report; leaves nothing behind
.PHONY: demo
demo: install-deps
	@$(MAKE) --no-print-directory all $(BUILD)/programs/leaky
	@$(SUDO) tests/demo.sh $(BUILD)

# ---- check: every test. pytest comes last, so that its closing line is the last one.
.PHONY: check
check:
	@deploy/install-deps --check
	@$(MAKE) --no-print-directory --output-sync=target all programs unit clang lint fuzz-check
	@$(MAKE) --no-print-directory test-kernels
	@$(MAKE) --no-print-directory pytest

.PHONY: pytest
pytest: all programs
	$(SUDO) env MEMWATCH_BUILD=$(abspath $(BUILD)) $(PYTHON) -m pytest -x -q -p no:cacheprovider \
		tests/lint tests/e2e

# The whole build once more by the other compiler, where no warning passes. CFLAGS travels in the
# environment, so that the Makefile adds to it.
.PHONY: clang
clang:
	@CFLAGS='-O2 -g -Werror' $(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang all

# Unit tests with rules of their own; each adds itself to unit.
include $(filter-out tests/unit/unit.mk,$(wildcard tests/unit/*.mk))

include tests/bench/bench.mk
include tests/lint/lint.mk
include tests/fuzz/fuzz.mk
include tests/kernels/kernels.mk
