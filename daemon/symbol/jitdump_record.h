/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of a jitdump file, as Linux perf defines it: a header, then records one after the
 * other, each with its kind and its size. Pure; every function takes so many bytes of hostile text
 * and has a fuzz target.
 */
#ifndef MEMWATCH_SYMBOL_JITDUMP_RECORD_H
#define MEMWATCH_SYMBOL_JITDUMP_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JITDUMP_HEADER_BYTES 40 /* of the file; later versions may have a longer one */
#define JITDUMP_PREFIX_BYTES 16 /* of each record */
/* Of the records that are read, all that comes before text of any length. */
#define JITDUMP_FIXED_BYTES 64

enum jitdump_kind {
	JITDUMP_LOAD = 0,
	JITDUMP_MOVE = 1,
	JITDUMP_DEBUG_INFO = 2,
	JITDUMP_CLOSE = 3,
};

struct jitdump_header {
	uint32_t bytes; /* of the header: where the first record lies */
	uint32_t pid;
};

/*
 * Returns 0; -EINVAL: it is no jitdump; -ENOTSUP: one of another byte order or version; -ENOEXEC:
 * of another machine's code.
 */
int jitdump_parse_header(const void *bytes, size_t size, struct jitdump_header *header);

struct jitdump_record {
	uint32_t kind;  /* enum jitdump_kind, or one that is skipped */
	uint32_t bytes; /* of all of it */
	/* Of code that is loaded, moved or described: */
	uint64_t address;
	uint64_t old_address; /* of a move */
	uint64_t code_bytes;  /* of a load and a move */
	uint64_t entry_count; /* of debug information */
	uint64_t first_entry; /* address of the first of them */
};

/*
 * Takes the beginning of a record apart: size bytes are there, JITDUMP_FIXED_BYTES suffice. Returns
 * 0, or -EINVAL when nothing behind it can be read; one of a known kind that makes no sense is
 * given the kind UINT32_MAX.
 */
int jitdump_parse_record(const void *bytes, size_t size, struct jitdump_record *record);

/* The name in a loading record, of which size bytes are there; *length has no zero. 0 or -EINVAL.
 */
int jitdump_parse_name(const char *bytes, size_t size, const char **name, size_t *length);

struct jitdump_line {
	const char *file; /* ends in zero; borrowed from the record's bytes */
	uint32_t line;
};

/*
 * The line of an address, from a whole record of debug information about the code from start on.
 * shift is how much its addresses are too large. Returns 0, -ENOENT, or -EINVAL for a record that
 * can't be right.
 */
int jitdump_parse_line(const void *bytes, size_t size, uint64_t start, uint64_t code_bytes,
		       uint64_t shift, uint64_t address, struct jitdump_line *line);

/* Whether a file of this path, as /proc/PID/maps has it, goes by the name of a jitdump. */
bool jitdump_is_path(const char *path);

#endif
