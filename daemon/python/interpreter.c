/* SPDX-License-Identifier: Apache-2.0 */
#include "python/interpreter.h"

#include "python/debug_offsets.h"
#include "python/evaluation.h"
#include "python/file_memory.h"
#include "python/inspect.h"
#include "python/interpreter_file.h"
#include "symbol/elf_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A program and libpython at most; a few more where each plugin brings its own. */
#define CANDIDATES_MAX 8
/* How often a process that runs is looked at before what it seems to be is taken for true. */
#define LOOKS_MAX 10

/* Py_Version: PY_VERSION_HEX. */
#define VERSION_OF(word)    ((uint32_t)(word) >> 16)
#define VERSION_MICRO(word) ((word) >> 8 & 0xff)
#define VERSION_LEVEL(word) ((word) >> 4 & 0xf)
#define LEVEL_CANDIDATE     0xc /* alpha and beta have less; structures change until then */

#define VERSION_BYTES 24

struct python_interpreter {
	struct python_layout layout;
	char version[VERSION_BYTES];
	struct module *module; /* held */
	uint64_t runtime;
	struct evaluation_part parts[EVALUATION_PARTS_MAX]; /* where they are mapped */
	size_t part_count;
};
_Static_assert(EVALUATION_PARTS_MAX <= RECORD_PYTHON_EVAL_RANGES_MAX, "a record holds them all");

/* A file with _PyRuntime, as the process has it mapped. */
struct candidate {
	struct module *module; /* borrowed */
	struct interpreter_symbols symbols;
	uint64_t bias; /* what is to be added to an address that it is linked at */
};

static int fail(char reason[PYTHON_REASON_BYTES], int error, const char *what)
{
	snprintf(reason, PYTHON_REASON_BYTES, "%s", what);
	return error;
}

/* By where its code is mapped: all segments of a file are moved alike. */
static int find_bias(const struct address_space *space, struct candidate *candidate)
{
	struct elf_layout layout;
	int error = elf_layout_read(module_fd(candidate->module), &layout);

	for (size_t i = 0; !error && i < layout.segment_count; i++) {
		const struct elf_code_segment *segment = &layout.segments[i];
		uint64_t address;

		if (!segment->file_bytes ||
		    address_space_find(space, candidate->module, segment->file_offset, &address))
			continue;
		candidate->bias = address - segment->address;
		return 0;
	}
	return error ? error : -ENOENT;
}

static size_t find_candidates(const struct address_space *space,
			      struct candidate candidates[static CANDIDATES_MAX])
{
	size_t files = address_space_file_count(space), count = 0;

	for (size_t i = 0; i < files && count < CANDIDATES_MAX; i++) {
		struct candidate *candidate = &candidates[count];
		bool is_known = false;

		*candidate = (struct candidate){.module = address_space_file(space, i)->module};
		for (size_t k = 0; k < count; k++)
			is_known |= candidates[k].module == candidate->module;
		if (candidate->module && !is_known &&
		    !interpreter_symbols_read(module_fd(candidate->module), &candidate->symbols) &&
		    !find_bias(space, candidate))
			count++;
	}
	return count;
}

/* Of versions that don't state it: by what they export. */
static uint32_t version_before_3_11(const struct interpreter_symbols *symbols)
{
	if (symbols->of_3_10)
		return 0x30a;
	if (symbols->of_3_9)
		return 0x309;
	return symbols->of_3_8 ? 0x308 : 0;
}

/* Finds the table of its version, and what to call that. */
static int identify(const struct candidate *candidate, const struct python_memory *memory,
		    struct python_interpreter *interpreter, uint64_t *version_word,
		    char reason[PYTHON_REASON_BYTES])
{
	const struct python_layout *layout;
	uint32_t version = version_before_3_11(&candidate->symbols);
	uint64_t word = 0;

	if (candidate->symbols.version) {
		int error =
			memory->read(memory->context, candidate->symbols.version + candidate->bias,
				     &word, sizeof(word));

		if (error)
			return fail(reason, error, "its Py_Version can't be read");
		version = VERSION_OF(word);
	}
	layout = python_layout_find(version);
	if (!version)
		return fail(reason, -ENOTSUP, "it is CPython of a version before 3.8");
	if (candidate->symbols.version)
		snprintf(interpreter->version, VERSION_BYTES, "%u.%u.%u", version >> 8,
			 version & 0xff, (unsigned int)VERSION_MICRO(word));
	else
		snprintf(interpreter->version, VERSION_BYTES, "%u.%u", version >> 8,
			 version & 0xff);
	if (!layout || (word && VERSION_LEVEL(word) < LEVEL_CANDIDATE)) {
		snprintf(reason, PYTHON_REASON_BYTES, "it is CPython %s%s, which isn't known",
			 interpreter->version, layout ? " before its release" : "");
		return -ENOTSUP;
	}
	interpreter->layout = *layout;
	*version_word = word;
	return 0;
}

#define VERSION_WITH_DEBUG_OFFSETS 0x30d

static int ask_debug_offsets(struct python_interpreter *interpreter,
			     const struct python_memory *memory, uint64_t version_word,
			     char reason[PYTHON_REASON_BYTES])
{
	uint8_t bytes[DEBUG_OFFSETS_BYTES];
	const char *words = "";
	int error;

	if (interpreter->layout.version < VERSION_WITH_DEBUG_OFFSETS)
		return 0;
	error = memory->read(memory->context, interpreter->runtime, bytes, sizeof(bytes));
	if (error)
		return fail(reason, error, "its debug offsets can't be read");
	error = debug_offsets_apply(bytes, (uint32_t)version_word, &interpreter->layout, &words);
	return error ? fail(reason, error, words) : 0;
}

static int look_at_it(struct python_interpreter *interpreter, pid_t pid,
		      const struct python_memory *memory, uint64_t code_type,
		      char reason[PYTHON_REASON_BYTES])
{
	struct inspection inspection = {.layout = interpreter->layout,
					.memory = memory,
					.runtime = interpreter->runtime,
					.pid = pid};
	int error = inspect_code_type(&inspection, code_type);

	if (error)
		return fail(reason, error, inspection.reason);
	inspection.layout.code_type = code_type;
	error = inspect_interpreter(&inspection);
	for (int looks = 1; error && looks < LOOKS_MAX; looks++)
		error = inspect_interpreter(&inspection);
	if (error)
		return fail(reason, error, inspection.reason);
	interpreter->layout = inspection.layout;
	return 0;
}

static void find_evaluation(struct python_interpreter *interpreter,
			    const struct candidate *candidate)
{
	interpreter->part_count =
		evaluation_parts_find(module_fd(candidate->module), candidate->symbols.evaluation,
				      candidate->symbols.evaluation_bytes, interpreter->parts);
	for (size_t i = 0; i < interpreter->part_count; i++) {
		interpreter->parts[i].start += candidate->bias;
		interpreter->parts[i].end += candidate->bias;
	}
}

static int try_candidate(const struct candidate *candidate, pid_t pid,
			 const struct python_memory *process_memory,
			 struct python_interpreter *interpreter, char reason[PYTHON_REASON_BYTES])
{
	const struct interpreter_symbols *symbols = &candidate->symbols;
	struct file_memory file_memory = {.memory = process_memory,
					  .fd = module_fd(candidate->module),
					  .symbols = symbols,
					  .bias = candidate->bias};
	struct python_memory memory = file_memory_reader(&file_memory);
	uint64_t version_word;
	int error;

	if (!symbols->code_type || !symbols->evaluation)
		return fail(reason, -ENOTSUP,
			    "its file doesn't say where PyCode_Type and "
			    "_PyEval_EvalFrameDefault are");
	interpreter->runtime = symbols->runtime + candidate->bias;
	error = identify(candidate, &memory, interpreter, &version_word, reason);
	if (!error)
		error = ask_debug_offsets(interpreter, &memory, version_word, reason);
	if (!error)
		error = look_at_it(interpreter, pid, &memory, symbols->code_type + candidate->bias,
				   reason);
	if (error)
		return error;
	find_evaluation(interpreter, candidate);
	interpreter->module = module_hold(candidate->module);
	return 0;
}

/* Of several that won't do, the one that comes nearest is told of. */
static int nearness(int error)
{
	return error == -EAGAIN ? 3 : error == -EPROTO ? 2 : error == -ENOTSUP ? 1 : 0;
}

int python_interpreter_find(const struct address_space *space, pid_t pid,
			    const struct python_memory *memory, struct python_interpreter **found,
			    char reason[PYTHON_REASON_BYTES])
{
	struct candidate candidates[CANDIDATES_MAX] = {0};
	size_t count = find_candidates(space, candidates);
	struct python_interpreter *interpreter = calloc(1, sizeof(*interpreter));
	char words[PYTHON_REASON_BYTES];
	int result = -ENOENT;

	if (!interpreter)
		return fail(reason, -ENOMEM, "out of memory");
	reason[0] = '\0';
	for (size_t i = 0; i < count && result; i++) {
		int error = try_candidate(&candidates[i], pid, memory, interpreter, words);

		if (result != -ENOENT && error && nearness(error) <= nearness(result))
			continue;
		result = error;
		if (error)
			memcpy(reason, words, sizeof(words));
	}
	if (result)
		python_interpreter_free(interpreter);
	else
		*found = interpreter;
	return result;
}

void python_interpreter_free(struct python_interpreter *interpreter)
{
	if (!interpreter)
		return;
	module_release(interpreter->module);
	free(interpreter);
}

const struct python_layout *python_interpreter_layout(const struct python_interpreter *interpreter)
{
	return &interpreter->layout;
}

const char *python_interpreter_version(const struct python_interpreter *interpreter)
{
	return interpreter->version;
}

struct module *python_interpreter_module(const struct python_interpreter *interpreter)
{
	return interpreter->module;
}

void python_interpreter_record(const struct python_interpreter *interpreter,
			       struct record_python *record)
{
	const struct python_layout *layout = &interpreter->layout;

	*record = (struct record_python){
		.runtime = interpreter->runtime,
		.runtime_interpreters = layout->runtime_interpreters,
		.interpreter_next = layout->interpreter_next,
		.interpreter_threads = layout->interpreter_threads,
		.thread_next = layout->thread_next,
		.thread_id = layout->thread_id,
		.thread_frame = layout->thread_frame,
		.cframe_frame = layout->cframe_frame,
		.frame_code = layout->frame_code,
		.frame_previous = layout->frame_previous,
		.frame_instruction = layout->frame_instruction,
		.frame_owner = layout->frame_owner,
		.code_instructions = layout->code_instructions,
		.has_cframe = layout->has_cframe,
		.instruction_kind = layout->instruction_kind,
		.entry_kind = layout->entry_kind,
		.entry_owner = layout->entry_owner,
		.frame_code_mask = layout->frame_code_mask,
	};
	for (size_t i = 0; i < interpreter->part_count; i++) {
		record->eval_ranges[i].start = interpreter->parts[i].start;
		record->eval_ranges[i].end = interpreter->parts[i].end;
	}
}

bool python_interpreter_is_evaluation(const struct python_interpreter *interpreter,
				      uint64_t address)
{
	for (size_t i = 0; i < interpreter->part_count; i++)
		if (address >= interpreter->parts[i].start && address < interpreter->parts[i].end)
			return true;
	return false;
}
