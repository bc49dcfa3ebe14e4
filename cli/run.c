/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "json.h"
#include "launch.h"
#include "recorder.h"
#include "render.h"
#include "run_summary.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* As shells and env(1) have it. */
#define RUN_EXIT_CANNOT_EXECUTE 126
#define RUN_EXIT_NOT_FOUND      127
#define RUN_EXIT_SIGNAL         128

/* Between samples of a recording: programs that are run end sooner than services. */
#define RUN_RECORD_SECONDS 0.1

enum { RUN_INTERVAL, RUN_EXACT, RUN_BUDGET, RUN_FORCE, RUN_RECORD, RUN_ANYWAY, RUN_OPTIONS };

struct run {
	const struct options_global *global;
	const struct option *options;
	struct client *client;
	struct launch launch;
	sigset_t signals;  /* taken one by one: what is forwarded, and SIGCHLD */
	sigset_t previous; /* the mask that the program gets */
	bool is_watched;
	struct recorder *recorder; /* NULL: none was asked for */
	struct run_end end;
};

static double run_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- Signals */

/* One that is ignored, as under nohup, is so for the program too, and must not be kept for it. */
static void run_block_signals(struct run *run)
{
	static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	sigemptyset(&run->signals);
	sigaddset(&run->signals, SIGCHLD);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++) {
		struct sigaction action;

		if (sigaction(forwarded[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&run->signals, forwarded[i]);
	}
	sigprocmask(SIG_BLOCK, &run->signals, &run->previous);
}

/* Where children are not waited for by inheritance, this one would be gone unseen. */
static void run_expect_child(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	sigaction(SIGCHLD, &action, NULL);
}

/*
 * What the terminal sends goes to its whole foreground group: the program is in ours, so that it
 * has had it already, and ^Z and fg are its own as well.
 */
static void run_forward(const struct run *run, const siginfo_t *info)
{
	if (info->si_signo != SIGCHLD && info->si_code != SI_KERNEL)
		kill(run->launch.pid, info->si_signo);
}

/* ---- Watching */

/* memwatchd counts processes from another namespace than we do: it would watch a stranger. */
static bool run_is_ours(struct run *run, struct client_error *error)
{
	char *path = text_format("/api/v1/processes/%d", (int)run->launch.pid);
	struct client_answer answer = {0};
	bool is_ours = false;

	if (client_request(run->client, CLIENT_GET, path, &answer, error) == 0) {
		is_ours = json_number(answer.json, "parent_pid") == (double)getpid();
		snprintf(error->code, sizeof(error->code), "unsupported_process");
		snprintf(error->message, sizeof(error->message),
			 "memwatchd does not know the program by its pid here, %d (is one of both "
			 "in "
			 "a container? start the program, then watch it by the pid that it has on "
			 "the host)",
			 (int)run->launch.pid);
	}
	client_answer_release(&answer);
	free(path);
	return is_ours;
}

static char *run_watch_path(const struct run *run)
{
	const struct option *options = run->options;
	uint64_t interval_bytes = options[RUN_EXACT].is_set ? 1 : options[RUN_INTERVAL].count;
	char *budget = command_budget_arguments(&options[RUN_BUDGET], &options[RUN_FORCE]);
	char *arguments = interval_bytes
				  ? text_format("&interval=%" PRIu64 "%s", interval_bytes, budget)
				  : text_format("%s", budget);
	char *path;

	if (arguments[0])
		arguments[0] = '?';
	path = text_format("/api/v1/processes/%d/watch%s", (int)run->launch.pid, arguments);
	free(budget);
	free(arguments);
	return path;
}

/* An exit code; COMMAND_EXIT_FINE: go on, watched or, if that was asked for, not. */
static int run_watch(struct run *run)
{
	struct client_answer answer = {0};
	struct client_error error;
	char *path = run_watch_path(run);
	int exit_code = COMMAND_EXIT_FINE;

	run->is_watched = run_is_ours(run, &error) &&
			  client_request(run->client, CLIENT_PUT, path, &answer, &error) == 0;
	if (!run->is_watched) {
		exit_code = command_report_error(&error);
		if (run->options[RUN_ANYWAY].is_set) {
			render_complain("%s runs unwatched", run->end.name);
			exit_code = COMMAND_EXIT_FINE;
		} else {
			render_complain("%s was not started (--anyway: start it all the same)",
					run->end.name);
		}
	}
	client_answer_release(&answer);
	free(path);
	return exit_code;
}

/* ---- Its life and end */

/* Whether it has ended; it is still to be reaped then, so that its number stays its own. */
static bool run_has_ended(struct run *run)
{
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)run->launch.pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
	    info.si_pid != run->launch.pid)
		return false;
	run->end.is_killed = info.si_code != CLD_EXITED;
	run->end.status = info.si_status;
	return true;
}

/* For a signal, or until the next sample is due. */
static int run_await_signal(const struct run *run, siginfo_t *info)
{
	double seconds = run->recorder ? recorder_wait_seconds(run->recorder) : 0;
	struct timespec timeout = {.tv_sec = (time_t)seconds};

	if (!run->recorder)
		return sigwaitinfo(&run->signals, info);
	timeout.tv_nsec = (long)((seconds - (double)timeout.tv_sec) * 1e9);
	return sigtimedwait(&run->signals, info, &timeout);
}

static void run_wait(struct run *run)
{
	while (!run_has_ended(run)) {
		siginfo_t info;

		if (run->recorder && !recorder_go_on(run->recorder)) {
			recorder_finish(run->recorder, "exited");
			run->recorder = NULL;
			continue;
		}
		if (run_await_signal(run, &info) > 0)
			run_forward(run, &info);
	}
	if (run->recorder)
		recorder_finish(run->recorder, "exited");
	run->recorder = NULL;
}

/* Before the program runs, so that it isn't started where it could not be recorded. */
static int run_begin_recording(struct run *run)
{
	const char *slash = strrchr(run->end.name, '/');
	const struct recorder_options wanted = {
		.pid = run->launch.pid,
		.path = run->options[RUN_RECORD].string,
		.comm = slash && slash[1] ? slash + 1 : run->end.name,
		.interval_seconds = RUN_RECORD_SECONDS,
		.has_children = true,
	};
	int exit_code = COMMAND_EXIT_FINE;

	if (run->options[RUN_RECORD].is_set)
		run->recorder = recorder_new(run->client, &wanted, &exit_code);
	return exit_code;
}

static void run_reap(struct run *run)
{
	struct rusage usage = {0};

	wait4(run->launch.pid, NULL, 0, &usage);
	run->end.peak_rss_bytes = (double)usage.ru_maxrss * 1024;
}

static void run_finish(struct run *run)
{
	struct run_account account = {0};

	if (run->is_watched)
		run_account_fetch(&account, run->client, run->launch.pid);
	run_reap(run);
	if (options_is_json(run->global))
		run_summary_show_json(&run->end, run->is_watched ? &account : NULL);
	else
		run_summary_show(&run->end, run->is_watched ? &account : NULL);
	run_account_release(&account);
}

static int run_report_failure(const struct run *run, int error)
{
	render_complain("cannot run %s: %s", run->end.name, strerror(error));
	return error == ENOENT || error == ENOTDIR ? RUN_EXIT_NOT_FOUND : RUN_EXIT_CANNOT_EXECUTE;
}

/* The program's exit code, or why there is none. */
static int run_program(struct run *run, char **arguments)
{
	double began_seconds;
	int error, exit_code;

	run_block_signals(run);
	error = launch_begin(&run->launch, arguments, &run->previous);
	if (error) {
		render_complain("cannot start another process: %s", strerror(-error));
		return COMMAND_EXIT_NO;
	}
	run_expect_child();
	run->end.pid = run->launch.pid;
	exit_code = run_watch(run);
	if (exit_code == COMMAND_EXIT_FINE)
		exit_code = run_begin_recording(run);
	if (exit_code != COMMAND_EXIT_FINE) {
		launch_abandon(&run->launch);
		return exit_code;
	}
	began_seconds = run_now();
	error = launch_go(&run->launch);
	if (error && run->recorder)
		recorder_finish(run->recorder, "exited");
	if (error)
		return run_report_failure(run, -error);
	run_wait(run);
	run->end.seconds = run_now() - began_seconds;
	run_finish(run);
	return run->end.is_killed ? RUN_EXIT_SIGNAL + run->end.status : run->end.status;
}

static bool run_check(const struct option *options, int argument, int argc)
{
	const char *reason = NULL;

	if (options[RUN_INTERVAL].is_set && options[RUN_EXACT].is_set)
		reason = "--interval and --exact exclude each other";
	else if (options[RUN_FORCE].is_set && options[RUN_BUDGET].is_set)
		reason = "--force lifts the budget, so --budget has no place beside it";
	else if (argument == argc)
		reason = "which program? (see memwatchctl run --help)";
	if (reason)
		render_complain("run: %s", reason);
	return !reason;
}

int run_main(struct options_global *global, int argc, char **argv)
{
	struct option options[RUN_OPTIONS] = {
		[RUN_INTERVAL] = OPTION_INTERVAL,
		[RUN_EXACT] = OPTION_EXACT,
		[RUN_BUDGET] = OPTION_BUDGET,
		[RUN_FORCE] = OPTION_FORCE,
		[RUN_RECORD] = {.name = "--record",
				.value_name = "FILE",
				.kind = OPTION_STRING,
				.help = "record its memory and that of its children over time, ten "
					"times a second, for plot"},
		[RUN_ANYWAY] = {.name = "--anyway",
				.help = "start the program even if it cannot be watched"},
	};
	struct options_line line = {
		.command = "run",
		.description =
			"Starts a program that is watched from its first instruction, and ends as "
			"it does: with its exit status, or 128 and the signal's number. Then says "
			"on standard error what it held. 127: there is no such program, 126: it "
			"cannot be executed. If it cannot be watched it is not started, and the "
			"exit status is that of watch.",
		.options = options,
		.option_count = RUN_OPTIONS,
		.takes_command = true,
	};
	struct run run = {.global = global, .options = options};
	int argument, exit_code;

	if (!options_parse(&line, global, argc, argv, &argument, &exit_code))
		return exit_code;
	if (!run_check(options, argument, argc))
		return COMMAND_EXIT_USAGE;
	run.end.name = argv[argument];
	run.client = client_new(options_socket_path(global));
	exit_code = run_program(&run, argv + argument);
	client_free(run.client);
	return exit_code;
}
