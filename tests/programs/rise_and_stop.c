/* SPDX-License-Identifier: Apache-2.0 */
/* "run": grows for two seconds, as programs do when they start, and then no more. */
#include "program.h"

#include <stdlib.h>
#include <time.h>

#define STEPS       200
#define BLOCK_BYTES (64 << 10)

SITE(load_settings);

CALL_SITE static void load_settings(void)
{
	block_new(&load_settings_site, malloc(BLOCK_BYTES), BLOCK_BYTES);
}

static void run(long unused)
{
	const struct timespec step = {.tv_nsec = 10 * 1000 * 1000};
	size_t i;

	(void)unused;
	for (i = 0; i < STEPS; i++) {
		load_settings();
		nanosleep(&step, NULL);
	}
}

int main(void)
{
	static const struct command commands[] = {{"run", run}, {NULL, NULL}};

	return program_serve(commands);
}
