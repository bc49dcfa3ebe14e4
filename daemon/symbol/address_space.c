/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/address_space.h"

#include "symbol/code_ranges.h"
#include "symbol/compiled_code.h"
#include "symbol/fileless_code.h"
#include "symbol/jitdump_record.h"
#include "symbol/mapped_file.h"
#include "symbol/module_private.h"
#include "symbol/vdso.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What one process may make us keep: browsers map 300 files, the largest servers 1,000. */
#define FILES_MAX 2048

/* A file that was seen mapped as code. */
struct known_file {
	struct address_space_file file; /* its module is held; NULL: it can't be used */
	bool is_mapped;                 /* at the last refresh */
};

struct address_space {
	pid_t pid;
	int proc_fd; /* of /proc/PID: another process with the same pid isn't reached by it */
	struct module_cache *cache;
	struct known_file *files;
	size_t file_count, file_capacity;
	struct code_ranges ranges;
	struct address_space_file *mapped; /* modules borrowed from files */
	size_t mapped_count;
	struct fileless_code fileless;
	size_t unreadable;
	uint64_t refreshes;
	struct module *vdso;            /* held; NULL until one is seen */
	uint64_t vdso_start;            /* where it was found to be ours */
	struct compiled_code *compiled; /* NULL until it is needed */
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
		module_release(space->files[i].file.module);
	if (space->proc_fd >= 0)
		close(space->proc_fd);
	free(space->files);
	code_ranges_clear(&space->ranges);
	module_release(space->vdso);
	compiled_code_free(space->compiled);
	free(space->mapped);
	free(space);
}

static struct mapped_file_id file_of_range(const struct address_range *range)
{
	return (struct mapped_file_id){.device_major = range->device_major,
				       .device_minor = range->device_minor,
				       .inode = range->inode};
}

static struct known_file *find_file(const struct address_space *space,
				    const struct mapped_file_id *id)
{
	for (size_t i = 0; i < space->file_count; i++)
		if (mapped_file_id_is_same(&space->files[i].file.id, id))
			return &space->files[i];
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

static bool is_same_place(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* -1 when paths lead the process to what they lead us to, or when it is gone. */
static int open_foreign_root(int proc_fd)
{
	int fd = openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat root, mounts, our_root, our_mounts;

	if (fd < 0)
		return -1;
	if (!fstat(fd, &root) && !fstatat(proc_fd, "ns/mnt", &mounts, 0) && !stat("/", &our_root) &&
	    !stat("/proc/self/ns/mnt", &our_mounts) &&
	    (!is_same_place(&root, &our_root) || !is_same_place(&mounts, &our_mounts)))
		return fd;
	close(fd);
	return -1;
}

static void open_module(struct address_space *space, const struct address_range *range,
			struct address_space_file *file)
{
	struct module_file mapped = {.path = range->path};

	mapped.fd = mapped_file_open(space->proc_fd, range);
	if (mapped.fd < 0)
		return;
	mapped.root_fd = open_foreign_root(space->proc_fd);
	if (module_cache_get(space->cache, &mapped, &file->module))
		file->module = NULL;
	close(mapped.fd);
	if (mapped.root_fd >= 0)
		close(mapped.root_fd);
}

/* Returns 0 and *module, which is NULL when the file can't be used; -ENOMEM. */
static int find_module(struct address_space *space, const struct address_range *range,
		       struct module **module)
{
	const struct mapped_file_id id = file_of_range(range);
	struct known_file *known = find_file(space, &id);

	*module = NULL;
	if (!known) {
		if (space->file_count == FILES_MAX)
			return 0;
		if ((!space->files || space->file_count == space->file_capacity) &&
		    grow_files(space))
			return -ENOMEM;
		known = &space->files[space->file_count++];
		*known = (struct known_file){.file.id = id};
		open_module(space, range, &known->file);
	}
	known->is_mapped = true;
	*module = known->file.module;
	return 0;
}

/* Only an inode that is held open stays the same file: failures are tried anew at each refresh. */
static void forget_failures(struct address_space *space)
{
	size_t kept = 0;

	for (size_t i = 0; i < space->file_count; i++) {
		if (!space->files[i].file.module)
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
	struct fileless_code fileless;
	size_t unreadable;
};

static int add_code(struct maps_reading *reading, const struct address_space *space,
		    const struct address_range *range, struct module *module)
{
	return code_ranges_add(&reading->code, &(struct code_range){
						       .start = range->start,
						       .end = range->end,
						       .file_offset = range->file_offset,
						       .module = module,
						       .file = file_of_range(range),
						       .last_seen = space->refreshes,
					       });
}

/* It is in no file, and isn't among the files that are mapped: nothing can be probed in it. */
static int add_vdso(struct maps_reading *reading, struct address_space *space,
		    const struct address_range *range)
{
	if (space->vdso_start != range->start) {
		if (!vdso_is_ours(space->proc_fd, range))
			return 0;
		space->vdso_start = range->start;
	}
	if (!space->vdso)
		space->vdso = vdso_module_get(space->cache);
	return space->vdso ? add_code(reading, space, range, space->vdso) : 0;
}

static struct compiled_code *compiled_code(struct address_space *space)
{
	if (!space->compiled)
		space->compiled = compiled_code_new(space->cache, space->proc_fd, space->pid);
	return space->compiled;
}

/* A process maps it as code only so that it is found. */
static int add_dump(struct address_space *space, const struct address_range *range)
{
	struct compiled_code *code = compiled_code(space);

	if (!code)
		return -ENOMEM;
	compiled_code_add_dump(code, range);
	return 0;
}

static int reading_add(struct maps_reading *reading, struct address_space *space, char *line)
{
	struct address_range range;
	struct module *module;
	int error;

	if (address_range_parse(line, &range))
		return 0;
	error = mapped_spans_add(&reading->mapped, range.start, range.end);
	if (error)
		return error;
	if (strcmp(range.path, "[vdso]") == 0)
		return add_vdso(reading, space, &range);
	/* The kernel's trampolines for return probes are nobody's code: what they return to is. */
	if (!range.inode && strcmp(range.path, "[uprobes]") != 0)
		fileless_code_add(&reading->fileless, &range);
	if (!range.inode || !range.is_executable)
		return 0;
	if (jitdump_is_path(range.path))
		return add_dump(space, &range);
	error = find_module(space, &range, &module);
	if (error)
		return error;
	if (!module) {
		reading->unreadable++;
		return 0;
	}
	return add_code(reading, space, &range, module);
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

static int list_mapped(struct address_space *space)
{
	struct address_space_file *mapped = calloc(space->file_count + 1, sizeof(*mapped));

	if (!mapped)
		return -ENOMEM;
	free(space->mapped);
	space->mapped = mapped;
	space->mapped_count = 0;
	for (size_t i = 0; i < space->file_count; i++)
		if (space->files[i].is_mapped && space->files[i].file.module)
			mapped[space->mapped_count++] = space->files[i].file;
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
	if (!error) {
		space->unreadable = reading.unreadable;
		fileless_code_complete(&reading.fileless, &space->fileless, &reading.mapped,
				       &reading.code);
		space->fileless = reading.fileless;
	}
	mapped_spans_clear(&reading.mapped);
	code_ranges_clear(&reading.code);
	return error;
}

bool address_space_has_code(const struct address_space *space, uint64_t address)
{
	return code_ranges_find(&space->ranges, address) ||
	       fileless_code_has(&space->fileless, address);
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

int address_space_name_code(struct address_space *space, uint64_t address, struct symbol_name *name)
{
	struct compiled_code *code = compiled_code(space);

	return code ? compiled_code_name(code, address, name) : -ENOENT;
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

static int compare_code(const void *a, const void *b)
{
	const struct address_space_code *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

size_t address_space_code(const struct address_space *space, struct address_space_code *code,
			  size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < space->ranges.count && count < max; i++) {
		const struct code_range *range = &space->ranges.items[i];

		if (range->last_seen == space->refreshes)
			code[count++] =
				(struct address_space_code){.start = range->start,
							    .end = range->end,
							    .file_offset = range->file_offset,
							    .module = range->module};
	}
	for (size_t i = 0; i < space->fileless.count && count < max; i++)
		code[count++] =
			(struct address_space_code){.start = space->fileless.ranges[i].start,
						    .end = space->fileless.ranges[i].end};
	qsort(code, count, sizeof(*code), compare_code);
	return count;
}

size_t address_space_file_count(const struct address_space *space)
{
	return space->mapped_count;
}

const struct address_space_file *address_space_file(const struct address_space *space, size_t index)
{
	return index < space->mapped_count ? &space->mapped[index] : NULL;
}

bool address_space_has_file(const struct address_space *space, const struct mapped_file_id *id,
			    const struct module *module)
{
	for (size_t i = 0; i < space->mapped_count; i++)
		if (space->mapped[i].module == module &&
		    mapped_file_id_is_same(&space->mapped[i].id, id))
			return true;
	return false;
}

int address_space_file_proc_path(const struct address_space *space, const struct mapped_file_id *id,
				 char *path, size_t path_size)
{
	for (size_t i = 0; i < space->ranges.count; i++) {
		const struct code_range *range = &space->ranges.items[i];
		int length;

		if (!mapped_file_id_is_same(&range->file, id) ||
		    range->last_seen != space->refreshes)
			continue;
		length = snprintf(path, path_size, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
				  space->pid, range->start, range->end);
		return length < 0 || (size_t)length >= path_size ? -ENAMETOOLONG : 0;
	}
	return -ENOENT;
}
