/* SPDX-License-Identifier: Apache-2.0 */
#include "launch_files.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAUNCH_SCRIPTS_MAX 4   /* as the kernel follows them */
#define LAUNCH_FILES_MAX   256 /* of one program */
#define LAUNCH_HEADERS_MAX 64
#define LAUNCH_START_BYTES 256 /* what the kernel reads of a script */

size_t launch_files_parse_line(const char *line, const char **path)
{
	const char *arrow = strstr(line, " => ");
	size_t length;

	*path = arrow ? arrow + 4 : line + strspn(line, " \t");
	length = strcspn(*path, "\n");
	/* " (0x00007f…)" ends it; the path may hold such characters itself. */
	for (size_t i = length; i > 0; i--) {
		if (strncmp(*path + i - 1, " (0x", 4) == 0) {
			length = i - 1;
			break;
		}
	}
	return **path == '/' && length < PATH_MAX ? length : 0;
}

size_t launch_files_parse_script(const char *text, size_t bytes, const char **path)
{
	size_t start = 2, end;

	if (bytes < 2 || text[0] != '#' || text[1] != '!')
		return 0;
	while (start < bytes && (text[start] == ' ' || text[start] == '\t'))
		start++;
	end = start;
	while (end < bytes && !strchr(" \t\n", text[end]))
		end++;
	/* Without an end it is cut off. A NUL is such an end, by strchr. */
	if (end == bytes || end == start)
		return 0;
	*path = text + start;
	return end - start;
}

static void map_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd < 0)
		return;
	if (!fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_size > 0)
		(void)mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
}

/* As execvp finds it. path has PATH_MAX bytes. */
static bool find_file(const char *name, char *path)
{
	const char *folders = getenv("PATH");

	if (strchr(name, '/'))
		return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
	for (const char *folder = folders ? folders : "/bin:/usr/bin"; folder;) {
		int length = (int)strcspn(folder, ":");
		int written = snprintf(path, PATH_MAX, "%.*s%s%s", length, folder,
				       length ? "/" : "", name);

		if (written < PATH_MAX && access(path, X_OK) == 0)
			return true;
		folder = folder[length] ? folder + length + 1 : NULL;
	}
	return false;
}

/* The loader that an executable names; loader has PATH_MAX bytes. */
static bool find_loader(int fd, const Elf64_Ehdr *header, char *loader)
{
	for (unsigned int i = 0; i < header->e_phnum && i < LAUNCH_HEADERS_MAX; i++) {
		off_t offset = (off_t)(header->e_phoff + i * sizeof(Elf64_Phdr));
		Elf64_Phdr segment;

		if (pread(fd, &segment, sizeof(segment), offset) != (ssize_t)sizeof(segment))
			return false;
		if (segment.p_type != PT_INTERP)
			continue;
		if (segment.p_filesz < 2 || segment.p_filesz > PATH_MAX ||
		    pread(fd, loader, segment.p_filesz, (off_t)segment.p_offset) !=
			    (ssize_t)segment.p_filesz)
			return false;
		return loader[0] == '/' && !loader[segment.p_filesz - 1];
	}
	return false;
}

/* stdin and stderr of /dev/null, stdout into the pipe. 0, or an errno. */
static int start_loader(const char *loader, const char *path, int out_fd, pid_t *pid)
{
	char *arguments[] = {(char *)loader, (char *)"--list", (char *)path, NULL};
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	error = posix_spawn(pid, loader, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static void map_listed(FILE *list)
{
	char line[PATH_MAX + 256], path[PATH_MAX];
	const char *found;

	for (int i = 0; i < LAUNCH_FILES_MAX && fgets(line, sizeof(line), list); i++) {
		size_t length = launch_files_parse_line(line, &found);

		if (!length)
			continue;
		memcpy(path, found, length);
		path[length] = '\0';
		map_file(path);
	}
}

/* What the loader would load, by its own word: it runs no code of the program for that. */
static void map_libraries(const char *loader, const char *path)
{
	int pipe_fds[2];
	FILE *list;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC))
		return;
	list = fdopen(pipe_fds[0], "r");
	if (!list) {
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		return;
	}
	if (!start_loader(loader, path, pipe_fds[1], &pid)) {
		close(pipe_fds[1]);
		map_listed(list);
		fclose(list);
		waitpid(pid, NULL, 0);
		return;
	}
	close(pipe_fds[1]);
	fclose(list);
}

static bool is_elf(const Elf64_Ehdr *header, ssize_t bytes)
{
	return bytes >= (ssize_t)sizeof(*header) && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_phentsize == sizeof(Elf64_Phdr);
}

/* One file of the chain; a script's interpreter goes to path, and true is returned. */
static bool map_program(char *path)
{
	union {
		Elf64_Ehdr header;
		char text[LAUNCH_START_BYTES];
	} start;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *interpreter;
	char loader[PATH_MAX];
	size_t length = 0;
	ssize_t bytes;

	if (fd < 0)
		return false;
	bytes = pread(fd, &start, sizeof(start), 0);
	if (is_elf(&start.header, bytes)) {
		map_file(path);
		if (find_loader(fd, &start.header, loader)) {
			map_file(loader);
			map_libraries(loader, path);
		}
	} else if (bytes > 0) {
		length = launch_files_parse_script(start.text, (size_t)bytes, &interpreter);
	}
	close(fd);
	if (!length)
		return false;
	memcpy(path, interpreter, length);
	path[length] = '\0';
	return true;
}

void launch_files_map(const char *name)
{
	char path[PATH_MAX];

	if (!find_file(name, path))
		return;
	for (int i = 0; i < LAUNCH_SCRIPTS_MAX && map_program(path); i++)
		;
}
