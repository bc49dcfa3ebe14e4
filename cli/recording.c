/* SPDX-License-Identifier: Apache-2.0 */
#include "recording.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *grow(void *array, size_t count, size_t *capacity, size_t entry_bytes)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity ? *capacity * 2 : 64;
	array = reallocarray(array, *capacity, entry_bytes);
	if (!array)
		text_fail_out_of_memory();
	return array;
}

void recording_clear(struct recording *recording)
{
	for (size_t i = 0; i < recording->process_count; i++)
		free(recording->processes[i].comm);
	free(recording->processes);
	free(recording->samples);
	free(recording->values);
	free(recording->comm);
	free(recording->began);
	free(recording->end_reason);
	*recording = (struct recording){0};
}

void recording_add_process(struct recording *recording, const struct recording_process *process)
{
	struct recording_process *added;

	recording->processes = grow(recording->processes, recording->process_count,
				    &recording->process_capacity, sizeof(recording->processes[0]));
	added = &recording->processes[recording->process_count++];
	*added = *process;
	added->comm = text_format("%s", process->comm);
}

void recording_add_sample(struct recording *recording, double seconds, uint64_t missed)
{
	recording->samples = grow(recording->samples, recording->sample_count,
				  &recording->sample_capacity, sizeof(recording->samples[0]));
	recording->samples[recording->sample_count++] = (struct recording_sample){
		.seconds = seconds, .missed = missed, .first_value = recording->value_count};
}

void recording_add_value(struct recording *recording, const struct recording_value *value)
{
	recording->values = grow(recording->values, recording->value_count,
				 &recording->value_capacity, sizeof(recording->values[0]));
	recording->values[recording->value_count++] = *value;
	recording->samples[recording->sample_count - 1].value_count++;
}

static int compare_ids(const void *key, const void *entry)
{
	uint32_t id = *(const uint32_t *)key;
	const struct recording_process *process = entry;

	return id < process->id ? -1 : id > process->id;
}

const struct recording_process *recording_process(const struct recording *recording, uint32_t id)
{
	if (!recording->process_count)
		return NULL;
	return bsearch(&id, recording->processes, recording->process_count,
		       sizeof(recording->processes[0]), compare_ids);
}

static double add_known(double sum, double bytes)
{
	if (isnan(bytes))
		return sum;
	return isnan(sum) ? bytes : sum + bytes;
}

double recording_sample_rss(const struct recording *recording,
			    const struct recording_sample *sample)
{
	double sum = NAN;

	for (size_t i = 0; i < sample->value_count; i++)
		sum = add_known(sum, recording->values[sample->first_value + i].rss_bytes);
	return sum;
}

double recording_sample_outstanding(const struct recording *recording,
				    const struct recording_sample *sample)
{
	double sum = NAN;

	for (size_t i = 0; i < sample->value_count; i++)
		sum = add_known(sum, recording->values[sample->first_value + i].outstanding_bytes);
	return sum;
}

/* ---- Thinning */

/* The index of the sample that stays of the pair that begins at index. */
static size_t choose(const struct recording *recording, size_t index)
{
	double first, second;

	if (index + 1 == recording->sample_count)
		return index;
	first = recording_sample_rss(recording, &recording->samples[index]);
	second = recording_sample_rss(recording, &recording->samples[index + 1]);
	return isnan(second) || first > second ? index : index + 1;
}

static void keep_sample(struct recording *recording, size_t to, size_t from, size_t value_count)
{
	struct recording_sample sample = recording->samples[from];

	memmove(&recording->values[value_count], &recording->values[sample.first_value],
		sample.value_count * sizeof(recording->values[0]));
	sample.first_value = value_count;
	recording->samples[to] = sample;
}

/* Of processes that no sample has any more. Ids of values are looked up in what is there. */
static void drop_processes(struct recording *recording)
{
	bool *is_used = calloc(recording->process_count + 1, sizeof(*is_used));
	size_t kept = 0;

	if (!is_used)
		text_fail_out_of_memory();
	for (size_t i = 0; i < recording->value_count; i++) {
		const struct recording_process *process =
			recording_process(recording, recording->values[i].id);

		if (process)
			is_used[process - recording->processes] = true;
	}
	for (size_t i = 0; i < recording->process_count; i++) {
		if (is_used[i])
			recording->processes[kept++] = recording->processes[i];
		else
			free(recording->processes[i].comm);
	}
	recording->process_count = kept;
	free(is_used);
}

void recording_thin(struct recording *recording)
{
	size_t sample_count = 0, value_count = 0;

	for (size_t i = 0; i < recording->sample_count; i += 2) {
		size_t from = choose(recording, i);
		uint64_t missed = recording->samples[i].missed;

		if (i + 1 < recording->sample_count)
			missed += recording->samples[i + 1].missed;
		keep_sample(recording, sample_count, from, value_count);
		recording->samples[sample_count].missed = missed;
		value_count += recording->samples[sample_count++].value_count;
	}
	recording->sample_count = sample_count;
	recording->value_count = value_count;
	drop_processes(recording);
}
