/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question about a process that is asked after it was observed for a while, as leaks does: the
 * options for it, and the way from the watch to the answer.
 */
#ifndef MEMWATCH_CLI_OBSERVED_H
#define MEMWATCH_CLI_OBSERVED_H

#include "client.h"
#include "options.h"

#include <stdbool.h>

#define OBSERVED_SECONDS_DEFAULT 30
#define OBSERVED_SECONDS_MAX     (UINT64_C(30) * 86400)

#define OPTION_FOR                                                                                \
	{                                                                                         \
		.name = "--for", .value_name = "SECONDS", .kind = OPTION_SECONDS,                 \
		.maximum = OBSERVED_SECONDS_MAX, .seconds = OBSERVED_SECONDS_DEFAULT,             \
		.help = "observe for so long (default 30); 0: answer at once from what is known " \
			"of a process already watched"                                            \
	}

/* Of the command line; borrowed. */
struct observed_options {
	const char *command;
	const struct option *pid, *seconds, *interval, *exact, *budget, *force;
};

/* Whether they go together; if not, it was said on stderr. */
bool observed_check(const struct observed_options *options);

/*
 * Watches the process for so many seconds and asks, GET; for 0, asks at once. before (may be NULL):
 * also as the watch begins, for what changes; with 0 seconds it stays empty. Answers are to
 * release; they may be there although it failed. An exit code; failures were reported.
 */
int observed_ask(const struct options_global *global, const struct observed_options *options,
		 const char *path, struct client_answer *before, struct client_answer *after);

/* Once the answer has been shown: says if the watch was ended over its budget. The exit code. */
int observed_conclude(const struct observed_options *options, int exit,
		      const struct client_answer *answer);

#endif
