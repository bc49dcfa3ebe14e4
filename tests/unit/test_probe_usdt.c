/* SPDX-License-Identifier: Apache-2.0 */
/* USDT notes of files that the compiler made with <sys/sdt.h>, and of such files made wrong. */
#include "probe/contract.h"
#include "probe/usdt.h"

#include "probe_build.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FLAGS "-O1 -shared -fPIC"

#define SEMAPHORES                                                        \
	"#define _SDT_HAS_SEMAPHORES 1\n"                                 \
	"#include <sys/sdt.h>\n"                                          \
	"__attribute__((section(\".probes\"), visibility(\"hidden\")))\n" \
	"volatile unsigned short otel_memory_alloc_semaphore = 0x5a5a,\n" \
	"otel_memory_free_semaphore = 0x6b6b, other_thing_semaphore;\n"

#define SAMPLER                                                                           \
	SEMAPHORES                                                                        \
	"void f(void *p, long n, long w) { STAP_PROBE3(otel_memory, alloc, p, n, w); }\n" \
	"void g(void *p, long n) { STAP_PROBE3(otel_memory, alloc, p, n, 7); }\n"         \
	"void h(void *p) { STAP_PROBE1(otel_memory, free, p); }\n"                        \
	"void i(void *p) { STAP_PROBE1(other, thing, p); }\n"

/* ---- A file in memory, to be changed ---- */

struct image {
	char *bytes;
	size_t size;
	int fd;
};

static struct image image_build(const char *source)
{
	int file = probe_build(FLAGS, source);
	struct image image = {.fd = memfd_create("image", MFD_CLOEXEC)};
	struct stat status;

	assert_int_equal(fstat(file, &status), 0);
	image.size = (size_t)status.st_size;
	image.bytes = malloc(image.size);
	assert_true(image.bytes && image.fd >= 0);
	assert_int_equal(pread(file, image.bytes, image.size, 0), image.size);
	close(file);
	return image;
}

static int image_fd(const struct image *image)
{
	assert_int_equal(pwrite(image->fd, image->bytes, image->size, 0), image->size);
	return image->fd;
}

static void image_free(struct image *image)
{
	close(image->fd);
	free(image->bytes);
}

static Elf64_Shdr *image_section(const struct image *image, const char *name)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)image->bytes;
	Elf64_Shdr *sections = (Elf64_Shdr *)(image->bytes + header->e_shoff);
	const char *names = image->bytes + sections[header->e_shstrndx].sh_offset;

	for (size_t i = 0; i < header->e_shnum; i++)
		if (!strcmp(names + sections[i].sh_name, name))
			return &sections[i];
	fail_msg("no section %s", name);
	return NULL;
}

/* Notes are on boundaries of four bytes. */
typedef uint64_t note_address __attribute__((aligned(4)));

/* The addresses at the beginning of the first note: location, base, semaphore. */
static note_address *image_note(const struct image *image)
{
	return (note_address *)(image->bytes + image_section(image, ".note.stapsdt")->sh_offset +
				sizeof(Elf64_Nhdr) + 8);
}

/* ---- What is found ---- */

struct found {
	size_t allocations, frees, others;
	struct usdt_probe probes[8]; /* without their strings */
	size_t count;
};

static int collect(void *context, const struct usdt_probe *probe)
{
	struct found *found = context;

	found->allocations += !strcmp(probe->name, "alloc");
	found->frees += !strcmp(probe->name, "free");
	found->others += strcmp(probe->name, "alloc") && strcmp(probe->name, "free");
	assert_true(found->count < sizeof(found->probes) / sizeof(found->probes[0]));
	found->probes[found->count++] = *probe;
	return 0;
}

static struct found find(int fd, const char *provider)
{
	struct found found = {0};

	assert_int_equal(usdt_each_probe(fd, provider, collect, &found), 0);
	return found;
}

static void test_probes_of_a_provider_are_found(void **state)
{
	struct image image = image_build(SAMPLER);
	struct found found = find(image_fd(&image), "otel_memory");

	(void)state;
	assert_int_equal(found.allocations, 2);
	assert_int_equal(found.frees, 1);
	assert_int_equal(found.others, 0);
	for (size_t i = 0; i < found.count; i++) {
		uint16_t semaphore;

		assert_null(found.probes[i].defect);
		assert_int_equal((uint8_t)image.bytes[found.probes[i].file_offset], 0x90);
		memcpy(&semaphore, image.bytes + found.probes[i].semaphore_file_offset, 2);
		assert_true(semaphore == 0x5a5a || semaphore == 0x6b6b);
	}
	found = find(image_fd(&image), "other");
	assert_int_equal(found.others, 1);
	assert_int_equal(find(image_fd(&image), "otel").count, 0);
	image_free(&image);
}

static void test_files_without_notes_have_none(void **state)
{
	int fd = probe_build(FLAGS, "int f;");

	(void)state;
	assert_int_equal(find(fd, "otel_memory").count, 0);
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	assert_int_equal(usdt_each_probe(fd, "otel_memory", collect, NULL), -ENOEXEC);
	close(fd);
}

static int stop_at_once(void *context, const struct usdt_probe *probe)
{
	(void)probe;
	++*(int *)context;
	return 42;
}

static void test_the_function_may_end_it(void **state)
{
	struct image image = image_build(SAMPLER);
	int calls = 0;

	(void)state;
	assert_int_equal(usdt_each_probe(image_fd(&image), "otel_memory", stop_at_once, &calls),
			 42);
	assert_int_equal(calls, 1);
	image_free(&image);
}

static void test_addresses_move_with_the_base(void **state)
{
	struct image image = image_build(SAMPLER);
	struct found before = find(image_fd(&image), "otel_memory"), after;
	note_address *note = image_note(&image);

	(void)state;
	for (int i = 0; i < 3; i++)
		note[i] -= 0x123000;
	after = find(image_fd(&image), "otel_memory");
	assert_null(after.probes[0].defect);
	assert_int_equal(after.probes[0].file_offset, before.probes[0].file_offset);
	assert_int_equal(after.probes[0].semaphore_file_offset,
			 before.probes[0].semaphore_file_offset);
	image_free(&image);
}

static void assert_first_has_defect(const struct image *image, const char *words)
{
	struct found found = find(image_fd(image), "otel_memory");

	assert_non_null(found.probes[0].defect);
	assert_non_null(strstr(found.probes[0].defect, words));
	assert_null(found.probes[1].defect);
}

static void test_false_addresses_are_defects(void **state)
{
	struct image image = image_build(SAMPLER);
	note_address *note = image_note(&image);
	const uint64_t location = note[0], semaphore = note[2];

	(void)state;
	note[0] = 0;
	assert_first_has_defect(&image, "no code");
	note[0] = UINT64_MAX;
	assert_first_has_defect(&image, "no code");
	note[0] = semaphore;
	assert_first_has_defect(&image, "no code");
	note[0] = location + 1;
	assert_first_has_defect(&image, "no nop");
	note[0] = location;
	note[2] = location;
	assert_first_has_defect(&image, "semaphore");
	note[2] = semaphore + 1;
	assert_first_has_defect(&image, "semaphore");
	note[2] = UINT64_MAX;
	assert_first_has_defect(&image, "semaphore");
	note[2] = semaphore + 0x100000;
	assert_first_has_defect(&image, "semaphore");
	image_free(&image);
}

static void test_a_nop_of_five_bytes_is_one(void **state)
{
	static const uint8_t nop5[] = {0x0f, 0x1f, 0x44, 0x00, 0x00};
	struct image image = image_build(SAMPLER);
	struct found found = find(image_fd(&image), "otel_memory");

	(void)state;
	memcpy(image.bytes + found.probes[0].file_offset, nop5, sizeof(nop5));
	assert_null(find(image_fd(&image), "otel_memory").probes[0].defect);
	image_free(&image);
}

static int ignore(void *context, const struct usdt_probe *probe)
{
	(void)context;
	(void)probe;
	return 0;
}

static void test_cut_and_broken_notes_end_the_reading(void **state)
{
	struct image image = image_build(SAMPLER);
	Elf64_Shdr *section = image_section(&image, ".note.stapsdt");
	char *notes = image.bytes + section->sh_offset;
	uint64_t size = section->sh_size;

	(void)state;
	for (section->sh_size = 0; section->sh_size < size; section->sh_size++) {
		int result = usdt_each_probe(image_fd(&image), "otel_memory", ignore, NULL);

		assert_true(result == 0 || result == -ENOEXEC);
	}
	for (size_t i = 0; i < size; i++) {
		char before = notes[i];

		notes[i] = (char)0xff;
		usdt_each_probe(image_fd(&image), "otel_memory", ignore, NULL);
		notes[i] = before;
	}
	section->sh_size = UINT64_MAX;
	assert_int_equal(find(image_fd(&image), "otel_memory").count, 0);
	image_free(&image);
}

/* ---- What makes a contract of them ---- */

static struct contract contract_of(const char *source)
{
	struct contract contract;
	int fd = probe_build(FLAGS, source);

	assert_int_equal(contract_read(fd, &contract), 0);
	close(fd);
	return contract;
}

static void test_allocations_and_frees_make_a_contract(void **state)
{
	struct contract contract = contract_of(SAMPLER);

	(void)state;
	assert_true(contract.is_usable);
	assert_null(contract.reason);
	assert_int_equal(contract.point_count, 3);
	assert_int_equal(contract.points[0].operation, RECORD_OPERATION_CONTRACT_ALLOCATE);
	assert_int_equal(contract.points[2].operation, RECORD_OPERATION_CONTRACT_FREE);
	contract_clear(&contract);
}

static void assert_unusable(const char *source, const char *words)
{
	struct contract contract = contract_of(source);

	assert_false(contract.is_usable);
	if (words)
		assert_non_null(strstr(contract.reason, words));
	else
		assert_null(contract.reason);
	contract_clear(&contract);
}

static void test_less_makes_none(void **state)
{
	(void)state;
	assert_unusable("int f;", NULL);
	assert_unusable("#include <sys/sdt.h>\n"
			"void f(void *p) { STAP_PROBE1(other, free, p); }\n",
			NULL);
	assert_unusable("#include <sys/sdt.h>\n"
			"void f(void *p, long n) { STAP_PROBE3(otel_memory, alloc, p, n, n); }\n",
			"no frees");
	assert_unusable("#include <sys/sdt.h>\n"
			"void f(void *p) { STAP_PROBE1(otel_memory, free, p); }\n",
			"no allocations");
	/* One argument of three. */
	assert_unusable("#include <sys/sdt.h>\n"
			"void f(void *p) { STAP_PROBE1(otel_memory, alloc, p);\n"
			"STAP_PROBE1(otel_memory, free, p); }\n",
			"fewer arguments");
	/* Of one free nothing would be seen. */
	assert_unusable("#define STAP_SDT_ARG_CONSTRAINT nor\n"
			"#include <sys/sdt.h>\n"
			"void f(void *p, long n, double d) {\n"
			"STAP_PROBE3(otel_memory, alloc, p, n, n);\n"
			"STAP_PROBE1(otel_memory, free, p); STAP_PROBE(otel_memory, free); }\n",
			"fewer arguments");
}

static void test_the_rest_is_used_when_one_allocation_cannot_be(void **state)
{
	struct contract contract = contract_of("#include <sys/sdt.h>\n"
					       "void f(void *p, long n) {\n"
					       "STAP_PROBE3(otel_memory, alloc, p, n, n);\n"
					       "STAP_PROBE1(otel_memory, alloc, p);\n"
					       "STAP_PROBE3(otel_memory, mmap, p, n, n);\n"
					       "STAP_PROBE1(otel_memory, free, p); }\n");

	(void)state;
	assert_true(contract.is_usable);
	assert_int_equal(contract.point_count, 2);
	assert_int_equal(contract.refused_allocations, 1);
	assert_non_null(strstr(contract.reason, "fewer arguments"));
	contract_clear(&contract);
}

static void test_more_than_any_sampler_has_are_none(void **state)
{
	static char source[200000];
	size_t length = (size_t)snprintf(source, sizeof(source),
					 "#include <sys/sdt.h>\nvoid f(void *p, long n) {\n"
					 "STAP_PROBE1(otel_memory, free, p);\n");

	(void)state;
	for (int i = 0; i < CONTRACT_POINTS_MAX; i++)
		length += (size_t)snprintf(source + length, sizeof(source) - length,
					   "STAP_PROBE3(otel_memory, alloc, p, n, %d);\n", i);
	snprintf(source + length, sizeof(source) - length, "}\n");
	assert_unusable(source, "more of them");
}

static void test_two_at_one_place_are_refused(void **state)
{
	struct image image = image_build(SAMPLER);
	note_address *note = image_note(&image);
	struct contract contract;
	Elf64_Nhdr *header = (Elf64_Nhdr *)((char *)note - sizeof(Elf64_Nhdr) - 8);
	note_address *second = (note_address *)((char *)note + (header->n_descsz + 3U) / 4 * 4 +
						sizeof(Elf64_Nhdr) + 8);

	(void)state;
	*second = *note;
	assert_int_equal(contract_read(image_fd(&image), &contract), 0);
	assert_int_equal(contract.point_count, 2);
	assert_int_equal(contract.refused_allocations, 1);
	assert_non_null(strstr(contract.reason, "same place"));
	contract_clear(&contract);
	image_free(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probes_of_a_provider_are_found),
		cmocka_unit_test(test_files_without_notes_have_none),
		cmocka_unit_test(test_the_function_may_end_it),
		cmocka_unit_test(test_addresses_move_with_the_base),
		cmocka_unit_test(test_false_addresses_are_defects),
		cmocka_unit_test(test_a_nop_of_five_bytes_is_one),
		cmocka_unit_test(test_cut_and_broken_notes_end_the_reading),
		cmocka_unit_test(test_allocations_and_frees_make_a_contract),
		cmocka_unit_test(test_less_makes_none),
		cmocka_unit_test(test_the_rest_is_used_when_one_allocation_cannot_be),
		cmocka_unit_test(test_more_than_any_sampler_has_are_none),
		cmocka_unit_test(test_two_at_one_place_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
