/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/child.h"

#include <errno.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int probe_child_start(struct probe_child *child, void (*main)(int commands, int answers))
{
	int down[2], up[2], error;

	if (pipe(down))
		return -errno;
	if (pipe(up)) {
		error = -errno;
		close(down[0]);
		close(down[1]);
		return error;
	}
	child->pid = fork();
	error = child->pid < 0 ? -errno : 0;
	if (child->pid == 0) {
		close(down[1]);
		close(up[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		main(down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	child->commands = down[1];
	child->answers = up[0];
	if (error) {
		close(child->commands);
		close(child->answers);
	}
	return error;
}

bool probe_child_answers(const struct probe_child *child, int milliseconds)
{
	struct pollfd answer = {.fd = child->answers, .events = POLLIN};
	char byte;

	return poll(&answer, 1, milliseconds) > 0 && read(child->answers, &byte, 1) == 1;
}

int probe_child_end(struct probe_child *child)
{
	int status = 0;

	close(child->commands);
	close(child->answers);
	kill(child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

struct search {
	uintptr_t function;
	uint64_t file_offset;
};

static int find_file_offset(struct dl_phdr_info *program, size_t size, void *context)
{
	struct search *search = context;
	uintptr_t wanted = search->function - program->dlpi_addr;

	(void)size;
	for (int i = 0; i < program->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &program->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && wanted - segment->p_vaddr < segment->p_filesz)
			search->file_offset = wanted - segment->p_vaddr + segment->p_offset;
	}
	return 1; /* the first object is the program itself */
}

uint64_t probe_child_file_offset(uintptr_t function)
{
	struct search search = {.function = function};

	dl_iterate_phdr(find_file_offset, &search);
	return search.file_offset;
}
