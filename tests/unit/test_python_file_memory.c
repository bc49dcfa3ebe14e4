/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that has not come is the file's, that which has is the process's, page by page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "python/file_memory.h"

#define PAGE_BYTES  4096U
#define PAGES       4U
#define FILE_OFFSET 512U
#define LINKED_AT   0x10000U
#define BIAS        0x7f0000000000U
#define MAPPED_AT   (LINKED_AT + BIAS)

/* Its pages hold 'm', the file's 'f'. */
struct process {
	bool is_present[PAGES];
	int error; /* of all reads of what isn't present */
};

static int read_process(void *context, uint64_t address, void *buffer, size_t bytes)
{
	const struct process *process = context;

	for (uint64_t at = address; at < address + bytes; at++) {
		uint64_t page = (at - MAPPED_AT) / PAGE_BYTES;

		if (page >= PAGES)
			return -EFAULT;
		if (!process->is_present[page])
			return process->error;
	}
	memset(buffer, 'm', bytes);
	return 0;
}

struct subject {
	struct process process;
	struct python_memory process_memory, memory;
	struct interpreter_symbols symbols;
	struct file_memory file;
};

/* The file has the first three pages. */
static void start(struct subject *subject)
{
	char content[FILE_OFFSET + 3 * PAGE_BYTES];

	memset(content, 'f', sizeof(content));
	*subject = (struct subject){.process.error = -ENXIO};
	subject->process_memory =
		(struct python_memory){.read = read_process, .context = &subject->process};
	subject->symbols.segments[0] =
		(struct interpreter_segment){LINKED_AT, FILE_OFFSET, 3 * PAGE_BYTES};
	subject->symbols.segment_count = 1;
	subject->file = (struct file_memory){.memory = &subject->process_memory,
					     .fd = memfd_create("file", MFD_CLOEXEC),
					     .symbols = &subject->symbols,
					     .bias = BIAS};
	assert_int_equal(write(subject->file.fd, content, sizeof(content)), sizeof(content));
	subject->memory = file_memory_reader(&subject->file);
}

static void assert_reads(struct subject *subject, uint64_t offset, const char *expected)
{
	char found[16] = "";
	size_t bytes = strlen(expected);

	assert_int_equal(
		subject->memory.read(subject->memory.context, MAPPED_AT + offset, found, bytes), 0);
	assert_memory_equal(found, expected, bytes);
}

static void assert_fails(struct subject *subject, uint64_t offset, size_t bytes, int error)
{
	char found[16];

	assert_int_equal(
		subject->memory.read(subject->memory.context, MAPPED_AT + offset, found, bytes),
		error);
}

static void test_what_has_not_come_is_as_the_file_has_it(void **state)
{
	struct subject subject;

	(void)state;
	start(&subject);
	subject.process.is_present[1] = true;
	assert_reads(&subject, 0, "ffff");
	assert_reads(&subject, PAGE_BYTES, "mmmm");
	assert_reads(&subject, PAGE_BYTES - 2, "ffmm");
	assert_reads(&subject, 2 * PAGE_BYTES - 3, "mmmff");
	assert_reads(&subject, 3 * PAGE_BYTES - 4, "ffff");
	close(subject.file.fd);
}

static void test_what_the_file_has_not_is_not_there(void **state)
{
	struct subject subject;

	(void)state;
	start(&subject);
	assert_fails(&subject, 3 * PAGE_BYTES, 4, -ENXIO);
	assert_fails(&subject, 3 * PAGE_BYTES - 2, 4, -ENXIO);
	assert_fails(&subject, PAGES * PAGE_BYTES, 4, -EFAULT);
	subject.process.is_present[3] = true;
	assert_reads(&subject, 3 * PAGE_BYTES - 2, "ffmm");
	close(subject.file.fd);
}

static void test_what_is_swapped_out_is_not_the_files(void **state)
{
	struct subject subject;

	(void)state;
	start(&subject);
	subject.process.error = -ENODATA;
	assert_fails(&subject, 0, 4, -ENODATA);
	close(subject.file.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_has_not_come_is_as_the_file_has_it),
		cmocka_unit_test(test_what_the_file_has_not_is_not_there),
		cmocka_unit_test(test_what_is_swapped_out_is_not_the_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
