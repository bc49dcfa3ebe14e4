/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the unwind tables of the files named, each several times, and prints one line for each:
 *
 *   BEST_NS CODE_BYTES TABLE_BYTES ROWS RULES
 */
#include "unwind/table.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5

static uint64_t cpu_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

/* Of all executable segments. */
static uint64_t code_bytes(int fd)
{
	Elf64_Ehdr header;
	uint64_t bytes = 0;

	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return 0;
	for (int i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		if (pread(fd, &segment, sizeof(segment),
			  (off_t)(header.e_phoff + (uint64_t)i * sizeof(segment))) !=
		    (ssize_t)sizeof(segment))
			return 0;
		if (segment.p_type == PT_LOAD && segment.p_flags & PF_X)
			bytes += segment.p_filesz;
	}
	return bytes;
}

static int measure(const char *path)
{
	struct unwind_table *table = NULL;
	uint64_t best_ns = UINT64_MAX;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start_ns = cpu_now_ns(), taken_ns;

		unwind_table_free(table);
		table = NULL;
		if (unwind_table_build(fd, &table))
			break;
		taken_ns = cpu_now_ns() - start_ns;
		best_ns = taken_ns < best_ns ? taken_ns : best_ns;
	}
	if (table)
		printf("%llu %llu %zu %zu %zu\n", (unsigned long long)best_ns,
		       (unsigned long long)code_bytes(fd), unwind_table_bytes(table),
		       table->row_count, table->rule_count);
	unwind_table_free(table);
	close(fd);
	return table ? 0 : -1;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (measure(argv[i])) {
			fprintf(stderr, "tables: none can be made of %s\n", argv[i]);
			return 1;
		}
	return 0;
}
