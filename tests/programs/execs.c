/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replaces itself by itself, from the leading thread or another. Any argument: the second life, and
 * how often it goes on to replace itself.
 */
#include "program.h"

#include <pthread.h>
#include <stdio.h>
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

static void exec_itself(long times_more)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", times_more);
	execl("/proc/self/exe", "execs", text, (char *)NULL);
	program_require(false, "exec works");
}

static void *become_second_life(void *unused)
{
	(void)unused;
	exec_itself(0);
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

static void exec_often(long times)
{
	exec_itself(times - 1);
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
		{"exec_often", exec_often},
		{"exec_another_program", exec_another_program},
		{NULL, NULL},
	};
	long times_more = argument_count > 1 ? strtol(arguments[1], NULL, 10) : 0;

	is_second_life = argument_count > 1;
	if (times_more) {
		second_life_allocates(100);
		exec_itself(times_more - 1);
	}
	return program_serve(commands);
}
