/* SPDX-License-Identifier: Apache-2.0 */
#include "loss.h"

#include "json.h"
#include "number.h"

#include <string.h>

struct loss {
	const char *name;
	bool is_repaired; /* noticed and made good: nothing is missing because of it */
	const char *meaning;
};

static const struct loss losses_known[] = {
	{"map_full", false,
	 "blocks not counted: the table of blocks is full (raise blocks_max or the sampling "
	 "interval)"},
	{"share_full", false,
	 "blocks not counted: their process has used up its share of the table of blocks (raise "
	 "blocks_max or the sampling interval)"},
	{"error", false, "blocks not counted: no kernel memory, or an argument could not be read"},
	{"sites_full", false,
	 "blocks counted without their stack: the table of sites, or their process's share of it, "
	 "is "
	 "full (raise sites_max)"},
	{"mapping_events", false,
	 "mappings not counted: the event buffer was full (raise ring_buffer)"},
	{"main_thread_exits", false,
	 "main thread ended while others go on: the kernel takes the probes out of such a process"},
	{"vanished_probes", false,
	 "probes that a debugger took out; they were put back within a second or two"},
	{"lifecycle_events", false,
	 "execs, exits and forks not seen: the event buffer was full (raise ring_buffer)"},
	{"oom_events", false,
	 "OOM kills not recorded: the event buffer was full (raise ring_buffer)"},
	{"invalid_samples", false,
	 "samples not counted: the process reported sizes or weights that cannot be"},
	{"missed_frees", true, "frees not seen, noticed when the address was given out again"},
	{"abandoned_calls", true, "calls of an allocator that never returned"},
	{"delayed_stacks", true, "stacks that came later than their blocks"},
	{"truncated_stacks", true, "stacks without their outermost callers: they are too deep"},
	{"pending_stacks", true,
	 "stacks taken by frame pointers, before the process's unwind tables were ready"},
	{"guessed_stacks", true,
	 "stacks that stop beyond a caller that was found by the frame pointer alone"},
	{"guessed_root_stacks", true,
	 "whole stacks in which a caller was found by the frame pointer alone"},
	{"unknown_code_stacks", true, "stacks that stop in code of no file, or mapped just then"},
	{"no_table_stacks", true,
	 "stacks that stop in code whose file says nothing about its frames"},
	{"unsupported_rule_stacks", true,
	 "stacks that stop where a frame's rule can't be followed"},
	{"unreadable_stacks", true, "stacks that stop where the stack couldn't be read"},
	{"corrupt_stacks", true, "stacks that stop where the stack holds no frame"},
	{"shortened_stacks", true,
	 "stacks cut to their innermost frames, as the table of sites is nearly full (raise "
	 "sites_max)"},
	{"python_truncated", true,
	 "stacks without their outermost Python callers: they are too deep"},
	{"python_no_thread", true, "stacks of threads that the Python interpreter doesn't know"},
	{"python_unreadable", true, "stacks that stop where a Python frame couldn't be read"},
	{"python_mismatch", true,
	 "stacks with fewer Python frames than calls of the interpreter's evaluation function"},
};

/* What is not known is taken seriously. */
static struct loss loss_find(const char *name)
{
	for (size_t i = 0; i < sizeof(losses_known) / sizeof(losses_known[0]); i++) {
		if (strcmp(name, losses_known[i].name) == 0)
			return losses_known[i];
	}
	return (struct loss){.name = name, .meaning = name};
}

void loss_show(const struct render *render, size_t indent, const cJSON *losses)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, losses)
	{
		struct loss loss;

		if (!cJSON_IsNumber(item) || !item->string || item->valuedouble <= 0)
			continue;
		loss = loss_find(item->string);
		render_paragraph(render, loss.is_repaired ? RENDER_PLAIN : RENDER_WARNING, indent,
				 "%s %s", number_count(item->valuedouble).text, loss.meaning);
	}
}

bool loss_is_any(const cJSON *losses)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, losses)
	{
		if (cJSON_IsNumber(item) && item->string && item->valuedouble > 0 &&
		    !loss_find(item->string).is_repaired)
			return true;
	}
	return false;
}
