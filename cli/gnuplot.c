/* SPDX-License-Identifier: Apache-2.0 */
#include "gnuplot.h"

#include "render.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int start(int script_fd, int output_fd, pid_t *pid)
{
	/* -d: nobody's ~/.gnuplot takes part. */
	char *arguments[] = {(char *)"gnuplot", (char *)"-d", NULL};
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	posix_spawn_file_actions_adddup2(&actions, script_fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
	error = posix_spawnp(pid, "gnuplot", &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

int gnuplot_run(int script_fd, int output_fd)
{
	int error, status;
	pid_t pid, waited;

	error = start(script_fd, output_fd, &pid);
	if (error == ENOENT) {
		render_complain("gnuplot is not installed: it draws the picture (Debian and Ubuntu "
				"have it in the package gnuplot-nox)");
		return -1;
	}
	if (error) {
		render_complain("cannot run gnuplot: %s", strerror(error));
		return -1;
	}
	do
		waited = waitpid(pid, &status, 0);
	while (waited < 0 && errno == EINTR);
	if (waited == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	render_complain("gnuplot could not draw the picture%s",
			waited == pid && WIFSIGNALED(status) ? ": it was killed" : "");
	return -1;
}
