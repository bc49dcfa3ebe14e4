/* SPDX-License-Identifier: Apache-2.0 */
/* Time as the daemon uses it: seconds, as doubles. */
#ifndef MEMWATCH_CLOCK_H
#define MEMWATCH_CLOCK_H

#include <time.h>

static inline double clock_read_seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline double clock_monotonic_seconds(void)
{
	return clock_read_seconds(CLOCK_MONOTONIC);
}

static inline double clock_unix_seconds(void)
{
	return clock_read_seconds(CLOCK_REALTIME);
}

/* What to add to seconds since boot (suspend included) to have Unix time. */
static inline double clock_boot_offset_seconds(void)
{
	return clock_unix_seconds() - clock_read_seconds(CLOCK_BOOTTIME);
}

#endif
