/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/perf_map.h"

#include "clock.h"
#include "procfs.h"
#include "symbol/elf_file.h"
#include "symbol/file_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES  (16u << 20)
#define FUNCTIONS_MAX   (1u << 18)
#define CHUNK_BYTES     65536
#define LINE_MAX_BYTES  4096
#define OVERLAP_MAX     16
#define REFRESH_SECONDS 1
/* A large file that grows all the time is read for a twentieth of the time. */
#define READING_REST 20

struct function {
	uint64_t start;
	uint32_t size;
	uint32_t line; /* offset in the file: names stay there */
};
_Static_assert(sizeof(struct function) == 16, "a process may have hundreds of thousands");

struct perf_map {
	int fd; /* of the file that was read; -1: none */
	struct stat status;
	double next_look_seconds;   /* not before */
	struct function *functions; /* by start, then by line */
	size_t count, capacity;
};

struct perf_map *perf_map_new(void)
{
	struct perf_map *map = calloc(1, sizeof(*map));

	if (map)
		map->fd = -1;
	return map;
}

static void forget_file(struct perf_map *map)
{
	if (map->fd >= 0)
		close(map->fd);
	map->fd = -1;
	map->count = 0;
}

void perf_map_free(struct perf_map *map)
{
	if (!map)
		return;
	forget_file(map);
	free(map->functions);
	free(map);
}

/* ---- Lines ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes a number and the spaces behind it off the line. */
static bool take_number(const char *line, size_t length, size_t *at, uint64_t *number)
{
	size_t begin, digits = 0;

	if (length - *at > 2 && line[*at] == '0' && (line[*at + 1] | 0x20) == 'x')
		*at += 2;
	*number = 0;
	while (*at < length && hex_digit(line[*at]) >= 0) {
		if (++digits > 16)
			return false;
		*number = *number << 4 | (uint64_t)hex_digit(line[(*at)++]);
	}
	begin = *at;
	while (*at < length && (line[*at] == ' ' || line[*at] == '\t'))
		(*at)++;
	return digits && *at > begin;
}

int perf_map_parse_line(const char *line, size_t length, uint64_t *start, uint64_t *size,
			size_t *name)
{
	size_t at = 0;

	if (!take_number(line, length, &at, start) || !take_number(line, length, &at, size))
		return -EINVAL;
	if (at == length || !*start || !*size || *size > UINT32_MAX || *start > UINT64_MAX - *size)
		return -EINVAL;
	*name = at;
	return 0;
}

/* ---- The file ---- */

static int add_function(struct perf_map *map, const char *line, size_t length, uint32_t offset)
{
	uint64_t start, size;
	size_t name;

	if (perf_map_parse_line(line, length, &start, &size, &name) || map->count == FUNCTIONS_MAX)
		return 0;
	if (map->count == map->capacity) {
		size_t capacity = map->capacity ? map->capacity * 2 : 256;
		void *functions = realloc(map->functions, capacity * sizeof(*map->functions));

		if (!functions)
			return -ENOMEM;
		map->functions = functions;
		map->capacity = capacity;
	}
	map->functions[map->count++] =
		(struct function){.start = start, .size = (uint32_t)size, .line = offset};
	return 0;
}

/* Takes whole lines; what is left of the chunk is read again. One without end is skipped. */
static int add_lines(struct perf_map *map, const char *chunk, size_t bytes, uint32_t offset,
		     size_t *taken)
{
	int error = 0;

	*taken = 0;
	while (!error) {
		const char *line = chunk + *taken;
		const char *end = memchr(line, '\n', bytes - *taken);

		if (!end)
			break;
		error = add_function(map, line, (size_t)(end - line), offset + (uint32_t)*taken);
		*taken += (size_t)(end - line) + 1;
	}
	if (!*taken)
		*taken = bytes;
	return error;
}

static int compare_functions(const void *left, const void *right)
{
	const struct function *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

static void read_functions(struct perf_map *map)
{
	uint64_t bytes = (uint64_t)map->status.st_size;
	char *chunk = malloc(CHUNK_BYTES);
	size_t taken;

	if (bytes > FILE_MAX_BYTES)
		bytes = FILE_MAX_BYTES;
	for (uint64_t offset = 0; chunk && offset < bytes; offset += taken) {
		size_t size = bytes - offset < CHUNK_BYTES ? bytes - offset : CHUNK_BYTES;

		if (elf_file_read(map->fd, chunk, size, offset) ||
		    add_lines(map, chunk, size, (uint32_t)offset, &taken))
			break;
	}
	free(chunk);
	if (map->count)
		qsort(map->functions, map->count, sizeof(*map->functions), compare_functions);
}

static int open_map(int proc_fd, pid_t pid, struct stat *status)
{
	char path[sizeof("/tmp/perf-.map") + 11];
	int root, place, fd, error;
	pid_t namespace_pid;

	error = procfs_read_namespace_pid(pid, &namespace_pid);
	if (error)
		return error;
	root = openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)namespace_pid);
	place = file_place_in_root(root, path);
	close(root);
	if (place < 0)
		return place;
	fd = file_place_read(place, status);
	close(place);
	if (fd >= 0 && !file_place_is_of_process(proc_fd, status)) {
		close(fd);
		fd = -EPERM;
	}
	return fd;
}

static bool is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void perf_map_refresh(struct perf_map *map, int proc_fd, pid_t pid)
{
	double began = clock_monotonic_seconds(), now = began;
	struct stat status = {0};
	int fd;

	if (now < map->next_look_seconds)
		return;
	map->next_look_seconds = now + REFRESH_SECONDS;
	/* Once the process has ended, or has taken its file away, what was read stays good. */
	fd = open_map(proc_fd, pid, &status);
	if (fd < 0)
		return;
	if (map->fd >= 0 && is_unchanged(&status, &map->status)) {
		close(fd);
		return;
	}
	forget_file(map);
	map->fd = fd;
	map->status = status;
	read_functions(map);
	now = clock_monotonic_seconds();
	map->next_look_seconds = now + REFRESH_SECONDS + (now - began) * READING_REST;
}

/* ---- Names ---- */

/* The file may have changed since: the line has to say the same of the function still. */
static int read_name(const struct perf_map *map, const struct function *function,
		     char name[static PERF_MAP_NAME_MAX_BYTES])
{
	char line[LINE_MAX_BYTES];
	uint64_t start, size;
	size_t length, at;
	ssize_t got = pread(map->fd, line, sizeof(line), function->line);
	const char *end = got > 0 ? memchr(line, '\n', (size_t)got) : NULL;

	if (got <= 0)
		return -ENOENT;
	length = end ? (size_t)(end - line) : (size_t)got;
	if (perf_map_parse_line(line, length, &start, &size, &at) || start != function->start ||
	    size != function->size)
		return -ENOENT;
	length -= at;
	if (length >= PERF_MAP_NAME_MAX_BYTES)
		length = PERF_MAP_NAME_MAX_BYTES - 1;
	memcpy(name, line + at, length);
	name[length] = '\0';
	return name[0] ? 0 : -ENOENT;
}

int perf_map_find(const struct perf_map *map, uint64_t address,
		  char name[static PERF_MAP_NAME_MAX_BYTES])
{
	size_t low = 0, high = map->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->functions[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (int steps = 0; low > 0 && steps < OVERLAP_MAX; steps++) {
		const struct function *function = &map->functions[--low];

		if (address - function->start < function->size)
			return read_name(map, function, name);
	}
	return -ENOENT;
}
