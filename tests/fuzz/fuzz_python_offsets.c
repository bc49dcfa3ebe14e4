/* SPDX-License-Identifier: Apache-2.0 */
/* _Py_DebugOffsets of a hostile process: what is taken over is within bounds. */
#include "python/debug_offsets.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_small(uint32_t offset)
{
	if (offset >= PYTHON_STRUCT_BYTES_MAX)
		abort();
}

static void check(const struct python_layout *layout)
{
	check_small(layout->thread_next);
	check_small(layout->thread_frame);
	check_small(layout->thread_id);
	check_small(layout->thread_native_id);
	check_small(layout->frame_code);
	check_small(layout->frame_previous);
	check_small(layout->frame_instruction);
	check_small(layout->frame_owner);
	check_small(layout->code_file);
	check_small(layout->code_line_table);
	check_small(layout->code_instructions);
	if (layout->unicode_state + sizeof(uint32_t) > 64 ||
	    layout->unicode_length + sizeof(uint64_t) > 64 || layout->unicode_ascii_data > 64 ||
	    layout->runtime_interpreters >= 65536 || layout->interpreter_threads >= 65536)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct python_layout layout = *python_layout_find(size & 1 ? 0x30d : 0x30e);
	uint8_t bytes[DEBUG_OFFSETS_BYTES] = {0};
	uint32_t version_word;
	const char *reason = "";

	memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	memcpy(&version_word, bytes + 8, sizeof(version_word));
	/* Few inputs have these of themselves. */
	memcpy(bytes, "xdebugpy", 8);
	memset(bytes + 12, 0, 12);
	debug_offsets_apply(bytes, version_word, &layout, &reason);
	check(&layout);
	return 0;
}
