/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/contract.h"

#include "probe/usdt.h"
#include "probe/usdt_argument.h"
#include "probe/usdt_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* glibc's malloc.o, arenas and all, is 20 KiB (as in bpf/mapping.h). */
#define ALLOCATOR_CODE_BYTES (32 << 10)

/* ---- What a file has ---- */

struct reading {
	struct contract *contract;
	size_t allocations, frees, refused_frees;
};

static bool has_point(const struct contract *contract, uint64_t file_offset)
{
	for (size_t i = 0; i < contract->point_count; i++)
		if (contract->points[i].file_offset == file_offset)
			return true;
	return false;
}

static int add_point(struct contract *contract, const struct contract_point *point)
{
	struct contract_point *grown;

	if (contract->point_count == CONTRACT_POINTS_MAX) {
		contract->reason = "there are more of them than any real sampler has";
		return -E2BIG;
	}
	grown = reallocarray(contract->points, contract->point_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	contract->points = grown;
	contract->points[contract->point_count++] = *point;
	return 0;
}

static int on_probe(void *context, const struct usdt_probe *probe)
{
	struct reading *reading = context;
	struct contract *contract = reading->contract;
	bool is_free = !strcmp(probe->name, "free");
	const char *reason = probe->defect;
	struct contract_point point = {
		.file_offset = probe->file_offset,
		.semaphore_file_offset = probe->semaphore_file_offset,
		.operation = is_free ? RECORD_OPERATION_CONTRACT_FREE
				     : RECORD_OPERATION_CONTRACT_ALLOCATE,
	};

	if (!is_free && strcmp(probe->name, "alloc") != 0)
		return 0; /* the contract may grow */
	if (!reason)
		usdt_arguments_parse(probe->arguments, is_free ? 1 : 3, &point.arguments, &reason);
	if (!reason && has_point(contract, point.file_offset))
		reason = "two of them are at the same place";
	if (reason) {
		contract->reason = reason;
		contract->refused_allocations += !is_free;
		reading->refused_frees += is_free;
		return 0;
	}
	reading->allocations += !is_free;
	reading->frees += is_free;
	return add_point(contract, &point);
}

int contract_read(int fd, struct contract *contract)
{
	struct reading reading = {.contract = contract};
	int error;

	memset(contract, 0, sizeof(*contract));
	error = usdt_each_probe(fd, CONTRACT_PROVIDER, on_probe, &reading);
	if (!error && contract->point_count && !contract->reason && !reading.frees)
		contract->reason = "it reports allocations and no frees";
	if (!error && contract->point_count && !contract->reason && !reading.allocations)
		contract->reason = "it reports frees and no allocations";
	contract->is_usable =
		!error && reading.allocations && reading.frees && !reading.refused_frees;
	return error == -E2BIG ? 0 : error;
}

void contract_clear(struct contract *contract)
{
	free(contract->points);
	memset(contract, 0, sizeof(*contract));
}

/* ---- Into a plan ---- */

static bool is_contract_point(const struct probe_point *point)
{
	uint64_t operation = RECORD_COOKIE_OPERATION(point->cookie);

	return operation == RECORD_OPERATION_CONTRACT_ALLOCATE ||
	       operation == RECORD_OPERATION_CONTRACT_FREE;
}

static bool is_allocator_point(const struct probe_point *point)
{
	uint64_t operation = RECORD_COOKIE_OPERATION(point->cookie);

	return operation == RECORD_OPERATION_ALLOCATE || operation == RECORD_OPERATION_REALLOCATE ||
	       operation == RECORD_OPERATION_RESIZE || operation == RECORD_OPERATION_EXIT ||
	       operation == RECORD_OPERATION_FREE;
}

static void take_allocator_out(struct probe_plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->point_count; i++) {
		uint64_t offset = plan->points[i].file_offset;

		if (!is_allocator_point(&plan->points[i])) {
			plan->points[kept++] = plan->points[i];
			continue;
		}
		plan->single_stepped_count -=
			!!(plan->points[i].cookie & RECORD_COOKIE_SINGLE_STEPPED);
		if (!plan->allocator_end || offset < plan->allocator_begin)
			plan->allocator_begin = offset;
		if (offset >= plan->allocator_end)
			plan->allocator_end = offset + 1;
	}
	plan->point_count = kept;
	plan->has_allocator = false;
	plan->allocators[0] = '\0';
}

static int put_in(struct probe_object *object, const struct contract_point *point,
		  struct probe_plan *plan)
{
	struct probe_point *grown =
		reallocarray(plan->points, plan->point_count + 1, sizeof(*grown));
	uint32_t number;
	int error;

	if (!grown)
		return -ENOMEM;
	plan->points = grown;
	error = usdt_table_hold(probe_object_usdt(object), &point->arguments, &number);
	if (error)
		return error;
	plan->points[plan->point_count++] = (struct probe_point){
		.file_offset = point->file_offset,
		.cookie = point->operation | (uint64_t)number << RECORD_COOKIE_USDT_SHIFT,
		.reference_counter_offset = point->semaphore_file_offset,
	};
	plan->contract_count++;
	return 0;
}

int contract_apply(struct probe_object *object, const struct contract *contract, size_t points_max,
		   struct probe_plan *plan)
{
	int error = 0;

	take_allocator_out(plan);
	if (!contract->is_usable)
		return 0;
	if (contract->point_count > points_max)
		return -E2BIG;
	/* Frees first: of no block that is seen the free is missed. */
	for (size_t i = 0; i < contract->point_count && !error; i++)
		if (contract->points[i].operation == RECORD_OPERATION_CONTRACT_FREE)
			error = put_in(object, &contract->points[i], plan);
	for (size_t i = 0; i < contract->point_count && !error; i++)
		if (contract->points[i].operation != RECORD_OPERATION_CONTRACT_FREE)
			error = put_in(object, &contract->points[i], plan);
	plan->has_allocator = true;
	strcpy(plan->allocators, CONTRACT_PROVIDER);
	return error;
}

void contract_release(struct probe_object *object, const struct probe_plan *plan)
{
	for (size_t i = 0; i < plan->point_count; i++)
		if (is_contract_point(&plan->points[i]))
			usdt_table_release(probe_object_usdt(object),
					   RECORD_COOKIE_USDT(plan->points[i].cookie));
}

bool contract_is_allocator_code(const struct probe_plan *plan, uint64_t file_offset)
{
	return plan->allocator_end && file_offset + ALLOCATOR_CODE_BYTES >= plan->allocator_begin &&
	       file_offset < plan->allocator_end + ALLOCATOR_CODE_BYTES;
}
