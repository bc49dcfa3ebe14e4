/* SPDX-License-Identifier: Apache-2.0 */
#include "sites.h"

#include "json.h"
#include "loss.h"
#include "number.h"
#include "stack.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define SITES_TEXT_COLUMN 15 /* after the labels of the account */
#define SITES_INDENT      4

/* "117 MiB ± 1.20 MiB", or without the error when there is none. To free. */
static char *sites_outstanding(const cJSON *object)
{
	double bytes = json_number(object, "outstanding_bytes");
	double error = json_number(object, "outstanding_bytes_stderr");

	if (error < 0.5)
		return text_format("%s", number_bytes(bytes).text);
	return text_format("%s %s %s", number_bytes(bytes).text, text_plus_minus(),
			   number_bytes(error).text);
}

/* "1 object", "117 objects"; mappings are counted as what they are. To free. */
static char *sites_objects(const cJSON *object)
{
	bool is_mapping = strcmp(json_string_or(object, "kind", "block"), "mapping") == 0;
	struct number_text count = number_count(json_number(object, "outstanding_objects"));
	const char *plural = strcmp(count.text, "1") == 0 ? "" : "s";

	if (json_is_true(object, "is_python_arena"))
		return text_format("%s arena%s of Python's small objects", count.text, plural);
	return text_format("%s %s%s", count.text, is_mapping ? "mapping" : "object", plural);
}

static void sites_show_sampling(const struct render *render, const cJSON *answer)
{
	double interval = json_number(answer, "sampling_interval_bytes");
	struct number_text share = number_share(json_number(answer, "overhead_share"));
	double asked = json_number(answer, "sampling_interval_asked_bytes");
	char *how;

	if (!json_has_number(answer, "sampling_interval_bytes"))
		how = text_format("by the process itself (%s): sizes, weights and errors are its "
				  "word",
				  json_string_or(answer, "provider", "?"));
	else if (interval <= 1)
		how = text_format("none, every allocation counts");
	else if (asked > 0 && asked < interval)
		how = text_format("one sample every %s, raised from %s",
				  number_bytes(interval).text, number_bytes(asked).text);
	else
		how = text_format("one sample every %s", number_bytes(interval).text);

	if (json_has_number(answer, "overhead_share"))
		render_labelled(render, RENDER_PLAIN, "  sampling", SITES_TEXT_COLUMN,
				"%s; the probes cost %s of a CPU", how, share.text);
	else
		render_labelled(render, RENDER_PLAIN, "  sampling", SITES_TEXT_COLUMN,
				"%s; what the probes cost is not known", how);
	free(how);
}

static void sites_show_completeness(const struct render *render, const cJSON *answer)
{
	const char *reason = json_string(answer, "incomplete_reason");

	if (json_is_true(answer, "complete")) {
		render_labelled(render, RENDER_PLAIN, "  account", SITES_TEXT_COLUMN, "complete");
	} else if (reason) {
		render_labelled(render, RENDER_ALARM, "  account", SITES_TEXT_COLUMN,
				"INCOMPLETE: %s", reason);
	} else {
		render_labelled(render, RENDER_ALARM, "  account", SITES_TEXT_COLUMN, "INCOMPLETE");
		loss_show(render, SITES_TEXT_COLUMN, json_child(answer, "losses"));
	}
}

static void sites_show_pending(const struct render *render, const cJSON *answer)
{
	double pending = json_number(answer, "pending_frames");

	if (pending > 0)
		render_labelled(render, RENDER_WARNING, "  names", SITES_TEXT_COLUMN,
				"of %s frames they are still being looked up: ask again",
				number_count(pending).text);
}

static void sites_show_python(const struct render *render, const cJSON *answer)
{
	const cJSON *python = json_child(answer, "python");
	const char *version = json_string(python, "version");
	const char *refusal = json_string(python, "refusal");
	double taken = json_number(python, "stacks_taken");
	double lacking = taken - json_number(python, "stacks_to_root");

	if (refusal)
		render_labelled(render, RENDER_WARNING, "  python", SITES_TEXT_COLUMN,
				"its functions are not told: %s", refusal);
	else if (version && lacking > 0)
		render_labelled(render, RENDER_WARNING, "  python", SITES_TEXT_COLUMN,
				"%s; %s of %s stacks lack some of its functions", version,
				number_count(lacking).text, number_count(taken).text);
	else if (version)
		render_labelled(render, RENDER_PLAIN, "  python", SITES_TEXT_COLUMN, "%s", version);
}

void sites_show_account(const struct render *render, const cJSON *answer)
{
	double sites_total = json_number(answer, "sites_total");
	struct number_text observed = number_seconds(json_number(answer, "observed_seconds"));
	char *outstanding = sites_outstanding(answer);
	char *objects = sites_objects(answer);

	if (json_is_true(answer, "ended"))
		render_labelled(render, RENDER_WARNING, "  observed", SITES_TEXT_COLUMN,
				"%s; the watch has ended: %s", observed.text,
				json_string_or(answer, "end_reason", "no reason given"));
	else
		render_labelled(render, RENDER_PLAIN, "  observed", SITES_TEXT_COLUMN, "%s",
				observed.text);
	render_labelled(render, RENDER_PLAIN, "  outstanding", SITES_TEXT_COLUMN,
			"%s in %s at %s site%s", outstanding, objects,
			number_count(sites_total).text, sites_total == 1 ? "" : "s");
	sites_show_sampling(render, answer);
	sites_show_python(render, answer);
	sites_show_completeness(render, answer);
	sites_show_pending(render, answer);
	free(outstanding);
	free(objects);
}

static enum render_style sites_verdict_style(const char *verdict)
{
	if (strcmp(verdict, "leak") == 0)
		return RENDER_ALARM;
	if (strcmp(verdict, "growing") == 0)
		return RENDER_WARNING;
	return RENDER_BOLD;
}

/* "LEAK     117 MiB  +20.0 MiB/s  117 objects  oldest 30 s" */
static void sites_show_verdict(const struct render *render, const cJSON *site)
{
	const char *verdict = json_string(site, "verdict");
	char *capitals = text_format("%-7s", verdict);
	char *outstanding = sites_outstanding(site);
	char *objects = sites_objects(site);

	for (char *letter = capitals; *letter; letter++) {
		if (*letter >= 'a' && *letter <= 'z')
			*letter -= 'a' - 'A';
	}
	render_text(render, sites_verdict_style(verdict), "%s  %s  %s", capitals, outstanding,
		    number_rate(json_number(site, "growth_bytes_per_second")).text);
	render_text(render, RENDER_PLAIN, "  %s  oldest %s", objects,
		    number_seconds(json_number(site, "oldest_age_seconds")).text);
	free(capitals);
	free(outstanding);
	free(objects);
}

/* "117 MiB in 117 objects; allocated 3.20 GiB, freed 3.09 GiB" */
static void sites_show_counters(const struct render *render, const cJSON *site)
{
	char *outstanding = sites_outstanding(site);
	char *objects = sites_objects(site);

	render_text(render, RENDER_BOLD, "%s in %s", outstanding, objects);
	render_text(render, RENDER_PLAIN, "; allocated %s, freed %s",
		    number_bytes(json_number(site, "allocated_bytes")).text,
		    number_bytes(json_number(site, "freed_bytes")).text);
	free(outstanding);
	free(objects);
}

/* "+117 MiB ± 1.20 MiB resident; grown 120 MiB, shrunk 3.00 MiB" */
static void sites_show_resident(const struct render *render, const cJSON *site)
{
	double growth = json_number(site, "rss_growth_bytes");

	render_text(render, RENDER_BOLD, "%s%s %s %s resident", growth < 0 ? "-" : "+",
		    number_bytes(growth < 0 ? -growth : growth).text, text_plus_minus(),
		    number_bytes(json_number(site, "rss_growth_bytes_stderr")).text);
	render_text(render, RENDER_PLAIN, "; grown %s, shrunk %s",
		    number_bytes(json_number(site, "rss_grown_bytes")).text,
		    number_bytes(json_number(site, "rss_shrunk_bytes")).text);
}

/* fold: NULL to show its stack whole. */
static void sites_show_one(const struct render *render, const cJSON *site, size_t number,
			   struct stack_fold *fold)
{
	const cJSON *python = stack_python_frame(site);

	render_end_line(render);
	render_text(render, RENDER_PLAIN, "%2zu  ", number);
	if (json_string(site, "verdict"))
		sites_show_verdict(render, site);
	else if (strcmp(json_string_or(site, "kind", "block"), "resident") == 0)
		sites_show_resident(render, site);
	else
		sites_show_counters(render, site);
	render_end_line(render);
	/* Where a Python programmer looks first; the stack says how it came to that. */
	if (python)
		stack_show_python_line(render, python, SITES_INDENT);
	if (json_string(site, "reason"))
		render_paragraph(render, RENDER_PLAIN, SITES_INDENT, "%s",
				 json_string(site, "reason"));
	if (fold)
		stack_show_folded(render, site, fold, number);
	else
		stack_show(render, site);
}

static void sites_show_left_out(const struct render *render, size_t count, size_t shown,
				double bytes)
{
	render_end_line(render);
	render_paragraph(render, RENDER_PLAIN, 0, "%s more site%s hold%s %s: --top %zu shows all",
			 number_count((double)(count - shown)).text, count - shown == 1 ? "" : "s",
			 count - shown == 1 ? "s" : "", number_bytes(bytes).text, count);
}

void sites_show(const struct render *render, const cJSON *answer, const struct sites_view *view)
{
	struct stack_fold *fold = view->stacks_whole ? NULL : stack_fold_new();
	double left_out_bytes = 0;
	size_t count = 0, shown = 0;
	const cJSON *site;

	cJSON_ArrayForEach(site, json_child(answer, "sites"))
	{
		count++;
		if (view->top > 0 && count > view->top) {
			left_out_bytes += json_number(site, "outstanding_bytes");
			continue;
		}
		shown++;
		sites_show_one(render, site, shown, fold);
	}
	if (shown < count)
		sites_show_left_out(render, count, shown, left_out_bytes);
	stack_fold_free(fold);
}
