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
#define FREE(old)        RECORD_COOKIE(RECORD_OPERATION_FREE, NONE, NONE, old, NONE, 0)
#define MAP(size)        RECORD_COOKIE(RECORD_OPERATION_MAP, size, NONE, NONE, NONE, 0)
#define UNMAP(old, size) RECORD_COOKIE(RECORD_OPERATION_UNMAP, size, NONE, old, NONE, 0)
#define REMAP(old, size) RECORD_COOKIE(RECORD_OPERATION_REMAP, size, NONE, old, NONE, 0)
#define LOADER_CHANGED   RECORD_COOKIE(RECORD_OPERATION_LOADER, NONE, NONE, NONE, NONE, 0)

#define NESTS RECORD_FUNCTION_MAY_NEST

/*
 * From glibc's malloc/malloc.c, malloc/reallocarray.c:
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
	{"realloc", REALLOCATE(0, 1, NONE, NESTS | RECORD_FUNCTION_ZERO_FREES)},
	{"reallocarray", REALLOCATE(0, 2, 1, NESTS | RECORD_FUNCTION_ZERO_FREES)},
	{"free", FREE(0)},
	{"posix_memalign", ALLOCATE_INTO(0, 2, NESTS)},
	{"aligned_alloc", ALLOCATE(1, NONE, NESTS)},
	{"memalign", ALLOCATE(1, NONE, NESTS)},
	{"valloc", ALLOCATE(0, NONE, NESTS)},
	{"pvalloc", ALLOCATE(0, NONE, NESTS | RECORD_FUNCTION_PAGE_ROUNDED)},
	{"mmap", MAP(1)},
	{"mmap64", MAP(1)},
	{"munmap", UNMAP(0, 1)},
	{"mremap", REMAP(0, 2)},
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
 * The function that the loader calls for debuggers' sake before and after each change of the list
 * of loaded objects (<link.h>, r_brk), by dlopen and dlclose too; new objects are mapped but have
 * not run a constructor yet. A static executable has its own, for its own dlopen.
 */
static const struct allocator_function loader_functions[] = {
	{"_dl_debug_state", LOADER_CHANGED},
};

static const char *const loader_required[] = {"_dl_debug_state", NULL};

const struct allocator allocators[] = {
	{"glibc", glibc_functions, ARRAY_SIZE(glibc_functions), glibc_required},
	{"loader", loader_functions, ARRAY_SIZE(loader_functions), loader_required},
};

const size_t allocator_count = ARRAY_SIZE(allocators);
