/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules: the ELF files that processes map, one per file however many processes map it, and the
 * names of what lies at an offset of one. A module outlives the processes and the path it came
 * from: it holds the file open.
 *
 * Everything read from an ELF or DWARF file is hostile: bounds are checked, errors give no name.
 * Threads: every function here may be called from any thread; the cache has its own lock.
 */
#ifndef MEMWATCH_SYMBOL_MODULE_H
#define MEMWATCH_SYMBOL_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct debug_fetcher;
struct module;
struct module_cache;

/* Names of one code address. Strings belong to the module cache and live as long as it does. */
struct symbol_name {
	const char *function;     /* demangled; NULL when unknown */
	uint64_t function_offset; /* bytes from the function's start */
	const char *file;         /* source file, NULL without debug information */
	uint32_t line;            /* 0: unknown */
};

#define SYMBOL_INLINED_MAX 16 /* of deeper ones the innermost are named */

/* What runs at one code address: functions that were inlined there, and the one they are part of.
 */
struct symbol_frames {
	size_t count;                                     /* 1 or more */
	struct symbol_name names[SYMBOL_INLINED_MAX + 1]; /* innermost first */
};

/* How much is known of the names at one code address. */
enum symbol_state {
	SYMBOL_UNKNOWN,        /* nobody has looked yet */
	SYMBOL_FUNCTION_ALONE, /* the symbol at least is known, or that there is none */
	SYMBOL_COMPLETE,       /* all that can be known, which may be nothing */
};

/*
 * bytes_max bounds what the cache keeps in memory (names, tables); modules_max bounds open files
 * (a few for each).
 * Past either, the modules that nobody holds go first, longest unused first.
 */
struct module_cache *module_cache_new(size_t bytes_max, size_t modules_max);
void module_cache_free(struct module_cache *cache);
/* Tables that are being made are left unfinished, and names missing from now on: for the end. */
void module_cache_cancel(struct module_cache *cache);
/* Where debug files come from that aren't on this host; borrowed. Before the cache is used. */
void module_cache_set_fetcher(struct module_cache *cache, struct debug_fetcher *fetcher);
/* Bytes held now, for memwatchd's own metrics. */
size_t module_cache_bytes(const struct module_cache *cache);

/* A file as a process has it mapped. All stays the caller's: it is copied. */
struct module_file {
	int fd;
	const char *path; /* as the process names it */
	int root_fd;      /* the process's root directory, when it isn't ours; else -1 */
};

/*
 * The module of an open ELF file, made on first sight and referenced for the caller.
 * Returns 0 and *module, or -ENOEXEC (no ELF file), -EMFILE (modules_max held), other -errno.
 */
int module_cache_get(struct module_cache *cache, const struct module_file *file,
		     struct module **module);
struct module *module_hold(struct module *module);
void module_release(struct module *module);

/* Borrowed strings; build_id is lower-case hex, "" when the file has none. */
const char *module_path(const struct module *module);
const char *module_build_id(const struct module *module);
/* 32 or 64, from the ELF class. */
int module_word_bits(const struct module *module);
/*
 * The address that the file's bytes from file_offset on are linked at. 0, or -ENOENT when no code
 * lies among these file_bytes.
 */
int module_link_address(const struct module *module, uint64_t file_offset, uint64_t file_bytes,
			uint64_t *address);
/* A descriptor of the file itself, borrowed; good for pread. */
int module_fd(const struct module *module);

/*
 * Names the code at file_offset (not a virtual address: see address_space.h). Of a return address
 * pass the offset minus 1, so that a call at the end of a function isn't taken for the next one.
 * Looks at .symtab, .dynsym and DWARF lines of the file itself and of its separate debug file, and
 * at its .gnu_debugdata. Results are cached. Returns 0 (some fields may be NULL/0), or -ENOENT when
 * nothing is known.
 */
int module_symbolize(struct module *module, uint64_t file_offset, struct symbol_name *name);
/*
 * The same with the functions that were inlined there, as the debug information tells: each with
 * the line that it has reached, which for all but the first is that of a call.
 */
int module_symbolize_inlined(struct module *module, uint64_t file_offset,
			     struct symbol_frames *frames);
/*
 * Looks up the functions alone of many addresses, which takes little while debug information may
 * take seconds. Does nothing of a module whose debug information has been read.
 */
void module_symbolize_functions(struct module *module, const uint64_t *file_offsets, size_t count);
/*
 * What these have found before: reads no file, and waits for nobody who does. *frames is filled in
 * unless the state is unknown; count is then 1 and all names empty where nothing could be found.
 * Nothing is complete of a module that lacks a file while one was fetched since it was looked for.
 * *is_stale: it is time for another look, because a debug file that was missing may be there; one
 * caller a second is told.
 */
enum symbol_state module_find_known(struct module *module, uint64_t file_offset,
				    struct symbol_frames *frames, bool *is_stale);
/* Of its file, which says how much work it may be. */
uint64_t module_file_bytes(const struct module *module);

#endif
