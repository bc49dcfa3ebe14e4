/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the library named by its argument, a copy of libc, beside its own; allocates by it; unloads
 * it, and maps another file where its code was.
 *   second_libc LIBRARY OTHER_FILE
 */
#include "program.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

SITE(own_libc_allocates);
SITE(second_libc_allocates);

static const char *library_path, *other_path;
static void *library;
static void *(*second_malloc)(size_t bytes);
/* The executable part of the library, and what is mapped there afterwards. */
static void *code;
static size_t code_bytes;

/* From the program headers, at the library's begin: dl_iterate_phdr lists our namespace alone. */
static void find_code(void)
{
	const ElfW(Ehdr) * header;
	const ElfW(Phdr) * part;
	struct link_map *map;

	program_require(!dlinfo(library, RTLD_DI_LINKMAP, &map), "a link map");
	header = (const ElfW(Ehdr) *)map->l_addr;
	part = (const ElfW(Phdr) *)(map->l_addr + header->e_phoff);
	while (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
		part++;
	code = (void *)((map->l_addr + part->p_vaddr) & ~4095UL);
	code_bytes = (part->p_memsz + 4095) & ~4095UL;
}

static void load(long unused)
{
	(void)unused;
	library = dlmopen(LM_ID_NEWLM, library_path, RTLD_NOW);
	program_require(library, "the library loads");
	*(void **)&second_malloc = dlsym(library, "malloc");
	program_require(second_malloc, "its malloc");
	find_code();
}

/* Unloads it; whoever calls its code now runs into nothing. */
static void unload(long unused)
{
	(void)unused;
	program_require(!dlclose(library), "dlclose works");
}

/* At the same address, executable too. */
static void map_another(long unused)
{
	int fd = open(other_path, O_RDONLY);
	void *mapped = mmap(code, code_bytes, PROT_READ | PROT_EXEC,
			    MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0);

	(void)unused;
	program_require(mapped == code, "the place is free");
	close(fd);
}

static void unmap_other(long unused)
{
	(void)unused;
	munmap(code, code_bytes);
}

static void check_other(long unused)
{
	int fd = open(other_path, O_RDONLY);
	void *as_in_file = mmap(NULL, code_bytes, PROT_READ, MAP_SHARED, fd, 0);

	(void)unused;
	program_require(as_in_file != MAP_FAILED, "the file again");
	program_require(!memcmp(as_in_file, code, code_bytes), "nobody has changed it");
	munmap(as_in_file, code_bytes);
	close(fd);
}

CALL_SITE static struct block own_libc_allocates(void)
{
	return block_new(&own_libc_allocates_site, malloc(250), 250);
}

CALL_SITE static struct block second_libc_allocates(void)
{
	return block_new(&second_libc_allocates_site, second_malloc(350), 350);
}

static void allocate(long count)
{
	while (count-- > 0)
		own_libc_allocates();
}

static void allocate_by_second(long count)
{
	while (count-- > 0)
		second_libc_allocates();
}

int main(int argc, char **argv)
{
	static const struct command commands[] = {
		{"load", load},
		{"unload", unload},
		{"map_another", map_another},
		{"check_other", check_other},
		{"unmap_other", unmap_other},
		{"allocate", allocate},
		{"allocate_by_second", allocate_by_second},
		{NULL, NULL},
	};

	program_require(argc == 3, "a library and another file");
	library_path = argv[1];
	other_path = argv[2];
	return program_serve(commands);
}
