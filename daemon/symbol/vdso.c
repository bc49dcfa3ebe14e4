/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/vdso.h"

#include "symbol/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_MAX_BYTES (64u << 10) /* x86-64 has 8 KiB, arm64 as much */

struct image {
	const char *start;
	size_t bytes; /* 0: there is none */
};

/* How long it is nobody tells but the map of our own memory. */
static size_t mapped_bytes(uint64_t start)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	struct address_range range;
	char line[4096];
	size_t bytes = 0;

	while (maps && !bytes && fgets(line, sizeof(line), maps)) {
		line[strcspn(line, "\n")] = '\0';
		if (!address_range_parse(line, &range) && range.start == start)
			bytes = range.end - range.start;
	}
	if (maps)
		fclose(maps);
	return bytes;
}

static struct image our_image(void)
{
	uint64_t start = getauxval(AT_SYSINFO_EHDR);
	struct image image = {.bytes = start ? mapped_bytes(start) : 0};

	memcpy(&image.start, &start, sizeof(image.start));
	if (image.bytes > IMAGE_MAX_BYTES)
		image.bytes = 0;
	return image;
}

/* Nobody but root may write it, so that it is one module however often it is made. */
struct module *vdso_module_get(struct module_cache *cache)
{
	struct module_file file = {.path = "[vdso]", .root_fd = -1};
	struct image image = our_image();
	struct module *module = NULL;

	if (!image.bytes)
		return NULL;
	file.fd = memfd_create("memwatch-vdso", MFD_CLOEXEC);
	if (file.fd < 0)
		return NULL;
	if (fchmod(file.fd, 0600) || elf_file_write(file.fd, image.start, image.bytes) ||
	    module_cache_get(cache, &file, &module))
		module = NULL;
	close(file.fd);
	return module;
}

bool vdso_is_ours(int proc_fd, const struct address_range *range)
{
	struct image image = our_image();
	bool is_ours = false;
	char *bytes;
	int fd;

	if (!image.bytes || range->end - range->start != image.bytes)
		return false;
	fd = openat(proc_fd, "mem", O_RDONLY | O_CLOEXEC);
	bytes = malloc(image.bytes);
	if (fd >= 0 && bytes)
		is_ours = !elf_file_read(fd, bytes, image.bytes, range->start) &&
			  !memcmp(bytes, image.start, image.bytes);
	free(bytes);
	if (fd >= 0)
		close(fd);
	return is_ours;
}
