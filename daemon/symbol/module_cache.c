/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/module.h"

#include "symbol/module_private.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct module_cache *module_cache_new(size_t bytes_max, size_t modules_max)
{
	struct module_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	if (pthread_mutex_init(&cache->lock, NULL)) {
		free(cache);
		return NULL;
	}
	cache->bytes_max = bytes_max;
	cache->modules_max = modules_max;
	string_pool_init(&cache->names, bytes_max / 2);
	return cache;
}

static size_t module_own_bytes(const struct module *module)
{
	return sizeof(*module) + strlen(module->path) + 1;
}

static int names_init(struct module_names *names)
{
	*names = (struct module_names){.search_due_seconds = INFINITY,
				       .search_told_seconds = -INFINITY,
				       .offered_root_fd = -1};
	return -pthread_mutex_init(&names->lock, NULL);
}

static void names_destroy(struct module_names *names)
{
	frame_table_clear(&names->frames);
	if (names->offered_root_fd >= 0)
		close(names->offered_root_fd);
	pthread_mutex_destroy(&names->lock);
}

static void module_free(struct module *module)
{
	if (!module)
		return;
	module_tables_close(&module->tables);
	names_destroy(&module->names);
	pthread_mutex_destroy(&module->lock);
	if (module->fd >= 0)
		close(module->fd);
	if (module->root_fd >= 0)
		close(module->root_fd);
	free(module->path);
	free(module);
}

static struct module *module_new(struct module_cache *cache, const struct module_file *file,
				 const struct module_identity *identity,
				 const struct elf_layout *layout)
{
	struct module *module = calloc(1, sizeof(*module));

	if (!module)
		return NULL;
	if (pthread_mutex_init(&module->lock, NULL)) {
		free(module);
		return NULL;
	}
	if (names_init(&module->names)) {
		pthread_mutex_destroy(&module->lock);
		free(module);
		return NULL;
	}
	module->cache = cache;
	module->identity = *identity;
	module->layout = *layout;
	module_tables_init(&module->tables);
	module->path = strdup(file->path);
	module->fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	module->root_fd = file->root_fd < 0 ? -1 : fcntl(file->root_fd, F_DUPFD_CLOEXEC, 0);
	if (!module->path || module->fd < 0) {
		int error = module->path ? errno : ENOMEM;

		module_free(module);
		errno = error;
		return NULL;
	}
	return module;
}

static void list_remove(struct module_cache *cache, struct module *module)
{
	if (module->previous)
		module->previous->next = module->next;
	else
		cache->newest = module->next;
	if (module->next)
		module->next->previous = module->previous;
	else
		cache->oldest = module->previous;
}

static void list_push(struct module_cache *cache, struct module *module)
{
	module->previous = NULL;
	module->next = cache->newest;
	if (cache->newest)
		cache->newest->previous = module;
	else
		cache->oldest = module;
	cache->newest = module;
}

static void list_touch(struct module_cache *cache, struct module *module)
{
	list_remove(cache, module);
	list_push(cache, module);
}

/* Modules that left the cache wait in a list of their own, to be freed without its lock. */
static void cache_remove(struct module_cache *cache, struct module *module, struct module **removed)
{
	list_remove(cache, module);
	cache->module_count--;
	cache->module_bytes -=
		module_own_bytes(module) + module->tables_bytes + module->names_bytes;
	module->next = *removed;
	*removed = module;
}

static void modules_free(struct module *modules)
{
	while (modules) {
		struct module *next = modules->next;

		module_free(modules);
		modules = next;
	}
}

static void cache_add(struct module_cache *cache, struct module *module)
{
	list_push(cache, module);
	cache->module_count++;
	cache->module_bytes += module_own_bytes(module);
}

void module_cache_free(struct module_cache *cache)
{
	if (!cache)
		return;
	modules_free(cache->newest);
	string_pool_destroy(&cache->names);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

void module_cache_cancel(struct module_cache *cache)
{
	__atomic_store_n(&cache->is_cancelled, true, __ATOMIC_RELAXED);
}

void module_cache_set_fetcher(struct module_cache *cache, struct debug_fetcher *fetcher)
{
	cache->fetcher = fetcher;
}

static size_t cache_bytes(const struct module_cache *cache)
{
	return sizeof(*cache) + cache->module_bytes + cache->names.bytes;
}

size_t module_cache_bytes(const struct module_cache *cache)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&cache->lock;
	size_t bytes;

	pthread_mutex_lock(lock);
	bytes = cache_bytes(cache);
	pthread_mutex_unlock(lock);
	return bytes;
}

/* Tables that are being searched, or made, stay. */
static void clear_tables(struct module_cache *cache, struct module *module)
{
	if (!module->tables_bytes || pthread_mutex_trylock(&module->lock))
		return;
	module_tables_clear(&module->tables);
	cache->module_bytes -= module->tables_bytes;
	module->tables_bytes = 0;
	pthread_mutex_unlock(&module->lock);
}

static void clear_names(struct module_cache *cache, struct module *module)
{
	pthread_mutex_lock(&module->names.lock);
	frame_table_clear(&module->names.frames);
	pthread_mutex_unlock(&module->names.lock);
	cache->module_bytes -= module->names_bytes;
	module->names_bytes = 0;
}

/* Clears something of held modules, longest unused first, until the rest fits. */
static void evict(struct module_cache *cache, const struct module *spared,
		  void (*clear)(struct module_cache *cache, struct module *module))
{
	struct module *module = cache->oldest;

	for (; module && cache_bytes(cache) > cache->bytes_max; module = module->previous)
		if (module != spared)
			clear(cache, module);
}

/*
 * Of the module in use the names go first: without its tables each further one would cost as much
 * as all of them.
 */
static void cache_evict(struct module_cache *cache, const struct module *used,
			struct module **removed)
{
	struct module *module = cache->oldest;

	while (module && cache_bytes(cache) > cache->bytes_max) {
		struct module *newer = module->previous;

		if (!module->references)
			cache_remove(cache, module, removed);
		module = newer;
	}
	evict(cache, used, clear_tables);
	evict(cache, used, clear_names);
	evict(cache, NULL, clear_names);
	evict(cache, NULL, clear_tables);
}

const char *module_cache_intern(struct module_cache *cache, const char *name)
{
	const char *interned;

	pthread_mutex_lock(&cache->lock);
	interned = string_pool_intern(&cache->names, name);
	pthread_mutex_unlock(&cache->lock);
	return interned;
}

static size_t names_bytes(struct module *module)
{
	size_t bytes;

	pthread_mutex_lock(&module->names.lock);
	bytes = frame_table_bytes(&module->names.frames);
	pthread_mutex_unlock(&module->names.lock);
	return bytes;
}

void module_cache_touch(struct module *module)
{
	pthread_mutex_lock(&module->cache->lock);
	list_touch(module->cache, module);
	pthread_mutex_unlock(&module->cache->lock);
}

/*
 * Another thread may have used the module, or evicted its tables, since the size was taken: then
 * the account is off until the module is used again.
 */
void module_cache_account(struct module *module, size_t tables_bytes)
{
	struct module_cache *cache = module->cache;
	struct module *removed = NULL;

	pthread_mutex_lock(&cache->lock);
	cache->module_bytes -= module->tables_bytes + module->names_bytes;
	module->tables_bytes = tables_bytes;
	module->names_bytes = names_bytes(module);
	cache->module_bytes += module->tables_bytes + module->names_bytes;
	list_touch(cache, module);
	cache_evict(cache, module, &removed);
	pthread_mutex_unlock(&cache->lock);
	modules_free(removed);
}

static bool is_same_file(const struct module_identity *a, const struct module_identity *b)
{
	return a->device == b->device && a->inode == b->inode && a->file_bytes == b->file_bytes &&
	       a->modified.tv_sec == b->modified.tv_sec &&
	       a->modified.tv_nsec == b->modified.tv_nsec;
}

/*
 * Copies of a file, as in the layers of containers, are one module by their build-id. But a
 * build-id is only what a file says of itself: were another user's file believed, they could give
 * the name of our libc to a file of theirs, and offsets found in it would be probed in everybody's
 * libc.
 */
static bool is_same_build(const struct module *module, const struct module_identity *identity,
			  const struct elf_layout *layout)
{
	return layout->build_id[0] && !strcmp(module->layout.build_id, layout->build_id) &&
	       module->identity.owner == identity->owner &&
	       module->identity.file_bytes == identity->file_bytes &&
	       module->identity.is_owner_only && identity->is_owner_only;
}

static struct module *find_file(const struct module_cache *cache,
				const struct module_identity *identity)
{
	struct module *module = cache->newest;

	while (module && !is_same_file(&module->identity, identity))
		module = module->next;
	return module;
}

static struct module *find_build(const struct module_cache *cache,
				 const struct module_identity *identity,
				 const struct elf_layout *layout)
{
	struct module *module = cache->newest;

	while (module && !is_same_build(module, identity, layout))
		module = module->next;
	return module;
}

static int identify(int fd, struct module_identity *identity)
{
	struct stat status;

	if (fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ENOEXEC;
	*identity = (struct module_identity){
		.device = status.st_dev,
		.inode = status.st_ino,
		.file_bytes = status.st_size,
		.modified = status.st_mtim,
		.owner = status.st_uid,
		.is_owner_only = !(status.st_mode & (S_IWGRP | S_IWOTH)),
	};
	return 0;
}

static int make_room(struct module_cache *cache, struct module **removed)
{
	struct module *module = cache->oldest;

	while (module && cache->module_count >= cache->modules_max) {
		struct module *newer = module->previous;

		if (!module->references)
			cache_remove(cache, module, removed);
		module = newer;
	}
	return cache->module_count < cache->modules_max ? 0 : -EMFILE;
}

/* With the cache's lock: another thread may have added it while this one read the file. */
static int find_or_add(struct module_cache *cache, const struct module_file *file,
		       const struct module_identity *identity, const struct elf_layout *layout,
		       struct module **result, struct module **removed)
{
	struct module *module = find_file(cache, identity);
	int error;

	if (!module)
		module = find_build(cache, identity, layout);
	if (!module) {
		error = make_room(cache, removed);
		if (error)
			return error;
		module = module_new(cache, file, identity, layout);
		if (!module)
			return -errno;
		cache_add(cache, module);
	}
	module->references++;
	list_touch(cache, module);
	cache_evict(cache, module, removed);
	*result = module;
	return 0;
}

int module_cache_get(struct module_cache *cache, const struct module_file *file,
		     struct module **module)
{
	struct module_identity identity = {0};
	struct elf_layout layout;
	struct module *known, *removed = NULL;
	bool is_copy;
	int error;

	error = identify(file->fd, &identity);
	if (error)
		return error;
	pthread_mutex_lock(&cache->lock);
	known = find_file(cache, &identity);
	if (known) {
		known->references++;
		list_touch(cache, known);
		*module = known;
	}
	pthread_mutex_unlock(&cache->lock);
	if (known)
		return 0;

	error = elf_layout_read(file->fd, &layout);
	if (error)
		return error;
	pthread_mutex_lock(&cache->lock);
	error = find_or_add(cache, file, &identity, &layout, &known, &removed);
	is_copy = !error && !is_same_file(&known->identity, &identity);
	pthread_mutex_unlock(&cache->lock);
	modules_free(removed);
	if (error)
		return error;
	if (is_copy && file->root_fd >= 0)
		module_offer_root(known, file->root_fd);
	*module = known;
	return 0;
}

struct module *module_hold(struct module *module)
{
	pthread_mutex_lock(&module->cache->lock);
	module->references++;
	pthread_mutex_unlock(&module->cache->lock);
	return module;
}

void module_release(struct module *module)
{
	if (!module)
		return;
	pthread_mutex_lock(&module->cache->lock);
	module->references--;
	pthread_mutex_unlock(&module->cache->lock);
}
