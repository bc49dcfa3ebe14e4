/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "options.h"
#include "render.h"

#include <curl/curl.h>
#include <locale.h>
#include <string.h>

static const struct {
	const char *name;
	int (*function)(struct options_global *global, int argc, char **argv);
	const char *description;
} subcommands[] = {
	{"leaks", leaks_main, "Names the code that leaks in a process"},
	{"lines", lines_main, "Shows which Python lines hold memory in a process"},
	{"snapshot", snapshot_main, "Keeps in a file what a watched process holds, or shows it"},
	{"diff", diff_main, "Says what changed between two snapshots, or in a while"},
	{"watch", watch_main, "Watches a process until it is unwatched"},
	{"run", run_main, "Starts a program that is watched from its first instruction"},
	{"unwatch", unwatch_main, "Ends the watch of a process"},
	{"targets", targets_main, "Lists the watched processes and what watching them costs"},
	{"stacks", stacks_main, "Shows every stack that allocated in a watched process"},
	{"flame", flame_main, "Draws a flame graph of what a watched process holds"},
	{"export", export_main, "Writes a watched process's stacks for other tools"},
	{"record", record_main, "Records the memory of a process over time"},
	{"plot", plot_main, "Draws a recording"},
	{"ps", ps_main, "Lists processes by resident memory"},
	{"oom", oom_main, "Shows OOM kills, and what a watched victim held"},
	{"status", status_main, "Shows the state of memwatchd"},
	{"doctor", doctor_main, "Says what this kernel offers, what is missing and how to fix it"},
};

#define SUBCOMMAND_COUNT (sizeof(subcommands) / sizeof(subcommands[0]))

static void print_commands(const struct render *render)
{
	render_end_line(render);
	render_paragraph(render, RENDER_PLAIN, 0, "Commands:");
	for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
		options_print_entry(render, subcommands[i].name, subcommands[i].description);
	render_end_line(render);
	render_paragraph(render, RENDER_PLAIN, 0, "memwatchctl COMMAND --help says more of each.");
}

static int run(struct options_global *global, int argc, char **argv)
{
	for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
		if (strcmp(argv[0], subcommands[i].name) == 0)
			return subcommands[i].function(global, argc, argv);
	}
	render_complain("there is no command %s (see memwatchctl --help)", argv[0]);
	return COMMAND_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct option options[] = {{.name = "--version", .help = "print the version, and exit"}};
	struct options_line line = {
		.description = "Asks memwatchd which code holds and leaks memory.",
		.options = options,
		.option_count = 1,
		.print_more = print_commands,
	};
	struct options_global global;
	int argument, exit_code;

	setlocale(LC_CTYPE, "");
	options_global_init(&global);
	if (!options_parse(&line, &global, argc, argv, &argument, &exit_code))
		return exit_code;
	if (options[0].is_set) {
		printf("memwatchctl %s\n", MEMWATCH_VERSION);
		return COMMAND_EXIT_FINE;
	}
	if (argument == argc) {
		render_complain("which command? (see memwatchctl --help)");
		return COMMAND_EXIT_USAGE;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	exit_code = run(&global, argc - argument, argv + argument);
	curl_global_cleanup();
	if (ferror(stdout) || fflush(stdout) != 0) {
		render_complain("cannot write the answer: %m");
		return COMMAND_EXIT_NO;
	}
	return exit_code;
}
