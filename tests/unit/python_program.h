/* SPDX-License-Identifier: Apache-2.0 */
/* Python processes that state of themselves what the tests look for: see python_states.py. */
#ifndef MEMWATCH_TESTS_PYTHON_PROGRAM_H
#define MEMWATCH_TESTS_PYTHON_PROGRAM_H

#include "python/interpreter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above. */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Tests run in the root of the source tree. */
#define PYTHON_STATES "tests/unit/python_states.py"
#define PYTHONS       "python3 tests/unit/pythons.py"

#define PYTHON_WORDS_MAX 8
#define PYTHONS_MAX      16

/* One that can be run here. */
struct python_command {
	char *line; /* owns the words */
	const char *version;
	char *words[PYTHON_WORDS_MAX + 3];
	size_t word_count;
};

struct python_commands {
	struct python_command commands[PYTHONS_MAX];
	size_t count;
};

/* As a group's set-up: *state is the commands. */
static inline int pythons_find(void **state)
{
	struct python_commands *found = calloc(1, sizeof(*found));
	FILE *output = popen(PYTHONS, "r");
	size_t capacity = 0;

	assert_non_null(found);
	assert_non_null(output);
	while (found->count < PYTHONS_MAX) {
		struct python_command *command = &found->commands[found->count];
		char *rest;

		if (getline(&command->line, &capacity, output) <= 0)
			break;
		command->line[strcspn(command->line, "\n")] = '\0';
		rest = command->line;
		command->version = strsep(&rest, "\t");
		while (rest && command->word_count < PYTHON_WORDS_MAX)
			command->words[command->word_count++] = strsep(&rest, "\t");
		capacity = 0;
		found->count++;
	}
	assert_int_equal(pclose(output), 0);
	assert_true(found->count > 0);
	*state = found;
	return 0;
}

static inline int pythons_forget(void **state)
{
	struct python_commands *found = *state;

	for (size_t i = 0; i < PYTHONS_MAX; i++)
		free(found->commands[i].line);
	free(found);
	return 0;
}

struct python_program {
	pid_t pid;
	int input;
	FILE *output;
	char *line;
	size_t line_capacity;
	struct python_memory memory;
	struct module_cache *cache;
	struct address_space *space;
};

static inline int python_program_read(void *context, uint64_t address, void *buffer, size_t bytes)
{
	struct python_program *program = context;
	struct iovec local = {buffer, bytes}, remote = {(void *)(uintptr_t)address, bytes};
	ssize_t count = process_vm_readv(program->pid, &local, 1, &remote, 1, 0);

	if (count < 0)
		return -errno;
	return (size_t)count == bytes ? 0 : -EFAULT;
}

/* The next line without its end; NULL at the end of the output. */
static inline char *python_program_line(struct python_program *program)
{
	if (getline(&program->line, &program->line_capacity, program->output) <= 0)
		return NULL;
	program->line[strcspn(program->line, "\n")] = '\0';
	return program->line;
}

static inline void python_program_start(struct python_program *program,
					struct python_command *command, const char *states)
{
	int input[2], output[2];

	*program = (struct python_program){.memory.read = python_program_read};
	program->memory.context = program;
	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	command->words[command->word_count] = (char *)(uintptr_t)PYTHON_STATES;
	command->words[command->word_count + 1] = (char *)(uintptr_t)states;
	command->words[command->word_count + 2] = NULL;
	program->pid = fork();
	assert_true(program->pid >= 0);
	if (!program->pid) {
		dup2(input[0], STDIN_FILENO);
		dup2(output[1], STDOUT_FILENO);
		execv(command->words[0], command->words);
		_exit(127);
	}
	close(input[0]);
	close(output[1]);
	program->input = input[1];
	program->output = fdopen(output[0], "r");
	assert_non_null(program->output);
}

/* Once it has stated something: what it has mapped. */
static inline void python_program_map(struct python_program *program)
{
	program->cache = module_cache_new(64U << 20, 256);
	assert_non_null(program->cache);
	program->space = address_space_new(program->pid, program->cache);
	assert_non_null(program->space);
	assert_int_equal(address_space_refresh(program->space), 0);
}

static inline void python_program_stop(struct python_program *program)
{
	int status;

	close(program->input);
	fclose(program->output);
	free(program->line);
	assert_int_equal(waitpid(program->pid, &status, 0), program->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	address_space_free(program->space);
	module_cache_free(program->cache);
}

static inline struct python_interpreter *python_program_interpreter(struct python_program *program)
{
	char reason[PYTHON_REASON_BYTES] = "";
	struct python_interpreter *interpreter;
	int error = python_interpreter_find(program->space, program->pid, &program->memory,
					    &interpreter, reason);

	if (error)
		fail_msg("no interpreter: %d %s", error, reason);
	return interpreter;
}

#endif
