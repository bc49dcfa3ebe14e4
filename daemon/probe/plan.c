/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/plan.h"

#include "probe/elf_code.h"
#include "probe/function_flow.h"
#include "probe/plan_names.h"
#include "probe/probe_address.h"

#include "record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No allocator function on any platform is longer; what lies beyond can't move the choice. */
#define CODE_BYTES_MAX 4096
/* No allocator has more functions. */
#define ROWS_MAX 160

struct making {
	struct probe_plan *plan;
	enum probe_return_method method;
	struct elf_program program;
	struct elf_program_kind kind;
	struct code_source source;
	struct plan_names names;
	const struct allocator *allocator; /* that is being added */
	/* Its functions' code, mapping functions left out. */
	uint64_t code_start, code_end;
};

/* ---- What a meaning asks for ---- */

static bool meaning_maps(uint64_t meaning)
{
	uint64_t operation = RECORD_COOKIE_OPERATION(meaning);

	return operation == RECORD_OPERATION_MAP || operation == RECORD_OPERATION_REMAP ||
	       operation == RECORD_OPERATION_UNMAP;
}

static bool meaning_needs_return(uint64_t meaning)
{
	switch (RECORD_COOKIE_OPERATION(meaning)) {
	case RECORD_OPERATION_ALLOCATE:
	case RECORD_OPERATION_REALLOCATE:
	case RECORD_OPERATION_RESIZE:
	case RECORD_OPERATION_MAP:
	case RECORD_OPERATION_REMAP:
		return true;
	default:
		return false;
	}
}

/* Never where an exception may pass (its returns are seen by exit probes), nor at an exit probe. */
static bool cookie_needs_return_probe(uint64_t cookie)
{
	return meaning_needs_return(cookie) &&
	       !(RECORD_COOKIE_FLAGS(cookie) & RECORD_FUNCTION_HAS_EXITS);
}

static bool meaning_frees(uint64_t meaning)
{
	return RECORD_COOKIE_OPERATION(meaning) == RECORD_OPERATION_FREE;
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

/* The meaning as it reads at an address where arguments have moved to other registers. */
static uint64_t meaning_moved(uint64_t meaning, const uint8_t *registers)
{
	uint64_t fields[] = {RECORD_COOKIE_SIZE(meaning), RECORD_COOKIE_COUNT(meaning),
			     RECORD_COOKIE_OLD(meaning), RECORD_COOKIE_RESULT(meaning)};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i] != RECORD_ARGUMENT_NONE)
			fields[i] = registers[fields[i]];
	return RECORD_COOKIE(RECORD_COOKIE_OPERATION(meaning), fields[0], fields[1], fields[2],
			     fields[3], RECORD_COOKIE_FLAGS(meaning));
}

/* ---- Points ---- */

static const struct probe_point *plan_point_at(const struct probe_plan *plan, uint64_t file_offset)
{
	for (size_t i = 0; i < plan->point_count; i++)
		if (plan->points[i].file_offset == file_offset)
			return &plan->points[i];
	return NULL;
}

static int plan_add_point(struct probe_plan *plan, uint64_t file_offset, uint64_t cookie,
			  bool is_emulated)
{
	struct probe_point *grown =
		reallocarray(plan->points, plan->point_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	plan->points = grown;
	plan->points[plan->point_count++] = (struct probe_point){
		.file_offset = file_offset,
		.cookie = cookie | (is_emulated ? 0 : RECORD_COOKIE_SINGLE_STEPPED),
		.needs_return = cookie_needs_return_probe(cookie),
	};
	plan->single_stepped_count += !is_emulated;
	return 0;
}

static uint64_t reach_units(uint64_t bytes)
{
	uint64_t units = (bytes + (1U << RECORD_REACH_SHIFT) - 1) >> RECORD_REACH_SHIFT;

	return units < RECORD_REACH_MAX ? units : RECORD_REACH_MAX;
}

/*
 * How far the allocator's code reaches around the probe. A libc, or a program that has an allocator
 * inside, holds much else: there it is what lies near the functions, as glibc's malloc.o, arenas
 * and all, is 20 KiB.
 */
static uint64_t making_reach(const struct making *making, uint64_t offset)
{
	const Elf64_Phdr *segment = elf_program_code_segment(&making->program, offset);

	if (!making->allocator->is_whole_file || !segment)
		return RECORD_COOKIE_REACH(1, 1);
	if (making->kind.is_library)
		return RECORD_COOKIE_REACH(
			reach_units(offset - segment->p_offset),
			reach_units(segment->p_offset + segment->p_filesz - offset));
	if (offset < making->code_start || offset >= making->code_end)
		return RECORD_COOKIE_REACH(1, 1);
	return RECORD_COOKIE_REACH(reach_units(offset - making->code_start + 1),
				   reach_units(making->code_end - offset));
}

/* ---- One function ---- */

static struct probe_plan_function *plan_function_at(const struct probe_plan *plan, uint64_t offset)
{
	for (size_t i = 0; i < plan->function_count; i++)
		if (plan->functions[i].file_offset == offset)
			return &plan->functions[i];
	return NULL;
}

static struct probe_plan_function *plan_add_function(struct making *making, const char *name,
						     uint64_t offset)
{
	struct probe_plan *plan = making->plan;
	struct probe_plan_function *grown =
		reallocarray(plan->functions, plan->function_count + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	plan->functions = grown;
	plan->functions[plan->function_count] = (struct probe_plan_function){
		.allocator = making->allocator->name, .name = name, .file_offset = offset};
	return &plan->functions[plan->function_count++];
}

/* The function of the same allocator that this one always goes on to; NULL: it has a life. */
static const char *making_passed_on_to(const struct making *making,
				       const struct allocator_function *row,
				       const struct elf_function *function)
{
	const struct allocator *allocator = making->allocator;
	bool frees = meaning_frees(row->meaning);
	uint64_t targets[ROWS_MAX], target;
	const char *names[ROWS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < allocator->function_count && count < ROWS_MAX; i++) {
		const struct allocator_function *other = &allocator->functions[i];
		const struct elf_function *found = plan_names_find(&making->names, other->name);

		if (!found || found->file_offset == function->file_offset ||
		    meaning_frees(other->meaning) != frees || meaning_maps(other->meaning))
			continue;
		targets[count] = found->file_offset;
		names[count++] = other->name;
	}
	target = frees ? function_frees_through(&making->source, function->file_offset, targets,
						count)
		       : function_passes_on_to(&making->source, function->file_offset);
	for (size_t i = 0; i < count && target; i++)
		if (targets[i] == target)
			return names[i];
	return NULL;
}

static bool making_needs_exits(const struct making *making, uint64_t meaning)
{
	return meaning_needs_return(meaning) &&
	       (making->method == PROBE_RETURN_EXITS ||
		RECORD_COOKIE_FLAGS(meaning) & RECORD_FUNCTION_MAY_THROW);
}

/* Whether a function that begins at the offset can have its probe there and the exit probes. */
static bool plan_has_room(const struct probe_plan *plan, uint64_t offset,
			  const struct function_exits *exits)
{
	bool has_room = !plan_point_at(plan, offset);

	for (size_t i = 0; i < exits->count; i++) {
		const struct probe_point *point = plan_point_at(plan, exits->offsets[i]);

		/* Functions may share their ways out. */
		has_room &=
			exits->offsets[i] != offset &&
			(!point || RECORD_COOKIE_OPERATION(point->cookie) == RECORD_OPERATION_EXIT);
	}
	return has_room;
}

static int plan_add_exits(struct probe_plan *plan, const struct function_exits *exits)
{
	const uint64_t cookie =
		RECORD_COOKIE(RECORD_OPERATION_EXIT, RECORD_ARGUMENT_NONE, RECORD_ARGUMENT_NONE,
			      RECORD_ARGUMENT_NONE, RECORD_ARGUMENT_NONE, 0);
	int error = 0;

	for (size_t i = 0; i < exits->count && !error; i++)
		if (!plan_point_at(plan, exits->offsets[i]))
			error = plan_add_point(plan, exits->offsets[i], cookie, false);
	return error;
}

static int making_choose(const struct making *making, uint64_t meaning,
			 const struct elf_function *function, struct probe_address *chosen)
{
	const struct probe_request request = {
		.argument_count = meaning_argument_count(meaning),
		.needs_return = meaning_needs_return(meaning),
		.skips_null = meaning_frees(meaning),
		.arguments_stay = meaning_maps(meaning),
	};
	uint8_t code[CODE_BYTES_MAX];
	size_t wanted = function->size_bytes < sizeof(code) ? function->size_bytes : sizeof(code);
	int error = elf_program_read(&making->program, function->file_offset, code, wanted);

	if (!error)
		probe_address_choose(code, wanted, &request, chosen);
	return error;
}

static int making_probe(struct making *making, uint64_t meaning,
			const struct elf_function *function, struct probe_plan_function *entry)
{
	bool needs_exits = making_needs_exits(making, meaning);
	struct function_exits exits = {0};
	struct probe_address chosen;
	uint64_t offset;
	int error;

	if (needs_exits && !function_exits_find(&making->source, entry->file_offset, &exits)) {
		snprintf(entry->reason, sizeof(entry->reason),
			 "not probed: its ways out cannot all be found: %s", exits.reason);
		return 0;
	}
	error = making_choose(making, meaning, function, &chosen);
	if (error)
		return error;
	offset = function->file_offset + chosen.offset_bytes;
	/* An instruction bears one probe, with one meaning. */
	if (!plan_has_room(making->plan, offset, &exits)) {
		snprintf(entry->reason, sizeof(entry->reason),
			 "not probed: another probe is on the same instruction");
		return 0;
	}
	if (needs_exits)
		meaning |= (uint64_t)RECORD_FUNCTION_HAS_EXITS << RECORD_COOKIE_FLAGS_SHIFT;
	entry->is_probed = true;
	entry->is_emulated = chosen.is_emulated;
	entry->probe_offset = offset;
	entry->exit_count = exits.count;
	if (meaning_needs_return(meaning))
		entry->return_view =
			needs_exits ? PROBE_RETURN_BY_EXITS : PROBE_RETURN_BY_TRAMPOLINE;
	snprintf(entry->reason, sizeof(entry->reason), "%s", chosen.reason);
	error = plan_add_point(making->plan, offset,
			       meaning_moved(meaning, chosen.registers) |
				       making_reach(making, function->file_offset),
			       chosen.is_emulated);
	return error ? error : plan_add_exits(making->plan, &exits);
}

static int making_add(struct making *making, const struct allocator_function *row,
		      const struct elf_function *function)
{
	const struct probe_plan_function *twin =
		plan_function_at(making->plan, function->file_offset);
	const char *twin_name = twin ? twin->name : NULL;
	bool is_probed = twin && twin->is_probed;
	struct probe_plan_function *entry =
		plan_add_function(making, row->name, function->file_offset);
	const char *next;

	if (!entry)
		return -ENOMEM;
	if (twin_name) {
		entry->is_probed = is_probed;
		snprintf(entry->reason, sizeof(entry->reason), "the same function as %s",
			 twin_name);
		return 0;
	}
	next = making_passed_on_to(making, row, function);
	if (next) {
		entry->is_probed = true;
		snprintf(entry->reason, sizeof(entry->reason), "goes on to %s", next);
		return 0;
	}
	return making_probe(making, row->meaning, function, entry);
}

/* ---- One allocator ---- */

static void making_include_code(struct making *making, const struct elf_function *function)
{
	uint64_t end = function->file_offset + function->size_bytes;

	if (function->file_offset < making->code_start)
		making->code_start = function->file_offset;
	if (end > making->code_end)
		making->code_end = end;
}

static void making_measure_code(struct making *making)
{
	const char *const *name = making->allocator->mapping_functions;

	making->code_start = UINT64_MAX;
	making->code_end = 0;
	for (size_t i = 0; i < making->allocator->function_count; i++) {
		const struct allocator_function *row = &making->allocator->functions[i];
		const struct elf_function *function = plan_names_find(&making->names, row->name);

		if (function && !meaning_maps(row->meaning))
			making_include_code(making, function);
	}
	for (; name && *name; name++) {
		const struct elf_function *function = plan_names_find(&making->names, *name);

		if (function)
			making_include_code(making, function);
	}
}

static void plan_add_name(struct probe_plan *plan, const char *name)
{
	size_t used = strlen(plan->allocators);

	if (strstr(plan->allocators, name) || used + strlen(name) + 2 > sizeof(plan->allocators))
		return;
	if (used)
		strcat(plan->allocators, ",");
	strcat(plan->allocators, name);
}

static int making_add_allocator(struct making *making, const struct allocator *allocator)
{
	bool has_blocks = false;
	int error = 0;

	making->allocator = allocator;
	making_measure_code(making);
	for (size_t i = 0; i < allocator->function_count && !error; i++) {
		const struct allocator_function *row = &allocator->functions[i];
		const struct elf_function *function = plan_names_find(&making->names, row->name);

		if (!function)
			continue;
		error = making_add(making, row, function);
		has_blocks |= RECORD_COOKIE_OPERATION(row->meaning) == RECORD_OPERATION_ALLOCATE;
	}
	if (has_blocks)
		plan_add_name(making->plan, allocator->name);
	making->plan->has_allocator |= has_blocks;
	return error;
}

/* ---- What can't be seen ---- */

static void making_say_shortcoming(struct making *making)
{
	struct probe_plan *plan = making->plan;
	bool is_program = making->program.header.e_type == ET_EXEC || making->kind.is_program;

	for (size_t i = 0; i < plan->function_count; i++) {
		if (plan->functions[i].is_probed)
			continue;
		snprintf(plan->shortcoming, sizeof(plan->shortcoming), "%s of %s is %s",
			 plan->functions[i].name, plan->functions[i].allocator,
			 plan->functions[i].reason);
		return;
	}
	if (!plan->has_allocator && is_program && !making->kind.has_interpreter &&
	    !making->kind.needs_libraries && !making->kind.has_symbols)
		snprintf(plan->shortcoming, sizeof(plan->shortcoming),
			 "it is linked statically and stripped of its symbols (.symtab), so that "
			 "an allocator in it cannot be found by name");
}

int probe_plan_make(int fd, enum probe_return_method method, struct probe_plan *plan)
{
	struct making making = {.plan = plan, .method = method};
	struct elf_code *code = NULL;
	int error;

	memset(plan, 0, sizeof(*plan));
	error = elf_program_open(fd, &making.program);
	if (error)
		return error;
	making.kind = elf_program_kind(&making.program);
	error = plan_names_look_up(&making.program, &making.names);
	if (!error && !(code = elf_code_new(&making.program)))
		error = -ENOMEM;
	if (!error)
		making.source = elf_code_source(code);
	for (size_t i = 0; i < allocator_count && !error; i++)
		if (plan_names_provide(&making.names, &allocators[i]) &&
		    !(allocators[i].is_last_resort && plan->has_allocator))
			error = making_add_allocator(&making, &allocators[i]);
	if (!error)
		making_say_shortcoming(&making);
	else
		probe_plan_clear(plan);
	elf_code_free(code);
	plan_names_free(&making.names);
	elf_program_close(&making.program);
	return error;
}

void probe_plan_clear(struct probe_plan *plan)
{
	free(plan->points);
	free(plan->functions);
	memset(plan, 0, sizeof(*plan));
}
