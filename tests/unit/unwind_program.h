/* SPDX-License-Identifier: Apache-2.0 */
/* Small programs, and the unwind tables that come of them. */
#ifndef MEMWATCH_TESTS_UNWIND_PROGRAM_H
#define MEMWATCH_TESTS_UNWIND_PROGRAM_H

#include "symbol_program.h"
#include "unwind/table.h"

static inline struct unwind_table *build_of(const char *path)
{
	struct unwind_table *table = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(unwind_table_build(fd, &table), 0);
	close(fd);
	return table;
}

/* The address of a symbol, by nm. */
static inline uint64_t address_of(const struct program *program, const char *symbol)
{
	unsigned long long address = 0;
	char command[256], name[64];
	FILE *out;

	snprintf(command, sizeof(command), "nm %s", program->path);
	out = popen(command, "r");
	assert_non_null(out);
	while (fscanf(out, "%llx %*c %63s", &address, name) == 2)
		if (strcmp(name, symbol) == 0)
			break;
	assert_string_equal(name, symbol);
	while (fgetc(out) != EOF)
		;
	pclose(out);
	return address;
}

static inline void assert_rule(const struct unwind_table *table, uint64_t address,
			       struct record_unwind_rule expected)
{
	assert_memory_equal(unwind_table_find(table, address), &expected, sizeof(expected));
}

#endif
