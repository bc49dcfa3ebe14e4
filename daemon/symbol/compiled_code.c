/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/compiled_code.h"

#include "log.h"
#include "symbol/jitdump.h"
#include "symbol/module_private.h"
#include "symbol/perf_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One is usual; a process that was forked has its parent's mapped too. */
#define DUMPS_MAX 4

struct known_dump {
	struct mapped_file_id file;
	struct jitdump *dump; /* NULL: it can't be used */
};

struct compiled_code {
	struct module_cache *cache;
	int proc_fd;
	pid_t pid;
	struct known_dump dumps[DUMPS_MAX];
	size_t dump_count;
	struct perf_map *map; /* NULL until it is needed */
};

struct compiled_code *compiled_code_new(struct module_cache *cache, int proc_fd, pid_t pid)
{
	struct compiled_code *code = calloc(1, sizeof(*code));

	if (code) {
		code->cache = cache;
		code->proc_fd = proc_fd;
		code->pid = pid;
	}
	return code;
}

void compiled_code_free(struct compiled_code *code)
{
	if (!code)
		return;
	for (size_t i = 0; i < code->dump_count; i++)
		jitdump_free(code->dumps[i].dump);
	perf_map_free(code->map);
	free(code);
}

static const char *explain_refusal(int error)
{
	switch (error) {
	case -ENOTSUP:
		return "it is of another byte order or version";
	case -ENOEXEC:
		return "it is of another machine's code";
	case -EINVAL:
		return "it is no jitdump";
	case -ESRCH:
		return "it is of another process";
	case -EPERM:
		return "it belongs to another user";
	default:
		return NULL;
	}
}

/* What may be otherwise at the next look isn't remembered. */
static bool is_final(int error)
{
	return !error || explain_refusal(error);
}

void compiled_code_add_dump(struct compiled_code *code, const struct address_range *range)
{
	struct known_dump known = {.file = {.device_major = range->device_major,
					    .device_minor = range->device_minor,
					    .inode = range->inode}};
	int error;

	for (size_t i = 0; i < code->dump_count; i++)
		if (mapped_file_id_is_same(&code->dumps[i].file, &known.file))
			return;
	if (code->dump_count == DUMPS_MAX)
		return;
	error = jitdump_open(code->proc_fd, code->pid, range, &known.dump);
	if (!is_final(error))
		return;
	if (error)
		log_write(LOG_NOTICE, "the jitdump that process %d has mapped is not read: %s",
			  (int)code->pid, explain_refusal(error));
	code->dumps[code->dump_count++] = known;
}

static int name_by_dump(struct compiled_code *code, struct jitdump *dump, uint64_t address,
			struct symbol_name *name)
{
	struct jitdump_code found;

	jitdump_refresh(dump);
	if (jitdump_find(dump, address, &found))
		return -ENOENT;
	*name = (struct symbol_name){.function = module_cache_intern(code->cache, found.function)};
	if (found.file[0])
		name->file = module_cache_intern(code->cache, found.file);
	name->line = name->file ? found.line : 0;
	return name->function ? 0 : -ENOENT;
}

/* The file grows while its process runs: what isn't in what was read may be there by now. */
static int name_by_map(struct compiled_code *code, uint64_t address, struct symbol_name *name)
{
	char function[PERF_MAP_NAME_MAX_BYTES];
	int error;

	if (!code->map)
		code->map = perf_map_new();
	if (!code->map)
		return -ENOENT;
	error = perf_map_find(code->map, address, function);
	if (error) {
		perf_map_refresh(code->map, code->proc_fd, code->pid);
		error = perf_map_find(code->map, address, function);
	}
	if (error)
		return error;
	*name = (struct symbol_name){.function = module_cache_intern(code->cache, function)};
	return name->function ? 0 : -ENOENT;
}

int compiled_code_name(struct compiled_code *code, uint64_t address, struct symbol_name *name)
{
	for (size_t i = code->dump_count; i-- > 0;)
		if (code->dumps[i].dump && !name_by_dump(code, code->dumps[i].dump, address, name))
			return 0;
	return name_by_map(code, address, name);
}
