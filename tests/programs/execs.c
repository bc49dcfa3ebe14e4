/* SPDX-License-Identifier: Apache-2.0 */
/* Replaces itself by itself, from the leading thread or another; any argument: the second life. */
#include "program.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCKS 300

SITE(first_life_allocates);
SITE(second_life_allocates);

static bool is_second_life;

CALL_SITE static void first_life_allocates(size_t bytes)
{
	block_new(&first_life_allocates_site, malloc(bytes), bytes);
}

CALL_SITE static void second_life_allocates(size_t bytes)
{
	block_new(&second_life_allocates_site, malloc(bytes), bytes);
}

static void allocate(long unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < BLOCKS; i++)
		(is_second_life ? second_life_allocates : first_life_allocates)(100 + i);
}

static void *become_second_life(void *unused)
{
	(void)unused;
	execl("/proc/self/exe", "execs", "second", (char *)NULL);
	program_require(false, "exec works");
	return NULL;
}

static void exec_from_leader(long unused)
{
	(void)unused;
	become_second_life(NULL);
}

static void exec_from_thread(long unused)
{
	pthread_t thread;

	(void)unused;
	program_require(!pthread_create(&thread, NULL, become_second_life, NULL), "a thread");
	pthread_join(thread, NULL);
}

static void exec_another_program(long unused)
{
	(void)unused;
	execl("/bin/sleep", "sleep", "1000", (char *)NULL);
	program_require(false, "exec works");
}

int main(int argument_count, char **arguments)
{
	static const struct command commands[] = {
		{"allocate", allocate},
		{"exec_from_leader", exec_from_leader},
		{"exec_from_thread", exec_from_thread},
		{"exec_another_program", exec_another_program},
		{NULL, NULL},
	};

	(void)arguments;
	is_second_life = argument_count > 1;
	return program_serve(commands);
}
