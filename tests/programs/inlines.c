/* SPDX-License-Identifier: Apache-2.0 */
/* Allocates in functions that the compiler must inline. */
#include "program.h"

#include <stdlib.h>

#define INLINED static inline __attribute__((always_inline))

SITE(shelf_fill);

/* Its own frame has the code of the two. */
INLINED void *box_new(size_t bytes)
{
	void *box = malloc(bytes); /* box_new allocates */

	return box;
}

INLINED struct block shelf_add(size_t bytes)
{
	return block_new(&shelf_fill_site, box_new(bytes), bytes); /* shelf_add calls */
}

CALL_SITE static void shelf_fill(long count)
{
	for (long i = 0; i < count; i++)
		shelf_add(100); /* shelf_fill calls */
}

int main(void)
{
	static const struct command commands[] = {
		{"fill", shelf_fill},
		{NULL, NULL},
	};

	return program_serve(commands);
}
