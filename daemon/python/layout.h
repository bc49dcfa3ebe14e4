/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where CPython keeps what we read: one table of offsets for each version, stated by the target
 * itself from 3.13 on (_Py_DebugOffsets).
 */
#ifndef MEMWATCH_PYTHON_LAYOUT_H
#define MEMWATCH_PYTHON_LAYOUT_H

#include <stdint.h>

/* How a code object says which lines its instructions belong to: see code_lines.h. */
enum python_line_table {
	PYTHON_LINES_NUMBER_TABLE,   /* co_lnotab (to 3.9) */
	PYTHON_LINES_RANGE_TABLE,    /* co_linetable of 3.10 */
	PYTHON_LINES_LOCATION_TABLE, /* co_linetable (from 3.11) */
};

/* Offsets in bytes. What a version hasn't is 0, and its kind says so. */
struct python_layout {
	uint32_t version; /* major << 8 | minor */

	/* _PyRuntimeState, PyInterpreterState, PyThreadState */
	uint32_t runtime_interpreters; /* interpreters.head */
	uint32_t interpreter_next;
	uint32_t interpreter_threads; /* threads.head */
	uint32_t thread_next;
	uint32_t thread_id;        /* pthread_self() */
	uint32_t thread_native_id; /* gettid(); 0 before 3.11 */

	/* From a thread to its innermost frame: its frame, or by way of a _PyCFrame. */
	uint32_t thread_frame; /* frame (to 3.10), cframe (3.11, 3.12), current_frame (from 3.13) */
	uint32_t cframe_frame; /* current_frame of a _PyCFrame */
	uint8_t has_cframe;

	/* PyFrameObject (to 3.10), _PyInterpreterFrame */
	uint32_t frame_code, frame_previous;
	uint32_t frame_instruction; /* f_lasti, prev_instr, instr_ptr */
	uint32_t frame_owner;       /* is_entry (3.11), owner (from 3.12); one byte */
	uint8_t instruction_kind;   /* enum record_python_instruction */
	uint8_t entry_kind;         /* enum record_python_entry */
	uint8_t entry_owner;        /* the first value of owner that is no frame of Python's */
	uint8_t frame_code_mask;    /* bits of f_executable that are no address (3.14) */

	/* PyObject, PyUnicodeObject, PyBytesObject, PyCodeObject */
	uint32_t object_type;
	uint32_t unicode_length, unicode_state;
	uint32_t unicode_ascii_data, unicode_compact_data;
	uint32_t bytes_size, bytes_data;
	uint32_t code_first_line, code_file, code_name, code_qualified_name;
	uint32_t code_line_table;
	uint32_t code_instructions; /* co_code_adaptive; 0 where bytecode is an object of its own */
	uint8_t line_table_kind;    /* enum python_line_table */

	/* Where PyCode_Type is in the process at hand; 0 in the tables, and where it isn't known.
	 */
	uint64_t code_type;
};

/* Offsets into code objects, frames and other small structures stay below this. */
#define PYTHON_STRUCT_BYTES_MAX 512

/* The table of a version (major << 8 | minor); NULL: none is known. */
const struct python_layout *python_layout_find(uint32_t version);

#endif
