/* SPDX-License-Identifier: Apache-2.0 */
/* Holds a few blocks and, when told, becomes the program that its arguments name. */
#include "program.h"

#include <stdlib.h>
#include <unistd.h>

#define BLOCKS 100

SITE(allocates_before);

static char **next_command;

CALL_SITE static void allocates_before(size_t bytes)
{
	block_new(&allocates_before_site, malloc(bytes), bytes);
}

static void allocate(long unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < BLOCKS; i++)
		allocates_before(100);
}

static void become(long unused)
{
	(void)unused;
	execv(next_command[0], next_command);
	program_require(false, "exec works");
}

int main(int argument_count, char **arguments)
{
	static const struct command commands[] = {
		{"allocate", allocate},
		{"become", become},
		{NULL, NULL},
	};

	program_require(argument_count > 1, "a program to become");
	next_command = arguments + 1;
	return program_serve(commands);
}
