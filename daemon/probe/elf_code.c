/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/elf_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES 4096

/* Bounds on what a file may make us read and remember. */
#define RELOCATIONS_MAX (1U << 18)
#define SLOTS_MAX       (1U << 16)
#define CHUNK_COUNT     1024

/* .eh_frame_hdr as every linker writes it (LSB core, "Exception Frames"; DW_EH_PE_*). */
#define EH_FRAME_HDR_VERSION 1
#define EH_POINTER_PC_SDATA4 0x1b
#define EH_COUNT_UDATA4      0x03
#define EH_TABLE_DATA_SDATA4 0x3b

struct eh_header {
	uint8_t version;
	uint8_t pointer_encoding;
	uint8_t count_encoding;
	uint8_t table_encoding;
	int32_t frames;
	uint32_t count;
};

/* In the header's table, ascending; both relative to the header. */
struct eh_entry {
	int32_t function;
	int32_t description;
};

struct eh_description {
	uint32_t length;
	uint32_t common;
	int32_t function; /* relative to itself */
	uint32_t function_bytes;
};

struct slot {
	uint64_t address;
	uint32_t symbol; /* in .dynsym */
};

struct elf_code {
	const struct elf_program *program;
	uint8_t window[WINDOW_BYTES];
	uint64_t window_offset;
	size_t window_bytes;
	/* The slots that name a symbol, ascending; read when first asked for. */
	struct slot *slots;
	size_t slot_count;
	bool has_slots;
};

static size_t code_read(void *context, uint64_t offset, uint8_t *bytes, size_t count)
{
	struct elf_code *code = context;
	const Elf64_Phdr *segment = elf_program_code_segment(code->program, offset);
	uint64_t left = segment ? segment->p_offset + segment->p_filesz - offset : 0;

	if (count > left)
		count = (size_t)left;
	if (count > sizeof(code->window))
		count = sizeof(code->window);
	if (!count)
		return 0;
	if (offset < code->window_offset ||
	    offset + count > code->window_offset + code->window_bytes) {
		size_t wanted = left < sizeof(code->window) ? (size_t)left : sizeof(code->window);

		code->window_bytes = 0;
		if (elf_program_read(code->program, offset, code->window, wanted))
			return 0;
		code->window_offset = offset;
		code->window_bytes = wanted;
	}
	memcpy(bytes, code->window + (offset - code->window_offset), count);
	return count;
}

/* ---- Where functions end ---- */

static const Elf64_Phdr *eh_segment(const struct elf_program *program)
{
	for (size_t i = 0; i < program->header.e_phnum; i++)
		if (program->segments[i].p_type == PT_GNU_EH_FRAME)
			return &program->segments[i];
	return NULL;
}

static bool eh_header_read(const struct elf_program *program, const Elf64_Phdr *segment,
			   struct eh_header *header)
{
	return segment && !elf_program_read(program, segment->p_offset, header, sizeof(*header)) &&
	       header->version == EH_FRAME_HDR_VERSION &&
	       header->pointer_encoding == EH_POINTER_PC_SDATA4 &&
	       header->count_encoding == EH_COUNT_UDATA4 &&
	       header->table_encoding == EH_TABLE_DATA_SDATA4;
}

/* The last entry whose function begins at the address or before. */
static bool eh_find(const struct elf_program *program, const Elf64_Phdr *segment, uint32_t count,
		    uint64_t address, struct eh_entry *found)
{
	uint64_t table = segment->p_offset + sizeof(struct eh_header);
	uint32_t low = 0, high = count;
	bool is_found = false;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct eh_entry entry;

		if (elf_program_read(program, table + (uint64_t)middle * sizeof(entry), &entry,
				     sizeof(entry)))
			return false;
		if (segment->p_vaddr + (uint64_t)(int64_t)entry.function <= address) {
			*found = entry;
			is_found = true;
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return is_found;
}

static uint64_t address_of_code(const struct elf_program *program, uint64_t offset)
{
	const Elf64_Phdr *segment = elf_program_code_segment(program, offset);

	return segment ? offset - segment->p_offset + segment->p_vaddr : 0;
}

static uint64_t code_function_end(void *context, uint64_t offset)
{
	const struct elf_program *program = ((struct elf_code *)context)->program;
	const Elf64_Phdr *segment = eh_segment(program);
	uint64_t address = address_of_code(program, offset), start, description_address;
	const Elf64_Phdr *frames;
	struct eh_description description;
	struct eh_header header;
	struct eh_entry entry;

	if (!address || !eh_header_read(program, segment, &header) ||
	    !eh_find(program, segment, header.count, address, &entry))
		return 0;
	start = segment->p_vaddr + (uint64_t)(int64_t)entry.function;
	description_address = segment->p_vaddr + (uint64_t)(int64_t)entry.description;
	frames = elf_program_segment_at(program, description_address);
	if (!frames ||
	    elf_program_read(program, description_address - frames->p_vaddr + frames->p_offset,
			     &description, sizeof(description)))
		return 0;
	/* Another encoding than the usual one doesn't lead back to where we came from. */
	if (description_address + offsetof(struct eh_description, function) +
			    (uint64_t)(int64_t)description.function !=
		    start ||
	    address - start >= description.function_bytes)
		return 0;
	return offset + (description.function_bytes - (address - start));
}

/* ---- What slots hold ---- */

static int slot_compare(const void *a, const void *b)
{
	uint64_t first = ((const struct slot *)a)->address;
	uint64_t second = ((const struct slot *)b)->address;

	return (first > second) - (first < second);
}

static bool relocation_fills_slot(const Elf64_Rela *relocation)
{
	uint32_t type = (uint32_t)ELF64_R_TYPE(relocation->r_info);

#if defined(__x86_64__)
	return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
#else
	return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT;
#endif
}

static void slots_read_section(struct elf_code *code, const Elf64_Shdr *section)
{
	size_t count = section->sh_size / sizeof(Elf64_Rela);
	Elf64_Rela chunk[CHUNK_COUNT];

	if (count > RELOCATIONS_MAX)
		count = RELOCATIONS_MAX;
	for (size_t first = 0; first < count; first += CHUNK_COUNT) {
		size_t some = count - first < CHUNK_COUNT ? count - first : CHUNK_COUNT;

		if (elf_program_read(code->program, section->sh_offset + first * sizeof(*chunk),
				     chunk, some * sizeof(*chunk)))
			return;
		for (size_t i = 0; i < some && code->slot_count < SLOTS_MAX; i++) {
			if (relocation_fills_slot(&chunk[i]))
				code->slots[code->slot_count++] = (struct slot){
					.address = chunk[i].r_offset,
					.symbol = (uint32_t)ELF64_R_SYM(chunk[i].r_info),
				};
		}
	}
}

static void slots_read(struct elf_code *code)
{
	code->has_slots = true;
	code->slots = calloc(SLOTS_MAX, sizeof(*code->slots));
	if (!code->slots)
		return;
	for (size_t i = 0; i < code->program->header.e_shnum; i++) {
		const Elf64_Shdr *section = &code->program->sections[i];

		if (section->sh_type == SHT_RELA && section->sh_entsize == sizeof(Elf64_Rela) &&
		    !elf_program_check_section(code->program, section))
			slots_read_section(code, section);
	}
	qsort(code->slots, code->slot_count, sizeof(*code->slots), slot_compare);
}

static bool symbol_read(const struct elf_program *program, uint32_t number, struct code_slot *slot)
{
	const Elf64_Shdr *table = elf_program_section(program, SHT_DYNSYM), *strings;
	uint64_t left;
	Elf64_Sym symbol;

	if (!table || elf_program_check_section(program, table) ||
	    number >= table->sh_size / sizeof(symbol) ||
	    table->sh_link >= program->header.e_shnum ||
	    elf_program_read(program, table->sh_offset + number * sizeof(symbol), &symbol,
			     sizeof(symbol)))
		return false;
	strings = &program->sections[table->sh_link];
	if (elf_program_check_section(program, strings) || symbol.st_name >= strings->sh_size)
		return false;
	left = strings->sh_size - symbol.st_name;
	memset(slot, 0, sizeof(*slot));
	if (elf_program_read(program, strings->sh_offset + symbol.st_name, slot->symbol,
			     left < sizeof(slot->symbol) - 1 ? (size_t)left
							     : sizeof(slot->symbol) - 1))
		return false;
	if (symbol.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC)
		slot->target_offset = elf_program_code_offset(program, symbol.st_value, NULL);
	return true;
}

static bool code_slot(void *context, uint64_t offset, int64_t distance, struct code_slot *slot)
{
	struct elf_code *code = context;
	uint64_t address = address_of_code(code->program, offset);
	struct slot key = {.address = address + (uint64_t)distance};
	const struct slot *found;

	if (!address)
		return false;
	if (!code->has_slots)
		slots_read(code);
	if (!code->slot_count)
		return false;
	found = bsearch(&key, code->slots, code->slot_count, sizeof(key), slot_compare);
	return found && symbol_read(code->program, found->symbol, slot);
}

/* ---- The source ---- */

struct elf_code *elf_code_new(const struct elf_program *program)
{
	struct elf_code *code = calloc(1, sizeof(*code));

	if (code)
		code->program = program;
	return code;
}

void elf_code_free(struct elf_code *code)
{
	if (code)
		free(code->slots);
	free(code);
}

struct code_source elf_code_source(struct elf_code *code)
{
	return (struct code_source){
		.context = code,
		.read = code_read,
		.function_end = code_function_end,
		.slot = code_slot,
	};
}
