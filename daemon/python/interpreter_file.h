/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an ELF file holds a CPython interpreter, and where in it. The file is hostile. */
#ifndef MEMWATCH_PYTHON_INTERPRETER_FILE_H
#define MEMWATCH_PYTHON_INTERPRETER_FILE_H

#include <stddef.h>
#include <stdint.h>

#define INTERPRETER_SEGMENTS_MAX 16

/* What of the file is mapped. */
struct interpreter_segment {
	uint64_t address; /* that it is linked at */
	uint64_t offset, bytes;
};

/* Addresses that the file is linked at; 0: it has no such symbol. */
struct interpreter_symbols {
	uint64_t runtime;    /* _PyRuntime */
	uint64_t version;    /* Py_Version (from 3.11) */
	uint64_t code_type;  /* PyCode_Type */
	uint64_t evaluation; /* _PyEval_EvalFrameDefault */
	uint64_t evaluation_bytes;
	/* Functions that are new in a version, by which those are told apart that don't state
	 * theirs.
	 */
	uint64_t of_3_8, of_3_9, of_3_10;
	struct interpreter_segment segments[INTERPRETER_SEGMENTS_MAX];
	size_t segment_count;
};

/*
 * Reads the symbols that are looked for: what .dynsym exports, and of a program .symtab too, for
 * one that has an interpreter built in may keep it to itself. Returns 0, -ENOENT (no _PyRuntime is
 * defined here), other -errno.
 */
int interpreter_symbols_read(int fd, struct interpreter_symbols *symbols);

#endif
