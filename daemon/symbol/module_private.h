/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the module cache and the modules share.
 *
 * Locks: a module's lock guards its tables, and is held for as long as files are read; its names'
 * lock guards what others look at meanwhile; the cache's lock everything else. They are taken in
 * the order module, cache, names; who has the cache's may only try a module's.
 */
#ifndef MEMWATCH_SYMBOL_MODULE_PRIVATE_H
#define MEMWATCH_SYMBOL_MODULE_PRIVATE_H

#include "symbol/elf_file.h"
#include "symbol/frame_table.h"
#include "symbol/inline_table.h"
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

/* Each is NULL or empty until it is needed, and again after an eviction. */
struct module_tables {
	struct symbol_table *symbols;
	/* Files that complete the module's own. */
	struct symbol_file debug;      /* its separate debug file */
	struct symbol_file supplement; /* what its debug information shares with other files' */
	struct symbol_file unpacked;   /* its .gnu_debugdata, in memory */
	bool is_searched;              /* the first two were looked for */
	struct line_table *lines;
	struct inline_table *inlines;
};

/* Held for moments only. */
struct module_names {
	pthread_mutex_t lock;
	struct frame_table frames;
	uint64_t searched_arrivals; /* what had been fetched when files were looked for */
	bool is_settled;            /* no file is missed: all are there, or none is needed */
	double search_due_seconds;  /* else when to look again (monotonic); INFINITY: not at all */
	double search_told_seconds; /* when somebody was told so last */
	int offered_root_fd;        /* where it may be too; -1: none */
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
	int root_fd; /* so is this: of a process that has it, where that isn't ours; else -1 */

	struct module_names names;

	/* Guarded by the cache's lock. */
	struct module *next, *previous; /* most recently used first */
	size_t references;
	size_t tables_bytes, names_bytes; /* as counted in the cache */
};

struct module_cache {
	pthread_mutex_t lock;
	size_t bytes_max, modules_max;
	bool is_cancelled;             /* atomic */
	struct debug_fetcher *fetcher; /* NULL: nothing is fetched; never changes */
	struct module *newest, *oldest;
	size_t module_count;
	size_t module_bytes; /* of modules, their tables and names */
	struct string_pool names;
};

void module_tables_init(struct module_tables *tables);
/*
 * Forgets what takes memory. Files that were found stay open: the process that had them may be
 * gone, and they with it.
 */
void module_tables_clear(struct module_tables *tables);
/* Those files too. */
void module_tables_close(struct module_tables *tables);
size_t module_tables_bytes(const struct module_tables *tables);

/* ---- Files that complete a module's own (module_files.c) ---- */

/* Another process has a copy of the file: the debug file may be where that one has its files. */
void module_offer_root(struct module *module, int root_fd);
struct symbol_file module_own_file(const struct module *module);

/* These three with the module's lock. */

/* Looks for them unless that has been done. */
void module_search_files(struct module *module);
/*
 * Looks anew for files that weren't there, if the last look was long ago or one has been fetched
 * since; with one, forgets the names that were found without it.
 */
void module_search_again(struct module *module);
/* The module's own or, only where that lacks such a section and there is one, the debug file. */
struct symbol_file module_file_with(const struct module *module, const char *section);

/* These two with the names' lock. */

/* Whether a file was fetched since the last look, which may be one that was missing. */
bool module_has_arrivals(const struct module *module);
/* Whether it is time to look again, which it then is too. */
bool module_is_search_due(const struct module *module);

/* ---- Names (module_sources.c), with the module's lock ---- */

/* Fill in what they find: 0, -ENOENT, other -errno. */
int module_find_function(struct module *module, uint64_t address, struct symbol_name *name);
int module_find_line(struct module *module, uint64_t address, struct symbol_name *name);

/*
 * frames has the names of the address itself alone: puts the functions that were inlined there in
 * front, and gives each its own line. Nothing changes where that isn't known.
 */
void module_find_inlined(struct module *module, uint64_t address, struct symbol_frames *frames);

/* The cache's copy of a name; NULL when there is no more room for names. */
const char *module_cache_intern(struct module_cache *cache, const char *name);
/* The module was used and its tables have this size now; evicts others, or these, if that is much.
 */
void module_cache_account(struct module *module, size_t tables_bytes);
/* It was used. */
void module_cache_touch(struct module *module);

#endif
