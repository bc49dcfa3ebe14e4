/* SPDX-License-Identifier: Apache-2.0 */
/* A library that allocates; loaded by plugins.c. */
#include "program.h"

#include <stdlib.h>

void *plugin_allocates(size_t bytes);

CALL_SITE void *plugin_allocates(size_t bytes)
{
	void *block = malloc(bytes);

	program_require(block, "memory");
	return block;
}
