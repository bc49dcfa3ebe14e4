/* SPDX-License-Identifier: Apache-2.0 */
#include "launch.h"

#include "launch_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAUNCH_FAILED 127

static ssize_t read_again(int fd, void *data, size_t bytes)
{
	ssize_t got;

	do
		got = read(fd, data, bytes);
	while (got < 0 && errno == EINTR);
	return got;
}

static ssize_t write_again(int fd, const void *data, size_t bytes)
{
	ssize_t put;

	do
		put = write(fd, data, bytes);
	while (put < 0 && errno == EINTR);
	return put;
}

/* Everything of ours closes as the program is executed. */
_Noreturn static void launch_child(int ready_fd, int go_fd, int failure_fd, char **arguments,
				   const sigset_t *mask)
{
	char byte = 0;
	int error;

	launch_files_map(arguments[0]);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (write_again(ready_fd, &byte, 1) != 1 || read_again(go_fd, &byte, 1) != 1)
		_exit(LAUNCH_FAILED);
	execvp(arguments[0], arguments);
	error = errno;
	write_again(failure_fd, &error, sizeof(error));
	_exit(LAUNCH_FAILED);
}

static void close_pair(const int *pair)
{
	if (pair[0] >= 0)
		close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
}

int launch_begin(struct launch *launch, char **arguments, const sigset_t *mask)
{
	int ready[2] = {-1, -1}, go[2] = {-1, -1}, failure[2] = {-1, -1};
	int error = 0;
	char byte;

	if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC) || pipe2(failure, O_CLOEXEC))
		error = -errno;
	launch->pid = error ? -1 : fork();
	if (!error && launch->pid < 0)
		error = -errno;
	if (launch->pid == 0) {
		close(ready[0]);
		close(go[1]);
		close(failure[0]);
		launch_child(ready[1], go[0], failure[1], arguments, mask);
	}
	if (error) {
		close_pair(ready);
		close_pair(go);
		close_pair(failure);
		return error;
	}
	close(ready[1]);
	close(go[0]);
	close(failure[1]);
	/* Also returns when it has been killed: letting it go then says so. */
	read_again(ready[0], &byte, 1);
	close(ready[0]);
	launch->go_fd = go[1];
	launch->failure_fd = failure[0];
	return 0;
}

int launch_go(struct launch *launch)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	char byte = 0;
	int error = 0;

	/* It may have been killed while it waited. */
	sigaction(SIGPIPE, &ignore, &before);
	write_again(launch->go_fd, &byte, 1);
	sigaction(SIGPIPE, &before, NULL);
	close(launch->go_fd);
	if (read_again(launch->failure_fd, &error, sizeof(error)) != (ssize_t)sizeof(error))
		error = 0;
	close(launch->failure_fd);
	if (error)
		waitpid(launch->pid, NULL, 0);
	return -error;
}

void launch_abandon(struct launch *launch)
{
	close(launch->go_fd);
	close(launch->failure_fd);
	kill(launch->pid, SIGKILL);
	waitpid(launch->pid, NULL, 0);
}
