/* SPDX-License-Identifier: Apache-2.0 */
#include "python/inspect.h"

#include "procfs.h"
#include "python/code.h"
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* Servers have some hundred threads and a few interpreters; of more, these are enough to tell. */
#define INTERPRETERS_MAX 64
#define THREADS_MAX      256
#define CHAINS_MAX       16 /* threads whose frames are followed */
#define FRAMES_MAX       64 /* of each */
#define CODES_MAX        8  /* code objects that are read in full */

struct tally {
	unsigned int threads;   /* seen */
	unsigned int known;     /* that the process has */
	unsigned int good, bad; /* chains of frames */
	unsigned int codes;     /* read in full */
};

__attribute__((format(printf, 2, 3))) static int contradiction(struct inspection *inspection,
							       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(inspection->reason, sizeof(inspection->reason), format, arguments);
	va_end(arguments);
	return -EPROTO;
}

static int read_word(struct inspection *inspection, uint64_t address, uint64_t *word,
		     const char *what)
{
	const struct python_memory *memory = inspection->memory;
	int error = memory->read(memory->context, address, word, sizeof(*word));

	if (error)
		snprintf(inspection->reason, sizeof(inspection->reason),
			 "%s can't be read at %#" PRIx64, what, address);
	return error;
}

/* Of its code object, whose type has to be right. */
static int check_code(struct inspection *inspection, uint64_t address, struct tally *tally)
{
	struct python_layout *layout = &inspection->layout;
	struct python_code *code;
	uint64_t type;
	int error;

	error = read_word(inspection, address + layout->object_type, &type, "a frame's code");
	if (error)
		return error;
	/* A program that refers to the type may have a copy of it, which is the one in use. */
	if (type != layout->code_type) {
		error = inspect_code_type(inspection, type);
		if (error)
			return contradiction(inspection, "a frame's code is no code object");
		layout->code_type = type;
	}
	if (tally->codes >= CODES_MAX)
		return 0;
	tally->codes++;
	error = python_code_read(layout, inspection->memory, address, &code);
	if (error)
		return contradiction(inspection, "the names of a frame's code can't be read");
	python_code_release(code);
	return 0;
}

/* Reads what a frame says; *code is 0 for one that is none of Python's. */
static int read_frame(struct inspection *inspection, uint64_t frame, uint64_t *code,
		      uint64_t *previous)
{
	const struct python_layout *layout = &inspection->layout;
	const struct python_memory *memory = inspection->memory;
	uint8_t owner = 0;
	int error = read_word(inspection, frame + layout->frame_previous, previous, "a frame");

	if (!error)
		error = read_word(inspection, frame + layout->frame_code, code, "a frame");
	if (!error && layout->entry_kind == RECORD_PYTHON_ENTRY_OWNER)
		error = memory->read(memory->context, frame + layout->frame_owner, &owner, 1);
	if (error)
		return error;
	*code &= ~(uint64_t)layout->frame_code_mask;
	if (layout->entry_kind == RECORD_PYTHON_ENTRY_OWNER && owner >= layout->entry_owner)
		*code = 0;
	else if (!*code)
		return contradiction(inspection, "a frame has no code");
	return 0;
}

static int check_chain(struct inspection *inspection, uint64_t frame, struct tally *tally)
{
	int error = 0;

	for (int i = 0; frame && i < FRAMES_MAX && !error; i++) {
		uint64_t code, previous = 0;

		if (frame % sizeof(uint64_t))
			return contradiction(inspection, "a frame lies at no address for one");
		error = read_frame(inspection, frame, &code, &previous);
		if (!error && code)
			error = check_code(inspection, code, tally);
		frame = previous;
	}
	return error;
}

static int innermost_frame(struct inspection *inspection, uint64_t thread, uint64_t *frame)
{
	const struct python_layout *layout = &inspection->layout;
	int error = read_word(inspection, thread + layout->thread_frame, frame, "a thread's frame");

	if (error || !layout->has_cframe)
		return error;
	if (!*frame)
		return contradiction(inspection, "a thread has no cframe");
	return read_word(inspection, *frame + layout->cframe_frame, frame, "a thread's cframe");
}

/* In another pid namespace its numbers mean something else; they are then not looked at. */
static bool has_task(pid_t pid, uint64_t task)
{
	pid_t own_pid;
	char path[64];

	if (procfs_read_namespace_pid(pid, &own_pid) || own_pid != pid)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/task/%" PRIu64, (int)pid, task);
	return !access(path, F_OK);
}

/*
 * pthread_self() is the address of the thread's control block, which begins with its own address in
 * every C library for this machine.
 */
static int is_known_thread(struct inspection *inspection, uint64_t thread, bool *is_known)
{
	const struct python_layout *layout = &inspection->layout;
	const struct python_memory *memory = inspection->memory;
	uint64_t id, self, task;
	int error = read_word(inspection, thread + layout->thread_id, &id, "a thread's state");

	*is_known = false;
	if (error || !id || memory->read(memory->context, id, &self, sizeof(self)) || self != id)
		return error;
	*is_known = true;
	if (!layout->thread_native_id || !inspection->pid)
		return 0;
	error = read_word(inspection, thread + layout->thread_native_id, &task, "a thread's state");
	if (!error)
		*is_known = has_task(inspection->pid, task);
	return error;
}

static int check_thread(struct inspection *inspection, uint64_t thread, struct tally *tally)
{
	bool is_known;
	uint64_t frame;
	int error = is_known_thread(inspection, thread, &is_known);

	if (error || !is_known)
		return error;
	tally->known++;
	if (tally->good + tally->bad >= CHAINS_MAX)
		return 0;
	error = innermost_frame(inspection, thread, &frame);
	if (!error)
		error = check_chain(inspection, frame, tally);
	if (error)
		tally->bad++;
	else
		tally->good++;
	return 0;
}

static int check_threads(struct inspection *inspection, uint64_t interpreter, struct tally *tally)
{
	const struct python_layout *layout = &inspection->layout;
	uint64_t thread;
	int error = read_word(inspection, interpreter + layout->interpreter_threads, &thread,
			      "an interpreter's threads");

	while (!error && thread && tally->threads < THREADS_MAX) {
		tally->threads++;
		if (thread % sizeof(uint64_t))
			return contradiction(inspection, "a thread lies at no address for one");
		error = check_thread(inspection, thread, tally);
		if (!error)
			error = read_word(inspection, thread + layout->thread_next, &thread,
					  "a thread's state");
	}
	return error;
}

int inspect_interpreter(struct inspection *inspection)
{
	const struct python_layout *layout = &inspection->layout;
	struct tally tally = {0};
	uint64_t interpreter;
	int error = read_word(inspection, inspection->runtime + layout->runtime_interpreters,
			      &interpreter, "_PyRuntime");

	for (int i = 0; !error && interpreter && i < INTERPRETERS_MAX; i++) {
		if (interpreter % sizeof(uint64_t))
			return contradiction(inspection,
					     "an interpreter lies at no address for one");
		error = check_threads(inspection, interpreter, &tally);
		if (!error)
			error = read_word(inspection, interpreter + layout->interpreter_next,
					  &interpreter, "an interpreter");
	}
	if (error)
		return error;
	if (!tally.threads) {
		contradiction(inspection, "it has no thread yet");
		return -EAGAIN;
	}
	if (!tally.known)
		return contradiction(inspection, "none of its %u threads is one of the process's",
				     tally.threads);
	/* Where a thread runs its frames come and go: the reason is that of the last bad chain. */
	if (tally.bad > tally.good)
		return -EPROTO;
	/* Without a frame nobody can say whether it is the type in use: see check_code(). */
	if (!tally.codes)
		inspection->layout.code_type = 0;
	return 0;
}
