/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/jitdump.h"

#include "clock.h"
#include "procfs.h"
#include "symbol/elf_file.h"
#include "symbol/file_place.h"
#include "symbol/jitdump_record.h"
#include "symbol/mapped_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FUNCTIONS_MAX ((size_t)1 << 18)
/* The file holds the code too, which is skipped: little is read at a time, and often. */
#define WINDOW_BYTES    16384
#define LOOK_READS_MAX  1024
#define REFRESH_SECONDS 1
/* A file that grows all the time is read for a twentieth of the time. */
#define READING_REST          20
#define OVERLAP_MAX           16
#define MOVES_MAX             8
#define DEBUG_INFO_MAX_BYTES  (1u << 18)
#define LOAD_NAME_SLACK_BYTES 64 /* what a record of code has before its name */
/* perf puts an ELF header before the code; most runtimes add it to the addresses of lines. */
#define ELF_HEADER_BYTES 64

struct function {
	uint64_t start;
	uint32_t size;
	uint32_t record;     /* offset in the file: names stay there, and later ones count more */
	uint32_t debug_info; /* the same of its lines; 0: it has none */
};

/* Debug information comes before the code that it describes. */
struct pending {
	uint64_t address;
	uint32_t record; /* 0: there is none */
};

struct jitdump {
	int fd;
	uint32_t pid;               /* that the header must state */
	uint64_t offset;            /* of the first record that wasn't read */
	bool is_over;               /* closed, damaged or too much: there is nothing more to read */
	double next_look_seconds;   /* not before */
	struct function *functions; /* by start, then by record */
	size_t count, capacity;
	struct pending pending;
	bool has_unshifted_lines;
};

void jitdump_free(struct jitdump *dump)
{
	if (!dump)
		return;
	if (dump->fd >= 0)
		close(dump->fd);
	free(dump->functions);
	free(dump);
}

/* ---- Functions ---- */

static int compare_functions(const void *left, const void *right)
{
	const struct function *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->record < b->record ? -1 : a->record > b->record;
}

static void sort_functions(struct jitdump *dump)
{
	if (dump->count)
		qsort(dump->functions, dump->count, sizeof(*dump->functions), compare_functions);
}

/* Forgets code that other code was written over, from its first byte on. */
static void drop_replaced(struct jitdump *dump)
{
	size_t kept = 0;

	sort_functions(dump);
	for (size_t i = 0; i < dump->count; i++)
		if (i + 1 == dump->count ||
		    dump->functions[i + 1].start != dump->functions[i].start)
			dump->functions[kept++] = dump->functions[i];
	dump->count = kept;
	/* With few places it would be done again and again. */
	dump->is_over = kept > FUNCTIONS_MAX / 4 * 3;
}

static int grow(struct jitdump *dump)
{
	size_t capacity = dump->capacity ? dump->capacity * 2 : 256;
	void *functions = realloc(dump->functions, capacity * sizeof(*dump->functions));

	if (!functions)
		return -ENOMEM;
	dump->functions = functions;
	dump->capacity = capacity;
	return 0;
}

static void add_function(struct jitdump *dump, const struct jitdump_record *record)
{
	if (dump->count == FUNCTIONS_MAX)
		drop_replaced(dump);
	if (dump->is_over)
		return;
	if (dump->count == dump->capacity && grow(dump)) {
		dump->is_over = true;
		return;
	}
	dump->functions[dump->count++] = (struct function){
		.start = record->address,
		.size = (uint32_t)record->code_bytes,
		.record = (uint32_t)dump->offset,
		.debug_info = dump->pending.address == record->address ? dump->pending.record : 0,
	};
	dump->pending = (struct pending){0};
}

static void add_debug_info(struct jitdump *dump, const struct jitdump_record *record)
{
	dump->pending =
		(struct pending){.address = record->address, .record = (uint32_t)dump->offset};
	if (record->entry_count && record->first_entry - record->address < ELF_HEADER_BYTES)
		dump->has_unshifted_lines = true;
}

static void add_record(struct jitdump *dump, const struct jitdump_record *record)
{
	switch (record->kind) {
	case JITDUMP_LOAD:
	case JITDUMP_MOVE:
		add_function(dump, record);
		break;
	case JITDUMP_DEBUG_INFO:
		add_debug_info(dump, record);
		break;
	case JITDUMP_CLOSE:
		dump->is_over = true;
		break;
	default:
		break;
	}
}

/* ---- The file ---- */

static int read_header(struct jitdump *dump)
{
	unsigned char bytes[JITDUMP_HEADER_BYTES];
	struct jitdump_header header;
	int error = elf_file_read(dump->fd, bytes, sizeof(bytes), 0);

	if (error)
		return error == -EIO ? -EAGAIN : error;
	error = jitdump_parse_header(bytes, sizeof(bytes), &header);
	if (error)
		return error;
	if (header.pid != dump->pid)
		return -ESRCH;
	dump->offset = header.bytes;
	return 0;
}

int jitdump_open(int proc_fd, pid_t pid, const struct address_range *range, struct jitdump **dump)
{
	struct jitdump *opened;
	pid_t namespace_pid;
	struct stat status;
	int error = procfs_read_namespace_pid(pid, &namespace_pid);

	if (error)
		return error;
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return -ENOMEM;
	opened->pid = (uint32_t)namespace_pid;
	opened->fd = mapped_file_open(proc_fd, range);
	if (opened->fd < 0)
		error = opened->fd;
	else if (fstat(opened->fd, &status))
		error = -errno;
	else if (!file_place_is_of_process(proc_fd, &status))
		error = -EPERM;
	error = error ? error : read_header(opened);
	if (error)
		jitdump_free(opened);
	else
		*dump = opened;
	return error;
}

/*
 * Takes records as long as the window has what is read of them. Of one that is still being written
 * nothing is taken.
 */
static void add_window(struct jitdump *dump, const unsigned char *window, size_t size,
		       uint64_t file_bytes)
{
	uint64_t begin = dump->offset;

	while (!dump->is_over && dump->offset - begin < size) {
		size_t at = (size_t)(dump->offset - begin), left = size - at;
		struct jitdump_record record;

		if (left < JITDUMP_FIXED_BYTES && dump->offset + left < file_bytes)
			return;
		if (left < JITDUMP_PREFIX_BYTES)
			return;
		if (jitdump_parse_record(window + at, left, &record)) {
			dump->is_over = true;
			return;
		}
		if (record.bytes > file_bytes - dump->offset)
			return;
		add_record(dump, &record);
		dump->offset += record.bytes;
	}
}

static void read_records(struct jitdump *dump, uint64_t file_bytes)
{
	unsigned char window[WINDOW_BYTES];

	for (int reads = 0; reads < LOOK_READS_MAX && !dump->is_over; reads++) {
		uint64_t begin = dump->offset;
		size_t size;

		if (begin >= file_bytes)
			break;
		size = file_bytes - begin < WINDOW_BYTES ? file_bytes - begin : WINDOW_BYTES;
		if (elf_file_read(dump->fd, window, size, begin))
			break;
		add_window(dump, window, size, file_bytes);
		if (dump->offset == begin)
			break;
	}
	sort_functions(dump);
}

/* Another file in its place: a process that becomes another program may begin anew. */
static int start_again(struct jitdump *dump)
{
	dump->count = 0;
	dump->is_over = false;
	dump->has_unshifted_lines = false;
	dump->pending = (struct pending){0};
	return read_header(dump);
}

void jitdump_refresh(struct jitdump *dump)
{
	double began = clock_monotonic_seconds(), now = began;
	uint64_t file_bytes;
	struct stat status;

	if (now < dump->next_look_seconds)
		return;
	dump->next_look_seconds = now + REFRESH_SECONDS;
	if (fstat(dump->fd, &status))
		return;
	file_bytes = (uint64_t)status.st_size;
	if (file_bytes < dump->offset && start_again(dump))
		return;
	if (file_bytes > UINT32_MAX)
		file_bytes = UINT32_MAX;
	if (dump->is_over || file_bytes == dump->offset)
		return;
	read_records(dump, file_bytes);
	now = clock_monotonic_seconds();
	dump->next_look_seconds = now + REFRESH_SECONDS + (now - began) * READING_REST;
}

/* ---- Names ---- */

/* How many functions come before an address, or begin there. */
static size_t count_until(const struct jitdump *dump, uint64_t address)
{
	size_t low = 0, high = dump->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (dump->functions[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Of code that was written over other code, the later. */
static const struct function *find_function(const struct jitdump *dump, uint64_t address)
{
	const struct function *found = NULL;
	size_t index = count_until(dump, address);

	for (int steps = 0; index > 0 && steps < OVERLAP_MAX; steps++) {
		const struct function *function = &dump->functions[--index];

		if (address - function->start < function->size &&
		    (!found || function->record > found->record))
			found = function;
	}
	return found;
}

/* What lay at an address before something moved it from there. */
static const struct function *find_moved(const struct jitdump *dump, uint64_t start,
					 uint32_t before)
{
	size_t index = count_until(dump, start);

	while (index > 0 && dump->functions[index - 1].start == start) {
		const struct function *function = &dump->functions[--index];

		if (function->record < before)
			return function;
	}
	return NULL;
}

/* The file may have changed since: the record has to say the same of the function still. */
static int read_record(const struct jitdump *dump, const struct function *function, char *bytes,
		       size_t size, size_t *got, struct jitdump_record *record)
{
	ssize_t count = pread(dump->fd, bytes, size, function->record);

	if (count <= 0 || jitdump_parse_record(bytes, (size_t)count, record) ||
	    record->address != function->start || record->code_bytes != function->size)
		return -ENOENT;
	*got = (size_t)count < record->bytes ? (size_t)count : record->bytes;
	return 0;
}

/* Follows moves back to where the code was loaded. */
static int read_name(const struct jitdump *dump, const struct function **function,
		     char name[static JITDUMP_NAME_MAX_BYTES])
{
	char bytes[JITDUMP_NAME_MAX_BYTES + LOAD_NAME_SLACK_BYTES];
	struct jitdump_record record;
	const char *text;
	size_t got, length;

	for (int i = 0; i < MOVES_MAX && *function; i++) {
		if (read_record(dump, *function, bytes, sizeof(bytes), &got, &record))
			return -ENOENT;
		if (record.kind != JITDUMP_MOVE)
			break;
		*function = find_moved(dump, record.old_address, (*function)->record);
	}
	if (!*function || record.kind != JITDUMP_LOAD ||
	    jitdump_parse_name(bytes, got, &text, &length))
		return -ENOENT;
	if (length >= JITDUMP_NAME_MAX_BYTES)
		length = JITDUMP_NAME_MAX_BYTES - 1;
	memcpy(name, text, length);
	name[length] = '\0';
	return 0;
}

static void set_line(const struct jitdump *dump, const struct function *function,
		     const void *debug_info, size_t size, uint64_t address,
		     struct jitdump_code *code)
{
	uint64_t shift = dump->has_unshifted_lines ? 0 : ELF_HEADER_BYTES;
	struct jitdump_line line;

	if (jitdump_parse_line(debug_info, size, function->start, function->size, shift, address,
			       &line) ||
	    strlen(line.file) >= sizeof(code->file))
		return;
	strcpy(code->file, line.file);
	code->line = line.line;
}

/* address: in the code as it was loaded. */
static void read_line(const struct jitdump *dump, const struct function *function, uint64_t address,
		      struct jitdump_code *code)
{
	unsigned char prefix[JITDUMP_FIXED_BYTES];
	struct jitdump_record record;
	ssize_t got;
	void *bytes;

	if (!function->debug_info)
		return;
	got = pread(dump->fd, prefix, sizeof(prefix), function->debug_info);
	if (got <= 0 || jitdump_parse_record(prefix, (size_t)got, &record) ||
	    record.kind != JITDUMP_DEBUG_INFO || record.address != function->start ||
	    record.bytes > DEBUG_INFO_MAX_BYTES)
		return;
	bytes = malloc(record.bytes);
	if (bytes && !elf_file_read(dump->fd, bytes, record.bytes, function->debug_info))
		set_line(dump, function, bytes, record.bytes, address, code);
	free(bytes);
}

int jitdump_find(const struct jitdump *dump, uint64_t address, struct jitdump_code *code)
{
	const struct function *function = find_function(dump, address), *loaded = function;

	if (!function)
		return -ENOENT;
	*code = (struct jitdump_code){.line = 0};
	if (read_name(dump, &loaded, code->function))
		return -ENOENT;
	read_line(dump, loaded, address - function->start + loaded->start, code);
	return 0;
}
