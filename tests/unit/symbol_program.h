/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small programs that the symbol tests compile and look into. Every program states itself what is
 * true of it, on its standard output, and then waits for its standard input to end.
 */
#ifndef MEMWATCH_TESTS_SYMBOL_PROGRAM_H
#define MEMWATCH_TESTS_SYMBOL_PROGRAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above. */
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct program {
	char directory[64];
	char path[80];
	pid_t pid; /* 0: not running */
	int input;
	FILE *output;
};

__attribute__((format(printf, 1, 2))) static inline void run_command(const char *format, ...)
{
	char command[4 * PATH_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command))
		fail_msg("this failed: %s", command);
}

/* suffix names the language: "c", "cc", "S". */
static inline void program_build(struct program *program, const char *suffix, const char *source,
				 const char *compiler)
{
	char directory[] = "/tmp/memwatch-symbol-XXXXXX", source_path[64];
	FILE *file;

	*program = (struct program){.input = -1};
	assert_non_null(mkdtemp(directory));
	snprintf(program->directory, sizeof(program->directory), "%s", directory);
	snprintf(program->path, sizeof(program->path), "%s/program", directory);
	snprintf(source_path, sizeof(source_path), "%s/program.%s", directory, suffix);
	file = fopen(source_path, "w");
	assert_non_null(file);
	assert_true(fputs(source, file) >= 0);
	assert_int_equal(fclose(file), 0);
	run_command("cd %s && %s -o program program.%s", directory, compiler, suffix);
}

static inline void program_start(struct program *program)
{
	int input[2], output[2];

	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	program->pid = fork();
	assert_true(program->pid >= 0);
	if (!program->pid) {
		dup2(input[0], STDIN_FILENO);
		dup2(output[1], STDOUT_FILENO);
		execl(program->path, program->path, (char *)NULL);
		_exit(127);
	}
	close(input[0]);
	close(output[1]);
	program->input = input[1];
	program->output = fdopen(output[0], "r");
	assert_non_null(program->output);
}

/* The next number that the program states. */
static inline uint64_t program_number(struct program *program)
{
	char line[64];

	assert_non_null(fgets(line, sizeof(line), program->output));
	return strtoull(line, NULL, 0);
}

static inline void program_stop(struct program *program)
{
	int status;

	if (!program->pid)
		return;
	close(program->input);
	fclose(program->output);
	assert_int_equal(waitpid(program->pid, &status, 0), program->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	program->pid = 0;
}

static inline void program_remove(struct program *program)
{
	program_stop(program);
	run_command("rm -rf %s", program->directory);
}

#endif
