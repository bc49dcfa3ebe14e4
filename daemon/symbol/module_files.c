/* SPDX-License-Identifier: Apache-2.0 */
/* The files that complete a module's own, and when to look for them again. */
#include "symbol/debug_fetcher.h"
#include "symbol/debug_supplement.h"
#include "symbol/module_private.h"

#include "clock.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

/* What wasn't there may have been installed since; what is fetched is noticed at once. */
#define SEARCH_AGAIN_SECONDS 30.0

struct symbol_file module_own_file(const struct module *module)
{
	return (struct symbol_file){.fd = module->fd, .bytes = module->layout.file_bytes};
}

struct symbol_file module_file_with(const struct module *module, const char *section)
{
	struct symbol_file file = module_own_file(module);

	return elf_file_has_section(&file, section) || module->tables.debug.fd < 0
		       ? file
		       : module->tables.debug;
}

static bool is_stripped(const struct module *module)
{
	struct symbol_file file = module_own_file(module);

	return !elf_file_has_section(&file, ".symtab") ||
	       !elf_file_has_section(&file, ".debug_line");
}

/* ---- The roots of processes ---- */

static void close_root(int *root_fd)
{
	if (*root_fd >= 0)
		close(*root_fd);
	*root_fd = -1;
}

static void adopt_offered_root(struct module *module)
{
	struct module_names *names = &module->names;

	pthread_mutex_lock(&names->lock);
	if (names->offered_root_fd >= 0) {
		close_root(&module->root_fd);
		module->root_fd = names->offered_root_fd;
		names->offered_root_fd = -1;
	}
	pthread_mutex_unlock(&names->lock);
}

void module_offer_root(struct module *module, int root_fd)
{
	struct module_names *names = &module->names;
	int duplicate;

	pthread_mutex_lock(&names->lock);
	duplicate = names->is_settled ? -1 : fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	if (duplicate >= 0) {
		close_root(&names->offered_root_fd);
		names->offered_root_fd = duplicate;
		names->search_due_seconds = 0;
	}
	pthread_mutex_unlock(&names->lock);
}

/* ---- Searching, with the module's lock ---- */

/* One that isn't on this host; whether it is in what was fetched. */
static bool fetch_file(const struct module *module, const char *build_id, struct symbol_file *file)
{
	struct debug_fetcher *fetcher = module->cache->fetcher;

	return fetcher && !debug_fetcher_get(fetcher, build_id, file);
}

static uint64_t fetched_arrivals(const struct module *module)
{
	return module->cache->fetcher ? debug_fetcher_arrivals(module->cache->fetcher) : 0;
}

/* Returns whether it is there, or none is needed. */
static bool search_debug_file(struct module *module, struct debug_file_wanted *wanted)
{
	if (module->tables.debug.fd >= 0 || !is_stripped(module))
		return true;
	wanted->file = module_own_file(module);
	wanted->build_id = module->layout.build_id;
	return !debug_file_open(wanted, &module->tables.debug) ||
	       fetch_file(module, wanted->build_id, &module->tables.debug);
}

/* The same. Only debug information says which it is, so that none is taken before that is there. */
static bool search_supplement(struct module *module, struct debug_file_wanted *wanted)
{
	struct debug_supplement_link link;

	wanted->file = module_file_with(module, ".debug_info");
	if (module->tables.supplement.fd >= 0 ||
	    !elf_file_has_section(&wanted->file, ".debug_info") ||
	    debug_supplement_read_link(&wanted->file, &link))
		return true;
	return !debug_supplement_open(wanted, &link, &module->tables.supplement) ||
	       fetch_file(module, link.id, &module->tables.supplement);
}

/* Of a search that has ended so; offers that came too late are forgotten. */
static void plan_next_search(struct module *module, bool is_settled, uint64_t arrivals)
{
	struct module_names *names = &module->names;

	pthread_mutex_lock(&names->lock);
	names->searched_arrivals = arrivals;
	names->is_settled = is_settled;
	if (is_settled)
		close_root(&names->offered_root_fd);
	if (is_settled)
		names->search_due_seconds = INFINITY;
	else if (names->offered_root_fd < 0)
		names->search_due_seconds = clock_monotonic_seconds() + SEARCH_AGAIN_SECONDS;
	pthread_mutex_unlock(&names->lock);
}

/*
 * Those that aren't open. memwatch watches 64-bit processes: nobody asks for the names of others'
 * code.
 */
static void search(struct module *module)
{
	/* What arrives from here on may be missed, and is a reason to look again. */
	uint64_t arrivals = fetched_arrivals(module);
	struct debug_file_wanted wanted = {
		.path = module->path,
		.owner = module->identity.owner,
	};
	bool is_settled = true;

	module->tables.is_searched = true;
	adopt_offered_root(module);
	wanted.root_fd = module->root_fd;
	if (module->layout.word_bits == 64) {
		is_settled = search_debug_file(module, &wanted);
		is_settled &= search_supplement(module, &wanted);
	}
	plan_next_search(module, is_settled, arrivals);
}

void module_search_files(struct module *module)
{
	if (!module->tables.is_searched)
		search(module);
}

bool module_has_arrivals(const struct module *module)
{
	return module->names.search_due_seconds < INFINITY &&
	       module->names.searched_arrivals != fetched_arrivals(module);
}

bool module_is_search_due(const struct module *module)
{
	return module_has_arrivals(module) ||
	       (module->names.search_due_seconds < INFINITY &&
		clock_monotonic_seconds() >= module->names.search_due_seconds);
}

static void forget_names(struct module *module)
{
	pthread_mutex_lock(&module->names.lock);
	frame_table_clear(&module->names.frames);
	pthread_mutex_unlock(&module->names.lock);
}

void module_search_again(struct module *module)
{
	struct module_tables *tables = &module->tables;
	bool has_debug = tables->debug.fd >= 0, has_supplement = tables->supplement.fd >= 0;
	bool is_due;

	pthread_mutex_lock(&module->names.lock);
	is_due = module_is_search_due(module);
	pthread_mutex_unlock(&module->names.lock);
	if (!tables->is_searched || !is_due)
		return;
	search(module);
	if (has_debug == (tables->debug.fd >= 0) && has_supplement == (tables->supplement.fd >= 0))
		return;
	module_tables_clear(tables);
	forget_names(module);
}
