/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/plan_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t list_length(const char *const *list)
{
	size_t length = 0;

	while (list && list[length])
		length++;
	return length;
}

static void add_list(struct plan_names *names, const char *const *list)
{
	while (list && *list)
		names->names[names->count++] = *list++;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int collect(struct plan_names *names)
{
	size_t most = 1, kept = 0;

	for (size_t i = 0; i < allocator_count; i++)
		most += allocators[i].function_count +
			list_length(allocators[i].required_functions) +
			list_length(allocators[i].excluded_functions) +
			list_length(allocators[i].mapping_functions);
	names->names = calloc(most, sizeof(*names->names));
	names->functions = calloc(most, sizeof(*names->functions));
	if (!names->names || !names->functions)
		return -ENOMEM;
	for (size_t i = 0; i < allocator_count; i++) {
		for (size_t k = 0; k < allocators[i].function_count; k++)
			names->names[names->count++] = allocators[i].functions[k].name;
		add_list(names, allocators[i].required_functions);
		add_list(names, allocators[i].excluded_functions);
		add_list(names, allocators[i].mapping_functions);
	}
	qsort(names->names, names->count, sizeof(*names->names), name_compare);
	for (size_t i = 0; i < names->count; i++)
		if (!kept || strcmp(names->names[i], names->names[kept - 1]) != 0)
			names->names[kept++] = names->names[i];
	names->count = kept;
	return 0;
}

int plan_names_look_up(const struct elf_program *program, struct plan_names *names)
{
	int result;

	*names = (struct plan_names){0};
	result = collect(names);
	if (!result)
		result = elf_functions_find_in(program, names->names, names->count,
					       names->functions);
	return result < 0 ? result : 0;
}

void plan_names_free(struct plan_names *names)
{
	free(names->functions);
	free(names->names);
	*names = (struct plan_names){0};
}

const struct elf_function *plan_names_find(const struct plan_names *names, const char *name)
{
	const char **found = bsearch(&name, names->names, names->count, sizeof(name), name_compare);
	const struct elf_function *function =
		found ? &names->functions[found - names->names] : NULL;

	return function && function->file_offset ? function : NULL;
}

bool plan_names_provide(const struct plan_names *names, const struct allocator *allocator)
{
	const char *const *name;

	for (name = allocator->required_functions; *name; name++)
		if (!plan_names_find(names, *name))
			return false;
	for (name = allocator->excluded_functions; name && *name; name++)
		if (plan_names_find(names, *name))
			return false;
	return true;
}
