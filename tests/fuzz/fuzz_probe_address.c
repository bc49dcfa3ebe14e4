/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as machine code; the first one says what is asked. */
#include "probe/probe_address.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probe_address chosen;
	struct probe_request request;

	if (size == 0)
		return 0;
	request = (struct probe_request){
		.argument_count = (data[0] & 7) % 7,
		.needs_return = data[0] & 8,
		.skips_null = data[0] & 16,
		.arguments_stay = data[0] & 32,
	};
	probe_address_choose(data + 1, size - 1, &request, &chosen);
	if (!memchr(chosen.reason, 0, sizeof(chosen.reason)) || chosen.reason[0] == 0)
		abort();
	if (chosen.is_emulated ? chosen.offset_bytes >= size - 1 : chosen.offset_bytes != 0)
		abort();
	if (chosen.is_past_null_check && !(chosen.is_emulated && request.skips_null))
		abort();
	for (uint8_t i = 0; i < 6; i++)
		if (chosen.registers[i] > PROBE_REGISTER_RAX ||
		    (request.arguments_stay && chosen.registers[i] != i))
			abort();
	return 0;
}
