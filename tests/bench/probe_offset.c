/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints where memwatch would probe malloc and free of an ELF file, by memwatch's own functions, so
 * that "the limit" has its probes at the same addresses.
 *
 *   probe_offset FILE
 *
 * One line per function: "NAME ENTRY PROBE REASON"; offsets into the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe/elf_function.h"
#include "probe/probe_address.h"

#define CODE_BYTES     64
#define FUNCTION_COUNT 2

static const char *const names[FUNCTION_COUNT] = {"malloc", "free"};

static int offset_print(int fd, const char *name, const struct elf_function *function,
			bool is_allocation)
{
	struct probe_address chosen;
	uint8_t code[CODE_BYTES];
	ssize_t size = pread(fd, code, sizeof(code), (off_t)function->file_offset);

	if (size < 0)
		return -errno;
	/* An allocation's return is probed too; free's null argument costs nothing. */
	probe_address_choose(code, (size_t)size,
			     &(struct probe_request){.argument_count = 1,
						     .needs_return = is_allocation,
						     .skips_null = !is_allocation},
			     &chosen);
	printf("%s %#" PRIx64 " %#" PRIx64 " %s\n", name, function->file_offset,
	       function->file_offset + chosen.offset_bytes, chosen.reason);
	return 0;
}

int main(int argc, char **argv)
{
	struct elf_function found[FUNCTION_COUNT];
	int error;

	if (argc != 2) {
		fprintf(stderr, "usage: probe_offset FILE\n");
		return 2;
	}
	int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		error = -errno;
		goto out;
	}
	error = elf_functions_find(fd, names, FUNCTION_COUNT, found);
	if (error >= 0)
		error = error == FUNCTION_COUNT ? 0 : -ENOENT;
	for (size_t i = 0; !error && i < FUNCTION_COUNT; i++)
		error = offset_print(fd, names[i], &found[i], i == 0);
	close(fd);
out:
	if (error)
		fprintf(stderr, "probe_offset: %s: %s\n", argv[1], strerror(-error));
	return error ? 1 : 0;
}
