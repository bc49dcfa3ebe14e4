/* SPDX-License-Identifier: Apache-2.0 */
#include "loss.h"

#include "json.h"
#include "number.h"

#include <string.h>

static const struct {
	const char *name;
	const char *meaning;
} loss_meanings[] = {
	{"map_full", "blocks not counted: the table of blocks is full (raise blocks_max or the "
		     "sampling interval)"},
	{"share_full", "blocks not counted: this process has used up its share of the table of "
		       "blocks (raise blocks_max or the sampling interval)"},
	{"error", "blocks not counted: their size or address could not be read"},
	{"sites", "blocks counted without their stack: the table of sites is full (raise "
		  "sites_max)"},
	{"stacks", "stacks that could not be taken"},
	{"truncated_stacks", "stacks cut: deeper than what is recorded"},
	{"mapping_events", "times that mappings had to be read anew: the ring buffer was full "
			   "(raise ring_buffer)"},
};

static const char *loss_meaning(const char *name)
{
	for (size_t i = 0; i < sizeof(loss_meanings) / sizeof(loss_meanings[0]); i++) {
		if (strcmp(name, loss_meanings[i].name) == 0)
			return loss_meanings[i].meaning;
	}
	return name;
}

void loss_show(const struct render *render, size_t indent, const cJSON *losses)
{
	const cJSON *loss;

	cJSON_ArrayForEach(loss, losses)
	{
		if (cJSON_IsNumber(loss) && loss->string && loss->valuedouble > 0)
			render_paragraph(render, RENDER_WARNING, indent, "%s %s",
					 number_count(loss->valuedouble).text,
					 loss_meaning(loss->string));
	}
}

double loss_total(const cJSON *losses)
{
	double total = 0;
	const cJSON *loss;

	cJSON_ArrayForEach(loss, losses)
	{
		if (cJSON_IsNumber(loss))
			total += loss->valuedouble;
	}
	return total;
}
