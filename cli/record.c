/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "interrupt.h"
#include "recorder.h"
#include "render.h"

#include <math.h>
#include <time.h>

/* Faster than that the looking itself would show. */
#define INTERVAL_SECONDS_MIN     0.01
#define INTERVAL_SECONDS_MAX     3600
#define INTERVAL_SECONDS_DEFAULT 1.0
/* A daemon that is gone is no reason to end late. */
#define WAIT_SECONDS_MAX 1.0

enum {
	RECORD_PID,
	RECORD_OUTPUT,
	RECORD_INTERVAL,
	RECORD_FOR,
	RECORD_CHILDREN,
	RECORD_PSS,
	RECORD_NO_WATCH,
	RECORD_OPTIONS,
};

static double record_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Until the process or the time ends, or somebody wants to stop: why it ended. */
static const char *record_follow(struct recorder *recorder, struct interrupt *interrupt,
				 double for_seconds)
{
	double end_seconds = record_now() + for_seconds;

	for (;;) {
		if (!recorder_go_on(recorder))
			return "exited";
		if (interrupt_is_stop(interrupt))
			return "interrupted";
		if (record_now() >= end_seconds)
			return "time";
		interrupt_wait(interrupt,
			       fmin(fmin(recorder_wait_seconds(recorder), WAIT_SECONDS_MAX),
				    fmax(end_seconds - record_now(), 0)));
	}
}

static int record_run(const struct options_global *global, const struct option *options)
{
	const struct recorder_options wanted = {
		.pid = (pid_t)options[RECORD_PID].count,
		.path = options[RECORD_OUTPUT].string,
		.interval_seconds = options[RECORD_INTERVAL].seconds,
		.has_children = options[RECORD_CHILDREN].is_set,
		.has_pss = options[RECORD_PSS].is_set,
		.is_watching = !options[RECORD_NO_WATCH].is_set,
	};
	double for_seconds = options[RECORD_FOR].is_set ? options[RECORD_FOR].seconds : INFINITY;
	struct client *client = client_new(options_socket_path(global));
	struct interrupt interrupt;
	struct recorder *recorder;
	int exit_code = COMMAND_EXIT_FINE;

	interrupt_begin(&interrupt);
	client_set_interrupt(client, &interrupt);
	recorder = recorder_new(client, &wanted, &exit_code);
	if (recorder && recorder_finish(recorder, record_follow(recorder, &interrupt, for_seconds)))
		exit_code = COMMAND_EXIT_NO;
	/* A signal that ended the recording is used up by that. */
	interrupt_is_stop(&interrupt);
	interrupt_end(&interrupt);
	client_free(client);
	return exit_code;
}

int record_main(struct options_global *global, int argc, char **argv)
{
	struct option options[RECORD_OPTIONS] = {
		[RECORD_PID] = OPTION_PID("the process"),
		[RECORD_OUTPUT] = {.name = "-o",
				   .value_name = "FILE",
				   .kind = OPTION_STRING,
				   .is_required = true,
				   .help = "where to; it can be read and plotted as it grows"},
		[RECORD_INTERVAL] = {.name = "--interval",
				     .value_name = "SECONDS",
				     .kind = OPTION_SECONDS,
				     .maximum = INTERVAL_SECONDS_MAX,
				     .seconds = INTERVAL_SECONDS_DEFAULT,
				     .help = "from sample to sample (default 1); doubled each time "
					     "that the file has grown to 8 MiB"},
		[RECORD_FOR] = {.name = "--for",
				.value_name = "SECONDS",
				.kind = OPTION_SECONDS,
				.maximum = 1000000000,
				.help = "end after so long (default: with the process)"},
		[RECORD_CHILDREN] = {.name = "--children",
				     .help = "record its children and theirs too"},
		[RECORD_PSS] = {.name = "--pss",
				.help = "record PSS too: shared pages by their part; large "
					"processes are held up for it"},
		[RECORD_NO_WATCH] = {.name = "--no-watch",
				     .help = "record what is outstanding of those alone that are "
					     "watched anyway"},
	};
	struct options_line line = {
		.command = "record",
		.description =
			"Records the memory of a process over time: RSS, and what it has "
			"allocated and still holds since it is watched, which it is meanwhile. "
			"Ends with the process, or by Ctrl-C. For plot.",
		.options = options,
		.option_count = RECORD_OPTIONS,
	};
	int exit_code;

	if (!options_parse(&line, global, argc, argv, NULL, &exit_code))
		return exit_code;
	if (options[RECORD_INTERVAL].seconds < INTERVAL_SECONDS_MIN) {
		render_complain("record: --interval wants 0.01 s at least");
		return COMMAND_EXIT_USAGE;
	}
	return record_run(global, options);
}
