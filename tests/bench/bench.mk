# What memwatch costs, as text and $(BUILD)/bench.json; tests/bench/bench.py says how. The programs
# are optimised, with frame pointers, without sanitizers.
BENCH_DIR      := $(BUILD)/bench
BENCH_PROGRAMS := $(addprefix $(BENCH_DIR)/,loops loops_without_frame_pointer sites empty_probes tables names)

$(BENCH_DIR):
	mkdir -p $@

$(BENCH_DIR)/loops $(BENCH_DIR)/sites: $(BENCH_DIR)/%: tests/bench/%.c | $(BENCH_DIR)
	$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $<

# As distributions build.
$(BENCH_DIR)/loops_without_frame_pointer: tests/bench/loops.c | $(BENCH_DIR)
	$(CC) $(CPPFLAGS) $(CFLAGS) -fomit-frame-pointer -o $@ $<

$(BENCH_DIR)/tables $(BENCH_DIR)/names: $(BENCH_DIR)/%: tests/bench/%.c $(BUILD)/libmemwatch.a | $(BENCH_DIR)
	$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $^ $(DAEMON_LIBS)

$(BENCH_DIR)/empty_probes.bpf.o: tests/bench/empty_probes.bpf.c | $(BENCH_DIR)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BENCH_DIR)/empty_probes.skel.h: $(BENCH_DIR)/empty_probes.bpf.o
	$(BPFTOOL) gen skeleton $< name empty_probes > $@.tmp && mv $@.tmp $@

$(BENCH_DIR)/empty_probes: tests/bench/empty_probes.c $(BENCH_DIR)/empty_probes.skel.h
	$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< -lbpf

.PHONY: bench
bench: all $(BENCH_PROGRAMS)
	$(SUDO) $(PYTHON) tests/bench/bench.py --build $(BUILD)
