/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug files that were fetched, in a directory of their own: one for each build-id, those not used
 * for longest removed when there are too many bytes. What is written to it comes from elsewhere and
 * is hostile: a file is kept only if its build-id is the one that it was fetched for.
 *
 * Threads: files may be opened by any thread; everything else is for one.
 */
#ifndef MEMWATCH_SYMBOL_DEBUG_CACHE_H
#define MEMWATCH_SYMBOL_DEBUG_CACHE_H

#include "symbol/elf_file.h"

struct debug_cache;

/*
 * The directory "debuginfo" of state_dir, made if need be; what lies there of earlier times is
 * used. 0 and *cache, or -errno.
 */
int debug_cache_open(const char *state_dir, uint64_t bytes_max, struct debug_cache **cache);
void debug_cache_close(struct debug_cache *cache);
/* Bytes of files kept now; from any thread. */
uint64_t debug_cache_bytes(const struct debug_cache *cache);
/* What one file may have: half of all. */
uint64_t debug_cache_file_bytes_max(const struct debug_cache *cache);

/* Whether it is a build-id that a file can be kept by: lower-case hex of 8 bytes or more. */
bool debug_cache_is_id(const char *build_id);

/* 0, or -ENOENT with a descriptor of -1. The caller closes the file. */
int debug_cache_open_file(struct debug_cache *cache, const char *build_id,
			  struct symbol_file *file);

/* A file that is arriving. */
struct debug_cache_part {
	struct debug_cache *cache;
	char name[(size_t)2 * ELF_BUILD_ID_MAX_BYTES + sizeof(".debug")];
	const char *build_id; /* borrowed */
	int fd;
	uint64_t bytes;
};

/* Of any number of parts one at a time; end it by one of the last two. 0 or -errno. */
int debug_cache_begin(struct debug_cache *cache, const char *build_id,
		      struct debug_cache_part *part);
/* Makes room by removing others. -EFBIG: more than one file may have; other -errno.
 */
int debug_cache_write(struct debug_cache_part *part, const void *bytes, size_t size);
/* 0; -EBADMSG: it isn't what was asked for, and is gone; other -errno. */
int debug_cache_keep(struct debug_cache_part *part);
void debug_cache_abandon(struct debug_cache_part *part);

#endif
