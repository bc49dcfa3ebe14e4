/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "json.h"
#include "number.h"
#include "render.h"
#include "table.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>

/* A terminal's height. */
#define PS_TOP_DEFAULT 20

static const struct table_column ps_columns[] = {
	{.title = "PID", .is_right_aligned = true},    {.title = "RSS", .is_right_aligned = true},
	{.title = "ANON", .is_right_aligned = true},   {.title = "FILE", .is_right_aligned = true},
	{.title = "SHMEM", .is_right_aligned = true},  {.title = "SWAP", .is_right_aligned = true},
	{.title = "FAULTS", .is_right_aligned = true}, {.title = "MAJOR", .is_right_aligned = true},
	{.title = "COMM", .gives_way = true},
};

static void ps_add_bytes(struct table *table, const cJSON *process, const char *name)
{
	double bytes = json_number(process, name);

	table_add(table, RENDER_PLAIN, bytes > 0 ? number_bytes(bytes).text : "-");
}

static void ps_add(struct table *table, const cJSON *process)
{
	char *pid = json_pid_text(process);
	char *comm = text_format("%s%s", json_string_or(process, "comm", "?"),
				 json_is_true(process, "target") ? " (watched)" : "");

	table_add(table, RENDER_PLAIN, pid);
	ps_add_bytes(table, process, "rss_bytes");
	ps_add_bytes(table, process, "rss_anon_bytes");
	ps_add_bytes(table, process, "rss_file_bytes");
	ps_add_bytes(table, process, "rss_shmem_bytes");
	ps_add_bytes(table, process, "swap_bytes");
	table_add(table, RENDER_PLAIN, number_count(json_number(process, "minor_faults")).text);
	table_add(table, RENDER_PLAIN, number_count(json_number(process, "major_faults")).text);
	table_add(table, RENDER_PLAIN, comm);
	free(pid);
	free(comm);
}

static void ps_show(const cJSON *answer)
{
	struct render render = render_open(stdout);
	const cJSON *processes = json_child(answer, "processes");
	double total = json_number(answer, "processes_total");
	double left_out = total - cJSON_GetArraySize(processes);
	struct table *table = table_new(ps_columns, sizeof(ps_columns) / sizeof(ps_columns[0]));
	const cJSON *process;

	cJSON_ArrayForEach(process, processes)
	{
		ps_add(table, process);
	}
	table_finish(table, &render);
	render_end_line(&render);
	render_paragraph(&render, RENDER_PLAIN, 0,
			 "%s processes, %s resident (shared pages count in each), %s minor and %s "
			 "major faults",
			 number_count(total).text,
			 number_bytes(json_number(answer, "rss_bytes")).text,
			 number_count(json_number(answer, "minor_faults")).text,
			 number_count(json_number(answer, "major_faults")).text);
	if (left_out > 0)
		render_paragraph(&render, RENDER_DIM, 0, "%s smaller ones: --top 0 shows all",
				 number_count(left_out).text);
}

int ps_main(struct options_global *global, int argc, char **argv)
{
	struct option options[] = {
		{.name = "--top",
		 .value_name = "K",
		 .kind = OPTION_COUNT,
		 .maximum = COMMAND_TOP_MAX,
		 .count = PS_TOP_DEFAULT,
		 .help = "show the K largest (default 20, all with --json); 0: all"},
	};
	struct options_line line = {
		.command = "ps",
		.description = "Lists processes by resident memory, largest first, with their page "
			       "faults.",
		.options = options,
		.option_count = 1,
	};
	uint64_t top;
	int exit_code;
	char *path;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	top = options_is_json(global) && !options[0].is_set ? 0 : options[0].count;
	path = text_format("/api/v1/processes?top=%" PRIu64, top);
	exit_code = command_ask(global, CLIENT_GET, path, ps_show);
	free(path);
	return exit_code;
}
