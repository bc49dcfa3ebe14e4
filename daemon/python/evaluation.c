/* SPDX-License-Identifier: Apache-2.0 */
#include "python/evaluation.h"

#include "symbol/elf_file.h"
#include "unwind/elf_cfi.h"

#include <capstone/capstone.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* libtorch has 1,300,000 functions, an interpreter 13,000 and 5 MiB of code. */
#define FUNCTIONS_MAX  (1U << 18)
#define CODE_BYTES_MAX (64ULL << 20)
/* What is disassembled to make sure, all in all. The largest part seen has 84 KiB. */
#define CHECKED_BYTES_MAX (4ULL << 20)
/* A part that only jumps to another part is found in the next round. */
#define ROUNDS_MAX 3

#define JUMP_NEAR    0xe9
#define ESCAPE       0x0f
#define JUMP_IF_NEAR 0x80 /* behind the escape; the low half is the condition */

/* A function, or a part of one, as an FDE has it. */
struct function {
	uint64_t start, end;
	bool is_part, is_checked;
};

struct code_segment {
	uint64_t address;
	size_t bytes;
	uint8_t *code;
};

struct search {
	int fd;
	struct function *functions; /* by start */
	size_t count;
	struct code_segment segments[ELF_CODE_SEGMENTS_MAX];
	size_t segment_count;
	uint64_t checked_bytes;
	csh disassembler;
};

static int compare_functions(const void *left, const void *right)
{
	const struct function *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return 0;
}

static int add_function(struct search *search, size_t *capacity, uint64_t start, uint64_t end)
{
	if (search->count == *capacity) {
		size_t wanted = *capacity ? *capacity * 2 : 4096;
		void *functions = realloc(search->functions, wanted * sizeof(*search->functions));

		if (!functions)
			return -ENOMEM;
		search->functions = functions;
		*capacity = wanted;
	}
	search->functions[search->count++] = (struct function){.start = start, .end = end};
	return 0;
}

static int read_functions(struct search *search)
{
	struct cfi_cie_cache cache = {0};
	enum cfi_entry_kind kind;
	struct elf_cfi cfi;
	uint64_t offset = 0;
	size_t capacity = 0;
	struct cfi_fde fde;
	int error = elf_cfi_open(elf_file_open(search->fd), &cfi);

	while (!error && cfi.eh_frame.bytes && search->count < FUNCTIONS_MAX) {
		kind = cfi_entry_next(&cfi.eh_frame, &offset, &cache, &fde);
		if (kind == CFI_ENTRY_END)
			break;
		if (kind == CFI_ENTRY_FDE && elf_cfi_is_code(&cfi, fde.start, fde.end))
			error = add_function(search, &capacity, fde.start, fde.end);
	}
	elf_cfi_close(&cfi);
	if (search->count)
		qsort(search->functions, search->count, sizeof(*search->functions),
		      compare_functions);
	return error;
}

static int read_code(struct search *search)
{
	uint64_t left = CODE_BYTES_MAX;
	struct elf_layout layout;
	int error = elf_layout_read(search->fd, &layout);

	for (size_t i = 0; !error && i < layout.segment_count; i++) {
		const struct elf_code_segment *segment = &layout.segments[i];
		struct code_segment *code = &search->segments[search->segment_count];

		if (!segment->file_bytes || segment->file_bytes > left)
			continue;
		left -= segment->file_bytes;
		code->code = malloc(segment->file_bytes);
		if (!code->code)
			return -ENOMEM;
		search->segment_count++;
		code->address = segment->address;
		code->bytes = segment->file_bytes;
		error = elf_file_read(search->fd, code->code, code->bytes, segment->file_offset);
	}
	return error;
}

/* The last function that starts at or before an address, if it covers it. */
static struct function *find_function(const struct search *search, uint64_t address)
{
	size_t low = 0, high = search->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (search->functions[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || search->functions[low - 1].end <= address)
		return NULL;
	return &search->functions[low - 1];
}

/* Where a function starts others may jump to, too: a call at their own end. */
static bool is_inside_part(const struct search *search, uint64_t address)
{
	const struct function *function = find_function(search, address);

	return function && function->is_part && function->start != address;
}

static const uint8_t *code_of(const struct search *search, const struct function *function)
{
	for (size_t i = 0; i < search->segment_count; i++) {
		const struct code_segment *segment = &search->segments[i];

		if (function->start >= segment->address &&
		    function->start - segment->address < segment->bytes &&
		    function->end - segment->address <= segment->bytes)
			return segment->code + (function->start - segment->address);
	}
	return NULL;
}

static bool is_jump(const cs_insn *instruction)
{
	return instruction->bytes[0] == JUMP_NEAR ||
	       (instruction->bytes[0] == ESCAPE && (instruction->bytes[1] & 0xf0) == JUMP_IF_NEAR);
}

static uint64_t jump_target(const uint8_t *distance_at, uint64_t next)
{
	int32_t distance;

	memcpy(&distance, distance_at, sizeof(distance));
	return next + (uint64_t)(int64_t)distance;
}

/* Whether it has an instruction, and not mere bytes that look like one, that jumps into a part. */
static bool jumps_into_part(struct search *search, const struct function *function)
{
	const uint8_t *code = code_of(search, function);
	size_t left = (size_t)(function->end - function->start);
	uint64_t address = function->start;
	bool is_found = false;
	cs_insn *instruction;

	if (!code || left > CHECKED_BYTES_MAX - search->checked_bytes)
		return false;
	search->checked_bytes += left;
	instruction = cs_malloc(search->disassembler);
	while (instruction && !is_found && left &&
	       cs_disasm_iter(search->disassembler, &code, &left, &address, instruction))
		is_found = is_jump(instruction) &&
			   is_inside_part(search, jump_target(code - sizeof(int32_t), address));
	if (instruction)
		cs_free(instruction, 1);
	return is_found;
}

static bool consider(struct search *search, uint64_t jump)
{
	struct function *function = find_function(search, jump);

	if (!function || function->is_part || function->is_checked)
		return false;
	function->is_checked = true;
	function->is_part = jumps_into_part(search, function);
	return function->is_part;
}

/* Looks at every byte as if an instruction began there, which is quick. Returns whether it found.
 */
static bool search_segment(struct search *search, const struct code_segment *segment)
{
	bool is_found = false;

	for (size_t i = 0; i + 6 <= segment->bytes; i++) {
		const uint8_t *bytes = segment->code + i;
		uint64_t address = segment->address + i, target;

		if (bytes[0] == JUMP_NEAR)
			target = jump_target(bytes + 1, address + 5);
		else if (bytes[0] == ESCAPE && (bytes[1] & 0xf0) == JUMP_IF_NEAR)
			target = jump_target(bytes + 2, address + 6);
		else
			continue;
		if (is_inside_part(search, target))
			is_found |= consider(search, address);
	}
	return is_found;
}

static void search_parts(struct search *search)
{
	bool is_found = true;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &search->disassembler))
		return;
	for (int round = 0; round < ROUNDS_MAX && is_found; round++) {
		is_found = false;
		for (size_t i = 0; i < search->count; i++)
			search->functions[i].is_checked = false;
		for (size_t i = 0; i < search->segment_count; i++)
			is_found |= search_segment(search, &search->segments[i]);
	}
	cs_close(&search->disassembler);
}

/* Keeps the largest ones behind the first, which is the entry's. */
static size_t add_part(struct evaluation_part *parts, size_t count, const struct function *function)
{
	size_t smallest = 1;

	if (count < EVALUATION_PARTS_MAX) {
		parts[count] = (struct evaluation_part){function->start, function->end};
		return count + 1;
	}
	for (size_t i = 2; i < count; i++)
		if (parts[i].end - parts[i].start < parts[smallest].end - parts[smallest].start)
			smallest = i;
	if (function->end - function->start > parts[smallest].end - parts[smallest].start)
		parts[smallest] = (struct evaluation_part){function->start, function->end};
	return count;
}

static void search_close(struct search *search)
{
	for (size_t i = 0; i < search->segment_count; i++)
		free(search->segments[i].code);
	free(search->functions);
}

size_t evaluation_parts_find(int fd, uint64_t function, uint64_t function_bytes,
			     struct evaluation_part parts[static EVALUATION_PARTS_MAX])
{
	struct search search = {.fd = fd};
	struct function *entry = NULL;
	size_t count = 1;

	if (!read_functions(&search))
		entry = find_function(&search, function);
	parts[0] = (struct evaluation_part){function, function + function_bytes};
	if (!entry)
		goto out;
	parts[0] = (struct evaluation_part){entry->start, entry->end};
	entry->is_part = true;
	if (read_code(&search))
		goto out;
	search_parts(&search);
	for (size_t i = 0; i < search.count; i++)
		if (search.functions[i].is_part && &search.functions[i] != entry)
			count = add_part(parts, count, &search.functions[i]);
out:
	search_close(&search);
	return count;
}
