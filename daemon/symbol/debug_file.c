/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/debug_file.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* A file of which all is read to check it. The largest of Debian's, of browsers, have 1.5 GiB. */
#define CHECKED_BYTES_MAX (2ULL << 30)
#define LINK_BYTES_MAX    (PATH_MAX + 8)
#define PACKED_BYTES_MAX  (64ULL << 20)
#define LZMA_MEMORY_MAX   (128ULL << 20)

static int open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &status) && S_ISREG(status.st_mode))
		return fd;
	close(fd);
	return -ENOENT;
}

/* A section's place in the file; -ENOENT when there is none of that name, or it is unreasonable. */
static int find_section(int fd, const char *wanted, uint64_t bytes_max, uint64_t *offset,
			uint64_t *bytes)
{
	Elf *elf = elf_file_open(fd);
	Elf_Scn *section = NULL;
	int error = -ENOENT;
	size_t names;

	if (!elf || elf_getshdrstrndx(elf, &names)) {
		elf_end(elf);
		return -ENOENT;
	}
	while (error && (section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || strcmp(name, wanted) != 0 || header.sh_type == SHT_NOBITS ||
		    header.sh_size > bytes_max)
			continue;
		*offset = header.sh_offset;
		*bytes = header.sh_size;
		error = 0;
	}
	elf_end(elf);
	return error;
}

/* ---- By build-id and by link ---- */

static int open_by_build_id(const char *build_id, const char *directory)
{
	char path[PATH_MAX];

	if (strlen(build_id) < 4)
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug", directory, build_id,
		 build_id + 2);
	return open_regular(path);
}

/* The checksum of a whole file, as .gnu_debuglink has it; -errno. */
static int checksum(int fd, uint32_t *result)
{
	char buffer[65536];
	uLong sum = crc32(0, NULL, 0);
	uint64_t offset = 0;
	ssize_t count;

	while ((count = pread(fd, buffer, sizeof(buffer), (off_t)offset)) > 0) {
		sum = crc32(sum, (const Bytef *)buffer, (uInt)count);
		offset += (uint64_t)count;
		if (offset > CHECKED_BYTES_MAX)
			return -E2BIG;
	}
	*result = (uint32_t)sum;
	return count < 0 ? -errno : 0;
}

static int open_checked(const char *path, uint32_t wanted)
{
	int fd = open_regular(path), error;
	uint32_t found;

	if (fd < 0)
		return fd;
	error = checksum(fd, &found);
	if (!error && found == wanted)
		return fd;
	close(fd);
	return error ? error : -ENOENT;
}

/* The name and the checksum behind it, which is aligned to 4 bytes. */
static int read_link(int fd, char name[static LINK_BYTES_MAX + 1], uint32_t *sum)
{
	uint64_t offset, bytes;
	size_t length;

	if (find_section(fd, ".gnu_debuglink", LINK_BYTES_MAX, &offset, &bytes) ||
	    elf_file_read(fd, name, bytes, offset))
		return -ENOENT;
	name[bytes] = '\0';
	length = (strlen(name) + 4) & ~(size_t)3;
	if (!name[0] || strchr(name, '/') || length + sizeof(*sum) > bytes)
		return -ENOENT;
	memcpy(sum, name + length, sizeof(*sum));
	return 0;
}

/* A path may have been changed under us, or be of another mount namespace: it must not lead out. */
static bool is_plain(const char *path)
{
	return path[0] == '/' && !strstr(path, "/../") && !strstr(path, "/./");
}

static int open_by_link(int fd, const char *path, const char *directory)
{
	char name[LINK_BYTES_MAX + 1], link[PATH_MAX];
	const char *slash = strrchr(path, '/');
	uint32_t sum;
	int length;

	if (!slash || !is_plain(path) || read_link(fd, name, &sum))
		return -ENOENT;
	length = snprintf(link, sizeof(link), "%s%.*s/%s", directory, (int)(slash - path), path,
			  name);
	if (length < 0 || (size_t)length >= sizeof(link))
		return -ENOENT;
	return open_checked(link, sum);
}

int debug_file_open(int fd, const struct elf_layout *layout, const char *path,
		    const char *directory)
{
	int found = open_by_build_id(layout->build_id, directory);

	return found >= 0 ? found : open_by_link(fd, path, directory);
}

/* ---- Packed into the file ---- */

static int write_all(int fd, const uint8_t *bytes, size_t count)
{
	while (count > 0) {
		ssize_t written = write(fd, bytes, count);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		count -= (size_t)written;
	}
	return 0;
}

static int unpack_into(int fd, const uint8_t *packed, size_t packed_bytes, uint64_t bytes_max)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	uint8_t buffer[65536];
	lzma_ret result;
	int error = 0;

	if (lzma_stream_decoder(&stream, LZMA_MEMORY_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	stream.next_in = packed;
	stream.avail_in = packed_bytes;
	do {
		stream.next_out = buffer;
		stream.avail_out = sizeof(buffer);
		result = lzma_code(&stream, LZMA_FINISH);
		if (stream.total_out > bytes_max)
			error = -E2BIG;
		else
			error = write_all(fd, buffer, sizeof(buffer) - stream.avail_out);
	} while (!error && result == LZMA_OK);
	lzma_end(&stream);
	return error ? error : result == LZMA_STREAM_END ? 0 : -EBADMSG;
}

int debug_file_unpack(int fd, uint64_t bytes_max)
{
	uint64_t offset, bytes;
	uint8_t *packed;
	int memory, error;

	if (find_section(fd, ".gnu_debugdata", PACKED_BYTES_MAX, &offset, &bytes) || !bytes)
		return -ENOENT;
	packed = malloc(bytes);
	if (!packed)
		return -ENOMEM;
	memory = memfd_create("memwatch-symbols", MFD_CLOEXEC);
	error = memory < 0 ? -errno : elf_file_read(fd, packed, bytes, offset);
	error = error ? error : unpack_into(memory, packed, bytes, bytes_max);
	free(packed);
	if (error && memory >= 0)
		close(memory);
	return error ? error : memory;
}
