/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a file that may bring an allocator. */
#include "probe/plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct probe_plan *plan)
{
	if (plan->single_stepped_count > plan->point_count)
		abort();
	if (!memchr(plan->shortcoming, 0, sizeof(plan->shortcoming)) ||
	    !memchr(plan->allocators, 0, sizeof(plan->allocators)))
		abort();
	for (size_t i = 0; i < plan->function_count; i++)
		if (!memchr(plan->functions[i].reason, 0, sizeof(plan->functions[i].reason)))
			abort();
	for (size_t i = 0; i < plan->point_count; i++)
		for (size_t k = 0; k < i; k++)
			if (plan->points[i].file_offset == plan->points[k].file_offset)
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum probe_return_method methods[] = {PROBE_RETURN_TRAMPOLINE, PROBE_RETURN_EXITS};
	int fd = memfd_create("fuzz_plan", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	for (size_t i = 0; i < 2; i++) {
		struct probe_plan plan;

		if (probe_plan_make(fd, methods[i], &plan) == 0)
			check(&plan);
		probe_plan_clear(&plan);
	}
	close(fd);
	return 0;
}
