/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include "json.h"
#include "text.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct shared_frame {
	char *key; /* name, file and line */
	int index;
};

struct frame_list {
	void *by_key; /* tsearch */
	cJSON *frames;
	int count;
};

static int compare_keys(const void *a, const void *b)
{
	const struct shared_frame *left = a, *right = b;

	return strcmp(left->key, right->key);
}

static void free_shared(void *pointer)
{
	struct shared_frame *shared = pointer;

	free(shared->key);
	free(shared);
}

static void add_frame(struct frame_list *list, const char *name, const char *file, double line)
{
	cJSON *frame = cJSON_CreateObject();

	cJSON_AddStringToObject(frame, "name", name);
	if (file)
		cJSON_AddStringToObject(frame, "file", file);
	if (file && line > 0)
		cJSON_AddNumberToObject(frame, "line", line);
	cJSON_AddItemToArray(list->frames, frame);
}

/* The number of a frame, which is listed when it comes for the first time. */
static int find_frame(struct frame_list *list, const char *name, const char *file, double line)
{
	struct shared_frame *wanted = calloc(1, sizeof(*wanted));
	struct shared_frame **found;

	if (!wanted)
		text_fail_out_of_memory();
	wanted->key = text_format("%s\n%s\n%.0f", name, file ? file : "", line);
	wanted->index = list->count;
	found = tsearch(wanted, &list->by_key, compare_keys);
	if (!found)
		text_fail_out_of_memory();
	if (*found != wanted) {
		free_shared(wanted);
		return (*found)->index;
	}
	add_frame(list, name, file, line);
	return list->count++;
}

static void add_index(cJSON *sample, int index)
{
	cJSON_AddItemToArray(sample, cJSON_CreateNumber(index));
}

static cJSON *make_sample(struct frame_list *list, const cJSON *site)
{
	const cJSON *stack = json_child(site, "stack");
	const cJSON *first = stack ? stack->child : NULL;
	const cJSON *frame = first ? first->prev : NULL;
	char *beginning = stack_beginning_name(site);
	cJSON *sample = cJSON_CreateArray();

	if (beginning)
		add_index(sample, find_frame(list, beginning, NULL, 0));
	while (frame) {
		char *name = stack_frame_name(frame);
		const char *file = json_string(frame, "file");

		add_index(sample, find_frame(list, name, file ? file : json_string(frame, "module"),
					     file ? json_number(frame, "line") : 0));
		free(name);
		frame = frame == first ? NULL : frame->prev;
	}
	free(beginning);
	return sample;
}

static cJSON *make_profile(struct frame_list *list, const cJSON *answer, enum stack_value value)
{
	cJSON *profile = cJSON_CreateObject();
	cJSON *samples = cJSON_CreateArray(), *weights = cJSON_CreateArray();
	const cJSON *site;
	double total = 0;

	cJSON_ArrayForEach(site, json_child(answer, "sites"))
	{
		double share = stack_value_of(site, value);

		if (share <= 0)
			continue;
		cJSON_AddItemToArray(samples, make_sample(list, site));
		cJSON_AddItemToArray(weights, cJSON_CreateNumber(share));
		total += share;
	}
	cJSON_AddStringToObject(profile, "type", "sampled");
	cJSON_AddStringToObject(profile, "name", stack_value_title(value));
	cJSON_AddStringToObject(profile, "unit", value == STACK_VALUE_OBJECTS ? "none" : "bytes");
	cJSON_AddNumberToObject(profile, "startValue", 0);
	cJSON_AddNumberToObject(profile, "endValue", total);
	cJSON_AddItemToObject(profile, "samples", samples);
	cJSON_AddItemToObject(profile, "weights", weights);
	return profile;
}

void export_speedscope(FILE *out, const cJSON *answer, enum stack_value value)
{
	struct frame_list list = {.frames = cJSON_CreateArray()};
	cJSON *root = cJSON_CreateObject(), *shared, *profiles;
	char *name = text_format("%s (pid %.0f)", json_string_or(answer, "comm", "?"),
				 json_number(answer, "pid"));
	char *text;

	cJSON_AddStringToObject(root, "$schema",
				"https://www.speedscope.app/file-format-schema.json");
	cJSON_AddStringToObject(root, "exporter", "memwatch " MEMWATCH_VERSION);
	cJSON_AddStringToObject(root, "name", name);
	cJSON_AddNumberToObject(root, "activeProfileIndex", 0);
	profiles = cJSON_AddArrayToObject(root, "profiles");
	cJSON_AddItemToArray(profiles, make_profile(&list, answer, value));
	shared = cJSON_AddObjectToObject(root, "shared");
	cJSON_AddItemToObject(shared, "frames", list.frames);
	text = cJSON_PrintUnformatted(root);
	if (!text)
		text_fail_out_of_memory();
	fprintf(out, "%s\n", text);
	cJSON_free(text);
	cJSON_Delete(root);
	tdestroy(list.by_key, free_shared);
	free(name);
}
