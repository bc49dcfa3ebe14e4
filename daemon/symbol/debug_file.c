/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/debug_file.h"

#include "symbol/file_place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* Those of browsers have gigabytes. One that must be read for its checksum costs its size. */
#define FILE_MAX_BYTES       (8ULL << 30)
#define CHECKSUM_MAX_BYTES   (512u << 20)
#define CHECKSUM_CHUNK_BYTES 65536

#define LINK_MAX_BYTES (NAME_MAX + 8)

int debug_link_parse(const char *bytes, size_t size, const char **name, uint32_t *checksum)
{
	size_t length = strnlen(bytes, size);
	size_t checksum_offset = (length + 1 + 3) & ~(size_t)3;

	if (!length || length > NAME_MAX || checksum_offset > size ||
	    size - checksum_offset < sizeof(*checksum))
		return -EINVAL;
	if (memchr(bytes, '/', length) || !strcmp(bytes, ".") || !strcmp(bytes, ".."))
		return -EINVAL;
	memcpy(checksum, bytes + checksum_offset, sizeof(*checksum));
	*name = bytes;
	return 0;
}

static bool is_believed(const struct debug_file_wanted *wanted, const struct stat *status)
{
	struct stat own;

	if (fstat(wanted->file.fd, &own) ||
	    (own.st_dev == status->st_dev && own.st_ino == status->st_ino))
		return false;
	return (status->st_uid == 0 || status->st_uid == wanted->owner) &&
	       !(status->st_mode & (S_IWGRP | S_IWOTH)) &&
	       (status->st_mode & S_IROTH || status->st_uid == wanted->owner) &&
	       (uint64_t)status->st_size <= FILE_MAX_BYTES;
}

int debug_file_open_candidate(const struct debug_file_wanted *wanted, int root_fd, const char *path,
			      struct symbol_file *debug)
{
	int place = file_place_in_root(root_fd, path);
	struct stat status;

	*debug = (struct symbol_file){.fd = -1};
	if (place < 0)
		return place;
	debug->fd = file_place_read(place, &status);
	close(place);
	if (debug->fd < 0)
		return debug->fd;
	debug->bytes = (uint64_t)status.st_size;
	if (is_believed(wanted, &status))
		return 0;
	close(debug->fd);
	debug->fd = -1;
	return -EPERM;
}

static bool has_checksum(const struct symbol_file *debug, uint32_t wanted)
{
	unsigned char chunk[CHECKSUM_CHUNK_BYTES];
	uLong checksum = crc32(0, NULL, 0);

	if (debug->bytes > CHECKSUM_MAX_BYTES)
		return false;
	for (uint64_t offset = 0; offset < debug->bytes; offset += sizeof(chunk)) {
		uint64_t left = debug->bytes - offset;
		size_t size = left < sizeof(chunk) ? left : sizeof(chunk);

		if (elf_file_read(debug->fd, chunk, size, offset))
			return false;
		checksum = crc32(checksum, chunk, (uInt)size);
	}
	return checksum == wanted;
}

/* checksum: NULL when it was found by its build-id, so that it must have one. */
static bool is_of_module(const struct debug_file_wanted *wanted, const struct symbol_file *debug,
			 const uint32_t *checksum)
{
	char build_id[2 * ELF_BUILD_ID_MAX_BYTES + 1];

	if (wanted->build_id[0] && !elf_file_read_build_id(debug, build_id))
		return !strcmp(build_id, wanted->build_id);
	return checksum && has_checksum(debug, *checksum);
}

static int try_path(const struct debug_file_wanted *wanted, int root_fd, const char *path,
		    const uint32_t *checksum, struct symbol_file *debug)
{
	int error = debug_file_open_candidate(wanted, root_fd, path, debug);

	if (error)
		return error;
	if (is_of_module(wanted, debug, checksum))
		return 0;
	close(debug->fd);
	debug->fd = -1;
	return -ENOENT;
}

void debug_file_build_id_path(const char *build_id,
			      char path[static DEBUG_FILE_BUILD_ID_PATH_BYTES])
{
	snprintf(path, DEBUG_FILE_BUILD_ID_PATH_BYTES,
		 DEBUG_FILE_DIRECTORY "/.build-id/%.2s/%s.debug", build_id, build_id + 2);
}

static int find_by_build_id(const struct debug_file_wanted *wanted, int root_fd,
			    struct symbol_file *debug)
{
	char path[DEBUG_FILE_BUILD_ID_PATH_BYTES];

	if (strlen(wanted->build_id) <= 2)
		return -ENOENT;
	debug_file_build_id_path(wanted->build_id, path);
	return try_path(wanted, root_fd, path, NULL, debug);
}

static int find_by_link(const struct debug_file_wanted *wanted, int root_fd, const char *name,
			uint32_t checksum, struct symbol_file *debug)
{
	/* Where the name goes: behind the module's folder, or that folder below another. */
	static const struct {
		const char *before, *behind;
	} folders[] = {{"", "/"}, {"", "/.debug/"}, {DEBUG_FILE_DIRECTORY, "/"}};
	const char *slash = strrchr(wanted->path, '/');
	char path[PATH_MAX];

	if (!slash)
		return -ENOENT;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int length = snprintf(path, sizeof(path), "%s%.*s%s%s", folders[i].before,
				      (int)(slash - wanted->path), wanted->path, folders[i].behind,
				      name);

		if (length > 0 && (size_t)length < sizeof(path) &&
		    !try_path(wanted, root_fd, path, &checksum, debug))
			return 0;
	}
	return -ENOENT;
}

static int read_link(const struct debug_file_wanted *wanted, char bytes[static LINK_MAX_BYTES],
		     const char **name, uint32_t *checksum)
{
	struct elf_section section;

	if (elf_file_find_section(&wanted->file, ".gnu_debuglink", &section) ||
	    section.bytes > LINK_MAX_BYTES ||
	    elf_file_read(wanted->file.fd, bytes, section.bytes, section.offset))
		return -ENOENT;
	return debug_link_parse(bytes, section.bytes, name, checksum);
}

static int find_in_root(const struct debug_file_wanted *wanted, int root_fd,
			struct symbol_file *debug)
{
	char bytes[LINK_MAX_BYTES];
	const char *name;
	uint32_t checksum;

	if (!find_by_build_id(wanted, root_fd, debug))
		return 0;
	if (read_link(wanted, bytes, &name, &checksum))
		return -ENOENT;
	return find_by_link(wanted, root_fd, name, checksum, debug);
}

int debug_file_open(const struct debug_file_wanted *wanted, struct symbol_file *debug)
{
	int error = -ENOENT, root_fd;

	*debug = (struct symbol_file){.fd = -1};
	if (wanted->root_fd >= 0)
		error = find_in_root(wanted, wanted->root_fd, debug);
	if (!error)
		return 0;
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -ENOENT;
	error = find_in_root(wanted, root_fd, debug);
	close(root_fd);
	return error ? -ENOENT : 0;
}
