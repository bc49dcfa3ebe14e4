/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guards its own machine code, as licence managers and anti-cheats do: each command sums up the
 * executable's text and counts whether it is as it was at the start. Also built statically, where
 * malloc is part of that text.
 */
#include "program.h"

#include <stdint.h>
#include <stdlib.h>

/* Of the linker: begin of the executable and end of its text. */
extern const unsigned char __executable_start[], etext[];

SITE(guard_allocates);

static uint64_t sum_at_start;

/* FNV-1a */
static uint64_t sum_text(void)
{
	const unsigned char *byte;
	uint64_t sum = 14695981039346656037UL;

	for (byte = __executable_start; byte < etext; byte++)
		sum = (sum ^ *byte) * 1099511628211UL;
	return sum;
}

CALL_SITE static struct block guard_allocates(void)
{
	return block_new(&guard_allocates_site, malloc(400), 400);
}

static void check(long blocks)
{
	for (; blocks > 0; blocks--)
		guard_allocates();
	if (sum_text() == sum_at_start)
		ledger_count("intact", 1);
	else
		ledger_count("changed", 1);
}

/* What was allocated so far is in no account. */
static void forget(long unused)
{
	(void)unused;
	ledger_clear();
}

int main(void)
{
	static const struct command commands[] = {
		{"check", check},
		{"forget", forget},
		{NULL, NULL},
	};

	sum_at_start = sum_text();
	ledger_count("intact", 0);
	ledger_count("changed", 0);
	return program_serve(commands);
}
