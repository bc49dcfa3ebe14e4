/* SPDX-License-Identifier: Apache-2.0 */
#include "allocators.h"

#include "command.h"
#include "render.h"
#include "table.h"
#include "text.h"

#include "probe/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct table_column allocators_columns[] = {
	{.title = "ALLOCATOR"}, {.title = "FUNCTION"}, {.title = "PROBE", .is_right_aligned = true},
	{.title = "EMULATED"},  {.title = "RETURN"},   {.title = "WHY", .gives_way = true},
};

/* ---- Reading ---- */

static int allocators_report(const char *path, const char *reason)
{
	render_complain("cannot look for allocators in %s: %s", path, reason);
	return COMMAND_EXIT_NO;
}

/* The file, which must be a regular one: a pipe would make us wait, a device could do anything. */
static int allocators_open(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		allocators_report(path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		allocators_report(path, "it is no regular file");
		close(fd);
		return -1;
	}
	return fd;
}

/* Whether there is a probe under this very name. */
static bool function_has_probe(const struct probe_plan_function *function)
{
	return function->is_probed && function->probe_offset;
}

/* ---- As JSON ---- */

static const char *function_return(const struct probe_plan_function *function)
{
	switch (function->return_view) {
	case PROBE_RETURN_BY_TRAMPOLINE:
		return "return_probe";
	case PROBE_RETURN_BY_EXITS:
		return "exit_probes";
	default:
		return "none";
	}
}

static cJSON *function_json(const struct probe_plan_function *function)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "allocator", function->allocator);
	cJSON_AddStringToObject(json, "function", function->name);
	cJSON_AddNumberToObject(json, "function_offset", (double)function->file_offset);
	cJSON_AddBoolToObject(json, "probed", function->is_probed);
	if (function_has_probe(function)) {
		cJSON_AddNumberToObject(json, "probe_offset", (double)function->probe_offset);
		cJSON_AddBoolToObject(json, "emulated", function->is_emulated);
		cJSON_AddStringToObject(json, "return", function_return(function));
		cJSON_AddNumberToObject(json, "exits", (double)function->exit_count);
	} else {
		cJSON_AddNullToObject(json, "probe_offset");
		cJSON_AddNullToObject(json, "emulated");
		cJSON_AddNullToObject(json, "return");
		cJSON_AddNullToObject(json, "exits");
	}
	cJSON_AddStringToObject(json, "reason", function->reason);
	return json;
}

static void allocators_print_json(const char *path, const struct probe_plan *plan)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *functions = cJSON_AddArrayToObject(json, "functions");
	char *text;

	cJSON_AddStringToObject(json, "path", path);
	cJSON_AddStringToObject(json, "allocators", plan->allocators);
	cJSON_AddNumberToObject(json, "probes", (double)plan->point_count);
	cJSON_AddNumberToObject(json, "single_stepped", (double)plan->single_stepped_count);
	if (plan->shortcoming[0])
		cJSON_AddStringToObject(json, "shortcoming", plan->shortcoming);
	else
		cJSON_AddNullToObject(json, "shortcoming");
	for (size_t i = 0; i < plan->function_count; i++)
		cJSON_AddItemToArray(functions, function_json(&plan->functions[i]));
	text = cJSON_PrintUnformatted(json);
	if (!text)
		text_fail_out_of_memory();
	render_json(text);
	free(text);
	cJSON_Delete(json);
}

/* ---- As a table ---- */

static void allocators_add_return(struct table *table, const struct probe_plan_function *function)
{
	char *exits;

	switch (function->return_view) {
	case PROBE_RETURN_BY_TRAMPOLINE:
		table_add(table, RENDER_PLAIN, "return probe");
		return;
	case PROBE_RETURN_BY_EXITS:
		exits = text_format("%zu exit probe%s", function->exit_count,
				    function->exit_count == 1 ? "" : "s");
		table_add(table, RENDER_PLAIN, exits);
		free(exits);
		return;
	default:
		table_add(table, RENDER_PLAIN, "-");
	}
}

static void allocators_add(struct table *table, const struct probe_plan_function *function)
{
	enum render_style style = function->is_probed ? RENDER_PLAIN : RENDER_WARNING;

	table_add(table, RENDER_PLAIN, function->allocator);
	table_add(table, style, function->name);
	if (function_has_probe(function)) {
		char *place = text_format("+%llu", (unsigned long long)(function->probe_offset -
									function->file_offset));

		table_add(table, RENDER_PLAIN, place);
		table_add(table, function->is_emulated ? RENDER_PLAIN : RENDER_WARNING,
			  function->is_emulated ? "yes" : "no");
		allocators_add_return(table, function);
		free(place);
	} else {
		table_add(table, RENDER_PLAIN, "-");
		table_add(table, RENDER_PLAIN, "-");
		table_add(table, RENDER_PLAIN, "-");
	}
	table_add(table, style, function->reason);
}

static void allocators_print(const char *path, const struct probe_plan *plan)
{
	struct render render = render_open(stdout);
	struct table *table;

	if (plan->function_count) {
		table = table_new(allocators_columns,
				  sizeof(allocators_columns) / sizeof(allocators_columns[0]));
		for (size_t i = 0; i < plan->function_count; i++)
			allocators_add(table, &plan->functions[i]);
		table_finish(table, &render);
		render_end_line(&render);
	}
	if (plan->has_allocator)
		render_paragraph(&render, RENDER_PLAIN, 0,
				 "%s brings %s: %zu probes, %zu of them on instructions that the "
				 "kernel does not emulate and steps through, which is dearer.",
				 path, plan->allocators, plan->point_count,
				 plan->single_stepped_count);
	else
		render_paragraph(&render, RENDER_WARNING, 0,
				 "%s brings no allocator that memwatch knows.", path);
	if (plan->shortcoming[0])
		render_paragraph(&render, RENDER_WARNING, 0, "Not everything can be seen: %s.",
				 plan->shortcoming);
}

int allocators_explain(const char *path, bool is_json)
{
	struct probe_plan plan;
	bool has_allocator;
	int fd = allocators_open(path);
	int error;

	if (fd < 0)
		return COMMAND_EXIT_NO;
	error = probe_plan_make(fd, PROBE_RETURN_TRAMPOLINE, &plan);
	close(fd);
	if (error)
		return allocators_report(path, error == -ENOEXEC ? "it is no ELF file of this "
								   "machine (x86-64)"
								 : strerror(-error));
	has_allocator = plan.has_allocator;
	if (is_json)
		allocators_print_json(path, &plan);
	else
		allocators_print(path, &plan);
	probe_plan_clear(&plan);
	return has_allocator ? COMMAND_EXIT_FINE : COMMAND_EXIT_NO;
}
