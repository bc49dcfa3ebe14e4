/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands, and what they share: exit codes and the way from a question to its answer. */
#ifndef MEMWATCH_CLI_COMMAND_H
#define MEMWATCH_CLI_COMMAND_H

#include "client.h"
#include "options.h"
#include "sites.h"
#include "stack_tree.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

/* Part of the interface: scripts rely on them. */
enum command_exit {
	COMMAND_EXIT_FINE = 0,
	COMMAND_EXIT_NO = 1, /* the answer is "no", nothing was found, or something failed */
	COMMAND_EXIT_USAGE = 2,
	COMMAND_EXIT_UNREACHABLE = 3,
	COMMAND_EXIT_NO_SUCH_PROCESS = 4,
	COMMAND_EXIT_NOT_PERMITTED = 5,
	COMMAND_EXIT_OVER_BUDGET = 6, /* the watch was stopped over its budget */
};

/* Of --top, and of --interval: what the daemon takes. */
#define COMMAND_TOP_MAX            1000000
#define COMMAND_INTERVAL_BYTES_MAX (UINT64_C(1) << 30)

/* How a process is sampled, where a command may say so. */
#define OPTION_INTERVAL                                                                          \
	{                                                                                        \
		.name = "--interval", .value_name = "BYTES", .kind = OPTION_BYTES, .minimum = 1, \
		.maximum = COMMAND_INTERVAL_BYTES_MAX,                                           \
		.help = "mean bytes between samples (default: as memwatchd is configured)"       \
	}
#define OPTION_EXACT                                                                          \
	{                                                                                     \
		.name = "--exact", .help = "let every allocation count; dearer than sampling" \
	}

/* What the probes may cost, where a command may say so. */
#define OPTION_BUDGET                                                                            \
	{                                                                                        \
		.name = "--budget", .value_name = "PERCENT", .kind = OPTION_COUNT, .minimum = 1, \
		.maximum = 100,                                                                  \
		.help = "stop when the probes cost more than this share of the process's time "  \
			"(default: as memwatchd is configured, 30)"                              \
	}
#define OPTION_FORCE                                                           \
	{                                                                      \
		.name = "--force", .help = "go on whatever the probes cost it" \
	}

/* How sites are shown. */
#define OPTION_WHOLE_STACKS                                                                    \
	{                                                                                      \
		.name = "--full",                                                              \
		.help = "print every stack whole, also the frames that it shares with a site " \
			"before it, and every turn of a recursion"                             \
	}

/* What an export or a flame graph shows of each stack. */
#define OPTION_STACK_VALUE                                                                   \
	{                                                                                    \
		.name = "--value", .value_name = "VALUE", .kind = OPTION_CHOICE,             \
		.choices = stack_value_names, .string = stack_value_names[0],                \
		.help = "outstanding bytes (default), bytes ever allocated, or outstanding " \
			"objects"                                                            \
	}

/* One function per subcommand; argv[0] is its name. All return an exit code. */
int leaks_main(struct options_global *global, int argc, char **argv);
int watch_main(struct options_global *global, int argc, char **argv);
int record_main(struct options_global *global, int argc, char **argv);
int plot_main(struct options_global *global, int argc, char **argv);
int run_main(struct options_global *global, int argc, char **argv);
int unwatch_main(struct options_global *global, int argc, char **argv);
int targets_main(struct options_global *global, int argc, char **argv);
int lines_main(struct options_global *global, int argc, char **argv);
int snapshot_main(struct options_global *global, int argc, char **argv);
int diff_main(struct options_global *global, int argc, char **argv);
int stacks_main(struct options_global *global, int argc, char **argv);
int export_main(struct options_global *global, int argc, char **argv);
int flame_main(struct options_global *global, int argc, char **argv);
int ps_main(struct options_global *global, int argc, char **argv);
int oom_main(struct options_global *global, int argc, char **argv);
int status_main(struct options_global *global, int argc, char **argv);
int doctor_main(struct options_global *global, int argc, char **argv);

/* "&file=%2Fsrv%2F*" for the path of a question; "" when the option isn't set. To free. */
char *command_query(const char *name, const struct option *option);
/* "&budget=20" or so for the path of a watch; "" when the command line says nothing. To free. */
char *command_budget_arguments(const struct option *budget, const struct option *force);
/* Says on stderr why a watch was stopped over its budget. The exit code. */
int command_report_over_budget(const struct option *pid, const char *detail);

/* Asks the daemon once. An answer to release, or a failure, reported on stderr; an exit code. */
int command_fetch(const struct options_global *global, enum client_method method, const char *path,
		  struct client_answer *answer);

/* An answer as text on stdout. */
typedef void (*command_show)(const cJSON *answer);

/* Fetches and shows the answer: by show, or as the JSON it is with --json. An exit code. */
int command_ask(const struct options_global *global, enum client_method method, const char *path,
		command_show show);

/* The same of an account, GET; show gets the view. */
typedef void (*command_show_sites)(const cJSON *answer, const struct sites_view *view);
int command_ask_sites(const struct options_global *global, const char *path,
		      command_show_sites show, const struct sites_view *view);

/* Says why on stderr. The exit code. */
int command_report_error(const struct client_error *error);

#endif
