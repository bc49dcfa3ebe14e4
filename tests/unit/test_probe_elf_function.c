/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/elf_function.h"

#include "probe_build.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- The C library of this test's own process; the loader's answers are the truth ---- */

struct library {
	char path[512];
	uint64_t bias;
	uint64_t text_address; /* where the executable segment begins, without the bias */
	uint64_t text_offset;  /* and where in the file */
};

static int library_visit(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct library *library = argument;

	(void)size;
	if (!strstr(info->dlpi_name, "/libc.so.6"))
		return 0;
	snprintf(library->path, sizeof(library->path), "%s", info->dlpi_name);
	library->bias = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
			library->text_address = info->dlpi_phdr[i].p_vaddr;
			library->text_offset = info->dlpi_phdr[i].p_offset;
		}
	}
	return 1;
}

static struct library library_libc(void)
{
	struct library library = {0};

	assert_int_equal(dl_iterate_phdr(library_visit, &library), 1);
	return library;
}

static int open_libc(void)
{
	struct library library = library_libc();
	int fd = open(library.path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_offsets_in_libc_are_where_the_loader_finds_them(void **state)
{
	static const char *const names[] = {
		"malloc", "free",    "posix_memalign",  "__libc_start_main",
		"mmap",   "qsort_r", "no_such_function"};
	struct library library = library_libc();
	void *handle = dlopen(library.path, RTLD_NOW | RTLD_NOLOAD);
	struct elf_function found[COUNT(names)];
	int fd = open_libc();

	(void)state;
	assert_non_null(handle);
	assert_int_equal(elf_functions_find(fd, names, COUNT(names), found), COUNT(names) - 1);
	for (size_t i = 0; i < COUNT(names) - 1; i++) {
		uint64_t address = (uint64_t)dlsym(handle, names[i]) - library.bias;

		assert_int_equal(found[i].file_offset,
				 address - library.text_address + library.text_offset);
		assert_true(found[i].size_bytes > 0);
	}
	assert_int_equal(found[COUNT(names) - 1].file_offset, 0);
	dlclose(handle);
	close(fd);
}

static void test_a_name_asked_for_twice_is_found_twice(void **state)
{
	static const char *const names[] = {"malloc", "", "malloc"};
	struct elf_function found[COUNT(names)];
	int fd = open_libc();

	(void)state;
	assert_int_equal(elf_functions_find(fd, names, COUNT(names), found), 2);
	assert_true(found[0].file_offset != 0);
	assert_int_equal(found[1].file_offset, 0);
	assert_int_equal(found[0].file_offset, found[2].file_offset);
	assert_int_equal(elf_functions_find(fd, names, 0, NULL), 0);
	close(fd);
}

/* ---- Files made for the purpose ---- */

static void test_imports_are_not_functions_of_the_file(void **state)
{
	static const char *const names[] = {"malloc", "main"};
	struct elf_function found[COUNT(names)];
	int fd = probe_build("-O0", "#include <stdlib.h>\n"
				    "int main(void) { free(malloc(1)); return 0; }\n");

	(void)state;
	assert_int_equal(elf_functions_find(fd, names, COUNT(names), found), 1);
	assert_int_equal(found[0].file_offset, 0);
	assert_true(found[1].file_offset != 0);
	close(fd);
}

static void test_indirect_functions_and_data_are_not_functions(void **state)
{
	static const char *const names[] = {"chosen", "data", "plain"};
	struct elf_function found[COUNT(names)];
	int fd = probe_build("-shared -fPIC",
			     "int plain(void) { return 1; }\n"
			     "static void *resolve(void) { return plain; }\n"
			     "int chosen(void) __attribute__((ifunc(\"resolve\")));\n"
			     "int data = 1;\n");

	(void)state;
	assert_int_equal(elf_functions_find(fd, names, COUNT(names), found), 1);
	assert_int_equal(found[0].file_offset, 0);
	assert_int_equal(found[1].file_offset, 0);
	assert_true(found[2].file_offset != 0);
	close(fd);
}

static void test_the_default_version_wins(void **state)
{
	static const char *const names[] = {"answer", "answer_now", "answer_before"};
	struct elf_function found[COUNT(names)];
	char script[] = "/tmp/memwatch-version-XXXXXX";
	char flags[128];
	int script_fd = mkstemp(script);
	int fd;

	(void)state;
	assert_true(script_fd >= 0);
	assert_true(dprintf(script_fd, "V1 { answer_now; answer_before; };\nV2 { } V1;\n") > 0);
	close(script_fd);
	snprintf(flags, sizeof(flags), "-shared -fPIC -Wl,--version-script=%s", script);
	/* the old version comes first in the table, and is longer */
	fd = probe_build(flags, "__asm__(\".symver answer_before,answer@V1\\n\"\n"
				"        \".symver answer_now,answer@@V2\\n\");\n"
				"int answer_before(int n) { return n * n * n + 17; }\n"
				"int answer_now(void) { return 2; }\n");
	unlink(script);
	assert_int_equal(elf_functions_find(fd, names, COUNT(names), found), 3);
	assert_int_equal(found[0].file_offset, found[1].file_offset);
	assert_int_equal(found[0].size_bytes, found[1].size_bytes);
	assert_true(found[0].file_offset != found[2].file_offset);
	close(fd);
}

/* 8,000 names of 22 bytes lie across the borders of whatever pieces the table is read in. */
static void test_every_name_of_a_large_table_is_found(void **state)
{
	enum { FUNCTIONS = 8000, NAME_BYTES = 40 };
	static char names[FUNCTIONS][NAME_BYTES];
	static const char *pointers[FUNCTIONS];
	static struct elf_function found[FUNCTIONS];
	char *source = malloc(FUNCTIONS * 200);
	char *end = source;
	int fd;

	(void)state;
	assert_non_null(source);
	for (int i = 0; i < FUNCTIONS; i++) {
		snprintf(names[i], NAME_BYTES, "function_of_many_%05d", i);
		pointers[i] = names[i];
		end += sprintf(end,
			       "__asm__(\".text\\n.globl %s\\n.type %s,@function\\n"
			       "%s: ret\\n.size %s,1\\n\");\n",
			       names[i], names[i], names[i], names[i]);
	}
	fd = probe_build("-shared -fPIC", source);
	assert_int_equal(elf_functions_find(fd, pointers, FUNCTIONS, found), FUNCTIONS);
	for (int i = 0; i < FUNCTIONS; i++) {
		assert_int_equal(found[i].file_offset, found[0].file_offset + (uint64_t)i);
		assert_int_equal(found[i].size_bytes, 1);
	}
	free(source);
	close(fd);
}

/* ---- Files that are not what they say ---- */

struct image {
	uint8_t *bytes;
	size_t size_bytes;
	int fd; /* a file in memory to try variants of it */
};

static void image_store(struct image *image, size_t size_bytes)
{
	assert_int_equal(ftruncate(image->fd, 0), 0);
	assert_int_equal(pwrite(image->fd, image->bytes, size_bytes, 0), size_bytes);
}

static struct image image_small(void)
{
	struct image image;
	struct stat status;
	int fd = probe_build("-O0", "int main(void) { return 0; }\n");

	assert_int_equal(fstat(fd, &status), 0);
	image.size_bytes = (size_t)status.st_size;
	image.bytes = malloc(image.size_bytes);
	assert_non_null(image.bytes);
	assert_int_equal(pread(fd, image.bytes, image.size_bytes, 0), image.size_bytes);
	close(fd);
	image.fd = memfd_create("elf", MFD_CLOEXEC);
	assert_true(image.fd >= 0);
	return image;
}

static void image_free(struct image *image)
{
	close(image->fd);
	free(image->bytes);
}

static int find_main(const struct image *image, struct elf_function *found)
{
	static const char *const names[] = {"main"};

	return elf_functions_find(image->fd, names, 1, found);
}

static Elf64_Sym *image_symbol(struct image *image, const char *name)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)image->bytes;
	Elf64_Shdr *sections = (Elf64_Shdr *)(image->bytes + header->e_shoff);

	for (size_t i = 0; i < header->e_shnum; i++) {
		const char *strings =
			(char *)image->bytes + sections[sections[i].sh_link].sh_offset;
		Elf64_Sym *symbols = (Elf64_Sym *)(image->bytes + sections[i].sh_offset);

		if (sections[i].sh_type != SHT_SYMTAB)
			continue;
		for (size_t k = 0; k < sections[i].sh_size / sizeof(*symbols); k++) {
			if (!strcmp(strings + symbols[k].st_name, name))
				return &symbols[k];
		}
	}
	fail_msg("no symbol %s", name);
	return NULL;
}

/* "main" stays; "_start" is made a local function of the same name, or the other way round. */
static void expect_global(const char *global_name, const char *local_name)
{
	struct image image = image_small();
	Elf64_Sym *global = image_symbol(&image, global_name);
	Elf64_Sym *local = image_symbol(&image, local_name);
	struct elf_function expected;
	struct elf_function found;

	image_store(&image, image.size_bytes);
	assert_int_equal(elf_functions_find(image.fd, &global_name, 1, &expected), 1);
	local->st_name = global->st_name;
	local->st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC);
	image_store(&image, image.size_bytes);
	assert_int_equal(elf_functions_find(image.fd, &global_name, 1, &found), 1);
	assert_int_equal(found.file_offset, expected.file_offset);
	global->st_shndx = SHN_UNDEF;
	image_store(&image, image.size_bytes);
	assert_int_equal(elf_functions_find(image.fd, &global_name, 1, &found), 1);
	assert_int_not_equal(found.file_offset, expected.file_offset);
	image_free(&image);
}

static void test_a_local_function_counts_where_no_global_one_is(void **state)
{
	(void)state;
	expect_global("main", "_start");
	expect_global("_start", "main");
}

static void test_a_file_cut_anywhere_is_no_executable(void **state)
{
	struct image image = image_small();
	struct elf_function found;

	(void)state;
	image_store(&image, image.size_bytes);
	assert_int_equal(find_main(&image, &found), 1);
	/* the section headers come last, so that any cut harms the tables */
	for (size_t size = 0; size < image.size_bytes; size += size < 8192 ? 1 : 61) {
		image_store(&image, size);
		found.file_offset = 1;
		assert_int_equal(find_main(&image, &found), -ENOEXEC);
		assert_int_equal(found.file_offset, 0);
	}
	image_free(&image);
}

static void test_any_byte_of_the_headers_may_be_wrong(void **state)
{
	struct image image = image_small();
	Elf64_Ehdr header;
	struct elf_function found;

	(void)state;
	memcpy(&header, image.bytes, sizeof(header));
	for (size_t i = 0; i < image.size_bytes; i++) {
		uint8_t kept = image.bytes[i];

		if (i == sizeof(header) + header.e_phnum * sizeof(Elf64_Phdr))
			i = header.e_shoff;
		kept = image.bytes[i];
		for (unsigned bit = 0; bit < 8; bit++) {
			image.bytes[i] = kept ^ (uint8_t)(1U << bit);
			image_store(&image, image.size_bytes);
			if (find_main(&image, &found) == 1)
				assert_true(found.file_offset < image.size_bytes &&
					    found.size_bytes <=
						    image.size_bytes - found.file_offset);
		}
		image.bytes[i] = kept;
	}
	image_free(&image);
}

static void expect_refused(struct image *image, size_t offset, uint8_t value)
{
	uint8_t kept = image->bytes[offset];
	struct elf_function found;

	image->bytes[offset] = value;
	image_store(image, image->size_bytes);
	assert_int_equal(find_main(image, &found), -ENOEXEC);
	image->bytes[offset] = kept;
}

static void test_other_kinds_of_elf_are_refused(void **state)
{
	struct image image = image_small();

	(void)state;
	expect_refused(&image, EI_CLASS, ELFCLASS32);
	expect_refused(&image, EI_DATA, ELFDATA2MSB);
	expect_refused(&image, offsetof(Elf64_Ehdr, e_machine), EM_S390);
	expect_refused(&image, offsetof(Elf64_Ehdr, e_type), ET_REL);
	expect_refused(&image, offsetof(Elf64_Ehdr, e_type), ET_CORE);
	image_free(&image);
}

static void test_a_file_without_section_headers_defines_nothing(void **state)
{
	struct image image = image_small();
	struct elf_function found;
	Elf64_Ehdr *header = (Elf64_Ehdr *)image.bytes;

	(void)state;
	header->e_shnum = 0;
	header->e_shoff = 0;
	image_store(&image, image.size_bytes);
	assert_int_equal(find_main(&image, &found), 0);
	image_free(&image);
}

static void test_what_is_not_a_file_is_refused(void **state)
{
	static const char *const names[] = {"main"};
	struct elf_function found;
	int pipe_fds[2];
	int fd = open("/", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(elf_functions_find(fd, names, 1, &found), -ENOEXEC);
	close(fd);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(elf_functions_find(pipe_fds[0], names, 1, &found), -ENOEXEC);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	assert_int_equal(elf_functions_find(-1, names, 1, &found), -EBADF);
}

/* A hole of a terabyte costs nothing to make and must cost nothing to refuse. */
static void test_a_huge_sparse_table_is_refused_unread(void **state)
{
	struct image image = image_small();
	struct elf_function found;
	Elf64_Ehdr *header = (Elf64_Ehdr *)image.bytes;
	Elf64_Shdr *sections = (Elf64_Shdr *)(image.bytes + header->e_shoff);

	(void)state;
	for (size_t i = 0; i < header->e_shnum; i++) {
		if (sections[i].sh_type == SHT_STRTAB)
			sections[i].sh_size = 1ULL << 40;
	}
	image_store(&image, image.size_bytes);
	assert_int_equal(find_main(&image, &found), -ENOEXEC);
	assert_int_equal(ftruncate(image.fd, 1LL << 41), 0);
	assert_int_equal(find_main(&image, &found), -EFBIG);
	image_free(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offsets_in_libc_are_where_the_loader_finds_them),
		cmocka_unit_test(test_a_name_asked_for_twice_is_found_twice),
		cmocka_unit_test(test_imports_are_not_functions_of_the_file),
		cmocka_unit_test(test_indirect_functions_and_data_are_not_functions),
		cmocka_unit_test(test_the_default_version_wins),
		cmocka_unit_test(test_every_name_of_a_large_table_is_found),
		cmocka_unit_test(test_a_local_function_counts_where_no_global_one_is),
		cmocka_unit_test(test_a_file_cut_anywhere_is_no_executable),
		cmocka_unit_test(test_any_byte_of_the_headers_may_be_wrong),
		cmocka_unit_test(test_other_kinds_of_elf_are_refused),
		cmocka_unit_test(test_a_file_without_section_headers_defines_nothing),
		cmocka_unit_test(test_what_is_not_a_file_is_refused),
		cmocka_unit_test(test_a_huge_sparse_table_is_refused_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
