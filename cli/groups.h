/* SPDX-License-Identifier: Apache-2.0 */
/* The sites of an answer, or of a snapshot, summed up by line, file, function, traceback or module.
 */
#ifndef MEMWATCH_CLI_GROUPS_H
#define MEMWATCH_CLI_GROUPS_H

#include "options.h"

#include "view/line_groups.h"

#include <cjson/cJSON.h>

/* How sites are grouped, where a command may say so. */
#define OPTION_GROUP_BY                                                                 \
	{                                                                               \
		.name = "--group-by", .value_name = "WHAT", .kind = OPTION_CHOICE,      \
		.choices = line_group_by_names, .string = line_group_by_names[0],       \
		.help = "sum up by line (default), file, function, traceback or module" \
	}
#define OPTION_FILE_PATTERN                                                           \
	{                                                                             \
		.name = "--file", .value_name = "PATTERN", .kind = OPTION_STRING,     \
		.help = "only lines of such files: * stands for any text; without a " \
			"slash, a file's name alone"                                  \
	}
#define OPTION_FUNCTION_NAME                                                       \
	{                                                                          \
		.name = "--function", .value_name = "NAME", .kind = OPTION_STRING, \
		.help = "only lines of functions of that name"                     \
	}

#define OPTION_CUMULATIVE                                                                   \
	{                                                                                   \
		.name = "--cumulative", .help = "count for each line what it calls as well" \
	}

/* Of that name, which is one of them. */
enum line_group_by groups_find_by(const char *name);

struct groups {
	struct line_groups *lines;
	struct answer_frame **frames; /* of each site */
	size_t site_count;
};

/* Native stacks are grouped by their native frames. The answer is borrowed until it is freed. */
struct groups *groups_new(const cJSON *answer, enum line_group_by group_by, const char *file,
			  const char *function);
void groups_free(struct groups *groups);

/* What a group is called, in one line; of a traceback its innermost frame. To free. */
char *groups_name(const struct line_group *group, enum line_group_by group_by);

#endif
