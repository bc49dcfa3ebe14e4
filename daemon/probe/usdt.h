/* SPDX-License-Identifier: Apache-2.0 */
/*
 * USDT probes of an ELF file, as <sys/sdt.h> leaves them in .note.stapsdt (version 3 of
 * https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation). Hostile input.
 */
#ifndef MEMWATCH_PROBE_USDT_H
#define MEMWATCH_PROBE_USDT_H

#include <stdint.h>

struct usdt_probe {
	const char *name;               /* valid during the call only, as arguments is */
	const char *arguments;          /* "8@%rdi -4@-12(%rbp)": see usdt_argument.h */
	uint64_t file_offset;           /* of the nop to probe */
	uint64_t semaphore_file_offset; /* 0: it has none */
	const char
		*defect; /* static: why it cannot be probed; NULL: it can, the offsets are good */
};

/* Returns 0 to go on. */
typedef int (*usdt_probe_fn)(void *context, const struct usdt_probe *probe);

/*
 * Calls the function for each probe of a provider that the file describes. One name may have many,
 * each inlined somewhere else. Returns 0; what the function returned if that was not 0; -ENOEXEC
 * (no ELF file of this machine, or broken notes), -EFBIG (more notes than any real file has),
 * other -errno.
 */
int usdt_each_probe(int fd, const char *provider, usdt_probe_fn on_probe, void *context);

#endif
