# The programs that tests watch. They print their own ground truth, so each is built to be true to
# its source: nothing inlined away, every call a frame.
PROGRAM_DIR    := $(BUILD)/programs
PROGRAM_WARN   := -Wall -Wextra -Wshadow
PROGRAM_CFLAGS := -O1 -g -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-builtin \
	$(PROGRAM_WARN) -D_GNU_SOURCE
PROGRAM_OBJECT := $(PROGRAM_DIR)/program.o

# Allocators, as a program is linked with them; preloaded ones need no build of their own.
ALLOCATOR_BUILDS := jemalloc jemalloc_static tcmalloc tcmalloc_static mimalloc
jemalloc_LINK        := -ljemalloc
jemalloc_static_LINK := -Wl,-Bstatic -ljemalloc -Wl,-Bdynamic -lstdc++ -lm -pthread
tcmalloc_LINK        := -ltcmalloc_minimal
tcmalloc_static_LINK := -Wl,-Bstatic -ltcmalloc_minimal -Wl,-Bdynamic -lstdc++ -lm -pthread
mimalloc_LINK        := -lmimalloc

# Linked with program.c; the rest needs rules of its own.
# In machine code, or about x86's own registers.
# frames.c in every way that compilers build programs.
FRAMES_LEVELS  := O0 O2 O3 Os
FRAMES_BUILDS  := $(foreach compiler,gcc clang,$(foreach level,$(FRAMES_LEVELS),\
	$(compiler)_$(level) $(compiler)_$(level)_frame_pointer)) \
	gcc_O2_static gcc_O2_static_pie musl_O2 musl_O2_static gcc_O2_debug_frame \
	gcc_O2_lld gcc_O2_gold gcc_O2_mold
CXX_FRAMES_BUILDS := $(foreach compiler,g++ clang++,$(foreach level,$(FRAMES_LEVELS),\
	$(compiler)_$(level) $(compiler)_$(level)_frame_pointer)) g++_O2_static
RUST_FRAMES_BUILDS := $(foreach panic,unwind abort,$(foreach names,default v0,\
	$(panic)_0_$(names) $(panic)_3_$(names) $(panic)_3_$(names)_frame_pointer)) \
	unwind_s_default unwind_3_v0_lto

# Linkers build the stubs that call library functions each in its own way; ibt: for processors that
# track indirect branches.
PLT_BUILDS     := bfd ibt lld gold mold

X86_PROGRAMS   := checkpointer jit rseq shadow_stack stepper
PROGRAM_NAMES  := $(filter-out program plugin contract_plugin bare tiny32 frames plt plt_library $(X86_PROGRAMS), \
	$(patsubst tests/programs/%.c,%,$(wildcard tests/programs/*.c)))
PROGRAMS       := $(PROGRAM_NAMES:%=$(PROGRAM_DIR)/%) $(addprefix $(PROGRAM_DIR)/, \
	allocators_static checksums_static allocators_without_frame_pointer bare cxx operators \
	plugin.so contract_O0 contract_O2 contract_static contract_without_semaphores \
	contract_partly_unusable contract_plugin.so \
	$(addprefix families_,$(ALLOCATOR_BUILDS) musl musl_static jemalloc_je jemalloc_rjem) \
	$(addprefix operators_,$(ALLOCATOR_BUILDS)) $(addprefix frames_,$(FRAMES_BUILDS)) \
	$(addprefix cxx_frames_,$(CXX_FRAMES_BUILDS)) \
	$(addprefix rust_frames_,$(RUST_FRAMES_BUILDS)))
ifeq ($(ARCH),x86)
PROGRAMS       += $(PROGRAM_DIR)/tiny32 $(X86_PROGRAMS:%=$(PROGRAM_DIR)/%) \
	$(PLT_BUILDS:%=$(PROGRAM_DIR)/libplt_%.so) $(PLT_BUILDS:%=$(PROGRAM_DIR)/plt_%)
endif

.PHONY: programs
programs: $(PROGRAMS)

$(PROGRAM_DIR):
	mkdir -p $@

$(PROGRAM_OBJECT): tests/programs/program.c tests/programs/program.h | $(PROGRAM_DIR)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -fPIC -c -o $@ $<

$(PROGRAM_DIR)/checkpointer $(PROGRAM_DIR)/stepper: tests/programs/tracing.h

$(PROGRAM_DIR)/%: tests/programs/%.c $(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -o $@ $< $(PROGRAM_OBJECT) -pthread -ldl -lm

$(PROGRAM_DIR)/cxx: tests/programs/cxx.cpp $(PROGRAM_OBJECT)
	$(CXX) -std=gnu++17 $(PROGRAM_CFLAGS) -o $@ $< $(PROGRAM_OBJECT)

$(PROGRAM_DIR)/allocators_static: tests/programs/allocators.c $(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -static -o $@ $< $(PROGRAM_OBJECT)

$(PROGRAM_DIR)/checksums_static: tests/programs/checksums.c $(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -static -o $@ $< $(PROGRAM_OBJECT)

# As distributions build: the direct caller must be right without frame pointers too.
$(PROGRAM_DIR)/allocators_without_frame_pointer: tests/programs/allocators.c $(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -O2 -fomit-frame-pointer -o $@ $< $(PROGRAM_OBJECT)

$(PROGRAM_DIR)/operators: tests/programs/operators.cpp $(PROGRAM_OBJECT)
	$(CXX) -std=gnu++17 $(PROGRAM_CFLAGS) -o $@ $< $(PROGRAM_OBJECT)

$(PROGRAM_DIR)/families_%: tests/programs/families.c $(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -o $@ $< $(PROGRAM_OBJECT) -Wl,--no-as-needed $($*_LINK)

$(PROGRAM_DIR)/heaps: tests/programs/heaps.c $(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -o $@ $< $(PROGRAM_OBJECT) -Wl,--no-as-needed \
		$(jemalloc_LINK) $(mimalloc_LINK) $(tcmalloc_LINK)

$(PROGRAM_DIR)/operators_%: tests/programs/operators.cpp $(PROGRAM_OBJECT)
	$(CXX) -std=gnu++17 $(PROGRAM_CFLAGS) -o $@ $< $(PROGRAM_OBJECT) -Wl,--no-as-needed \
		$($*_LINK)

# jemalloc as it is built by default, and for Rust: its own names changed in Debian's archive.
JEMALLOC_ARCHIVE = $(shell $(CC) -print-file-name=libjemalloc.a)
jemalloc_je_RENAMES   := $$0 !~ /^je_/ {print $$0, "je_" $$0}
jemalloc_rjem_RENAMES := {print $$0, "_rjem_" $$0}
jemalloc_je_PREFIX    := je_
jemalloc_rjem_PREFIX  := _rjem_
# The last three it does not have, and libc's go with libc's free.
JEMALLOC_FUNCTIONS    := malloc calloc realloc free posix_memalign aligned_alloc memalign valloc \
	mallocx rallocx xallocx dallocx sdallocx reallocarray pvalloc cfree

$(PROGRAM_DIR)/lib%.a: | $(PROGRAM_DIR)
	nm -g --defined-only $(JEMALLOC_ARCHIVE) 2>/dev/null | \
		awk 'NF == 3 && $$3 !~ /^_Z/ {print $$3}' | sort -u | awk '$($*_RENAMES)' >$@.names
	objcopy --redefine-syms=$@.names $(JEMALLOC_ARCHIVE) $@

$(PROGRAM_DIR)/families_jemalloc_je $(PROGRAM_DIR)/families_jemalloc_rjem: \
$(PROGRAM_DIR)/families_%: tests/programs/families.c tests/programs/program.c \
		tests/programs/program.h $(PROGRAM_DIR)/lib%.a
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -o $@ $(filter %.c %.a,$^) -lstdc++ -lm -pthread \
		$(foreach name,$(JEMALLOC_FUNCTIONS),-D$(name)=$($*_PREFIX)$(name))

# musl has headers of its own, so that program.c is built anew.
$(PROGRAM_DIR)/families_musl $(PROGRAM_DIR)/families_musl_static: \
		tests/programs/families.c tests/programs/program.c tests/programs/program.h | $(PROGRAM_DIR)
	musl-gcc -std=gnu11 $(PROGRAM_CFLAGS) $(if $(findstring static,$@),-static) -o $@ \
		$(filter %.c,$^)

$(PROGRAM_DIR)/plugin.so: tests/programs/plugin.c $(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -fPIC -shared -o $@ $< $(PROGRAM_OBJECT)

# How a probe says where its arguments are depends on the compiler's mind.
$(PROGRAM_DIR)/contract $(PROGRAM_DIR)/contract_unusable $(PROGRAM_DIR)/contract_plugin.so: tests/programs/contract.h

$(PROGRAM_DIR)/contract_O0: tests/programs/contract.c tests/programs/contract.h $(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -O0 -o $@ $< $(PROGRAM_OBJECT) -pthread -lm

$(PROGRAM_DIR)/contract_O2: tests/programs/contract.c tests/programs/contract.h $(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -O2 -fomit-frame-pointer -o $@ $< $(PROGRAM_OBJECT) -pthread -lm

$(PROGRAM_DIR)/contract_static: tests/programs/contract.c tests/programs/contract.h $(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -static -no-pie -o $@ $< $(PROGRAM_OBJECT) -pthread -lm

$(PROGRAM_DIR)/contract_without_semaphores: tests/programs/contract.c tests/programs/contract.h \
		$(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -DWITHOUT_SEMAPHORES -o $@ $< $(PROGRAM_OBJECT) -pthread -lm

$(PROGRAM_DIR)/contract_partly_unusable: tests/programs/contract_unusable.c \
		tests/programs/contract.h $(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -DPARTLY -o $@ $< $(PROGRAM_OBJECT)

$(PROGRAM_DIR)/contract_plugin.so: tests/programs/contract_plugin.c $(PROGRAM_OBJECT)
	$(CC) -std=gnu11 $(PROGRAM_CFLAGS) -fPIC -shared -o $@ $< $(PROGRAM_OBJECT)

$(PROGRAM_DIR)/bare: tests/programs/bare.c | $(PROGRAM_DIR)
	$(CC) -std=gnu11 -Os -ffreestanding -fno-stack-protector $(PROGRAM_WARN) -static -nostdlib \
		-o $@ $<

# Freestanding: needs no 32-bit C library.
$(PROGRAM_DIR)/tiny32: tests/programs/tiny32.c | $(PROGRAM_DIR)
	$(CC) -std=gnu11 -m32 -Os -ffreestanding -fno-pic -fno-stack-protector $(PROGRAM_WARN) \
		-static -nostdlib -o $@ $<

# A build's name is its compiler, its level, and what else there is to it. Frames as large as a page
# are part of what is tested.
frames_gcc    := gcc
frames_clang  := $(CLANG)
frames_g++    := $(CXX)
frames_clang++ := $(CLANG)++
frames_musl   := musl-gcc
frames_debug_frame := -fno-asynchronous-unwind-tables
frames_frame_pointer := -fno-omit-frame-pointer
frames_lld    := -fuse-ld=lld
frames_gold   := -fuse-ld=gold
frames_mold   := -fuse-ld=mold
frames_static := -static
frames_static_pie := -static-pie
FRAMES_WORDS   = $(subst _, ,$(subst static_pie,static-pie,$(subst frame_pointer,frame-pointer,\
	$(subst debug_frame,debug-frame,$*))))

$(PROGRAM_DIR)/frames_%: tests/programs/frames.c | $(PROGRAM_DIR)
	$(frames_$(word 1,$(FRAMES_WORDS))) -std=gnu11 -g -$(word 2,$(FRAMES_WORDS)) \
		-fomit-frame-pointer $(frames_$(subst -,_,$(word 3,$(FRAMES_WORDS)))) \
		$(PROGRAM_WARN) -D_GNU_SOURCE -o $@ $< -pthread

$(PROGRAM_DIR)/cxx_frames_%: tests/programs/cxx_frames.cpp $(wildcard tests/programs/cxx_frames*.h) | $(PROGRAM_DIR)
	$(frames_$(word 1,$(FRAMES_WORDS))) -std=gnu++20 -g -$(word 2,$(FRAMES_WORDS)) \
		-fomit-frame-pointer $(frames_$(subst -,_,$(word 3,$(FRAMES_WORDS)))) \
		$(PROGRAM_WARN) -D_GNU_SOURCE -o $@ $< -pthread

# How it panics, its level, and how it spells names; what else there is to it. No two are one file.
RUSTC ?= $(firstword $(wildcard /usr/bin/rustc) rustc)
rust_frames_v0    := -C symbol-mangling-version=v0
rust_frames_frame := -C force-frame-pointers
rust_frames_lto   := -C lto

$(PROGRAM_DIR)/rust_frames_%: tests/programs/rust_frames.rs | $(PROGRAM_DIR)
	$(RUSTC) --edition 2021 -g -C metadata=$* -C panic=$(word 1,$(subst _, ,$*)) \
		-C opt-level=$(word 2,$(subst _, ,$*)) \
		$(rust_frames_$(word 3,$(subst _, ,$*))) $(rust_frames_$(word 4,$(subst _, ,$*))) -o $@ $<

# Each with a library by the same linker. Functions are found at their first call.
plt_ibt   := -fuse-ld=bfd -fcf-protection -Wl,-z,ibtplt
PLT_FLAGS  = -std=gnu11 -O2 -g -fomit-frame-pointer $(PROGRAM_WARN) -D_GNU_SOURCE -Wl,-z,lazy \
	$(or $(plt_$*),-fuse-ld=$*)

$(PROGRAM_DIR)/libplt_%.so: tests/programs/plt_library.c tests/programs/plt.h | $(PROGRAM_DIR)
	gcc $(PLT_FLAGS) -fPIC -shared -Wl,-soname,$(@F) -o $@ $<

$(PROGRAM_DIR)/plt_%: tests/programs/plt.c $(PROGRAM_DIR)/libplt_%.so
	gcc $(PLT_FLAGS) -o $@ $^ -Wl,-rpath,'$$ORIGIN'
