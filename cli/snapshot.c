/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "group_report.h"
#include "json.h"
#include "number.h"
#include "output_file.h"
#include "render.h"
#include "snapshot_file.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOT_TOP_DEFAULT 20

enum {
	SNAPSHOT_PID,
	SNAPSHOT_OUTPUT,
	SNAPSHOT_GROUP_BY,
	SNAPSHOT_FILE,
	SNAPSHOT_FUNCTION,
	SNAPSHOT_CUMULATIVE,
	SNAPSHOT_SORT,
	SNAPSHOT_TOP,
	SNAPSHOT_OPTIONS
};

static int snapshot_save(const char *path, const struct client_answer *answer)
{
	struct output_file file;
	int rc;

	if (output_file_open(&file, path))
		return COMMAND_EXIT_NO;
	rc = snapshot_write(file.stream, answer->body, time(NULL));
	if (rc != 0) {
		output_file_discard(&file, rc);
		return COMMAND_EXIT_NO;
	}
	if (output_file_close(&file))
		return COMMAND_EXIT_NO;
	/* Data go to stdout, and this is none. */
	render_complain("%s: %s in %s objects, of %s stacks", path,
			number_bytes(json_number(answer->json, "outstanding_bytes")).text,
			number_count(json_number(answer->json, "outstanding_objects")).text,
			number_count(json_number(answer->json, "sites_total")).text);
	return COMMAND_EXIT_FINE;
}

static void snapshot_show(const struct options_global *global, const struct option *options,
			  const cJSON *account)
{
	struct group_report_options report_options = {
		.group_by = groups_find_by(options[SNAPSHOT_GROUP_BY].string),
		.file = options[SNAPSHOT_FILE].string,
		.function = options[SNAPSHOT_FUNCTION].string,
		.sort = group_sort_find(options[SNAPSHOT_SORT].string),
		.is_cumulative = options[SNAPSHOT_CUMULATIVE].is_set,
		.top = options_is_json(global) && !options[SNAPSHOT_TOP].is_set
			       ? 0
			       : options[SNAPSHOT_TOP].count,
	};
	struct group_report *report;

	report = group_report_new(NULL, account, &report_options);
	if (options_is_json(global))
		group_report_show_json(report);
	else
		group_report_show(report);
	group_report_free(report);
}

static int snapshot_take(const struct options_global *global, const struct option *options)
{
	char *path = text_format("/api/v1/processes/%" PRIu64 "/stacks?top=0",
				 options[SNAPSHOT_PID].count);
	struct client_answer answer;
	int exit = command_fetch(global, CLIENT_GET, path, &answer);

	free(path);
	if (exit != COMMAND_EXIT_FINE)
		return exit;
	if (options[SNAPSHOT_OUTPUT].is_set)
		exit = snapshot_save(options[SNAPSHOT_OUTPUT].string, &answer);
	else
		snapshot_show(global, options, answer.json);
	client_answer_release(&answer);
	return exit;
}

static int snapshot_show_file(const struct options_global *global, const struct option *options,
			      const char *path)
{
	struct snapshot snapshot;

	if (snapshot_read(path, &snapshot))
		return COMMAND_EXIT_USAGE;
	snapshot_show(global, options, snapshot.account);
	snapshot_release(&snapshot);
	return COMMAND_EXIT_FINE;
}

static bool snapshot_check(const struct options_global *global, const struct option *options,
			   const struct option *file)
{
	bool is_saved = options[SNAPSHOT_OUTPUT].is_set;

	if (options[SNAPSHOT_PID].is_set == file->is_set) {
		render_complain("snapshot: give either --pid, or a FILE that was written with -o "
				"(see memwatchctl snapshot --help)");
		return false;
	}
	if (is_saved && file->is_set) {
		render_complain("snapshot: -o has no place where a FILE is shown");
		return false;
	}
	for (int i = SNAPSHOT_GROUP_BY; is_saved && i < SNAPSHOT_OPTIONS; i++) {
		if (options[i].is_set || options_is_json(global)) {
			render_complain("snapshot: -o writes all that is known: %s has no place "
					"there, but where the file is shown",
					options[i].is_set ? options[i].name : "--json");
			return false;
		}
	}
	return true;
}

int snapshot_main(struct options_global *global, int argc, char **argv)
{
	static const char *const sorts[] = {"outstanding", "objects", "allocated", NULL};
	struct option file = {.name = "FILE",
			      .value_name = "FILE",
			      .kind = OPTION_STRING,
			      .help = "show this snapshot instead"};
	struct option options[SNAPSHOT_OPTIONS] = {
		[SNAPSHOT_PID] = OPTION_PID("the process; it is watched"),
		[SNAPSHOT_OUTPUT] = {.name = "-o",
				     .value_name = "FILE",
				     .kind = OPTION_STRING,
				     .help = "write it there, for diff; else it is shown"},
		[SNAPSHOT_GROUP_BY] = OPTION_GROUP_BY,
		[SNAPSHOT_FILE] = OPTION_FILE_PATTERN,
		[SNAPSHOT_FUNCTION] = OPTION_FUNCTION_NAME,
		[SNAPSHOT_CUMULATIVE] = OPTION_CUMULATIVE,
		[SNAPSHOT_SORT] = {.name = "--sort",
				   .value_name = "KEY",
				   .kind = OPTION_CHOICE,
				   .choices = sorts,
				   .string = sorts[0],
				   .help = "largest first by outstanding (default) or allocated "
					   "bytes, or outstanding objects"},
		[SNAPSHOT_TOP] = {.name = "--top",
				  .value_name = "K",
				  .kind = OPTION_COUNT,
				  .maximum = COMMAND_TOP_MAX,
				  .count = SNAPSHOT_TOP_DEFAULT,
				  .help = "show the first K (default 20, all with --json); 0: all"},
	};
	struct options_line line = {
		.command = "snapshot",
		.description = "Takes a snapshot of what a watched process holds, native memory "
			       "included: into a file, or shown at once; or shows such a file.",
		.options = options,
		.option_count = SNAPSHOT_OPTIONS,
		.operands = &file,
		.operand_count = 1,
	};
	int exit_code;

	options[SNAPSHOT_PID].is_required = false;
	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	if (!snapshot_check(global, options, &file))
		return COMMAND_EXIT_USAGE;
	return file.is_set ? snapshot_show_file(global, options, file.string)
			   : snapshot_take(global, options);
}
