/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "group_report.h"
#include "observed.h"
#include "render.h"
#include "snapshot_file.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DIFF_TOP_DEFAULT 20

enum {
	DIFF_PID,
	DIFF_FOR,
	DIFF_GROUP_BY,
	DIFF_FILE,
	DIFF_FUNCTION,
	DIFF_CUMULATIVE,
	DIFF_SORT,
	DIFF_TOP,
	DIFF_INTERVAL,
	DIFF_EXACT,
	DIFF_BUDGET,
	DIFF_FORCE,
	DIFF_OPTIONS
};

static void diff_show(const struct options_global *global, const struct option *options,
		      const cJSON *before, const cJSON *after)
{
	struct group_report_options report_options = {
		.group_by = groups_find_by(options[DIFF_GROUP_BY].string),
		.file = options[DIFF_FILE].string,
		.function = options[DIFF_FUNCTION].string,
		.sort = group_sort_find(options[DIFF_SORT].string),
		.is_cumulative = options[DIFF_CUMULATIVE].is_set,
		.top = options_is_json(global) && !options[DIFF_TOP].is_set
			       ? 0
			       : options[DIFF_TOP].count,
	};
	struct group_report *report;

	report = group_report_new(before, after, &report_options);
	if (options_is_json(global))
		group_report_show_json(report);
	else
		group_report_show(report);
	group_report_free(report);
}

static int diff_files(const struct options_global *global, const struct option *options,
		      const struct option *files)
{
	struct snapshot before, after;

	if (snapshot_read(files[0].string, &before))
		return COMMAND_EXIT_USAGE;
	if (snapshot_read(files[1].string, &after)) {
		snapshot_release(&before);
		return COMMAND_EXIT_USAGE;
	}
	diff_show(global, options, before.account, after.account);
	snapshot_release(&before);
	snapshot_release(&after);
	return COMMAND_EXIT_FINE;
}

static int diff_process(const struct options_global *global, const struct option *options,
			const struct observed_options *observed)
{
	char *path =
		text_format("/api/v1/processes/%" PRIu64 "/stacks?top=0", options[DIFF_PID].count);
	struct client_answer before = {0}, after = {0};
	int exit = observed_ask(global, observed, path, &before, &after);

	free(path);
	if (before.json && after.json)
		diff_show(global, options, before.json, after.json);
	exit = observed_conclude(observed, exit, &after);
	client_answer_release(&before);
	client_answer_release(&after);
	return exit;
}

static bool diff_check_files(const struct option *options, const struct option *files)
{
	static const int not_theirs[] = {DIFF_FOR, DIFF_INTERVAL, DIFF_EXACT, DIFF_BUDGET,
					 DIFF_FORCE};

	if (options[DIFF_PID].is_set == files[0].is_set || (files[0].is_set && !files[1].is_set)) {
		render_complain("diff: give either two snapshots, or --pid (see memwatchctl diff "
				"--help)");
		return false;
	}
	for (size_t i = 0; files[0].is_set && i < sizeof(not_theirs) / sizeof(not_theirs[0]); i++) {
		if (options[not_theirs[i]].is_set) {
			render_complain("diff: snapshots observe nothing, so %s has no place there",
					options[not_theirs[i]].name);
			return false;
		}
	}
	return true;
}

static bool diff_check(const struct observed_options *observed)
{
	if (observed->seconds->seconds > 0)
		return observed_check(observed);
	render_complain("diff: --for 0 observes nothing: there would be nothing to compare");
	return false;
}

int diff_main(struct options_global *global, int argc, char **argv)
{
	static const char *const sorts[] = {"change", "outstanding", "objects", "allocated", NULL};
	struct option files[] = {
		{.name = "BEFORE",
		 .value_name = "FILE",
		 .kind = OPTION_STRING,
		 .help = "a snapshot, see memwatchctl snapshot"},
		{.name = "AFTER",
		 .value_name = "FILE",
		 .kind = OPTION_STRING,
		 .help = "a later one, compared with it"},
	};
	struct option options[DIFF_OPTIONS] = {
		[DIFF_PID] = OPTION_PID("the process"),
		[DIFF_FOR] = {.name = "--for",
			      .value_name = "SECONDS",
			      .kind = OPTION_SECONDS,
			      .maximum = OBSERVED_SECONDS_MAX,
			      .seconds = OBSERVED_SECONDS_DEFAULT,
			      .help = "compare now with so long from now (default 30)"},
		[DIFF_GROUP_BY] = OPTION_GROUP_BY,
		[DIFF_FILE] = OPTION_FILE_PATTERN,
		[DIFF_FUNCTION] = OPTION_FUNCTION_NAME,
		[DIFF_CUMULATIVE] = OPTION_CUMULATIVE,
		[DIFF_SORT] = {.name = "--sort",
			       .value_name = "KEY",
			       .kind = OPTION_CHOICE,
			       .choices = sorts,
			       .string = sorts[0],
			       .help = "largest first by change of outstanding bytes (default), "
				       "outstanding bytes, or change of objects or of allocated "
				       "bytes"},
		[DIFF_TOP] = {.name = "--top",
			      .value_name = "K",
			      .kind = OPTION_COUNT,
			      .maximum = COMMAND_TOP_MAX,
			      .count = DIFF_TOP_DEFAULT,
			      .help = "show the first K (default 20, all with --json); 0: all"},
		[DIFF_INTERVAL] = OPTION_INTERVAL,
		[DIFF_EXACT] = OPTION_EXACT,
		[DIFF_BUDGET] = OPTION_BUDGET,
		[DIFF_FORCE] = OPTION_FORCE,
	};
	struct options_line line = {
		.command = "diff",
		.description =
			"Says what changed between two snapshots, or while a process is observed.",
		.options = options,
		.option_count = DIFF_OPTIONS,
		.operands = files,
		.operand_count = 2,
	};
	const struct observed_options observed = {
		.command = "diff",
		.pid = &options[DIFF_PID],
		.seconds = &options[DIFF_FOR],
		.interval = &options[DIFF_INTERVAL],
		.exact = &options[DIFF_EXACT],
		.budget = &options[DIFF_BUDGET],
		.force = &options[DIFF_FORCE],
	};
	int exit_code;

	options[DIFF_PID].is_required = false;
	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	if (!diff_check_files(options, files))
		return COMMAND_EXIT_USAGE;
	if (files[0].is_set)
		return diff_files(global, options, files);
	if (!diff_check(&observed))
		return COMMAND_EXIT_USAGE;
	return diff_process(global, options, &observed);
}
