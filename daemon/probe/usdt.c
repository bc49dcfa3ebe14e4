/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/usdt.h"

#include "probe/elf_program.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NOTE_NAME "stapsdt"
#define NOTE_TYPE 3

/* libc has 7 KB of notes, the largest known (databases) some hundred. */
#define NOTES_BYTES_MAX (4ULL << 20)

/* What a note's description begins with; provider, name and arguments follow as strings. */
struct note_addresses {
	uint64_t location;
	uint64_t base;
	uint64_t semaphore;
};

struct notes {
	struct elf_program program;
	const char *provider;
	uint64_t base_address; /* of .stapsdt.base; 0: there is none */
	usdt_probe_fn on_probe;
	void *context;
};

/* The string at *text, which is moved behind it; NULL when it doesn't end in time. */
static const char *take_string(const char **text, const char *limit)
{
	const char *string = *text;
	const char *end = memchr(string, 0, (size_t)(limit - string));

	if (!end)
		return NULL;
	*text = end + 1;
	return string;
}

/*
 * A breakpoint anywhere else than on a whole instruction would break the program. sdt.h puts a nop
 * of one byte; of five bytes is the one that newer kernels optimise.
 */
static bool is_nop(const struct elf_program *program, uint64_t file_offset)
{
#if defined(__x86_64__)
	static const uint8_t nop5[] = {0x0f, 0x1f, 0x44, 0x00, 0x00};
	uint8_t code[sizeof(nop5)];

	if (elf_program_read(program, file_offset, code, 1))
		return false;
	if (code[0] == 0x90)
		return true;
	return !elf_program_read(program, file_offset, code, sizeof(code)) &&
	       !memcmp(code, nop5, sizeof(nop5));
#else
	static const uint8_t nop[] = {0x1f, 0x20, 0x03, 0xd5};
	uint8_t code[sizeof(nop)];

	return !(file_offset % sizeof(code)) &&
	       !elf_program_read(program, file_offset, code, sizeof(code)) &&
	       !memcmp(code, nop, sizeof(nop));
#endif
}

static void locate(const struct notes *notes, const struct note_addresses *note,
		   struct usdt_probe *probe)
{
	/* prelink moves the sections and leaves the notes as they are. */
	uint64_t moved = notes->base_address ? notes->base_address - note->base : 0;

	probe->file_offset =
		elf_program_file_offset(&notes->program, note->location + moved, 1, PF_X);
	if (!probe->file_offset) {
		probe->defect = "it lies in no code of the file";
		return;
	}
	if (!is_nop(&notes->program, probe->file_offset)) {
		probe->defect = "there is no nop where it says to be";
		return;
	}
	if (!note->semaphore)
		return;
	probe->semaphore_file_offset = elf_program_file_offset(
		&notes->program, note->semaphore + moved, sizeof(uint16_t), PF_W);
	/* The kernel wants it so (kernel/events/uprobes.c). */
	if (!probe->semaphore_file_offset || probe->semaphore_file_offset % sizeof(uint16_t))
		probe->defect = "its semaphore lies in no writable data of the file";
}

static int handle_note(const struct notes *notes, const char *description, size_t bytes)
{
	const char *text = description + sizeof(struct note_addresses);
	const char *limit = description + bytes;
	struct usdt_probe probe = {0};
	struct note_addresses note;
	const char *provider;

	if (bytes < sizeof(note))
		return -ENOEXEC;
	memcpy(&note, description, sizeof(note));
	provider = take_string(&text, limit);
	probe.name = provider ? take_string(&text, limit) : NULL;
	probe.arguments = probe.name ? take_string(&text, limit) : NULL;
	if (!probe.arguments)
		return -ENOEXEC;
	if (strcmp(provider, notes->provider) != 0)
		return 0;
	locate(notes, &note, &probe);
	return notes->on_probe(notes->context, &probe);
}

static size_t align4(size_t bytes)
{
	return (bytes + 3) & ~(size_t)3;
}

static int walk_notes(const struct notes *notes, const char *text, size_t bytes)
{
	Elf64_Nhdr header;
	int result = 0;

	while (!result && bytes >= sizeof(header)) {
		size_t name_bytes, description_bytes;

		memcpy(&header, text, sizeof(header));
		text += sizeof(header);
		bytes -= sizeof(header);
		name_bytes = align4(header.n_namesz);
		if (name_bytes > bytes || header.n_descsz > bytes - name_bytes)
			return -ENOEXEC;
		if (header.n_type == NOTE_TYPE && header.n_namesz == sizeof(NOTE_NAME) &&
		    !memcmp(text, NOTE_NAME, sizeof(NOTE_NAME)))
			result = handle_note(notes, text + name_bytes, header.n_descsz);
		description_bytes = align4(header.n_descsz);
		if (description_bytes > bytes - name_bytes)
			break; /* the last one, without its padding */
		text += name_bytes + description_bytes;
		bytes -= name_bytes + description_bytes;
	}
	return result;
}

static int read_notes(struct notes *notes)
{
	const Elf64_Shdr *base =
		elf_program_named_section(&notes->program, ".stapsdt.base", SHT_PROGBITS);
	const Elf64_Shdr *section =
		elf_program_named_section(&notes->program, ".note.stapsdt", SHT_NOTE);
	char *text;
	int result;

	if (!section)
		return 0;
	if (section->sh_size > NOTES_BYTES_MAX)
		return -EFBIG;
	notes->base_address = base ? base->sh_addr : 0;
	text = malloc(section->sh_size + 1);
	if (!text)
		return -ENOMEM;
	result = elf_program_read(&notes->program, section->sh_offset, text, section->sh_size);
	if (!result)
		result = walk_notes(notes, text, section->sh_size);
	free(text);
	return result;
}

int usdt_each_probe(int fd, const char *provider, usdt_probe_fn on_probe, void *context)
{
	struct notes notes = {.provider = provider, .on_probe = on_probe, .context = context};
	int result = elf_program_open(fd, &notes.program);

	if (!result)
		result = elf_program_read_section_names(&notes.program);
	if (!result)
		result = read_notes(&notes);
	elf_program_close(&notes.program);
	return result;
}
