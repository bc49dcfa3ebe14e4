/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the arguments of a USDT probe. What is accepted the probe program can evaluate. */
#include "probe/usdt_argument.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <asm/ptrace.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static int is_register(uint8_t offset)
{
	return offset == RECORD_REGISTER_NONE ||
	       (!(offset % 8) && offset + 8U <= sizeof(struct pt_regs));
}

static void check_argument(const struct record_usdt_argument *argument)
{
	require(argument->size_bytes == 1 || argument->size_bytes == 2 ||
		argument->size_bytes == 4 || argument->size_bytes == 8);
	require(is_register(argument->base) && is_register(argument->index));
	require(argument->scale_shift <= 3);
	require(argument->is_memory <= 1 && argument->is_signed <= 1);
	require(argument->is_memory || argument->index == RECORD_REGISTER_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_usdt_arguments arguments;
	char *text = malloc(size + 1);
	const char *reason = NULL;

	require(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	for (unsigned count = 0; count <= RECORD_USDT_ARGUMENTS_MAX; count++) {
		int error = usdt_arguments_parse(text, count, &arguments, &reason);

		require((error != 0) == (reason != NULL));
		for (unsigned i = 0; !error && i < count; i++)
			check_argument(&arguments.arguments[i]);
	}
	free(text);
	return 0;
}
