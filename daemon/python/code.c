/* SPDX-License-Identifier: Apache-2.0 */
#include "python/code.h"

#include "python/code_lines.h"
#include "python/code_text.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A module of 300,000 lines of data has 2 MiB. */
#define LINE_TABLE_BYTES_MAX (4U << 20)

/* What tells a code object from one that took its place. */
struct code_identity {
	uint64_t type, file, name, qualified_name, line_table;
	uint32_t first_line;
};

/* Of all code objects together. */
static _Atomic uint64_t bytes_held, bytes_max = UINT64_MAX;

struct python_code {
	_Atomic uint32_t references;
	uint64_t bytes; /* its own, as part of bytes_held */
	struct code_identity identity;
	char *file, *function, *qualified_name; /* the last NULL: it is the function */
	struct code_lines lines;
	uint8_t *line_table;
};

static uint64_t word_at(const uint8_t *bytes, uint32_t offset)
{
	uint64_t word;

	memcpy(&word, bytes + offset, sizeof(word));
	return word;
}

static uint32_t largest(const uint32_t *offsets, size_t count)
{
	uint32_t found = 0;

	for (size_t i = 0; i < count; i++)
		if (offsets[i] > found)
			found = offsets[i];
	return found;
}

static int read_identity(const struct python_layout *layout, const struct python_memory *memory,
			 uint64_t address, struct code_identity *identity)
{
	const uint32_t offsets[] = {layout->object_type,     layout->code_file,
				    layout->code_name,       layout->code_qualified_name,
				    layout->code_line_table, layout->code_first_line};
	uint32_t last = largest(offsets, sizeof(offsets) / sizeof(*offsets));
	uint8_t bytes[PYTHON_STRUCT_BYTES_MAX];
	int error;

	if (!address || last > sizeof(bytes) - sizeof(uint64_t))
		return -EINVAL;
	error = memory->read(memory->context, address, bytes, last + sizeof(uint64_t));
	if (error)
		return error;
	*identity = (struct code_identity){
		.type = word_at(bytes, layout->object_type),
		.file = word_at(bytes, layout->code_file),
		.name = word_at(bytes, layout->code_name),
		.qualified_name = layout->code_qualified_name
					  ? word_at(bytes, layout->code_qualified_name)
					  : 0,
		.line_table = word_at(bytes, layout->code_line_table),
		.first_line = (uint32_t)word_at(bytes, layout->code_first_line),
	};
	return layout->code_type && identity->type != layout->code_type ? -EINVAL : 0;
}

static int read_line_table(const struct python_layout *layout, const struct python_memory *memory,
			   struct python_code *code)
{
	uint64_t address = code->identity.line_table, bytes;
	int error =
		memory->read(memory->context, address + layout->bytes_size, &bytes, sizeof(bytes));

	if (error)
		return error;
	if (bytes > LINE_TABLE_BYTES_MAX)
		return -E2BIG;
	code->line_table = malloc(bytes + 1);
	if (!code->line_table)
		return -ENOMEM;
	if (bytes)
		error = memory->read(memory->context, address + layout->bytes_data,
				     code->line_table, bytes);
	code->lines = (struct code_lines){
		.kind = (enum python_line_table)layout->line_table_kind,
		.first_line = code->identity.first_line,
		.table = code->line_table,
		.bytes = bytes,
	};
	return error;
}

static int read_names(const struct python_layout *layout, const struct python_memory *memory,
		      struct python_code *code)
{
	const struct code_identity *identity = &code->identity;
	int error = code_text_read(layout, memory, identity->file, &code->file);

	if (!error)
		error = code_text_read(layout, memory, identity->name, &code->function);
	/* At the top level, and of few functions else, they are one object. */
	if (!error && layout->code_qualified_name && identity->qualified_name != identity->name)
		error = code_text_read(layout, memory, identity->qualified_name,
				       &code->qualified_name);
	return error;
}

/* Returns whether there is room for it. */
static bool take_bytes(struct python_code *code)
{
	code->bytes = sizeof(*code) + code->lines.bytes + strlen(code->file) +
		      strlen(code->function) +
		      (code->qualified_name ? strlen(code->qualified_name) : 0);
	return atomic_fetch_add_explicit(&bytes_held, code->bytes, memory_order_relaxed) +
		       code->bytes <=
	       atomic_load_explicit(&bytes_max, memory_order_relaxed);
}

void python_code_set_bytes_max(uint64_t bytes)
{
	atomic_store_explicit(&bytes_max, bytes, memory_order_relaxed);
}

uint64_t python_code_bytes(void)
{
	return atomic_load_explicit(&bytes_held, memory_order_relaxed);
}

uint64_t python_code_bytes_max(void)
{
	return atomic_load_explicit(&bytes_max, memory_order_relaxed);
}

static void code_free(struct python_code *code)
{
	atomic_fetch_sub_explicit(&bytes_held, code->bytes, memory_order_relaxed);
	free(code->file);
	free(code->function);
	free(code->qualified_name);
	free(code->line_table);
	free(code);
}

int python_code_read(const struct python_layout *layout, const struct python_memory *memory,
		     uint64_t address, struct python_code **code)
{
	struct python_code *read = calloc(1, sizeof(*read));
	int error;

	if (!read)
		return -ENOMEM;
	atomic_init(&read->references, 1);
	error = read_identity(layout, memory, address, &read->identity);
	if (!error)
		error = read_names(layout, memory, read);
	if (!error)
		error = read_line_table(layout, memory, read);
	/* It may have died, and another have taken its place, while it was read. */
	if (!error && !python_code_is_same(read, layout, memory, address))
		error = -EINVAL;
	if (!error && !take_bytes(read))
		error = -ENOSPC;
	if (error)
		code_free(read);
	else
		*code = read;
	return error;
}

bool python_code_is_same(const struct python_code *code, const struct python_layout *layout,
			 const struct python_memory *memory, uint64_t address)
{
	struct code_identity identity;

	return !read_identity(layout, memory, address, &identity) &&
	       identity.file == code->identity.file && identity.name == code->identity.name &&
	       identity.qualified_name == code->identity.qualified_name &&
	       identity.line_table == code->identity.line_table &&
	       identity.first_line == code->identity.first_line;
}

struct python_code *python_code_hold(struct python_code *code)
{
	atomic_fetch_add_explicit(&code->references, 1, memory_order_relaxed);
	return code;
}

void python_code_release(struct python_code *code)
{
	if (code && atomic_fetch_sub_explicit(&code->references, 1, memory_order_acq_rel) == 1)
		code_free(code);
}

const char *python_code_file(const struct python_code *code)
{
	return code->file;
}

const char *python_code_function(const struct python_code *code)
{
	return code->function;
}

const char *python_code_qualified_name(const struct python_code *code)
{
	return code->qualified_name ? code->qualified_name : code->function;
}

uint32_t python_code_first_line(const struct python_code *code)
{
	return code->identity.first_line;
}

uint32_t python_code_line(const struct python_code *code, uint32_t instruction_offset_bytes)
{
	return code_lines_find(&code->lines, instruction_offset_bytes);
}
