/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "json.h"
#include "number.h"
#include "render.h"
#include "sites.h"
#include "table.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>

#define OOM_TEXT_COLUMN 16

enum { OOM_FULL, OOM_OPTIONS };

static const struct table_column oom_columns[] = {
	{.title = "ID", .is_right_aligned = true},  {.title = "TIME"},
	{.title = "PID", .is_right_aligned = true}, {.title = "COMM", .gives_way = true},
	{.title = "RSS", .is_right_aligned = true}, {.title = "WATCHED"},
	{.title = "CGROUP", .gives_way = true},
};

static const char *oom_rss(const cJSON *oom, struct number_text *text)
{
	if (!json_has_number(oom, "rss_bytes"))
		return "?";
	*text = number_bytes(json_number(oom, "rss_bytes"));
	return text->text;
}

static void oom_add(struct table *table, const cJSON *oom)
{
	char *id = text_format("%.0f", json_number(oom, "id"));
	char *pid = text_format("%.0f", json_number(oom, "pid"));
	struct number_text rss;

	table_add(table, RENDER_PLAIN, id);
	table_add(table, RENDER_PLAIN, json_string_or(oom, "time", "?"));
	table_add(table, RENDER_PLAIN, pid);
	table_add(table, RENDER_PLAIN, json_string_or(oom, "comm", "?"));
	table_add(table, RENDER_PLAIN, oom_rss(oom, &rss));
	table_add(table, RENDER_PLAIN, json_is_true(oom, "was_target") ? "yes" : "no");
	table_add(table, RENDER_PLAIN, json_string_or(oom, "cgroup", ""));
	free(id);
	free(pid);
}

static void oom_show_list(const cJSON *answer)
{
	struct render render = render_open(stdout);
	const cJSON *ooms = json_child(answer, "ooms");
	double total = json_number(answer, "oom_kills_total");
	struct table *table;
	const cJSON *oom;

	if (cJSON_GetArraySize(ooms) == 0) {
		render_paragraph(&render, RENDER_PLAIN, 0, "no OOM kill since memwatchd started");
		return;
	}
	table = table_new(oom_columns, sizeof(oom_columns) / sizeof(oom_columns[0]));
	cJSON_ArrayForEach(oom, ooms)
	{
		oom_add(table, oom);
	}
	table_finish(table, &render);
	render_end_line(&render);
	render_paragraph(&render, RENDER_PLAIN, 0,
			 "%s in all since memwatchd started; memwatchctl oom ID shows one in full",
			 number_count(total).text);
}

static void oom_show_size(const struct render *render, const cJSON *oom, const char *label,
			  const char *name)
{
	struct number_text bytes = number_bytes(json_number(oom, name));

	render_labelled(render, RENDER_PLAIN, label, OOM_TEXT_COLUMN, "%s",
			json_has_number(oom, name) ? bytes.text : "this kernel doesn't say");
}

static void oom_show_victim(const struct render *render, const cJSON *oom)
{
	render_paragraph(render, RENDER_ALARM, 0, "%s (pid %.0f) was killed for want of memory",
			 json_string_or(oom, "comm", "?"), json_number(oom, "pid"));
	render_labelled(render, RENDER_PLAIN, "  time", OOM_TEXT_COLUMN, "%s",
			json_string_or(oom, "time", "?"));
	render_labelled(render, RENDER_PLAIN, "  uid", OOM_TEXT_COLUMN, "%.0f",
			json_number(oom, "uid"));
	render_labelled(render, RENDER_PLAIN, "  cgroup", OOM_TEXT_COLUMN, "%s",
			json_string_or(oom, "cgroup", "?"));
	oom_show_size(render, oom, "  resident", "rss_bytes");
	oom_show_size(render, oom, "    anonymous", "rss_anon_bytes");
	oom_show_size(render, oom, "    of files", "rss_file_bytes");
	oom_show_size(render, oom, "    shared", "rss_shmem_bytes");
	oom_show_size(render, oom, "  swapped", "swap_bytes");
	oom_show_size(render, oom, "  page tables", "page_tables_bytes");
	oom_show_size(render, oom, "  mapped", "total_vm_bytes");
	render_labelled(render, RENDER_PLAIN, "  score adjust", OOM_TEXT_COLUMN, "%.0f",
			json_number(oom, "oom_score_adj"));
	render_end_line(render);
}

static void oom_show_one(const cJSON *oom, const struct sites_view *view)
{
	struct render render = render_open(stdout);
	const cJSON *held = json_child(oom, "held");

	oom_show_victim(&render, oom);
	if (!held) {
		render_paragraph(&render, RENDER_PLAIN, 0,
				 "It was not watched: which code held its memory is not known.");
		return;
	}
	render_paragraph(&render, RENDER_BOLD, 0,
			 "It was watched. What it held when it was chosen:");
	sites_show_account(&render, held);
	sites_show(&render, held, view);
}

int oom_main(struct options_global *global, int argc, char **argv)
{
	struct option id = {.name = "ID",
			    .kind = OPTION_COUNT,
			    .minimum = 1,
			    .maximum = UINT32_MAX,
			    .help = "this one in full, with what it held if it was watched"};
	struct option options[OOM_OPTIONS] = {[OOM_FULL] = OPTION_WHOLE_STACKS};
	struct options_line line = {
		.command = "oom",
		.description = "Lists OOM kills, newest first.",
		.options = options,
		.option_count = OOM_OPTIONS,
		.operands = &id,
		.operand_count = 1,
	};
	struct sites_view view = {0};
	int exit_code;
	char *path;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	if (!id.is_set)
		return command_ask(global, CLIENT_GET, "/api/v1/ooms", oom_show_list);
	path = text_format("/api/v1/ooms/%" PRIu64, id.count);
	view.stacks_whole = options[OOM_FULL].is_set;
	exit_code = command_ask_sites(global, path, oom_show_one, &view);
	free(path);
	return exit_code;
}
