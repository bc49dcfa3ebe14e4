/* SPDX-License-Identifier: Apache-2.0 */
#include "python/debug_offsets.h"

#include <errno.h>
#include <string.h>

/* struct _Py_DebugOffsets: 8-byte words behind the cookie; what is where depends on the version. */
#define COOKIE           "xdebugpy"
#define COOKIE_BYTES     8
#define AT_VERSION       8
#define AT_FREE_THREADED 16

/* _PyRuntimeState and PyInterpreterState have 300 KiB, but what we look for is near their start. */
#define STATE_OFFSET_MAX 65536

struct stated_offset {
	uint16_t at_3_13, at_3_14; /* in struct _Py_DebugOffsets */
	uint16_t field;            /* in struct python_layout */
	uint16_t alignment;
	uint32_t offset_max; /* exclusive */
};

#define FIELD(name) offsetof(struct python_layout, name)

static const struct stated_offset stated_offsets[] = {
	{40, 40, FIELD(runtime_interpreters), 8, STATE_OFFSET_MAX},
	{64, 64, FIELD(interpreter_next), 8, STATE_OFFSET_MAX},
	{72, 72, FIELD(interpreter_threads), 8, STATE_OFFSET_MAX},
	{168, 192, FIELD(thread_next), 8, PYTHON_STRUCT_BYTES_MAX},
	{184, 208, FIELD(thread_frame), 8, PYTHON_STRUCT_BYTES_MAX},
	{192, 216, FIELD(thread_id), 8, PYTHON_STRUCT_BYTES_MAX},
	{200, 224, FIELD(thread_native_id), 8, PYTHON_STRUCT_BYTES_MAX},
	{232, 256, FIELD(frame_previous), 8, PYTHON_STRUCT_BYTES_MAX},
	{240, 264, FIELD(frame_code), 8, PYTHON_STRUCT_BYTES_MAX},
	{248, 272, FIELD(frame_instruction), 8, PYTHON_STRUCT_BYTES_MAX},
	{264, 288, FIELD(frame_owner), 1, PYTHON_STRUCT_BYTES_MAX},
	{280, 320, FIELD(code_file), 8, PYTHON_STRUCT_BYTES_MAX},
	{288, 328, FIELD(code_name), 8, PYTHON_STRUCT_BYTES_MAX},
	{296, 336, FIELD(code_qualified_name), 8, PYTHON_STRUCT_BYTES_MAX},
	{304, 344, FIELD(code_line_table), 8, PYTHON_STRUCT_BYTES_MAX},
	{312, 352, FIELD(code_first_line), 4, PYTHON_STRUCT_BYTES_MAX},
	{344, 384, FIELD(code_instructions), 2, PYTHON_STRUCT_BYTES_MAX},
	{360, 408, FIELD(object_type), 8, 64},
	{520, 600, FIELD(bytes_size), 8, 64},
	{528, 608, FIELD(bytes_data), 1, 64},
	{544, 624, FIELD(unicode_state), 4, 56},
	{552, 632, FIELD(unicode_length), 8, 56},
	/* asciiobject_size; the data of others comes after two more words, which isn't stated */
	{560, 640, FIELD(unicode_ascii_data), 8, 64},
};

#define STATED_COUNT (sizeof(stated_offsets) / sizeof(*stated_offsets))

static uint64_t word_at(const uint8_t *bytes, size_t at)
{
	uint64_t word;

	memcpy(&word, bytes + at, sizeof(word));
	return word;
}

static int apply_offsets(const uint8_t *bytes, struct python_layout *layout)
{
	for (size_t i = 0; i < STATED_COUNT; i++) {
		const struct stated_offset *stated = &stated_offsets[i];
		uint64_t offset = word_at(bytes, layout->version == 0x30d ? stated->at_3_13
									  : stated->at_3_14);
		uint32_t value = (uint32_t)offset;

		if (offset >= stated->offset_max || offset % stated->alignment)
			return -EPROTO;
		memcpy((uint8_t *)layout + stated->field, &value, sizeof(value));
	}
	return 0;
}

int debug_offsets_apply(const uint8_t bytes[static DEBUG_OFFSETS_BYTES], uint32_t version_word,
			struct python_layout *layout, const char **reason)
{
	uint32_t compact_beyond_ascii = layout->unicode_compact_data - layout->unicode_ascii_data;
	struct python_layout stated = *layout;

	if (memcmp(bytes, COOKIE, COOKIE_BYTES) != 0) {
		*reason = "_PyRuntime doesn't begin with debug offsets";
		return -EPROTO;
	}
	if (word_at(bytes, AT_VERSION) != version_word) {
		*reason = "its debug offsets are of another version than Py_Version says";
		return -EPROTO;
	}
	if (word_at(bytes, AT_FREE_THREADED)) {
		*reason = "it is built without the GIL (free-threaded), which isn't supported";
		return -ENOTSUP;
	}
	if ((layout->version != 0x30d && layout->version != 0x30e) ||
	    apply_offsets(bytes, &stated)) {
		*reason = "its debug offsets are out of bounds";
		return -EPROTO;
	}
	stated.unicode_compact_data = stated.unicode_ascii_data + compact_beyond_ascii;
	*layout = stated;
	return 0;
}
