/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/jitdump_record.h"

#include "symbol/dwarf_reader.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define MAGIC         0x4a695444
#define MAGIC_SWAPPED 0x4454694a
#define VERSION       1
/* A header that grows will still be shorter than this. */
#define HEADER_MAX_BYTES 4096

#define LOAD_NAME_OFFSET 56
#define DEBUG_ENTRIES    32 /* where they begin in their record */
/* Writers may fill up a record. */
#define PADDING_MAX_BYTES 8

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#endif

int jitdump_parse_header(const void *bytes, size_t size, struct jitdump_header *header)
{
	struct dwarf_reader reader = dwarf_reader_new(bytes, size);
	uint64_t magic = dwarf_read_uint(&reader, 4), version = dwarf_read_uint(&reader, 4);
	uint64_t header_bytes = dwarf_read_uint(&reader, 4), machine = dwarf_read_uint(&reader, 4);

	dwarf_skip(&reader, 4);
	header->pid = (uint32_t)dwarf_read_uint(&reader, 4);
	dwarf_skip(&reader, 16); /* a time and flags, of which all only say which clock it is */
	if (reader.has_failed || (magic != MAGIC && magic != MAGIC_SWAPPED))
		return -EINVAL;
	if (magic == MAGIC_SWAPPED || version != VERSION)
		return -ENOTSUP;
	if (header_bytes < JITDUMP_HEADER_BYTES || header_bytes > HEADER_MAX_BYTES)
		return -EINVAL;
	if (machine != OWN_MACHINE)
		return -ENOEXEC;
	header->bytes = (uint32_t)header_bytes;
	return 0;
}

static bool is_code(uint64_t address, uint64_t bytes)
{
	return address && bytes && bytes <= UINT32_MAX && address <= UINT64_MAX - bytes;
}

/* Reads what a record has behind its prefix; false when it makes no sense. */
static bool read_fields(struct dwarf_reader *reader, struct jitdump_record *record)
{
	switch (record->kind) {
	case JITDUMP_LOAD:
		dwarf_skip(reader, 8); /* process and thread */
		record->address = dwarf_read_uint(reader, 8);
		dwarf_skip(reader, 8); /* the same address, by default */
		record->code_bytes = dwarf_read_uint(reader, 8);
		return is_code(record->address, record->code_bytes);
	case JITDUMP_MOVE:
		dwarf_skip(reader, 8);
		record->address = dwarf_read_uint(reader, 8);
		record->old_address = dwarf_read_uint(reader, 8);
		dwarf_skip(reader, 8);
		record->code_bytes = dwarf_read_uint(reader, 8);
		return is_code(record->address, record->code_bytes);
	case JITDUMP_DEBUG_INFO:
		record->address = dwarf_read_uint(reader, 8);
		record->entry_count = dwarf_read_uint(reader, 8);
		record->first_entry = record->entry_count ? dwarf_read_uint(reader, 8) : 0;
		return record->address != 0;
	default:
		return true;
	}
}

int jitdump_parse_record(const void *bytes, size_t size, struct jitdump_record *record)
{
	struct dwarf_reader reader = dwarf_reader_new(bytes, size);

	memset(record, 0, sizeof(*record));
	record->kind = (uint32_t)dwarf_read_uint(&reader, 4);
	record->bytes = (uint32_t)dwarf_read_uint(&reader, 4);
	dwarf_skip(&reader, 8); /* a time */
	if (reader.has_failed || record->bytes < JITDUMP_PREFIX_BYTES)
		return -EINVAL;
	if (size > record->bytes)
		reader.end = (const unsigned char *)bytes + record->bytes;
	if (!read_fields(&reader, record) || reader.has_failed)
		record->kind = UINT32_MAX;
	return 0;
}

int jitdump_parse_name(const char *bytes, size_t size, const char **name, size_t *length)
{
	if (size <= LOAD_NAME_OFFSET)
		return -EINVAL;
	*name = bytes + LOAD_NAME_OFFSET;
	*length = strnlen(*name, size - LOAD_NAME_OFFSET);
	return *length ? 0 : -EINVAL;
}

/* ---- Lines ---- */

static bool is_text(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

/* A file is named once for entries that follow each other. */
static bool is_same_file(const char *name)
{
	return !strcmp(name, "\xff");
}

/*
 * All of it is gone through, whatever is looked for: some runtimes write names that they have freed
 * already, and a record whose entries don't add up isn't believed in any.
 */
int jitdump_parse_line(const void *bytes, size_t size, uint64_t start, uint64_t code_bytes,
		       uint64_t shift, uint64_t address, struct jitdump_line *line)
{
	struct dwarf_reader reader = dwarf_reader_new(bytes, size);
	struct jitdump_line found = {0};
	uint64_t found_address = 0, count;
	const char *file = NULL;

	dwarf_skip(&reader, DEBUG_ENTRIES - 8);
	count = dwarf_read_uint(&reader, 8);
	for (uint64_t i = 0; i < count && !reader.has_failed; i++) {
		uint64_t entry = dwarf_read_uint(&reader, 8) - shift;
		uint64_t number = dwarf_read_uint(&reader, 4);
		const char *name;

		dwarf_skip(&reader, 4); /* the column */
		name = dwarf_read_text(&reader);
		if (reader.has_failed || entry - start > code_bytes)
			return -EINVAL;
		if (!is_same_file(name))
			file = name;
		if (!file || !is_text(file))
			return -EINVAL;
		if (entry <= address && entry >= found_address) {
			found = (struct jitdump_line){.file = file, .line = (uint32_t)number};
			found_address = entry;
		}
	}
	if (reader.has_failed || reader.end - reader.next >= PADDING_MAX_BYTES)
		return -EINVAL;
	if (!found.file || !found.file[0] || !found.line)
		return -ENOENT;
	*line = found;
	return 0;
}

/* ---- Paths ---- */

bool jitdump_is_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t digits;

	if (!slash || strncmp(slash + 1, "jit-", 4) != 0)
		return false;
	digits = strspn(slash + 5, "0123456789");
	return digits > 0 && !strcmp(slash + 5 + digits, ".dump");
}
