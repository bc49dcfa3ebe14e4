/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/debug_cache.h"

#include "symbol/debug_supplement.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY     "debuginfo"
#define SUFFIX        ".debug"
#define PART_NAME     "arriving.part"
#define ID_MIN_DIGITS 16

struct debug_cache {
	int directory_fd;
	uint64_t bytes_max;
	uint64_t bytes; /* atomic: read by any thread */
};

static uint64_t get_bytes(const struct debug_cache *cache)
{
	return __atomic_load_n(&cache->bytes, __ATOMIC_RELAXED);
}

static void set_bytes(struct debug_cache *cache, uint64_t bytes)
{
	__atomic_store_n(&cache->bytes, bytes, __ATOMIC_RELAXED);
}

uint64_t debug_cache_bytes(const struct debug_cache *cache)
{
	return get_bytes(cache);
}

uint64_t debug_cache_file_bytes_max(const struct debug_cache *cache)
{
	return cache->bytes_max / 2;
}

bool debug_cache_is_id(const char *build_id)
{
	size_t digits = strspn(build_id, "0123456789abcdef");

	return !build_id[digits] && digits >= ID_MIN_DIGITS && digits % 2 == 0 &&
	       digits <= (size_t)2 * ELF_BUILD_ID_MAX_BYTES;
}

/* ---- The directory */

struct oldest {
	char name[NAME_MAX + 1];
	struct stat status;
};

/* Goes through what is kept: its bytes, and which of it wasn't used for longest. */
static int scan(const struct debug_cache *cache, uint64_t *bytes, struct oldest *oldest)
{
	int fd = openat(cache->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	*bytes = 0;
	oldest->name[0] = '\0';
	if (!directory) {
		int error = -errno;

		if (fd >= 0)
			close(fd);
		return error;
	}
	while ((entry = readdir(directory))) {
		size_t length = strlen(entry->d_name);
		struct stat status;

		if (length <= strlen(SUFFIX) ||
		    strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) != 0 ||
		    fstatat(cache->directory_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW))
			continue;
		*bytes += (uint64_t)status.st_size;
		if (oldest->name[0] && status.st_mtime >= oldest->status.st_mtime)
			continue;
		strcpy(oldest->name, entry->d_name);
		oldest->status = status;
	}
	closedir(directory);
	return 0;
}

/* Removes files until so many bytes fit. What is still open somewhere stays good there. */
static int make_room(struct debug_cache *cache, uint64_t wanted)
{
	while (get_bytes(cache) + wanted > cache->bytes_max) {
		struct oldest oldest;
		uint64_t bytes;
		int error = scan(cache, &bytes, &oldest);

		if (error)
			return error;
		set_bytes(cache, bytes);
		if (bytes + wanted <= cache->bytes_max)
			break;
		if (!oldest.name[0])
			return -ENOSPC;
		if (unlinkat(cache->directory_fd, oldest.name, 0))
			return -errno;
		set_bytes(cache, bytes - (uint64_t)oldest.status.st_size);
	}
	return 0;
}

static int open_directory(struct debug_cache *cache, const char *state_dir)
{
	int state_fd = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC), error = 0;

	if (state_fd < 0)
		return -errno;
	if (mkdirat(state_fd, DIRECTORY, 0700) && errno != EEXIST)
		error = -errno;
	if (!error)
		cache->directory_fd = openat(state_fd, DIRECTORY,
					     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (!error && cache->directory_fd < 0)
		error = -errno;
	close(state_fd);
	return error;
}

int debug_cache_open(const char *state_dir, uint64_t bytes_max, struct debug_cache **cache)
{
	struct debug_cache *opened = calloc(1, sizeof(*opened));
	struct oldest oldest;
	uint64_t bytes;
	int error;

	if (!opened)
		return -ENOMEM;
	opened->directory_fd = -1;
	opened->bytes_max = bytes_max;
	error = open_directory(opened, state_dir);
	error = error ? error : scan(opened, &bytes, &oldest);
	if (error) {
		debug_cache_close(opened);
		return error;
	}
	set_bytes(opened, bytes);
	unlinkat(opened->directory_fd, PART_NAME, 0);
	make_room(opened, 0);
	*cache = opened;
	return 0;
}

void debug_cache_close(struct debug_cache *cache)
{
	if (!cache)
		return;
	if (cache->directory_fd >= 0)
		close(cache->directory_fd);
	free(cache);
}

/* ---- Files */

int debug_cache_open_file(struct debug_cache *cache, const char *build_id, struct symbol_file *file)
{
	char name[sizeof(((struct debug_cache_part *)0)->name)];
	struct stat status;

	*file = (struct symbol_file){.fd = -1};
	if (!debug_cache_is_id(build_id))
		return -ENOENT;
	snprintf(name, sizeof(name), "%s" SUFFIX, build_id);
	file->fd =
		openat(cache->directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (file->fd < 0)
		return -ENOENT;
	if (!fstat(file->fd, &status) && S_ISREG(status.st_mode)) {
		file->bytes = (uint64_t)status.st_size;
		if (debug_supplement_has_id(file, build_id)) {
			futimens(file->fd, NULL); /* when it was used last */
			return 0;
		}
	}
	close(file->fd);
	*file = (struct symbol_file){.fd = -1};
	return -ENOENT;
}

int debug_cache_begin(struct debug_cache *cache, const char *build_id,
		      struct debug_cache_part *part)
{
	*part = (struct debug_cache_part){.cache = cache, .build_id = build_id, .fd = -1};
	if (!debug_cache_is_id(build_id))
		return -EINVAL;
	snprintf(part->name, sizeof(part->name), "%s" SUFFIX, build_id);
	part->fd = openat(cache->directory_fd, PART_NAME,
			  O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return part->fd < 0 ? -errno : 0;
}

int debug_cache_write(struct debug_cache_part *part, const void *bytes, size_t size)
{
	int error;

	if (size > debug_cache_file_bytes_max(part->cache) - part->bytes)
		return -EFBIG;
	error = make_room(part->cache, part->bytes + size);
	error = error ? error : elf_file_write(part->fd, bytes, size);
	part->bytes += error ? 0 : size;
	return error;
}

static void end_part(struct debug_cache_part *part)
{
	if (part->fd >= 0)
		close(part->fd);
	part->fd = -1;
}

void debug_cache_abandon(struct debug_cache_part *part)
{
	end_part(part);
	unlinkat(part->cache->directory_fd, PART_NAME, 0);
}

int debug_cache_keep(struct debug_cache_part *part)
{
	const struct symbol_file file = {.fd = part->fd, .bytes = part->bytes};
	int directory = part->cache->directory_fd;
	struct oldest oldest;
	uint64_t bytes;
	int error = 0;

	if (!debug_supplement_has_id(&file, part->build_id))
		error = -EBADMSG;
	else if (renameat(directory, PART_NAME, directory, part->name))
		error = -errno;
	if (error) {
		debug_cache_abandon(part);
		return error;
	}
	end_part(part);
	if (!scan(part->cache, &bytes, &oldest))
		set_bytes(part->cache, bytes);
	return 0;
}
