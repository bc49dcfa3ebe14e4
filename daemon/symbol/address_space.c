/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/address_space.h"

#include "symbol/code_ranges.h"
#include "symbol/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What one process may make us keep: browsers map 300 files, the largest servers 1,000. */
#define FILES_MAX 2048

/* A file that was seen mapped as code. */
struct known_file {
	uint32_t device_major, device_minor;
	uint64_t inode;
	struct module *module; /* held; NULL: it can't be used */
	bool is_mapped;        /* at the last refresh */
};

struct address_space {
	pid_t pid;
	int proc_fd; /* of /proc/PID: another process with the same pid isn't reached by it */
	struct module_cache *cache;
	struct known_file *files;
	size_t file_count, file_capacity;
	struct code_ranges ranges;
	struct module **mapped; /* borrowed from files, each once */
	size_t mapped_count;
	size_t unreadable;
	uint64_t refreshes;
};

struct address_space *address_space_new(pid_t pid, struct module_cache *cache)
{
	struct address_space *space = calloc(1, sizeof(*space));
	char path[sizeof("/proc/") + 11];

	if (!space)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d", pid);
	space->pid = pid;
	space->cache = cache;
	space->proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return space;
}

void address_space_free(struct address_space *space)
{
	if (!space)
		return;
	for (size_t i = 0; i < space->file_count; i++)
		module_release(space->files[i].module);
	if (space->proc_fd >= 0)
		close(space->proc_fd);
	free(space->files);
	code_ranges_clear(&space->ranges);
	free(space->mapped);
	free(space);
}

static struct known_file *find_file(const struct address_space *space,
				    const struct address_range *range)
{
	for (size_t i = 0; i < space->file_count; i++) {
		struct known_file *file = &space->files[i];

		if (file->inode == range->inode && file->device_major == range->device_major &&
		    file->device_minor == range->device_minor)
			return file;
	}
	return NULL;
}

static int grow_files(struct address_space *space)
{
	size_t capacity = space->file_capacity ? space->file_capacity * 2 : 32;
	struct known_file *files = realloc(space->files, capacity * sizeof(*files));

	if (!files)
		return -ENOMEM;
	space->files = files;
	space->file_capacity = capacity;
	return 0;
}

static void open_module(struct address_space *space, const struct address_range *range,
			struct known_file *file)
{
	int fd = mapped_file_open(space->proc_fd, range);

	if (fd < 0)
		return;
	if (module_cache_get(space->cache, fd, range->path, &file->module))
		file->module = NULL;
	close(fd);
}

/* Returns 0 and *module, which is NULL when the file can't be used; -ENOMEM. */
static int find_module(struct address_space *space, const struct address_range *range,
		       struct module **module)
{
	struct known_file *file = find_file(space, range);

	*module = NULL;
	if (!file) {
		if (space->file_count == FILES_MAX)
			return 0;
		if (space->file_count == space->file_capacity && grow_files(space))
			return -ENOMEM;
		file = &space->files[space->file_count++];
		*file = (struct known_file){
			.device_major = range->device_major,
			.device_minor = range->device_minor,
			.inode = range->inode,
		};
		open_module(space, range, file);
	}
	file->is_mapped = true;
	*module = file->module;
	return 0;
}

/* Only an inode that is held open stays the same file: failures are tried anew at each refresh. */
static void forget_failures(struct address_space *space)
{
	size_t kept = 0;

	for (size_t i = 0; i < space->file_count; i++) {
		if (!space->files[i].module)
			continue;
		space->files[kept] = space->files[i];
		space->files[kept++].is_mapped = false;
	}
	space->file_count = kept;
}

/* What one reading of the maps file found. */
struct maps_reading {
	struct mapped_spans mapped; /* everything */
	struct code_ranges code;    /* what can be named */
	size_t unreadable;
};

static int reading_add(struct maps_reading *reading, struct address_space *space, char *line)
{
	struct address_range range;
	struct module *module;
	int error;

	if (address_range_parse(line, &range))
		return 0;
	error = mapped_spans_add(&reading->mapped, range.start, range.end);
	if (error || !range.is_executable || !range.inode)
		return error;
	error = find_module(space, &range, &module);
	if (error)
		return error;
	if (!module) {
		reading->unreadable++;
		return 0;
	}
	return code_ranges_add(&reading->code, &(struct code_range){
						       .start = range.start,
						       .end = range.end,
						       .file_offset = range.file_offset,
						       .module = module,
						       .last_seen = space->refreshes,
					       });
}

/* A process that has no memory any more, as a zombie hasn't, has an empty maps file. */
static int read_maps(struct address_space *space, struct maps_reading *reading)
{
	int fd = openat(space->proc_fd, "maps", O_RDONLY | O_CLOEXEC);
	FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
	size_t line_bytes = 0;
	char *line = NULL;
	ssize_t length;
	int error = 0;

	if (fd < 0)
		return errno == ENOENT || errno == EBADF ? -ESRCH : -errno;
	if (!maps) {
		close(fd);
		return -ENOMEM;
	}
	while (!error && (length = getline(&line, &line_bytes, maps)) > 0) {
		line[length - (line[length - 1] == '\n')] = '\0';
		error = reading_add(reading, space, line);
	}
	free(line);
	fclose(maps);
	if (!error && !reading->mapped.count)
		error = -ESRCH;
	return error;
}

static bool is_listed(const struct address_space *space, const struct module *module)
{
	for (size_t i = 0; i < space->mapped_count; i++)
		if (space->mapped[i] == module)
			return true;
	return false;
}

/* Several files can be copies of one module. */
static int list_mapped(struct address_space *space)
{
	struct module **mapped = calloc(space->file_count + 1, sizeof(struct module *));

	if (!mapped)
		return -ENOMEM;
	free(space->mapped);
	space->mapped = mapped;
	space->mapped_count = 0;
	for (size_t i = 0; i < space->file_count; i++) {
		const struct known_file *file = &space->files[i];

		if (file->is_mapped && file->module && !is_listed(space, file->module))
			mapped[space->mapped_count++] = file->module;
	}
	return 0;
}

int address_space_refresh(struct address_space *space)
{
	struct maps_reading reading = {0};
	int error;

	space->refreshes++;
	forget_failures(space);
	error = read_maps(space, &reading);
	if (!error)
		error = code_ranges_merge(&space->ranges, &reading.code, &reading.mapped);
	if (!error)
		error = list_mapped(space);
	if (!error)
		space->unreadable = reading.unreadable;
	mapped_spans_clear(&reading.mapped);
	code_ranges_clear(&reading.code);
	return error;
}

size_t address_space_unreadable(const struct address_space *space)
{
	return space->unreadable;
}

int address_space_resolve(const struct address_space *space, uint64_t address,
			  struct module **module, uint64_t *file_offset)
{
	const struct code_range *range = code_ranges_find(&space->ranges, address);

	if (!range)
		return -ENOENT;
	*module = range->module;
	*file_offset = range->file_offset + (address - range->start);
	return 0;
}

int address_space_find(const struct address_space *space, const struct module *module,
		       uint64_t file_offset, uint64_t *address)
{
	for (size_t i = 0; i < space->ranges.count; i++) {
		const struct code_range *range = &space->ranges.items[i];

		if (range->module != module || range->last_seen != space->refreshes ||
		    file_offset < range->file_offset ||
		    file_offset - range->file_offset >= range->end - range->start)
			continue;
		*address = range->start + (file_offset - range->file_offset);
		return 0;
	}
	return -ENOENT;
}

size_t address_space_module_count(const struct address_space *space)
{
	return space->mapped_count;
}

struct module *address_space_module(const struct address_space *space, size_t index)
{
	return index < space->mapped_count ? space->mapped[index] : NULL;
}

int address_space_module_proc_path(const struct address_space *space, const struct module *module,
				   char *path, size_t path_size)
{
	for (size_t i = 0; i < space->ranges.count; i++) {
		const struct code_range *range = &space->ranges.items[i];
		int length;

		if (range->module != module || range->last_seen != space->refreshes)
			continue;
		length = snprintf(path, path_size, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
				  space->pid, range->start, range->end);
		return length < 0 || (size_t)length >= path_size ? -ENAMETOOLONG : 0;
	}
	return -ENOENT;
}
