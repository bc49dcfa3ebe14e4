/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file over HTTP, as debuginfod servers give debug files, within limits of time and size.
 * Nothing but its arguments decides where it comes from: no environment, no file of settings.
 *
 * Threads: one thread gets files; any other may interrupt it.
 */
#ifndef MEMWATCH_SYMBOL_DEBUG_DOWNLOAD_H
#define MEMWATCH_SYMBOL_DEBUG_DOWNLOAD_H

#include <stddef.h>
#include <stdint.h>

struct debug_download;

/* One at a time. 0 and *download; -ELIBACC: libcurl can't be used, which is logged; -ENOMEM. */
int debug_download_new(struct debug_download **download);
void debug_download_free(struct debug_download *download);

/* Takes what has arrived; 0, or -errno, which ends the transfer. */
typedef int debug_download_sink(void *context, const void *bytes, size_t size);

struct debug_download_limits {
	unsigned int seconds_max;
	uint64_t bytes_max; /* that a server may announce; what comes is counted by the sink */
};

/*
 * Gets a file. Returns 0; -ENOENT: the server has none; -EFBIG; -ETIMEDOUT; -ECANCELED:
 * interrupted; what sink returned; -EIO with a message for everything else. The message is borrowed
 * until the next call.
 */
int debug_download_get(struct debug_download *download, const char *url,
		       const struct debug_download_limits *limits, debug_download_sink *sink,
		       void *context, const char **message);
/* Ends the transfer that goes on, and lets none begin. */
void debug_download_interrupt(struct debug_download *download);

#endif
