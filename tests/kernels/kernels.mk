# ---- test-kernels: memwatch within Debian's kernels, in emulated machines; what can't be had is said.
# One run of pytest for each kernel, two at a time: each ends with its machine.
KERNELS        := 6.1 6.12 newest
KERNEL_TESTS   := $(KERNELS:%=kernel-%) kernel-systemd
# A hang's limit: an emulated machine on a busy host takes its time.
KERNEL_SECONDS := 1200
KERNEL_PYTEST   = timeout --kill-after=20 $(KERNEL_SECONDS) env MEMWATCH_BUILD=$(abspath $(BUILD)) \
	$(PYTHON) -B -m pytest -x -q -p no:cacheprovider

.PHONY: test-kernels
test-kernels:
	@deploy/install-deps --check
	@$(MAKE) --no-print-directory --output-sync=target all programs
	@cd tests/kernels && $(PYTHON) -B -m vm.kernels $(abspath $(BUILD))/kernels
	@$(MAKE) --no-print-directory --output-sync=target --keep-going -j2 $(KERNEL_TESTS)

# $(call kernel_test,series,file): nothing where the kernel is not there, which has been said before
kernel_test = @if [ -e $(BUILD)/kernels/kernel-$(1).json ]; then \
	echo '== kernel $(1): $(2)'; $(KERNEL_PYTEST) tests/kernels/$(2) --series $(1); fi

.PHONY: $(KERNEL_TESTS)
$(KERNELS:%=kernel-%): kernel-%:
	$(call kernel_test,$*,test_kernel.py)

kernel-systemd:
	$(call kernel_test,newest,test_systemd.py)
