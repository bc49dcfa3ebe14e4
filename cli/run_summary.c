/* SPDX-License-Identifier: Apache-2.0 */
#include "run_summary.h"

#include "json.h"
#include "number.h"
#include "render.h"
#include "sites.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SUMMARY_SITES       3
#define SUMMARY_TEXT_COLUMN 15
/* The daemon hears of the exit before we do, unless its buffer was full: then within a second. */
#define SUMMARY_TRIES   40
#define SUMMARY_POLL_NS 50000000L

static int fetch_sorted(struct client *client, pid_t pid, const char *sort,
			struct client_answer *answer, struct client_error *error)
{
	char *path = text_format("/api/v1/processes/%d/stacks?sort=%s&top=%d", (int)pid, sort,
				 SUMMARY_SITES);
	int rc = client_request(client, CLIENT_GET, path, answer, error);

	free(path);
	return rc;
}

void run_account_fetch(struct run_account *account, struct client *client, pid_t pid)
{
	const struct timespec pause = {.tv_nsec = SUMMARY_POLL_NS};

	*account = (struct run_account){0};
	for (int i = 0; i < SUMMARY_TRIES; i++) {
		client_answer_release(&account->by_outstanding);
		if (fetch_sorted(client, pid, "outstanding", &account->by_outstanding,
				 &account->error))
			return;
		if (json_is_true(account->by_outstanding.json, "ended"))
			break;
		nanosleep(&pause, NULL);
	}
	if (fetch_sorted(client, pid, "allocated", &account->by_allocated, &account->error))
		client_answer_release(&account->by_outstanding);
}

void run_account_release(struct run_account *account)
{
	client_answer_release(&account->by_outstanding);
	client_answer_release(&account->by_allocated);
}

static void show_end(const struct render *render, const struct run_end *end)
{
	if (end->is_killed)
		render_text(render, RENDER_BOLD,
			    "%s (pid %d) was killed by signal %d (%s) after %s", end->name,
			    (int)end->pid, end->status, strsignal(end->status),
			    number_seconds(end->seconds).text);
	else
		render_text(render, RENDER_BOLD, "%s (pid %d) ended with exit status %d after %s",
			    end->name, (int)end->pid, end->status,
			    number_seconds(end->seconds).text);
	render_end_line(render);
	render_labelled(render, RENDER_PLAIN, "  peak RSS", SUMMARY_TEXT_COLUMN, "%s",
			number_bytes(end->peak_rss_bytes).text);
}

/* Its watch may have ended before it did. */
static void show_early_end(const struct render *render, const cJSON *answer)
{
	const char *reason = json_string_or(answer, "end_reason", "exited");
	const char *detail = json_string(answer, "end_detail");

	if (strcmp(reason, "exited") != 0)
		render_labelled(render, RENDER_ALARM, "  watch", SUMMARY_TEXT_COLUMN,
				"ENDED BEFORE THE PROGRAM: %s%s%s", reason, detail ? ": " : "",
				detail ? detail : "");
}

static void show_sites(const struct render *render, const char *title, const cJSON *answer)
{
	const struct sites_view view = {0};

	if (!cJSON_GetArraySize(json_child(answer, "sites")))
		return;
	render_end_line(render);
	render_paragraph(render, RENDER_PLAIN, 0, "%s", title);
	sites_show(render, answer, &view);
}

void run_summary_show(const struct run_end *end, const struct run_account *account)
{
	struct render render = render_open(stderr);

	show_end(&render, end);
	if (!account) {
		render_labelled(&render, RENDER_ALARM, "  account", SUMMARY_TEXT_COLUMN,
				"none: it was not watched");
		return;
	}
	if (!account->by_outstanding.json) {
		render_labelled(&render, RENDER_ALARM, "  account", SUMMARY_TEXT_COLUMN,
				"could not be had: %s", account->error.message);
		return;
	}
	show_early_end(&render, account->by_outstanding.json);
	sites_show_account(&render, account->by_outstanding.json);
	show_sites(&render,
		   "Largest by outstanding bytes at the end:", account->by_outstanding.json);
	show_sites(&render, "Largest by allocated bytes:", account->by_allocated.json);
}

void run_summary_show_json(const struct run_end *end, const struct run_account *account)
{
	cJSON *summary = cJSON_CreateObject();
	bool is_known = account && account->by_outstanding.json;
	char *text;

	cJSON_AddNumberToObject(summary, "pid", end->pid);
	cJSON_AddStringToObject(summary, "command", end->name);
	cJSON_AddItemToObject(summary, "exit_status",
			      end->is_killed ? cJSON_CreateNull()
					     : cJSON_CreateNumber(end->status));
	cJSON_AddItemToObject(summary, "signal",
			      end->is_killed ? cJSON_CreateNumber(end->status)
					     : cJSON_CreateNull());
	cJSON_AddNumberToObject(summary, "seconds", end->seconds);
	cJSON_AddNumberToObject(summary, "peak_rss_bytes", end->peak_rss_bytes);
	cJSON_AddItemToObject(summary, "account",
			      is_known ? cJSON_Duplicate(account->by_outstanding.json, true)
				       : cJSON_CreateNull());
	cJSON_AddItemToObject(
		summary, "sites_by_allocated",
		is_known ? cJSON_Duplicate(json_child(account->by_allocated.json, "sites"), true)
			 : cJSON_CreateNull());
	text = cJSON_PrintUnformatted(summary);
	if (!text)
		text_fail_out_of_memory();
	render_json_to(stderr, text);
	cJSON_free(text);
	cJSON_Delete(summary);
}
