/* SPDX-License-Identifier: Apache-2.0 */
/* A library whose functions are called through stubs that find them at the first call. */
#include "plt.h"

void (*plt_on_choice)(void);

static int calls;

static int chosen(void)
{
	return ++calls;
}

/* Runs within the loader, at the first call; before relocations are done for all at once, too. */
static int (*choose(void))(void)
{
	if (plt_on_choice)
		plt_on_choice();
	return chosen;
}

int plt_chosen(void) __attribute__((ifunc("choose")));

int plt_plain(void)
{
	return ++calls;
}

int plt_calls_within(void)
{
	return plt_plain() + plt_chosen();
}
