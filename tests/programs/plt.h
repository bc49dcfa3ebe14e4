/* SPDX-License-Identifier: Apache-2.0 */
/* What plt.c and the library that it is linked with have in common. */
#ifndef MEMWATCH_TESTS_PLT_H
#define MEMWATCH_TESTS_PLT_H

/* Called while a function is being chosen; set before its first call. */
extern void (*plt_on_choice)(void);

/* Whichever the processor is for, it counts its calls. */
int plt_chosen(void);
/* Has the library's own stub call the other one for the first time. */
int plt_calls_within(void);
int plt_plain(void);

#endif
