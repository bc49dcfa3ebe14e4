/* SPDX-License-Identifier: Apache-2.0 */
#include "observed.h"

#include "command.h"
#include "interrupt.h"
#include "json.h"
#include "observe.h"
#include "render.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

bool observed_check(const struct observed_options *options)
{
	bool has_sampling = options->interval->is_set || options->exact->is_set;

	if (options->interval->is_set && options->exact->is_set) {
		render_complain("%s: --interval and --exact exclude each other", options->command);
		return false;
	}
	if (options->budget->is_set && options->force->is_set) {
		render_complain("%s: --budget and --force exclude each other", options->command);
		return false;
	}
	if ((has_sampling || options->budget->is_set || options->force->is_set) &&
	    options->seconds->seconds == 0) {
		render_complain("%s: --for 0 observes nothing, so --interval, --exact, --budget "
				"and --force have no place there",
				options->command);
		return false;
	}
	return true;
}

static bool is_over_budget(const cJSON *answer)
{
	return json_is_true(answer, "ended") &&
	       strcmp(json_string_or(answer, "end_reason", ""), "ended_over_budget") == 0;
}

static void explain_early_end(const struct observation *observation, enum observe_result result,
			      const cJSON *answer)
{
	/* It has a message of its own, and an exit code. */
	if (is_over_budget(answer))
		return;
	switch (result) {
	case OBSERVE_COMPLETE:
		break;
	case OBSERVE_INTERRUPTED:
		render_complain("stopped early: this is what was seen until then");
		break;
	case OBSERVE_ENDED:
		render_complain("process %" PRIu32 " exited or is no longer watched: this is what "
				"was seen until then",
				observation->pid);
		break;
	case OBSERVE_FAILED:
		render_complain("stopped early: %s", observation->error.message);
		break;
	}
}

/* An exit code; a failure has been reported. */
static int observe_and_ask(struct observation *observation, const char *path,
			   struct client_answer *before, struct client_answer *after)
{
	enum observe_result result;
	struct client_error error;
	int exit = COMMAND_EXIT_FINE;

	if (observe_begin(observation, &error) != 0)
		return command_report_error(&error);
	if (before && client_request(observation->client, CLIENT_GET, path, before, &error) != 0) {
		exit = command_report_error(&error);
		goto out;
	}
	result = observe_wait(observation);
	if (client_request(observation->client, CLIENT_GET, path, after, &error) != 0)
		exit = command_report_error(&error);
	else
		explain_early_end(observation, result, after->json);
out:
	observe_end(observation);
	return exit;
}

int observed_ask(const struct options_global *global, const struct observed_options *options,
		 const char *path, struct client_answer *before, struct client_answer *after)
{
	struct client *client;
	char *budget_arguments;
	struct interrupt interrupt;
	struct observation observation;
	int exit;

	if (options->seconds->seconds == 0)
		return command_fetch(global, CLIENT_GET, path, after);
	client = client_new(options_socket_path(global));
	budget_arguments = command_budget_arguments(options->budget, options->force);
	observation = (struct observation){
		.client = client,
		.interrupt = &interrupt,
		.pid = (uint32_t)options->pid->count,
		.seconds = options->seconds->seconds,
		.budget_arguments = budget_arguments,
		.sampling_interval_bytes = options->exact->is_set ? 1 : options->interval->count,
	};
	interrupt_begin(&interrupt);
	client_set_interrupt(client, &interrupt);
	exit = observe_and_ask(&observation, path, before, after);
	bool is_abort = interrupt_is_abort(&interrupt);
	interrupt_end(&interrupt);
	if (is_abort)
		raise(interrupt.last_signal); /* ends us as the shell expects it */
	/* The lease is given back: from here on a closed pipe may end us. */
	free(budget_arguments);
	client_free(client);
	return exit;
}

int observed_conclude(const struct observed_options *options, int exit,
		      const struct client_answer *answer)
{
	if (exit != COMMAND_EXIT_FINE || options->seconds->seconds == 0 ||
	    !is_over_budget(answer->json))
		return exit;
	return command_report_over_budget(options->pid,
					  json_string_or(answer->json, "end_detail", "no details"));
}
