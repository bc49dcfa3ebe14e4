/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of offsets by version, for x86-64, as the compiler computes them from each version's
 * own headers (Py_BUILD_CORE, offsetof). They hold for release builds with the GIL; debug builds
 * and free-threaded ones differ, which the checks of the interpreter find out.
 */
#include "python/layout.h"

#include "record.h"

#include <stddef.h>

/* Tested against a running 3.8.18 (libpython). */
static const struct python_layout layout_3_8 = {
	.version = 0x308,
	.runtime_interpreters = 32,
	.interpreter_next = 0,
	.interpreter_threads = 8, /* tstate_head */
	.thread_next = 8,
	.thread_id = 176,
	.thread_frame = 24,
	.frame_code = 32,
	.frame_previous = 24,
	.frame_instruction = 104,
	.instruction_kind = RECORD_PYTHON_BYTE_INDEX,
	.entry_kind = RECORD_PYTHON_ENTRY_EACH,
	.object_type = 8,
	.unicode_length = 16,
	.unicode_state = 32,
	.unicode_ascii_data = 48,
	.unicode_compact_data = 72,
	.bytes_size = 16,
	.bytes_data = 32,
	.code_first_line = 40,
	.code_file = 104,
	.code_name = 112,
	.code_line_table = 120, /* co_lnotab */
	.line_table_kind = PYTHON_LINES_NUMBER_TABLE,
};

/* Tested against a running 3.9.18 (libpython). */
static const struct python_layout layout_3_9 = {
	.version = 0x309,
	.runtime_interpreters = 32,
	.interpreter_next = 0,
	.interpreter_threads = 8, /* tstate_head */
	.thread_next = 8,
	.thread_id = 176,
	.thread_frame = 24,
	.frame_code = 32,
	.frame_previous = 24,
	.frame_instruction = 104,
	.instruction_kind = RECORD_PYTHON_BYTE_INDEX,
	.entry_kind = RECORD_PYTHON_ENTRY_EACH,
	.object_type = 8,
	.unicode_length = 16,
	.unicode_state = 32,
	.unicode_ascii_data = 48,
	.unicode_compact_data = 72,
	.bytes_size = 16,
	.bytes_data = 32,
	.code_first_line = 40,
	.code_file = 104,
	.code_name = 112,
	.code_line_table = 120, /* co_lnotab */
	.line_table_kind = PYTHON_LINES_NUMBER_TABLE,
};

/* Tested against a running 3.10.13 (libpython). */
static const struct python_layout layout_3_10 = {
	.version = 0x30a,
	.runtime_interpreters = 32,
	.interpreter_next = 0,
	.interpreter_threads = 8, /* tstate_head */
	.thread_next = 8,
	.thread_id = 176,
	.thread_frame = 24,
	.frame_code = 32,
	.frame_previous = 24,
	.frame_instruction = 96,
	.instruction_kind = RECORD_PYTHON_UNIT_INDEX,
	.entry_kind = RECORD_PYTHON_ENTRY_EACH,
	.object_type = 8,
	.unicode_length = 16,
	.unicode_state = 32,
	.unicode_ascii_data = 48,
	.unicode_compact_data = 72,
	.bytes_size = 16,
	.bytes_data = 32,
	.code_first_line = 40,
	.code_file = 104,
	.code_name = 112,
	.code_line_table = 120,
	.line_table_kind = PYTHON_LINES_RANGE_TABLE,
};

/* Tested against a running 3.11.2 (Debian 12, static) and 3.11.7 (libpython). */
static const struct python_layout layout_3_11 = {
	.version = 0x30b,
	.runtime_interpreters = 40,
	.interpreter_next = 0,
	.interpreter_threads = 16,
	.thread_next = 8,
	.thread_id = 152,
	.thread_native_id = 160,
	.thread_frame = 56, /* cframe */
	.cframe_frame = 8,
	.has_cframe = 1,
	.frame_code = 32,
	.frame_previous = 48,
	.frame_instruction = 56, /* prev_instr: the instruction itself, or its last cache entry */
	.frame_owner = 68,       /* is_entry */
	.instruction_kind = RECORD_PYTHON_POINTER,
	.entry_kind = RECORD_PYTHON_ENTRY_FLAG,
	.object_type = 8,
	.unicode_length = 16,
	.unicode_state = 32,
	.unicode_ascii_data = 48,
	.unicode_compact_data = 72,
	.bytes_size = 16,
	.bytes_data = 32,
	.code_first_line = 72,
	.code_file = 112,
	.code_name = 120,
	.code_qualified_name = 128,
	.code_line_table = 136,
	.code_instructions = 184,
	.line_table_kind = PYTHON_LINES_LOCATION_TABLE,
};

/* Tested against a running 3.12.1 (libpython). */
static const struct python_layout layout_3_12 = {
	.version = 0x30c,
	.runtime_interpreters = 40,
	.interpreter_next = 0,
	.interpreter_threads = 72,
	.thread_next = 8,
	.thread_id = 136,
	.thread_native_id = 144,
	.thread_frame = 56, /* cframe */
	.cframe_frame = 0,
	.has_cframe = 1,
	.frame_code = 0,
	.frame_previous = 8,
	.frame_instruction = 56, /* prev_instr, as in 3.11 */
	.frame_owner = 70,
	.instruction_kind = RECORD_PYTHON_POINTER,
	.entry_kind = RECORD_PYTHON_ENTRY_OWNER,
	.entry_owner = 3, /* FRAME_OWNED_BY_CSTACK */
	.object_type = 8,
	.unicode_length = 16,
	.unicode_state = 32,
	.unicode_ascii_data = 40,
	.unicode_compact_data = 56,
	.bytes_size = 16,
	.bytes_data = 32,
	.code_first_line = 68,
	.code_file = 112,
	.code_name = 120,
	.code_qualified_name = 128,
	.code_line_table = 136,
	.code_instructions = 192,
	.line_table_kind = PYTHON_LINES_LOCATION_TABLE,
};

/* Tested against a running 3.13.0 (libpython) and 3.13.5 (Debian 13, static). */
static const struct python_layout layout_3_13 = {
	.version = 0x30d,
	.runtime_interpreters = 632,
	.interpreter_next = 7264,
	.interpreter_threads = 7344,
	.thread_next = 8,
	.thread_id = 152,
	.thread_native_id = 160,
	.thread_frame = 72, /* current_frame */
	.frame_code = 0,    /* f_executable */
	.frame_previous = 8,
	.frame_instruction = 56, /* instr_ptr: the instruction itself */
	.frame_owner = 70,
	.instruction_kind = RECORD_PYTHON_POINTER,
	.entry_kind = RECORD_PYTHON_ENTRY_OWNER,
	.entry_owner = 3, /* FRAME_OWNED_BY_CSTACK */
	.object_type = 8,
	.unicode_length = 16,
	.unicode_state = 32,
	.unicode_ascii_data = 40,
	.unicode_compact_data = 56,
	.bytes_size = 16,
	.bytes_data = 32,
	.code_first_line = 68,
	.code_file = 112,
	.code_name = 120,
	.code_qualified_name = 128,
	.code_line_table = 136,
	.code_instructions = 200,
	.line_table_kind = PYTHON_LINES_LOCATION_TABLE,
};

/* Tested against a running 3.14.10 (Debian sid, static, with the tail-calling interpreter). */
static const struct python_layout layout_3_14 = {
	.version = 0x30e,
	.runtime_interpreters = 808,
	.interpreter_next = 7272,
	.interpreter_threads = 7344,
	.thread_next = 8,
	.thread_id = 152,
	.thread_native_id = 160,
	.thread_frame = 72,   /* current_frame */
	.frame_code = 0,      /* f_executable, a _PyStackRef */
	.frame_code_mask = 3, /* Py_TAG_BITS */
	.frame_previous = 8,
	.frame_instruction = 56, /* instr_ptr: the instruction itself */
	.frame_owner = 74,
	.instruction_kind = RECORD_PYTHON_POINTER,
	.entry_kind = RECORD_PYTHON_ENTRY_OWNER,
	.entry_owner = 3, /* FRAME_OWNED_BY_INTERPRETER; 4 is FRAME_OWNED_BY_CSTACK */
	.object_type = 8,
	.unicode_length = 16,
	.unicode_state = 32,
	.unicode_ascii_data = 40,
	.unicode_compact_data = 56,
	.bytes_size = 16,
	.bytes_data = 32,
	.code_first_line = 68,
	.code_file = 112,
	.code_name = 120,
	.code_qualified_name = 128,
	.code_line_table = 136,
	.code_instructions = 208,
	.line_table_kind = PYTHON_LINES_LOCATION_TABLE,
};

const struct python_layout *python_layout_find(uint32_t version)
{
	static const struct python_layout *const layouts[] = {
		&layout_3_8,  &layout_3_9,  &layout_3_10, &layout_3_11,
		&layout_3_12, &layout_3_13, &layout_3_14, NULL,
	};
	const struct python_layout *const *layout = layouts;

	while (*layout && (*layout)->version != version)
		layout++;
	return *layout;
}
