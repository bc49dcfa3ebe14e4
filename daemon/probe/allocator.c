/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/allocator.h"

#include "record.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define NONE RECORD_ARGUMENT_NONE

/* Rows read as the prototypes do: which argument is the size, its factor, the old block. */
#define ALLOCATE(size, count, flags) \
	RECORD_COOKIE(RECORD_OPERATION_ALLOCATE, size, count, NONE, NONE, flags)
#define ALLOCATE_INTO(result, size, flags) \
	RECORD_COOKIE(RECORD_OPERATION_ALLOCATE, size, NONE, NONE, result, flags)
#define REALLOCATE(old, size, count, flags) \
	RECORD_COOKIE(RECORD_OPERATION_REALLOCATE, size, count, old, NONE, flags)
#define RESIZE(old, size, flags) \
	RECORD_COOKIE(RECORD_OPERATION_RESIZE, size, NONE, old, NONE, flags)
#define FREE_BY(old, flags) RECORD_COOKIE(RECORD_OPERATION_FREE, NONE, NONE, old, NONE, flags)
#define FREE(old)           FREE_BY(old, 0)
#define MAP(size)           RECORD_COOKIE(RECORD_OPERATION_MAP, size, NONE, NONE, NONE, 0)
#define UNMAP(old, size)    RECORD_COOKIE(RECORD_OPERATION_UNMAP, size, NONE, old, NONE, 0)
#define REMAP(old, size)    RECORD_COOKIE(RECORD_OPERATION_REMAP, size, NONE, old, NONE, 0)
#define LOADER_CHANGED      RECORD_COOKIE(RECORD_OPERATION_LOADER, NONE, NONE, NONE, NONE, 0)

#define NESTS       RECORD_FUNCTION_MAY_NEST
#define ZERO_FREES  RECORD_FUNCTION_ZERO_FREES
#define FAIL_FREES  RECORD_FUNCTION_FAIL_FREES
#define PAGE_ROUNDS RECORD_FUNCTION_PAGE_ROUNDED
#define THROWS      RECORD_FUNCTION_MAY_THROW

/*
 * ---- What several allocators bring, under a prefix or without: C's and the systems' functions
 * ---- nests: of malloc and calloc, which get no return probe when they are not sampled; zero: what
 * realloc to no bytes does. The aligned ones are malloc in many allocators when malloc's own
 * alignment is enough, or take a larger block from it and align by hand. The sized ways to free go
 * on to the plain ones when the size is not what they thought (tc_free_sized).
 */
#define STANDARD_FUNCTIONS(prefix, nests, zero)                                                \
	{prefix "malloc", ALLOCATE(0, NONE, nests)}, {prefix "calloc", ALLOCATE(1, 0, nests)}, \
		{prefix "realloc", REALLOCATE(0, 1, NONE, (nests) | (zero))},                  \
		{prefix "reallocarray", REALLOCATE(0, 2, 1, NESTS | (zero))},                  \
		{prefix "free", FREE_BY(0, nests)}, {prefix "cfree", FREE(0)},                 \
		{prefix "vfree", FREE(0)}, {prefix "free_sized", FREE_BY(0, NESTS)},           \
		{prefix "free_aligned_sized", FREE_BY(0, NESTS)},                              \
		{prefix "posix_memalign", ALLOCATE_INTO(0, 2, NESTS)},                         \
		{prefix "aligned_alloc", ALLOCATE(1, NONE, NESTS)},                            \
		{prefix "memalign", ALLOCATE(1, NONE, NESTS)},                                 \
		{prefix "valloc", ALLOCATE(0, NONE, NESTS)},                                   \
	{                                                                                      \
		prefix "pvalloc", ALLOCATE(0, NONE, NESTS | PAGE_ROUNDS)                       \
	}

/* Who takes malloc's place may take mmap's too: gperftools; or a static program holds both. */
#define MAPPING_FUNCTIONS                                              \
	{"mmap", MAP(1)}, {"mmap64", MAP(1)}, {"munmap", UNMAP(0, 1)}, \
	{                                                              \
		"mremap", REMAP(0, 2)                                  \
	}

/*
 * operator new and delete, as the Itanium C++ ABI mangles them: where a file that brings a malloc
 * brings them as well, they need not pass through it. The ones that throw std::bad_alloc get exit
 * probes, which are hit anyway, so that nothing is lost by letting them nest.
 */
#define OPERATOR_FUNCTIONS                                                                         \
	{"_Znwm", ALLOCATE(0, NONE, NESTS | THROWS)},                                              \
		{"_Znam", ALLOCATE(0, NONE, NESTS | THROWS)},                                      \
		{"_ZnwmSt11align_val_t", ALLOCATE(0, NONE, NESTS | THROWS)},                       \
		{"_ZnamSt11align_val_t", ALLOCATE(0, NONE, NESTS | THROWS)},                       \
		{"_ZnwmRKSt9nothrow_t", ALLOCATE(0, NONE, NESTS)},                                 \
		{"_ZnamRKSt9nothrow_t", ALLOCATE(0, NONE, NESTS)},                                 \
		{"_ZnwmSt11align_val_tRKSt9nothrow_t", ALLOCATE(0, NONE, NESTS)},                  \
		{"_ZnamSt11align_val_tRKSt9nothrow_t", ALLOCATE(0, NONE, NESTS)},                  \
		{"_ZdlPv", FREE(0)}, {"_ZdaPv", FREE(0)}, {"_ZdlPvm", FREE_BY(0, NESTS)},          \
		{"_ZdaPvm", FREE_BY(0, NESTS)}, {"_ZdlPvRKSt9nothrow_t", FREE(0)},                 \
		{"_ZdaPvRKSt9nothrow_t", FREE(0)}, {"_ZdlPvSt11align_val_t", FREE(0)},             \
		{"_ZdaPvSt11align_val_t", FREE(0)}, {"_ZdlPvmSt11align_val_t", FREE_BY(0, NESTS)}, \
		{"_ZdaPvmSt11align_val_t", FREE_BY(0, NESTS)},                                     \
		{"_ZdlPvSt11align_val_tRKSt9nothrow_t", FREE(0)},                                  \
	{                                                                                          \
		"_ZdaPvSt11align_val_tRKSt9nothrow_t", FREE(0)                                     \
	}

/*
 * ---- glibc: malloc/malloc.c, malloc/reallocarray.c ----
 * - malloc and calloc go to _int_malloc, which is no probed function;
 * - realloc(NULL, n) is malloc, realloc(p, 0) is free and returns NULL (REALLOC_ZERO_BYTES_FREES),
 *   and the move of a block that has its own mapping is malloc or mremap;
 * - reallocarray multiplies and jumps to realloc, so that a product of zero frees as well;
 * - the aligned ones are malloc when malloc's own alignment is enough (_mid_memalign);
 * - mmap and mmap64 are one function on 64-bit machines.
 */
static const struct allocator_function glibc_functions[] = {
	{"malloc", ALLOCATE(0, NONE, 0)},
	{"calloc", ALLOCATE(1, 0, 0)},
	{"realloc", REALLOCATE(0, 1, NONE, NESTS | ZERO_FREES)},
	{"reallocarray", REALLOCATE(0, 2, 1, NESTS | ZERO_FREES)},
	{"free", FREE(0)},
	{"posix_memalign", ALLOCATE_INTO(0, 2, NESTS)},
	{"aligned_alloc", ALLOCATE(1, NONE, NESTS)},
	{"memalign", ALLOCATE(1, NONE, NESTS)},
	{"valloc", ALLOCATE(0, NONE, NESTS)},
	{"pvalloc", ALLOCATE(0, NONE, NESTS | PAGE_ROUNDS)},
	MAPPING_FUNCTIONS,
};

/*
 * What only glibc defines together, in libc.so.6 and in a static executable (where malloc.o brings
 * malloc_trim along): ld.so had a malloc of its own until 2.31 but no malloc_trim, musl, jemalloc
 * and gperftools have none either, and libc_malloc_debug.so, whose malloc calls libc's, has no
 * __libc_start_main.
 */
static const char *const glibc_required[] = {
	"malloc", "calloc", "realloc", "free", "malloc_trim", "__libc_start_main", NULL,
};

/*
 * ---- musl: src/malloc ----
 * calloc is malloc, which may be another's (calloc.c); realloc goes to malloc and to mremap; the
 * aligned ones go to aligned_alloc and that one to malloc. realloc(p, 0) keeps a block.
 */
static const struct allocator_function musl_functions[] = {
	{"malloc", ALLOCATE(0, NONE, 0)},
	{"calloc", ALLOCATE(1, 0, NESTS)},
	{"realloc", REALLOCATE(0, 1, NONE, NESTS)},
	{"reallocarray", REALLOCATE(0, 2, 1, NESTS)},
	{"free", FREE(0)},
	{"posix_memalign", ALLOCATE_INTO(0, 2, NESTS)},
	{"aligned_alloc", ALLOCATE(1, NONE, NESTS)},
	{"memalign", ALLOCATE(1, NONE, NESTS)},
	{"valloc", ALLOCATE(0, NONE, NESTS)},
	MAPPING_FUNCTIONS,
};

/* libc.so exports the loader's second stage, the rest is in every program that it starts. */
static const char *const musl_required[] = {"malloc", "free", "__libc_start_main", "__dls2b", NULL};

/* Statically linked: of musl's start files and of its allocator, from 1.2.2 on. */
static const char *const musl_static_required[] = {
	"malloc", "free", "__init_libc", "__malloc_atfork", NULL,
};

/*
 * ---- jemalloc 5: src/jemalloc.c, src/jemalloc_cpp.cpp ----
 * No public function calls another but the aligned operators (aligned_alloc, sdallocx) and, when
 * memory is short, operator new after its handler. realloc(p, 0) frees unless
 * opt.zero_realloc says "alloc", and then it returns a block. xallocx tries to be larger than its
 * size argument if asked; what counts is what must be had.
 */
#define JEMALLOC_FUNCTIONS(prefix)                                                           \
	STANDARD_FUNCTIONS(prefix, 0, ZERO_FREES), {prefix "mallocx", ALLOCATE(0, NONE, 0)}, \
		{prefix "rallocx", REALLOCATE(0, 1, NONE, 0)},                               \
		{prefix "xallocx", RESIZE(0, 1, 0)}, {prefix "dallocx", FREE(0)},            \
	{                                                                                    \
		prefix "sdallocx", FREE(0)                                                   \
	}

static const struct allocator_function jemalloc_functions[] = {
	JEMALLOC_FUNCTIONS(""),
	OPERATOR_FUNCTIONS,
	MAPPING_FUNCTIONS,
};
static const struct allocator_function jemalloc_je_functions[] = {JEMALLOC_FUNCTIONS("je_")};
/* As Rust's tikv-jemalloc-sys builds it. */
static const struct allocator_function jemalloc_rust_functions[] = {JEMALLOC_FUNCTIONS("_rjem_")};

static const char *const jemalloc_required[] = {"malloc", "free", "mallocx", "sdallocx", NULL};
static const char *const jemalloc_je_required[] = {"je_malloc", "je_free", "je_mallocx", NULL};
static const char *const jemalloc_rust_required[] = {
	"_rjem_malloc",
	"_rjem_sdallocx",
	"_rjem_mallocx",
	NULL,
};

/* src/pages.c, which is linked far behind jemalloc.c; named by the private prefix of the build. */
static const char *const jemalloc_mapping[] = {"je_pages_map", NULL};
static const char *const jemalloc_rust_mapping[] = {"_rjem_je_pages_map", NULL};

/*
 * ---- tcmalloc of gperftools: src/tcmalloc.cc ----
 * Every function is an alias of its tc_ one, and calls none of the others. realloc(p, 0) frees.
 */
static const struct allocator_function tcmalloc_functions[] = {
	STANDARD_FUNCTIONS("", 0, ZERO_FREES),
	OPERATOR_FUNCTIONS,
	MAPPING_FUNCTIONS,
	STANDARD_FUNCTIONS("tc_", 0, ZERO_FREES),
	{"tc_malloc_skip_new_handler", ALLOCATE(0, NONE, 0)},
	{"tc_new", ALLOCATE(0, NONE, NESTS | THROWS)},
	{"tc_newarray", ALLOCATE(0, NONE, NESTS | THROWS)},
	{"tc_new_aligned", ALLOCATE(0, NONE, NESTS | THROWS)},
	{"tc_newarray_aligned", ALLOCATE(0, NONE, NESTS | THROWS)},
	{"tc_new_nothrow", ALLOCATE(0, NONE, NESTS)},
	{"tc_newarray_nothrow", ALLOCATE(0, NONE, NESTS)},
	{"tc_new_aligned_nothrow", ALLOCATE(0, NONE, NESTS)},
	{"tc_newarray_aligned_nothrow", ALLOCATE(0, NONE, NESTS)},
	{"tc_delete", FREE(0)},
	{"tc_deletearray", FREE(0)},
	{"tc_delete_nothrow", FREE(0)},
	{"tc_deletearray_nothrow", FREE(0)},
	{"tc_delete_sized", FREE_BY(0, NESTS)},
	{"tc_deletearray_sized", FREE_BY(0, NESTS)},
	{"tc_delete_aligned", FREE(0)},
	{"tc_deletearray_aligned", FREE(0)},
	{"tc_delete_aligned_nothrow", FREE(0)},
	{"tc_deletearray_aligned_nothrow", FREE(0)},
	{"tc_delete_sized_aligned", FREE_BY(0, NESTS)},
	{"tc_deletearray_sized_aligned", FREE_BY(0, NESTS)},
};

static const char *const tcmalloc_required[] = {"tc_malloc", "tc_free", NULL};

/*
 * ---- mimalloc: src/alloc.c, src/alloc-aligned.c ----
 * Many functions pass on to the one that takes a heap, and the aligned and resizing ones to
 * simpler ones. Left out: mi_cfree and mi_reallocarr, which always go to mi_free and
 * mi_reallocarray; the likes of mi_strdup, whose size no argument says.
 */
#define MIMALLOC_HEAP_FUNCTIONS(name_of, n)                                                       \
	{name_of("malloc"), ALLOCATE((n), NONE, 0)}, {name_of("zalloc"), ALLOCATE((n), NONE, 0)}, \
		{name_of("calloc"), ALLOCATE((n) + 1, (n), NESTS)},                               \
		{name_of("mallocn"), ALLOCATE((n) + 1, (n), NESTS)},                              \
		{name_of("malloc_small"), ALLOCATE((n), NONE, 0)},                                \
		{name_of("realloc"), REALLOCATE((n), (n) + 1, NONE, NESTS)},                      \
		{name_of("reallocn"), REALLOCATE((n), (n) + 2, (n) + 1, NESTS)},                  \
		{name_of("reallocf"), REALLOCATE((n), (n) + 1, NONE, NESTS | FAIL_FREES)},        \
		{name_of("rezalloc"), REALLOCATE((n), (n) + 1, NONE, NESTS)},                     \
		{name_of("recalloc"), REALLOCATE((n), (n) + 2, (n) + 1, NESTS)},                  \
		{name_of("malloc_aligned"), ALLOCATE((n), NONE, NESTS)},                          \
		{name_of("malloc_aligned_at"), ALLOCATE((n), NONE, NESTS)},                       \
		{name_of("zalloc_aligned"), ALLOCATE((n), NONE, NESTS)},                          \
		{name_of("zalloc_aligned_at"), ALLOCATE((n), NONE, NESTS)},                       \
		{name_of("calloc_aligned"), ALLOCATE((n) + 1, (n), NESTS)},                       \
		{name_of("calloc_aligned_at"), ALLOCATE((n) + 1, (n), NESTS)},                    \
		{name_of("realloc_aligned"), REALLOCATE((n), (n) + 1, NONE, NESTS)},              \
		{name_of("realloc_aligned_at"), REALLOCATE((n), (n) + 1, NONE, NESTS)},           \
		{name_of("rezalloc_aligned"), REALLOCATE((n), (n) + 1, NONE, NESTS)},             \
		{name_of("rezalloc_aligned_at"), REALLOCATE((n), (n) + 1, NONE, NESTS)},          \
		{name_of("recalloc_aligned"), REALLOCATE((n), (n) + 2, (n) + 1, NESTS)},          \
	{                                                                                         \
		name_of("recalloc_aligned_at"), REALLOCATE((n), (n) + 2, (n) + 1, NESTS)          \
	}
#define MI(name)      "mi_" name
#define MI_HEAP(name) "mi_heap_" name

static const struct allocator_function mimalloc_functions[] = {
	STANDARD_FUNCTIONS("", 0, 0),
	OPERATOR_FUNCTIONS,
	MAPPING_FUNCTIONS,
	MIMALLOC_HEAP_FUNCTIONS(MI, 0),
	MIMALLOC_HEAP_FUNCTIONS(MI_HEAP, 1),
	{"reallocf", REALLOCATE(0, 1, NONE, NESTS | FAIL_FREES)},
	{"_aligned_malloc", ALLOCATE(0, NONE, NESTS)},
	{"mi_zalloc_small", ALLOCATE(0, NONE, 0)},
	{"mi_expand", REALLOCATE(0, 1, NONE, NESTS)},
	{"mi_reallocarray", REALLOCATE(0, 2, 1, NESTS)},
	{"mi_posix_memalign", ALLOCATE_INTO(0, 2, NESTS)},
	{"mi_aligned_alloc", ALLOCATE(1, NONE, NESTS)},
	{"mi_memalign", ALLOCATE(1, NONE, NESTS)},
	{"mi_valloc", ALLOCATE(0, NONE, NESTS)},
	{"mi_pvalloc", ALLOCATE(0, NONE, NESTS | PAGE_ROUNDS)},
	{"mi_new", ALLOCATE(0, NONE, NESTS | THROWS)},
	{"mi_new_aligned", ALLOCATE(0, NONE, NESTS | THROWS)},
	{"mi_new_n", ALLOCATE(1, 0, NESTS | THROWS)},
	{"mi_new_realloc", REALLOCATE(0, 1, NONE, NESTS | THROWS)},
	{"mi_new_reallocn", REALLOCATE(0, 2, 1, NESTS | THROWS)},
	{"mi_heap_alloc_new", ALLOCATE(1, NONE, NESTS | THROWS)},
	{"mi_heap_alloc_new_n", ALLOCATE(2, 1, NESTS | THROWS)},
	{"mi_new_nothrow", ALLOCATE(0, NONE, NESTS)},
	{"mi_new_aligned_nothrow", ALLOCATE(0, NONE, NESTS)},
	{"mi_free", FREE(0)},
	{"mi_free_size", FREE(0)},
	{"mi_free_size_aligned", FREE(0)},
	{"mi_free_aligned", FREE(0)},
};

static const char *const mimalloc_required[] = {"mi_malloc", "mi_free", NULL};

/*
 * ---- Whatever else brings a whole malloc ----
 * What its functions call is not known: each may nest. Not ld.so: it had a malloc of its own until
 * glibc 2.31, which gives way to libc's before the program begins.
 */
static const struct allocator_function other_functions[] = {
	STANDARD_FUNCTIONS("", NESTS, ZERO_FREES),
	OPERATOR_FUNCTIONS,
	MAPPING_FUNCTIONS,
};

static const char *const other_required[] = {"malloc", "calloc", "realloc", "free", NULL};
static const char *const other_excluded[] = {"_dl_debug_state", NULL};

/*
 * The function that the loader calls for debuggers' sake before and after each change of the list
 * of loaded objects (<link.h>, r_brk), by dlopen and dlclose too; new objects are mapped but have
 * not run a constructor yet. A static executable has its own, for its own dlopen.
 */
static const struct allocator_function loader_functions[] = {
	{"_dl_debug_state", LOADER_CHANGED},
};

static const char *const loader_required[] = {"_dl_debug_state", NULL};

#define BRINGS(table, required) \
	.functions = (table), .function_count = ARRAY_SIZE(table), .required_functions = (required)

const struct allocator allocators[] = {
	{.name = "glibc", BRINGS(glibc_functions, glibc_required)},
	{.name = "musl", BRINGS(musl_functions, musl_required)},
	{.name = "musl", BRINGS(musl_functions, musl_static_required)},
	{.name = "jemalloc",
	 BRINGS(jemalloc_functions, jemalloc_required),
	 .is_whole_file = true,
	 .mapping_functions = jemalloc_mapping},
	{.name = "jemalloc",
	 BRINGS(jemalloc_je_functions, jemalloc_je_required),
	 .is_whole_file = true,
	 .mapping_functions = jemalloc_mapping},
	{.name = "jemalloc",
	 BRINGS(jemalloc_rust_functions, jemalloc_rust_required),
	 .is_whole_file = true,
	 .mapping_functions = jemalloc_rust_mapping},
	{.name = "tcmalloc", BRINGS(tcmalloc_functions, tcmalloc_required), .is_whole_file = true},
	{.name = "mimalloc", BRINGS(mimalloc_functions, mimalloc_required), .is_whole_file = true},
	{.name = "other",
	 BRINGS(other_functions, other_required),
	 .excluded_functions = other_excluded,
	 .is_last_resort = true,
	 .is_whole_file = true},
	{.name = "loader", BRINGS(loader_functions, loader_required)},
};

const size_t allocator_count = ARRAY_SIZE(allocators);
