/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/debug_supplement.h"

#include "symbol/dwarf_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECTION_MAX_BYTES (PATH_MAX + 128)
/* Shorter ones name too little to be believed. */
#define ID_MIN_BYTES 8
#define SUP_VERSION  5

/* ---- The link ---- */

static int set_id(struct debug_supplement_link *link, const unsigned char *id, size_t bytes)
{
	if (bytes < ID_MIN_BYTES || bytes > ELF_BUILD_ID_MAX_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < bytes; i++)
		sprintf(link->id + 2 * i, "%02x", id[i]);
	return 0;
}

static int set_path(struct debug_supplement_link *link, const char *path)
{
	if (strlen(path) >= sizeof(link->path))
		return -EINVAL;
	strcpy(link->path, path);
	return 0;
}

int debug_supplement_parse_alt_link(const char *bytes, size_t size,
				    struct debug_supplement_link *link)
{
	struct dwarf_reader reader = dwarf_reader_new(bytes, size);
	const char *path = dwarf_read_text(&reader);

	if (reader.has_failed || !path[0] || set_path(link, path))
		return -EINVAL;
	return set_id(link, reader.next, (size_t)(reader.end - reader.next));
}

int debug_supplement_parse_section(const char *bytes, size_t size,
				   struct debug_supplement_link *link)
{
	struct dwarf_reader reader = dwarf_reader_new(bytes, size);
	uint64_t version = dwarf_read_uint(&reader, 2);
	bool is_supplement = dwarf_read_uint(&reader, 1) != 0;
	const char *path = dwarf_read_text(&reader);
	uint64_t id_bytes = dwarf_read_uleb(&reader);

	if (reader.has_failed || version != SUP_VERSION || is_supplement == (path[0] != '\0') ||
	    id_bytes > (uint64_t)(reader.end - reader.next) || set_path(link, path))
		return -EINVAL;
	return set_id(link, reader.next, id_bytes);
}

/* -ENOENT: there is no such section, or it is too large to be one. */
static int read_section(const struct symbol_file *file, const char *name, char *bytes, size_t *size)
{
	struct elf_section section;

	if (elf_file_find_section(file, name, &section) || section.is_compressed ||
	    section.bytes > SECTION_MAX_BYTES ||
	    elf_file_read(file->fd, bytes, section.bytes, section.offset))
		return -ENOENT;
	*size = section.bytes;
	return 0;
}

int debug_supplement_read_link(const struct symbol_file *file, struct debug_supplement_link *link)
{
	char bytes[SECTION_MAX_BYTES];
	size_t size;

	if (!read_section(file, ".gnu_debugaltlink", bytes, &size))
		return debug_supplement_parse_alt_link(bytes, size, link);
	if (read_section(file, ".debug_sup", bytes, &size))
		return -ENOENT;
	if (debug_supplement_parse_section(bytes, size, link))
		return -EINVAL;
	return link->path[0] ? 0 : -ENOENT;
}

/* ---- The file ---- */

bool debug_supplement_has_id(const struct symbol_file *file, const char *id)
{
	struct debug_supplement_link own;
	char build_id[2 * ELF_BUILD_ID_MAX_BYTES + 1], bytes[SECTION_MAX_BYTES];
	size_t size;

	if (!elf_file_read_build_id(file, build_id))
		return !strcmp(build_id, id);
	return !read_section(file, ".debug_sup", bytes, &size) &&
	       !debug_supplement_parse_section(bytes, size, &own) && !own.path[0] &&
	       !strcmp(own.id, id);
}

static int try_path(const struct debug_file_wanted *wanted, int root_fd, const char *path,
		    const char *id, struct symbol_file *supplement)
{
	int error = debug_file_open_candidate(wanted, root_fd, path, supplement);

	if (error)
		return error;
	if (debug_supplement_has_id(supplement, id))
		return 0;
	close(supplement->fd);
	*supplement = (struct symbol_file){.fd = -1};
	return -ENOENT;
}

/* A relative path leads from the debug file to a folder beside it, below the folder of all. */
static const char *skip_parents(const char *path)
{
	while (!strncmp(path, "../", 3) || !strncmp(path, "./", 2))
		path = strchr(path, '/') + 1;
	return path;
}

static int try_stated_path(const struct debug_file_wanted *wanted, int root_fd,
			   const struct debug_supplement_link *link, struct symbol_file *supplement)
{
	const char *slash = strrchr(wanted->path, '/');
	char path[2 * PATH_MAX];

	if (link->path[0] == '/')
		return try_path(wanted, root_fd, link->path, link->id, supplement);
	snprintf(path, sizeof(path), DEBUG_FILE_DIRECTORY "/%s", skip_parents(link->path));
	if (!try_path(wanted, root_fd, path, link->id, supplement))
		return 0;
	if (!slash || slash - wanted->path >= PATH_MAX)
		return -ENOENT;
	snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - wanted->path), wanted->path,
		 link->path);
	return try_path(wanted, root_fd, path, link->id, supplement);
}

static int find_in_root(const struct debug_file_wanted *wanted, int root_fd,
			const struct debug_supplement_link *link, struct symbol_file *supplement)
{
	char path[DEBUG_FILE_BUILD_ID_PATH_BYTES];

	debug_file_build_id_path(link->id, path);
	if (!try_path(wanted, root_fd, path, link->id, supplement))
		return 0;
	return try_stated_path(wanted, root_fd, link, supplement);
}

int debug_supplement_open(const struct debug_file_wanted *wanted,
			  const struct debug_supplement_link *link, struct symbol_file *supplement)
{
	int error = -ENOENT, root_fd;

	*supplement = (struct symbol_file){.fd = -1};
	if (wanted->root_fd >= 0)
		error = find_in_root(wanted, wanted->root_fd, link, supplement);
	if (!error)
		return 0;
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -ENOENT;
	error = find_in_root(wanted, root_fd, link, supplement);
	close(root_fd);
	return error ? -ENOENT : 0;
}
