/* SPDX-License-Identifier: Apache-2.0 */
/* What programs that trace others by ptrace have in common. */
#ifndef MEMWATCH_TEST_TRACING_H
#define MEMWATCH_TEST_TRACING_H

#include "program.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>

#define TRACING_THREADS_MAX 64

struct thread_list {
	pid_t threads[TRACING_THREADS_MAX];
	size_t count;
};

static inline void thread_list_read(struct thread_list *list, pid_t process)
{
	const struct dirent *entry;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
	tasks = opendir(path);
	program_require(tasks, "the process lives");
	list->count = 0;
	while ((entry = readdir(tasks)) && list->count < TRACING_THREADS_MAX)
		if (entry->d_name[0] != '.')
			list->threads[list->count++] = atoi(entry->d_name);
	closedir(tasks);
}

static inline void tracing_wait_until_stopped(pid_t thread)
{
	int status;

	program_require(waitpid(thread, &status, __WALL) == thread, "a thread of ours");
	program_require(WIFSTOPPED(status), "the thread stops, and does not end");
}

#endif
