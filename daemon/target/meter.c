/* SPDX-License-Identifier: Apache-2.0 */
#include "target/meter.h"

#include "clock.h"

#include <string.h>

/* A process that is gone, or whose clock can't be had, counts as one thread. */
static double cpu_now_seconds(const struct target_meter *meter)
{
	struct timespec now;

	if (!meter->has_cpu_clock || clock_gettime(meter->cpu_clock, &now))
		return meter->cpu_seconds;
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void target_meter_begin(struct target_meter *meter, pid_t pid)
{
	memset(meter, 0, sizeof(*meter));
	meter->has_cpu_clock = !clock_getcpuclockid(pid, &meter->cpu_clock);
	meter->wall_seconds = clock_monotonic_seconds();
	meter->cpu_seconds = cpu_now_seconds(meter);
}

static struct record_target_hits hits_between(const struct record_target_hits *before,
					      const struct record_target_hits *after)
{
	return (struct record_target_hits){
		.allocations = after->allocations - before->allocations,
		.frees = after->frees - before->frees,
		.returns = after->returns - before->returns,
		.samples = after->samples - before->samples,
		.single_stepped = after->single_stepped - before->single_stepped,
	};
}

void target_meter_read(struct target_meter *meter, const struct probe_object *object, uint32_t slot,
		       const struct probe_costs *costs, bool is_exact, struct budget_look *look)
{
	struct target_meter before = *meter;
	struct record_target_hits hits;

	probe_object_hits(object, slot, &meter->hits);
	meter->wall_seconds = clock_monotonic_seconds();
	meter->cpu_seconds = cpu_now_seconds(meter);
	hits = hits_between(&before.hits, &meter->hits);
	look->wall_seconds = meter->wall_seconds - before.wall_seconds;
	look->cpu_seconds = meter->cpu_seconds - before.cpu_seconds;
	look->probe_seconds = probe_costs_seconds(costs, &hits, is_exact, &look->sampled_seconds);
}
