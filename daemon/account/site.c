/* SPDX-License-Identifier: Apache-2.0 */
#include "account/site.h"

#include <errno.h>
#include <stdlib.h>

static void add_counters(const struct record_site *counters, struct site_numbers *numbers)
{
	double unit = (double)RECORD_OBJECT_UNIT;
	double allocated = (double)counters->allocated_objects / unit;
	double freed = (double)counters->freed_objects / unit;

	numbers->outstanding_bytes += (int64_t)(counters->allocated_bytes - counters->freed_bytes);
	numbers->outstanding_objects += allocated - freed;
	/* Concurrent updates may be read half done: no negative variance from that. */
	if ((int64_t)counters->outstanding_variance > 0)
		numbers->outstanding_variance += (double)counters->outstanding_variance *
						 (double)(1ULL << RECORD_VARIANCE_SHIFT);
	numbers->allocated_bytes += counters->allocated_bytes;
	numbers->freed_bytes += counters->freed_bytes;
	numbers->allocated_objects += allocated;
	numbers->freed_objects += freed;
	for (int kind = 0; kind < RECORD_RSS_KINDS; kind++) {
		numbers->rss.grown_bytes[kind] += counters->rss.grown_bytes[kind];
		numbers->rss.shrunk_bytes[kind] += counters->rss.shrunk_bytes[kind];
	}
}

void site_add_numbers(const struct site *site, struct site_numbers *numbers)
{
	add_counters(&site->blocks, numbers);
	if (site->mappings)
		add_counters(site->mappings, numbers);
}

void site_read_numbers(const struct site *site, struct site_numbers *numbers)
{
	*numbers = (struct site_numbers){0};
	site_add_numbers(site, numbers);
}

static int64_t counters_generation_bytes(const struct record_site *counters, uint32_t generation)
{
	uint32_t slot = generation % RECORD_GENERATIONS;

	return counters->generation_number[slot] == generation ? counters->generation_bytes[slot]
							       : 0;
}

int64_t site_generation_bytes(const struct site *site, uint32_t generation)
{
	int64_t bytes = counters_generation_bytes(&site->blocks, generation);

	if (site->mappings)
		bytes += counters_generation_bytes(site->mappings, generation);
	return bytes;
}

bool site_is_used(const struct site *site)
{
	return site->blocks.allocated_objects || site->mappings;
}

static uint64_t sum_of_kinds(const __u64 bytes[RECORD_RSS_KINDS])
{
	return bytes[RECORD_RSS_ANONYMOUS] + bytes[RECORD_RSS_FILE] + bytes[RECORD_RSS_SHARED];
}

uint64_t rss_grown_bytes(const struct record_rss *rss)
{
	return sum_of_kinds(rss->grown_bytes);
}

uint64_t rss_shrunk_bytes(const struct record_rss *rss)
{
	return sum_of_kinds(rss->shrunk_bytes);
}

int64_t rss_growth_bytes(const struct record_rss *rss)
{
	return (int64_t)(rss_grown_bytes(rss) - rss_shrunk_bytes(rss));
}

bool rss_is_changed(const struct record_rss *rss)
{
	return rss_grown_bytes(rss) || rss_shrunk_bytes(rss);
}

bool site_has_rss(const struct site *site)
{
	return rss_is_changed(&site->blocks.rss);
}

bool site_is_mapping(const struct site *site)
{
	return site->mappings && !site->blocks.allocated_objects;
}

bool site_is_python_arena(const struct site *site)
{
	return site_is_mapping(site) && site->has_arenas && !site->has_other_mappings &&
	       site->stack && site->stack->is_called_by_interpreter;
}

int site_change_mappings(struct site *site, uint32_t generation, int64_t bytes, int objects)
{
	struct record_site *counters = site->mappings;
	uint32_t slot = generation % RECORD_GENERATIONS;
	uint32_t holder;

	if (!counters)
		counters = site->mappings = calloc(1, sizeof(*counters));
	if (!counters)
		return -ENOMEM;
	holder = counters->generation_number[slot];
	if (bytes > 0)
		counters->allocated_bytes += (uint64_t)bytes;
	else
		counters->freed_bytes += (uint64_t)-bytes;
	if (objects > 0)
		counters->allocated_objects += RECORD_OBJECT_UNIT;
	else if (objects < 0)
		counters->freed_objects += RECORD_OBJECT_UNIT;
	/* The ring works as in bpf/site.h. */
	if (holder < generation && bytes > 0) {
		counters->older_bytes += counters->generation_bytes[slot];
		counters->generation_bytes[slot] = 0;
		counters->generation_number[slot] = generation;
		holder = generation;
	}
	if (holder == generation)
		counters->generation_bytes[slot] += bytes;
	else
		counters->older_bytes += bytes;
	return 0;
}

void site_free(struct site *site)
{
	if (!site)
		return;
	stack_free(site->stack);
	free(site->mappings);
	free(site);
}
