/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/plan.h"

#include "probe/allocator.h"
#include "probe/elf_function.h"
#include "probe/probe_address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No allocator function on any platform is longer; what lies beyond can't move the choice. */
#define CODE_BYTES_MAX 4096

static bool meaning_needs_return(uint64_t meaning)
{
	uint64_t operation = RECORD_COOKIE_OPERATION(meaning);

	return operation == RECORD_OPERATION_ALLOCATE || operation == RECORD_OPERATION_REALLOCATE ||
	       operation == RECORD_OPERATION_MAP || operation == RECORD_OPERATION_REMAP;
}

/* How many argument registers the probe reads, counted from the first. */
static unsigned meaning_argument_count(uint64_t meaning)
{
	uint64_t fields[] = {RECORD_COOKIE_SIZE(meaning), RECORD_COOKIE_COUNT(meaning),
			     RECORD_COOKIE_OLD(meaning), RECORD_COOKIE_RESULT(meaning)};
	unsigned count = 0;

	switch (RECORD_COOKIE_OPERATION(meaning)) {
	case RECORD_OPERATION_MAP:
		return 5;
	case RECORD_OPERATION_REMAP:
		return 4;
	case RECORD_OPERATION_UNMAP:
		return 2;
	case RECORD_OPERATION_LOADER:
		return 0;
	default:
		break;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i] != RECORD_ARGUMENT_NONE && fields[i] + 1 > count)
			count = (unsigned)fields[i] + 1;
	return count;
}

static bool plan_has_offset(const struct probe_plan *plan, uint64_t file_offset)
{
	for (size_t i = 0; i < plan->point_count; i++)
		if (plan->points[i].file_offset == file_offset)
			return true;
	return false;
}

static int plan_add_function(struct probe_plan *plan, int fd, uint64_t meaning,
			     const struct elf_function *function)
{
	uint8_t code[CODE_BYTES_MAX];
	size_t wanted = function->size_bytes < sizeof(code) ? function->size_bytes : sizeof(code);
	struct probe_address chosen;
	struct probe_point *grown;
	ssize_t got;

	got = pread(fd, code, wanted, (off_t)function->file_offset);
	if (got < 0)
		return -errno;
	probe_address_choose(code, (size_t)got, meaning_argument_count(meaning),
			     meaning_needs_return(meaning),
			     RECORD_COOKIE_OPERATION(meaning) == RECORD_OPERATION_FREE, &chosen);
	/* Aliases (mmap and mmap64, memalign and aligned_alloc) are one function. */
	if (plan_has_offset(plan, function->file_offset + chosen.offset_bytes))
		return 0;
	grown = reallocarray(plan->points, plan->point_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	plan->points = grown;
	plan->points[plan->point_count++] = (struct probe_point){
		.file_offset = function->file_offset + chosen.offset_bytes,
		.cookie = meaning | (chosen.is_emulated ? 0 : RECORD_COOKIE_SINGLE_STEPPED),
	};
	plan->single_stepped_count += !chosen.is_emulated;
	return 0;
}

static bool file_defines_all(int fd, const char *const *names)
{
	size_t count = 0;

	while (names[count])
		count++;
	struct elf_function *found = calloc(count + 1, sizeof(*found));
	bool defines = found && elf_functions_find(fd, names, count, found) == (int)count;

	free(found);
	return defines;
}

static int plan_add_allocator(struct probe_plan *plan, int fd, const struct allocator *allocator)
{
	size_t count = allocator->function_count;
	struct elf_function *found = calloc(count, sizeof(*found));
	const char **names = calloc(count, sizeof(*names));
	int error = found && names ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < count; i++)
		names[i] = allocator->functions[i].name;
	if (!error) {
		int defined = elf_functions_find(fd, names, count, found);

		error = defined < 0 ? defined : 0;
	}
	for (size_t i = 0; !error && i < count; i++) {
		uint64_t meaning = allocator->functions[i].meaning;

		if (!found[i].file_offset)
			continue;
		error = plan_add_function(plan, fd, meaning, &found[i]);
		if (RECORD_COOKIE_OPERATION(meaning) == RECORD_OPERATION_ALLOCATE)
			plan->has_allocator = true;
	}
	free(names);
	free(found);
	return error;
}

static void plan_add_name(struct probe_plan *plan, const char *name)
{
	size_t used = strlen(plan->allocators);

	if (used + strlen(name) + 2 > sizeof(plan->allocators))
		return;
	if (used)
		strcat(plan->allocators, ",");
	strcat(plan->allocators, name);
}

int probe_plan_make(int fd, struct probe_plan *plan)
{
	int error = 0;

	memset(plan, 0, sizeof(*plan));
	for (size_t i = 0; i < allocator_count && !error; i++) {
		if (!file_defines_all(fd, allocators[i].required_functions))
			continue;
		error = plan_add_allocator(plan, fd, &allocators[i]);
		plan_add_name(plan, allocators[i].name);
	}
	if (error)
		probe_plan_clear(plan);
	return error;
}

void probe_plan_clear(struct probe_plan *plan)
{
	free(plan->points);
	memset(plan, 0, sizeof(*plan));
}
