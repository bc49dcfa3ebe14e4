/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real interpreters are found in their processes, and what their layouts lead to, from _PyRuntime
 * to the line that each frame of each thread is at, is what the interpreters say themselves.
 */
#include "python/code.h"
#include "python_program.h"

#include <stdbool.h>

#define FRAMES_MAX 256

struct frame {
	char name[64];
	uint32_t line;
	bool is_entry;
};

struct stack {
	struct frame frames[FRAMES_MAX];
	size_t count;
};

/* A process under test, and how to read it. */
struct subject {
	struct python_program program;
	struct python_interpreter *interpreter;
	struct record_python record;
};

static uint64_t read_number(struct subject *subject, uint64_t address, size_t bytes)
{
	uint64_t number = 0;
	int error = python_program_read(&subject->program, address, &number, bytes);

	if (error)
		fail_msg("%#llx can't be read: %d", (unsigned long long)address, error);
	return number;
}

static uint64_t read_pointer(struct subject *subject, uint64_t address)
{
	return read_number(subject, address, sizeof(uint64_t));
}

/* Whether a frame is the outermost of a call of the evaluation function. */
static bool is_entry(struct subject *subject, uint64_t frame, uint64_t previous)
{
	const struct record_python *record = &subject->record;

	switch (record->entry_kind) {
	case RECORD_PYTHON_ENTRY_EACH:
		return true;
	case RECORD_PYTHON_ENTRY_FLAG:
		return read_number(subject, frame + record->frame_owner, 1);
	default:
		return !previous || read_number(subject, previous + record->frame_owner, 1) >=
					    record->entry_owner;
	}
}

static uint32_t instruction_offset(struct subject *subject, uint64_t frame, uint64_t code)
{
	const struct record_python *record = &subject->record;
	uint64_t at = frame + record->frame_instruction;

	switch (record->instruction_kind) {
	case RECORD_PYTHON_BYTE_INDEX:
		return (uint32_t)read_number(subject, at, 4);
	case RECORD_PYTHON_UNIT_INDEX:
		return 2 * (uint32_t)read_number(subject, at, 4);
	default:
		return (uint32_t)(read_pointer(subject, at) - code - record->code_instructions);
	}
}

static void read_frame(struct subject *subject, uint64_t frame, uint64_t previous,
		       struct stack *stack)
{
	const struct record_python *record = &subject->record;
	uint64_t address = read_pointer(subject, frame + record->frame_code) &
			   ~(uint64_t)record->frame_code_mask;
	struct frame *to = &stack->frames[stack->count];
	struct python_code *code;
	int error;

	if (record->entry_kind == RECORD_PYTHON_ENTRY_OWNER &&
	    read_number(subject, frame + record->frame_owner, 1) >= record->entry_owner)
		return;
	error = python_code_read(python_interpreter_layout(subject->interpreter),
				 &subject->program.memory, address, &code);
	if (error)
		fail_msg("code of a frame: %d", error);
	snprintf(to->name, sizeof(to->name), "%s", python_code_function(code));
	to->line = python_code_line(code, instruction_offset(subject, frame, address));
	to->is_entry = is_entry(subject, frame, previous);
	stack->count++;
	python_code_release(code);
}

static void walk(struct subject *subject, uint64_t thread, struct stack *stack)
{
	const struct record_python *record = &subject->record;
	uint64_t frame = read_pointer(subject, thread + record->thread_frame), previous;

	if (record->has_cframe)
		frame = read_pointer(subject, frame + record->cframe_frame);
	for (stack->count = 0; frame && stack->count < FRAMES_MAX; frame = previous) {
		previous = read_pointer(subject, frame + record->frame_previous);
		read_frame(subject, frame, previous, stack);
	}
}

/*
 * The state of a thread. Before 3.12 an interpreter has one with the identity of the thread that
 * made it, too; the main interpreter is the last in the list.
 */
static uint64_t find_thread(struct subject *subject, uint64_t ident)
{
	const struct record_python *record = &subject->record;
	uint64_t interpreter =
		read_pointer(subject, record->runtime + record->runtime_interpreters);
	uint64_t found = 0;

	for (; interpreter;
	     interpreter = read_pointer(subject, interpreter + record->interpreter_next)) {
		uint64_t thread = read_pointer(subject, interpreter + record->interpreter_threads);

		for (; thread; thread = read_pointer(subject, thread + record->thread_next))
			if (read_pointer(subject, thread + record->thread_id) == ident)
				found = thread;
	}
	return found;
}

/* A frame called plainly shares the evaluation of its caller (from 3.11); one called by C does not.
 */
static void assert_entry(struct subject *subject, const struct frame *frame, const char *name)
{
	bool is_called_by_c = !strcmp(name, "entered_key") || !strcmp(name, "<module>") ||
			      !strcmp(name, "_bootstrap");
	bool is_called_plainly = !strcmp(name, "deep") || !strcmp(name, "stand");

	if (subject->record.entry_kind == RECORD_PYTHON_ENTRY_EACH || is_called_by_c)
		assert_true(frame->is_entry);
	else if (is_called_plainly)
		assert_false(frame->is_entry);
}

/* "frame NAME LINE" until "end". */
static size_t assert_stack(struct subject *subject, uint64_t ident)
{
	uint64_t thread = find_thread(subject, ident);
	struct stack stack;
	char *line;
	size_t count = 0;

	assert_int_not_equal(thread, 0);
	walk(subject, thread, &stack);
	while ((line = python_program_line(&subject->program)) && strcmp(line, "end") != 0) {
		const struct frame *frame = &stack.frames[count++];
		char name[64];
		unsigned int number;

		assert_int_equal(sscanf(line, "frame %63s %u", name, &number), 2);
		assert_true(count <= stack.count);
		assert_string_equal(frame->name, name);
		if (frame->line != number)
			fail_msg("%s: line %u instead of %u", name, frame->line, number);
		assert_entry(subject, frame, name);
	}
	assert_int_equal(count, stack.count);
	return count;
}

#define THREADS 5 /* that it shows the stacks of */

/* What it states of all threads comes first: it stands still when the last has come. */
static char *open_subject(struct subject *subject, struct python_command *command)
{
	char *stated = NULL, *line;
	size_t bytes = 0, ends = 0;
	FILE *to = open_memstream(&stated, &bytes);

	assert_non_null(to);
	python_program_start(&subject->program, command, "threads");
	while (ends < THREADS && (line = python_program_line(&subject->program))) {
		fprintf(to, "%s\n", line);
		ends += !strcmp(line, "end");
	}
	assert_int_equal(fclose(to), 0);
	assert_int_equal(ends, THREADS);
	python_program_map(&subject->program);
	subject->interpreter = python_program_interpreter(&subject->program);
	python_interpreter_record(subject->interpreter, &subject->record);
	return stated;
}

static void assert_version(struct subject *subject, const struct python_command *command)
{
	const char *version = python_interpreter_version(subject->interpreter);
	size_t length = strlen(command->version);

	assert_memory_equal(version, command->version, length);
	assert_true(version[length] == '\0' || version[length] == '.');
}

/* What debug offsets state of the releases at hand is what the headers of their versions do. */
static void assert_layout(struct subject *subject)
{
	struct python_layout layout = *python_interpreter_layout(subject->interpreter);

	assert_int_not_equal(layout.code_type, 0);
	layout.code_type = 0;
	assert_memory_equal(&layout, python_layout_find(layout.version), sizeof(layout));
}

/* Its own symbol, where it is, and nothing of what lies before and behind. */
static void assert_evaluation(struct subject *subject)
{
	const struct record_python *record = &subject->record;
	struct module *module;
	uint64_t offset;

	assert_true(record->eval_ranges[0].end > record->eval_ranges[0].start + 1000);
	for (size_t i = 0; i < RECORD_PYTHON_EVAL_RANGES_MAX; i++) {
		uint64_t start = record->eval_ranges[i].start, end = record->eval_ranges[i].end;

		if (!end)
			continue;
		assert_int_equal(
			address_space_resolve(subject->program.space, start, &module, &offset), 0);
		assert_ptr_equal(module, python_interpreter_module(subject->interpreter));
		assert_true(python_interpreter_is_evaluation(subject->interpreter, start));
		assert_true(python_interpreter_is_evaluation(subject->interpreter, end - 1));
	}
	assert_false(python_interpreter_is_evaluation(subject->interpreter,
						      record->eval_ranges[0].start - 1));
	assert_false(python_interpreter_is_evaluation(subject->interpreter, 0));
}

static void check_program(struct python_command *command)
{
	struct subject subject;
	size_t frames = 0;
	char *stated = open_subject(&subject, command), *line;
	FILE *output = subject.program.output;

	assert_version(&subject, command);
	assert_layout(&subject);
	assert_evaluation(&subject);
	subject.program.output = fmemopen(stated, strlen(stated), "r");
	assert_non_null(subject.program.output);
	while ((line = python_program_line(&subject.program))) {
		assert_memory_equal(line, "thread ", 7);
		frames += assert_stack(&subject, strtoull(line + 7, NULL, 10));
	}
	fclose(subject.program.output);
	free(stated);
	subject.program.output = output;
	print_message("python %s: %zu frames\n", python_interpreter_version(subject.interpreter),
		      frames);
	assert_true(frames > 60);
	python_interpreter_free(subject.interpreter);
	python_program_stop(&subject.program);
}

static void test_frames_of_all_threads_are_at_the_lines_that_the_interpreter_says(void **state)
{
	struct python_commands *pythons = *state;

	for (size_t i = 0; i < pythons->count; i++)
		check_program(&pythons->commands[i]);
}

#define LOOKS 20

static void check_busy_program(struct python_command *command)
{
	struct python_program program;
	char *line;

	python_program_start(&program, command, "busy");
	while ((line = python_program_line(&program)) && strcmp(line, "end") != 0)
		;
	python_program_map(&program);
	for (int i = 0; i < LOOKS; i++)
		python_interpreter_free(python_program_interpreter(&program));
	python_program_stop(&program);
}

static void test_interpreter_is_found_while_its_threads_run(void **state)
{
	struct python_commands *pythons = *state;

	for (size_t i = 0; i < pythons->count; i++)
		check_busy_program(&pythons->commands[i]);
}

/* Whether an address lies in what a process has mapped to be read alone, as constants are. */
static bool is_constant(pid_t pid, uint64_t address)
{
	bool is_found = false;
	char path[32], line[512];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	assert_non_null(maps);
	while (!is_found && fgets(line, sizeof(line), maps)) {
		char *rest;
		uint64_t start = strtoull(line, &rest, 16), end = strtoull(rest + 1, &rest, 16);

		is_found = address >= start && address < end && strncmp(rest, " r--p", 5) == 0;
	}
	fclose(maps);
	return is_found;
}

/* As where no page of them has come to memory. */
static int read_without_constants(void *context, uint64_t address, void *buffer, size_t bytes)
{
	const struct python_program *program = context;

	if (is_constant(program->pid, address))
		return -ENXIO;
	return python_program_read(context, address, buffer, bytes);
}

static void check_without_constants(struct python_command *command)
{
	struct python_interpreter *interpreter;
	struct python_program program;
	char *line;

	python_program_start(&program, command, "busy");
	while ((line = python_program_line(&program)) && strcmp(line, "end") != 0)
		;
	python_program_map(&program);
	program.memory.read = read_without_constants;
	interpreter = python_program_interpreter(&program);
	assert_memory_equal(python_interpreter_version(interpreter), command->version,
			    strlen(command->version));
	python_interpreter_free(interpreter);
	python_program_stop(&program);
}

static void test_version_is_known_where_the_process_has_not_read_it(void **state)
{
	struct python_commands *pythons = *state;

	for (size_t i = 0; i < pythons->count; i++)
		check_without_constants(&pythons->commands[i]);
}

static void test_process_without_an_interpreter_has_none(void **state)
{
	char reason[PYTHON_REASON_BYTES];
	struct python_program self = {.pid = getpid(), .memory.read = python_program_read};
	struct python_interpreter *interpreter;

	(void)state;
	self.memory.context = &self;
	python_program_map(&self);
	assert_int_equal(
		python_interpreter_find(self.space, self.pid, &self.memory, &interpreter, reason),
		-ENOENT);
	address_space_free(self.space);
	module_cache_free(self.cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_frames_of_all_threads_are_at_the_lines_that_the_interpreter_says),
		cmocka_unit_test(test_interpreter_is_found_while_its_threads_run),
		cmocka_unit_test(test_version_is_known_where_the_process_has_not_read_it),
		cmocka_unit_test(test_process_without_an_interpreter_has_none),
	};

	return cmocka_run_group_tests(tests, pythons_find, pythons_forget);
}
