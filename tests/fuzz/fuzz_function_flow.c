/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as machine code, with whatever they jump to; the first ones say where it begins. */
#include "probe/function_flow.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct code {
	const uint8_t *bytes;
	size_t size;
	bool is_whole; /* one function, else each 64 bytes are one */
};

static size_t code_read(void *context, uint64_t offset, uint8_t *bytes, size_t count)
{
	const struct code *code = context;

	if (offset >= code->size)
		return 0;
	if (count > code->size - offset)
		count = code->size - (size_t)offset;
	memcpy(bytes, code->bytes + offset, count);
	return count;
}

/* A slot leads into the code or to a name, as its own bytes say. */
static bool code_slot(void *context, uint64_t offset, int64_t distance, struct code_slot *slot)
{
	uint64_t at = offset + (uint64_t)distance;
	uint8_t bytes[2];

	memset(slot, 0, sizeof(*slot));
	if (code_read(context, at, bytes, sizeof(bytes)) < sizeof(bytes))
		return false;
	if (bytes[0] & 1)
		slot->target_offset = bytes[1];
	else
		strcpy(slot->symbol, bytes[0] & 2 ? "abort" : "elsewhere");
	return true;
}

static uint64_t code_function_end(void *context, uint64_t offset)
{
	const struct code *code = context;

	return code->is_whole ? code->size : (offset / 64 + 1) * 64;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct code code;
	const struct code_source source = {
		.context = &code,
		.read = code_read,
		.slot = code_slot,
		.function_end = code_function_end,
	};
	struct function_exits exits;
	uint64_t targets[2], reached;
	bool is_found;

	if (size <= HEADER_BYTES)
		return 0;
	code = (struct code){
		.bytes = data + HEADER_BYTES, .size = size - HEADER_BYTES, .is_whole = data[0] & 1};
	targets[0] = data[2];
	targets[1] = data[3];
	is_found = function_exits_find(&source, data[1], &exits);
	if (is_found != (exits.count > 0) || exits.count > FUNCTION_EXITS_MAX)
		abort();
	if (!memchr(exits.reason, 0, sizeof(exits.reason)) || is_found != !exits.reason[0])
		abort();
	for (size_t i = 0; i < exits.count; i++)
		if (exits.offsets[i] >= code.size ||
		    (i && exits.offsets[i] <= exits.offsets[i - 1]))
			abort();
	if (function_passes_on_to(&source, data[1]) == data[1] && data[1])
		abort();
	reached = function_frees_through(&source, data[1], targets, 2);
	if (reached && reached != targets[0] && reached != targets[1])
		abort();
	return 0;
}
