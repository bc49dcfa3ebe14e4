/* SPDX-License-Identifier: Apache-2.0 */
/* fork, vfork and posix_spawn in the middle of an account. */
#include "program.h"

#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 500

SITE(parent_allocates);
SITE(child_allocates);

static struct block blocks[BLOCKS];

CALL_SITE static struct block parent_allocates(size_t bytes)
{
	return block_new(&parent_allocates_site, malloc(bytes), bytes);
}

CALL_SITE static struct block child_allocates(size_t bytes)
{
	return block_new(&child_allocates_site, malloc(bytes), bytes);
}

static void wait_for(pid_t child)
{
	int status;

	program_require(child > 0, "a child");
	program_require(waitpid(child, &status, 0) == child && status == 0, "the child fares well");
}

static void allocate(long unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < BLOCKS; i++)
		blocks[i] = parent_allocates(100 + i);
}

static void allocate_as_child(long unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < BLOCKS; i++)
		child_allocates(50 + i);
}

static void free_all(long unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < BLOCKS; i++)
		block_free(&blocks[i]);
}

/* In a forked child: what it inherited is freed, but belongs to no account of its own. */
static void free_inherited(long unused)
{
	size_t i;

	(void)unused;
	for (i = 0; i < BLOCKS; i++)
		free(blocks[i].address);
	ledger_count("unknown_frees", BLOCKS);
}

/* The copies that the child frees are not the parent's blocks. */
static void fork_and_free(long unused)
{
	pid_t child = fork();

	(void)unused;
	if (!child) {
		free_all(0);
		allocate_as_child(0);
		_exit(EXIT_SUCCESS);
	}
	wait_for(child);
}

static const struct command child_commands[] = {
	{"free_inherited", free_inherited},
	{"allocate_as_child", allocate_as_child},
	{NULL, NULL},
};

/* The child serves, with a ledger of its own, until "exit"; then the parent goes on. */
static void fork_and_serve(long unused)
{
	pid_t child = fork();

	(void)unused;
	if (!child) {
		ledger_clear();
		_exit(program_serve(child_commands));
	}
	wait_for(child);
}

static void vfork_and_exec(long times)
{
	while (times-- > 0) {
		pid_t child = vfork();

		if (!child) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(EXIT_FAILURE);
		}
		wait_for(child);
		parent_allocates(64);
	}
}

static void spawn(long times)
{
	char name[] = "true", *arguments[] = {name, NULL}, *environment[] = {NULL};

	while (times-- > 0) {
		pid_t child = -1;

		posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environment);
		wait_for(child);
		parent_allocates(64);
	}
}

int main(void)
{
	static const struct command commands[] = {
		{"allocate", allocate},
		{"free_all", free_all},
		{"fork_and_free", fork_and_free},
		{"fork_and_serve", fork_and_serve},
		{"vfork_and_exec", vfork_and_exec},
		{"spawn", spawn},
		{NULL, NULL},
	};

	return program_serve(commands);
}
