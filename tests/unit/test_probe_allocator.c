/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meaning table against real files: which of them provide an allocator, and whether the probe
 * addresses in this machine's libc hold what probe_address.h promises, judged by objdump's listing.
 */
#include "probe/allocator.h"

#include "probe/elf_function.h"
#include "probe/probe_address.h"
#include "probe_build.h"
#include "record.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

#define FUNCTIONS_MAX 32

static const struct allocator *allocator_named(const char *name)
{
	for (size_t i = 0; i < allocator_count; i++) {
		if (!strcmp(allocators[i].name, name))
			return &allocators[i];
	}
	fail_msg("no allocator %s", name);
	return NULL;
}

static uint64_t meaning_of(const char *function)
{
	const struct allocator *glibc = allocator_named("glibc");

	for (size_t i = 0; i < glibc->function_count; i++) {
		if (!strcmp(glibc->functions[i].name, function))
			return glibc->functions[i].meaning;
	}
	fail_msg("no function %s", function);
	return 0;
}

/* ---- What the rows say ---- */

static void test_meanings_name_the_arguments_of_the_prototypes(void **state)
{
	(void)state;
	/* void *reallocarray(void *ptr, size_t nmemb, size_t size) */
	assert_int_equal(RECORD_COOKIE_OPERATION(meaning_of("reallocarray")),
			 RECORD_OPERATION_REALLOCATE);
	assert_int_equal(RECORD_COOKIE_OLD(meaning_of("reallocarray")), 0);
	assert_int_equal(RECORD_COOKIE_COUNT(meaning_of("reallocarray")), 1);
	assert_int_equal(RECORD_COOKIE_SIZE(meaning_of("reallocarray")), 2);
	/* int posix_memalign(void **memptr, size_t alignment, size_t size) */
	assert_int_equal(RECORD_COOKIE_RESULT(meaning_of("posix_memalign")), 0);
	assert_int_equal(RECORD_COOKIE_SIZE(meaning_of("posix_memalign")), 2);
	assert_int_equal(RECORD_COOKIE_OLD(meaning_of("posix_memalign")), RECORD_ARGUMENT_NONE);
	/* void *mremap(void *old, size_t old_size, size_t new_size, int flags, ...) */
	assert_int_equal(RECORD_COOKIE_OPERATION(meaning_of("mremap")), RECORD_OPERATION_REMAP);
	assert_int_equal(RECORD_COOKIE_SIZE(meaning_of("mremap")), 2);
	/* void free(void *ptr) */
	assert_int_equal(RECORD_COOKIE_OLD(meaning_of("free")), 0);
	assert_int_equal(RECORD_COOKIE_SIZE(meaning_of("free")), RECORD_ARGUMENT_NONE);
	assert_int_equal(RECORD_COOKIE_FLAGS(meaning_of("malloc")), 0);
	assert_int_equal(RECORD_COOKIE_FLAGS(meaning_of("pvalloc")),
			 RECORD_FUNCTION_MAY_NEST | RECORD_FUNCTION_PAGE_ROUNDED);
}

static void test_meanings_leave_the_slot_to_the_attacher(void **state)
{
	(void)state;
	for (size_t i = 0; i < allocator_count; i++) {
		for (size_t k = 0; k < allocators[i].function_count; k++)
			assert_int_equal(allocators[i].functions[k].meaning >> 24, 0);
	}
}

/* ---- Which files provide what ---- */

static bool provides(int fd, const struct allocator *allocator)
{
	struct elf_function found[FUNCTIONS_MAX];
	size_t count = 0;

	while (allocator->required_functions[count])
		count++;
	return elf_functions_find(fd, allocator->required_functions, count, found) == (int)count;
}

static size_t find_functions(int fd, const struct allocator *allocator, struct elf_function *found)
{
	const char *names[FUNCTIONS_MAX];
	int count;

	assert_true(allocator->function_count <= FUNCTIONS_MAX);
	for (size_t i = 0; i < allocator->function_count; i++)
		names[i] = allocator->functions[i].name;
	count = elf_functions_find(fd, names, allocator->function_count, found);
	assert_true(count >= 0);
	return (size_t)count;
}

struct library {
	const char *name_part;
	char path[512];
	uint64_t text_address;
	uint64_t text_offset;
};

static int library_visit(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct library *library = argument;

	(void)size;
	if (!strstr(info->dlpi_name, library->name_part))
		return 0;
	snprintf(library->path, sizeof(library->path), "%s", info->dlpi_name);
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
			library->text_address = info->dlpi_phdr[i].p_vaddr;
			library->text_offset = info->dlpi_phdr[i].p_offset;
		}
	}
	return 1;
}

static int library_open(struct library *library)
{
	int fd;

	assert_int_equal(dl_iterate_phdr(library_visit, library), 1);
	fd = open(library->path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void test_libc_provides_glibc_and_the_loader_does_not(void **state)
{
	struct library libc = {.name_part = "/libc.so.6"};
	struct library loader = {.name_part = "/ld-linux"};
	struct elf_function found[FUNCTIONS_MAX];
	int libc_fd = library_open(&libc);
	int loader_fd = library_open(&loader);

	(void)state;
	assert_true(provides(libc_fd, allocator_named("glibc")));
	assert_false(provides(libc_fd, allocator_named("loader")));
	assert_false(provides(loader_fd, allocator_named("glibc")));
	assert_true(provides(loader_fd, allocator_named("loader")));
	assert_int_equal(find_functions(libc_fd, allocator_named("glibc"), found),
			 allocator_named("glibc")->function_count);
	close(loader_fd);
	close(libc_fd);
}

#define ALLOCATING_PROGRAM                                                                        \
	"#define _GNU_SOURCE\n"                                                                   \
	"#include <malloc.h>\n"                                                                   \
	"#include <stdlib.h>\n"                                                                   \
	"#include <sys/mman.h>\n"                                                                 \
	"void *volatile kept[] = {malloc, calloc, realloc, reallocarray, free, posix_memalign,\n" \
	"  aligned_alloc, memalign, valloc, pvalloc, mmap, mmap64, munmap, mremap};\n"            \
	"int main(void) { return kept[0] == 0; }\n"

static void test_a_program_that_only_imports_malloc_provides_nothing(void **state)
{
	int fd = probe_build("-O1 -rdynamic", ALLOCATING_PROGRAM);
	/* not position-independent: the imports it takes the address of have values of their own */
	int fixed_fd = probe_build("-O1 -no-pie -fno-pie -rdynamic", ALLOCATING_PROGRAM);

	(void)state;
	for (size_t i = 0; i < allocator_count; i++) {
		assert_false(provides(fd, &allocators[i]));
		assert_false(provides(fixed_fd, &allocators[i]));
	}
	close(fixed_fd);
	close(fd);
}

static void test_a_static_program_provides_everything_until_it_is_stripped(void **state)
{
	static const char *const kinds[] = {"-static -O1", "-static-pie -O1"};
	struct elf_function found[FUNCTIONS_MAX];
	char stripped[64];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct allocator *glibc = allocator_named("glibc");
		int fd = probe_build(kinds[i], ALLOCATING_PROGRAM);

		assert_true(provides(fd, glibc));
		assert_true(provides(fd, allocator_named("loader")));
		assert_int_equal(find_functions(fd, glibc, found), glibc->function_count);
		close(fd);

		snprintf(stripped, sizeof(stripped), "%s -s", kinds[i]);
		fd = probe_build(stripped, ALLOCATING_PROGRAM);
		assert_false(provides(fd, glibc));
		assert_false(provides(fd, allocator_named("loader")));
		assert_int_equal(find_functions(fd, glibc, found), 0);
		close(fd);
	}
}

/* ---- Probe addresses in the machine's libc, against objdump ---- */

struct line {
	uint64_t address;
	char mnemonic[16];
	char operands[96];
};

/* objdump's listing of [start, end). */
static size_t listing_read(const char *path, uint64_t start, uint64_t end, struct line *lines,
			   size_t lines_max)
{
	char command[700];
	char text[512];
	size_t count = 0;
	FILE *objdump;

	snprintf(command, sizeof(command),
		 "objdump -d --no-show-raw-insn --start-address=0x%llx --stop-address=0x%llx %s",
		 (unsigned long long)start, (unsigned long long)end, path);
	objdump = popen(command, "r");
	assert_non_null(objdump);
	while (fgets(text, sizeof(text), objdump)) {
		struct line line = {0};
		unsigned long long address;

		if (sscanf(text, " %llx:\t%15s %95[^\n]", &address, line.mnemonic, line.operands) <
		    2)
			continue;
		assert_true(count < lines_max);
		line.address = address;
		lines[count++] = line;
	}
	assert_int_equal(pclose(objdump), 0);
	return count;
}

static bool mnemonic_is_branch(const char *mnemonic)
{
	return mnemonic[0] == 'j';
}

static bool mnemonic_is_emulated(const char *mnemonic)
{
	return mnemonic_is_branch(mnemonic) || !strcmp(mnemonic, "push") ||
	       !strcmp(mnemonic, "nop");
}

/* Whether the listing's line, one that computes, stores to a register of the first arguments. */
static bool line_overwrites_argument(const struct line *line, unsigned argument_count)
{
	static const char *const names[6][5] = {
		{"%rdi", "%edi", "%di", "%dil", "%dil"}, {"%rsi", "%esi", "%si", "%sil", "%sil"},
		{"%rdx", "%edx", "%dx", "%dl", "%dh"},   {"%rcx", "%ecx", "%cx", "%cl", "%ch"},
		{"%r8", "%r8d", "%r8w", "%r8b", "%r8b"}, {"%r9", "%r9d", "%r9w", "%r9b", "%r9b"},
	};
	const char *destination = strrchr(line->operands, ',');

	if (!strncmp(line->mnemonic, "test", 4) || !strncmp(line->mnemonic, "cmp", 3))
		return false;
	if (!strcmp(line->mnemonic, "mul"))
		return argument_count > 2;
	destination = destination ? destination + 1 : line->operands;
	for (unsigned argument = 0; argument < argument_count; argument++) {
		for (unsigned part = 0; part < 5; part++) {
			if (!strcmp(destination, names[argument][part]))
				return true;
		}
	}
	return false;
}

struct probed {
	const char *name;
	uint64_t entry;
	unsigned argument_count;
	bool needs_return;
	struct probe_address chosen;
};

static bool is_one_of(const char *mnemonic, const char *const *list)
{
	while (*list) {
		if (!strcmp(mnemonic, *list++))
			return true;
	}
	return false;
}

/* The line lies before the probe: every call runs through it, and nothing is lost in it. */
static void check_line_before(const struct probed *probed, const struct line *line,
			      const struct line *previous)
{
	static const char *const leaving[] = {"call", "ret", "syscall", "ud2", "hlt", NULL};
	static const char *const moving[] = {"push", "pop", "leave", NULL};

	if (mnemonic_is_branch(line->mnemonic)) {
		assert_true(probed->chosen.is_past_null_check);
		assert_string_equal(line->mnemonic, "je");
		assert_non_null(previous);
		assert_string_equal(previous->mnemonic, "test");
		assert_string_equal(previous->operands, "%rdi,%rdi");
		return;
	}
	assert_false(is_one_of(line->mnemonic, leaving));
	assert_false(line_overwrites_argument(line, probed->argument_count));
	if (probed->needs_return) {
		const char *destination = strrchr(line->operands, ',');

		assert_false(is_one_of(line->mnemonic, moving));
		assert_false(destination && !strcmp(destination, ",%rsp"));
	}
}

static void check_probed(const struct probed *probed, const struct line *lines, size_t line_count)
{
	uint64_t address = probed->entry + probed->chosen.offset_bytes;
	const struct line *previous = NULL;
	bool is_found = false;

	for (size_t i = 0; i < line_count; i++) {
		const struct line *line = &lines[i];

		if (line->address < address) {
			check_line_before(probed, line, previous);
			previous = line;
		} else if (line->address == address) {
			is_found = true;
			assert_int_equal(mnemonic_is_emulated(line->mnemonic),
					 probed->chosen.is_emulated);
		}
		if (mnemonic_is_branch(line->mnemonic)) {
			uint64_t target = strtoull(line->operands, NULL, 16);

			assert_false(target > probed->entry && target <= address);
		}
	}
	assert_true(is_found);
}

static unsigned arguments_of(uint64_t meaning)
{
	const unsigned used[] = {
		(unsigned)RECORD_COOKIE_SIZE(meaning), (unsigned)RECORD_COOKIE_COUNT(meaning),
		(unsigned)RECORD_COOKIE_OLD(meaning), (unsigned)RECORD_COOKIE_RESULT(meaning)};
	unsigned count = 0;

	if (RECORD_COOKIE_OPERATION(meaning) == RECORD_OPERATION_MAP)
		return 6;
	for (size_t i = 0; i < 4; i++) {
		if (used[i] != RECORD_ARGUMENT_NONE && used[i] >= count)
			count = used[i] + 1;
	}
	return count;
}

static void test_probe_addresses_in_libc_are_right_by_objdump(void **state)
{
	static struct line lines[2048];
	static uint8_t code[8192];
	const struct allocator *glibc = allocator_named("glibc");
	struct library libc = {.name_part = "/libc.so.6"};
	struct elf_function found[FUNCTIONS_MAX];
	int fd = library_open(&libc);

	(void)state;
	find_functions(fd, glibc, found);
	for (size_t i = 0; i < glibc->function_count; i++) {
		uint64_t meaning = glibc->functions[i].meaning;
		bool frees = RECORD_COOKIE_OPERATION(meaning) == RECORD_OPERATION_FREE;
		struct probed probed = {
			.name = glibc->functions[i].name,
			.entry = found[i].file_offset - libc.text_offset + libc.text_address,
			.argument_count = arguments_of(meaning),
			.needs_return = !frees,
		};
		size_t line_count;

		assert_true(found[i].size_bytes > 0 && found[i].size_bytes <= sizeof(code));
		assert_int_equal(pread(fd, code, found[i].size_bytes, (off_t)found[i].file_offset),
				 found[i].size_bytes);
		probe_address_choose(code, found[i].size_bytes,
				     &(struct probe_request){
					     .argument_count = probed.argument_count,
					     .needs_return = probed.needs_return,
					     .skips_null = frees,
					     .arguments_stay = true,
				     },
				     &probed.chosen);
		print_message("%-15s %s\n", probed.name, probed.chosen.reason);
		line_count =
			listing_read(libc.path, probed.entry, probed.entry + found[i].size_bytes,
				     lines, sizeof(lines) / sizeof(lines[0]));
		assert_true(line_count > 0);
		check_probed(&probed, lines, line_count);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meanings_name_the_arguments_of_the_prototypes),
		cmocka_unit_test(test_meanings_leave_the_slot_to_the_attacher),
		cmocka_unit_test(test_libc_provides_glibc_and_the_loader_does_not),
		cmocka_unit_test(test_a_program_that_only_imports_malloc_provides_nothing),
		cmocka_unit_test(test_a_static_program_provides_everything_until_it_is_stripped),
		cmocka_unit_test(test_probe_addresses_in_libc_are_right_by_objdump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
