/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

#include "command.h"
#include "json.h"
#include "process_tree.h"
#include "recording_file.h"
#include "render.h"
#include "text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A child is watched when it lives at its second sample: most are over before that. */
#define WATCH_LOOKS 2
/* Beyond some samples, for a daemon that is slow to answer. */
#define LEASE_SLACK_SECONDS 30.0
#define LEASE_INTERVALS     3

struct recorder {
	struct client *client;
	struct recorder_options options;
	struct process_tree tree;
	struct recording_file file;
	double began_seconds; /* on the monotonic clock */
	double due_seconds;   /* since then */
	uint32_t told_count;  /* processes with an id below it are in the file */
	bool has_complained;  /* of a daemon that doesn't answer */
};

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double interval_seconds(const struct recorder *recorder)
{
	return recorder->file.recording.interval_seconds;
}

/* Said once: a recording goes on for days. */
static void complain(struct recorder *recorder, const struct process_entry *entry,
		     const struct client_error *error)
{
	if (!recorder->has_complained)
		render_complain("what process %d holds is not recorded (its RSS is): %s",
				(int)entry->pid, error->message);
	recorder->has_complained = true;
}

/* ---- Leases */

static void take_lease(struct recorder *recorder, struct process_entry *entry)
{
	double lease_seconds = LEASE_SLACK_SECONDS + LEASE_INTERVALS * interval_seconds(recorder);
	char *renewal = entry->lease_id ? text_format("&lease_id=%" PRIu64, entry->lease_id)
					: text_format("%s", "");
	char *path = text_format("/api/v1/processes/%d/watch?lease=%.0f%s", (int)entry->pid,
				 lease_seconds, renewal);
	struct client_answer answer = {0};
	struct client_error error;

	entry->lease_end_seconds = now_seconds() + lease_seconds;
	if (client_request(recorder->client, CLIENT_PUT, path, &answer, &error) == 0)
		entry->lease_id = (uint64_t)json_number(answer.json, "lease_id");
	else if (strcmp(error.code, "no_such_process") != 0)
		complain(recorder, entry, &error);
	client_answer_release(&answer);
	free(renewal);
	free(path);
}

static void keep_leases(struct recorder *recorder)
{
	for (size_t i = 0; recorder->options.is_watching && i < recorder->tree.count; i++) {
		struct process_entry *entry = &recorder->tree.entries[i];
		double left_seconds = entry->lease_end_seconds - now_seconds();

		if (!entry->is_there)
			continue;
		if (!entry->is_watch_tried && (i == 0 || entry->looks >= WATCH_LOOKS)) {
			entry->is_watch_tried = true;
			take_lease(recorder, entry);
		} else if (entry->lease_id &&
			   left_seconds < LEASE_SLACK_SECONDS + interval_seconds(recorder)) {
			take_lease(recorder, entry);
		}
	}
}

static void give_leases_back(struct recorder *recorder)
{
	client_set_interrupt(recorder->client, NULL);
	for (size_t i = 0; i < recorder->tree.count; i++) {
		const struct process_entry *entry = &recorder->tree.entries[i];
		struct client_answer answer = {0};
		struct client_error error;
		char *path;

		if (!entry->lease_id || !entry->is_there)
			continue;
		path = text_format("/api/v1/processes/%d/watch?lease_id=%" PRIu64, (int)entry->pid,
				   entry->lease_id);
		/* Else it ends by itself. */
		client_request(recorder->client, CLIENT_DELETE, path, &answer, &error);
		client_answer_release(&answer);
		free(path);
	}
}

/* ---- Samples */

/* NAN: the kernel won't say, or there is no such process any more. */
static double read_pss(pid_t pid)
{
	char path[64], line[256];
	double kibibytes = NAN;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "re");
	while (file && isnan(kibibytes) && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "Pss:", 4) == 0)
			kibibytes = (double)strtoull(line + 4, NULL, 10);
	}
	if (file)
		fclose(file);
	return kibibytes * 1024;
}

/* The living one of that pid. NULL: it isn't watched, or there is no answer. */
static const cJSON *find_target(const cJSON *answer, pid_t pid)
{
	const cJSON *target;

	cJSON_ArrayForEach(target, json_child(answer, "targets"))
	{
		if (json_number(target, "pid") == (double)pid && !json_is_true(target, "ended"))
			return target;
	}
	return NULL;
}

static double number_or_nan(const cJSON *object, const char *name)
{
	return json_has_number(object, name) ? json_number(object, name) : NAN;
}

static void tell_of_process(struct recorder *recorder, const struct process_entry *entry,
			    double seconds)
{
	char comm[sizeof(entry->stat.comm)];
	const struct recording_process process = {.id = entry->id,
						  .pid = entry->pid,
						  .parent_pid = entry->stat.parent_pid,
						  .seconds = seconds,
						  .comm = comm};

	if (entry->id < recorder->told_count)
		return;
	memcpy(comm, entry->stat.comm, sizeof(comm));
	recording_file_put_process(&recorder->file, &process);
	recorder->told_count = entry->id + 1;
}

static void add_values(struct recorder *recorder, const cJSON *targets)
{
	double page_bytes = (double)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < recorder->tree.count; i++) {
		const struct process_entry *entry = &recorder->tree.entries[i];
		const cJSON *target = find_target(targets, entry->pid);
		const struct recording_value value = {
			.id = entry->id,
			.rss_bytes = (double)entry->stat.rss_pages * page_bytes,
			.pss_bytes = recorder->options.has_pss ? read_pss(entry->pid) : NAN,
			.outstanding_bytes = number_or_nan(target, "outstanding_bytes"),
			.allocated_bytes = number_or_nan(target, "allocated_bytes"),
		};

		if (entry->is_there)
			recording_add_value(&recorder->file.recording, &value);
	}
}

static void take_sample(struct recorder *recorder, uint64_t missed)
{
	double seconds = now_seconds() - recorder->began_seconds;
	struct client_answer targets = {0};
	struct client_error error;

	for (size_t i = 0; i < recorder->tree.count; i++)
		tell_of_process(recorder, &recorder->tree.entries[i], seconds);
	if (client_request(recorder->client, CLIENT_GET, "/api/v1/targets", &targets, &error))
		complain(recorder, &recorder->tree.entries[0], &error);
	recording_add_sample(&recorder->file.recording, seconds, missed);
	add_values(recorder, targets.json);
	client_answer_release(&targets);
	recording_file_put_sample(&recorder->file);
}

bool recorder_go_on(struct recorder *recorder)
{
	double late_seconds = now_seconds() - recorder->began_seconds - recorder->due_seconds;
	double interval = interval_seconds(recorder), missed;

	if (late_seconds < 0)
		return true;
	missed = floor(late_seconds / interval);
	if (!process_tree_look(&recorder->tree))
		return false;
	take_sample(recorder, (uint64_t)missed);
	/* The next one lies on the grid, which is wider once the file was thinned out. */
	recorder->due_seconds += (missed + 1) * interval;
	keep_leases(recorder);
	return !recorder->file.is_failed;
}

double recorder_wait_seconds(const struct recorder *recorder)
{
	return fmax(recorder->began_seconds + recorder->due_seconds - now_seconds(), 0);
}

/* ---- Beginning and end */

static void begin_recording(struct recorder *recorder, struct recording *recording)
{
	const struct process_entry *root = &recorder->tree.entries[0];
	time_t now = time(NULL);
	struct tm utc;
	char began[32];

	gmtime_r(&now, &utc);
	strftime(began, sizeof(began), "%Y-%m-%dT%H:%M:%SZ", &utc);
	*recording = (struct recording){
		.pid = root->pid,
		.interval_seconds = recorder->options.interval_seconds,
		.comm = text_format("%s", recorder->options.comm ? recorder->options.comm
								 : root->stat.comm),
		.began = text_format("%s", began),
	};
}

struct recorder *recorder_new(struct client *client, const struct recorder_options *options,
			      int *exit_code)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));
	struct recording recording;

	if (!recorder)
		text_fail_out_of_memory();
	recorder->client = client;
	recorder->options = *options;
	if (process_tree_begin(&recorder->tree, options->pid, options->has_children)) {
		render_complain("there is no process %d", (int)options->pid);
		*exit_code = COMMAND_EXIT_NO_SUCH_PROCESS;
		free(recorder);
		return NULL;
	}
	begin_recording(recorder, &recording);
	if (recording_file_open(&recorder->file, options->path, &recording)) {
		*exit_code = COMMAND_EXIT_NO;
		process_tree_clear(&recorder->tree);
		free(recorder);
		return NULL;
	}
	/* From now on what it allocates is known; the first sample says so already. */
	keep_leases(recorder);
	recorder->began_seconds = now_seconds();
	return recorder;
}

int recorder_finish(struct recorder *recorder, const char *reason)
{
	double seconds = now_seconds() - recorder->began_seconds;
	int result;

	give_leases_back(recorder);
	result = recording_file_close(&recorder->file, seconds, reason);
	process_tree_clear(&recorder->tree);
	free(recorder);
	return result;
}
