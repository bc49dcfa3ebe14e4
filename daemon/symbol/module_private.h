/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the module cache and the modules share.
 *
 * Locks: a module's lock guards its tables, the cache's lock everything else. Who has a module's
 * lock may take the cache's; who has the cache's may only try a module's.
 */
#ifndef MEMWATCH_SYMBOL_MODULE_PRIVATE_H
#define MEMWATCH_SYMBOL_MODULE_PRIVATE_H

#include "symbol/elf_file.h"
#include "symbol/frame_table.h"
#include "symbol/line_table.h"
#include "symbol/module.h"
#include "symbol/string_pool.h"
#include "symbol/symbol_table.h"

#include <pthread.h>
#include <time.h>

struct module_identity {
	dev_t device;
	ino_t inode;
	off_t file_bytes;
	struct timespec modified;
	uid_t owner;
	bool is_owner_only; /* nobody but the owner (and root) may write it */
};

/* Where the names of a file are that brings none or few: see debug_file.h. */
struct debug_companion {
	bool is_sought;
	bool is_unpacked; /* from the file itself: memory of ours */
	int fd;           /* -1: there is none */
	struct elf_layout layout;
};

/* Each is NULL or empty until it is needed, and again after an eviction. */
struct module_tables {
	struct symbol_table *symbols;
	struct debug_companion companion;
	struct symbol_table *debug_symbols; /* of the companion */
	struct line_table *lines;
	struct frame_table frames;
};

struct module {
	/* Never change. */
	struct module_cache *cache;
	struct module_identity identity;
	struct elf_layout layout;
	int fd;
	char *path;

	pthread_mutex_t lock;
	struct module_tables tables; /* guarded by lock */

	/* Guarded by the cache's lock. */
	struct module *next, *previous; /* most recently used first */
	size_t references;
	size_t tables_bytes; /* as counted in the cache */
};

struct module_cache {
	pthread_mutex_t lock;
	size_t bytes_max, modules_max;
	struct module *newest, *oldest;
	size_t module_count;
	size_t module_bytes; /* of modules and their tables */
	struct string_pool names;
};

/* Forgets what names are found in, and keeps the names that were found. */
void module_tables_clear_sources(struct module_tables *tables);
void module_tables_clear(struct module_tables *tables);
size_t module_tables_bytes(const struct module_tables *tables);

/* The cache's copy of a name; NULL when there is no more room for names. */
const char *module_cache_intern(struct module_cache *cache, const char *name);
/* The module was used and its tables have this size now; evicts others, or these, if that is much.
 */
void module_cache_account(struct module *module, size_t tables_bytes);

#endif
