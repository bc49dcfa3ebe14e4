/* SPDX-License-Identifier: Apache-2.0 */
/* memwatchd: puts the rooms together, runs the event loop, takes everything down again. */
#include "attaching.h"
#include "clock.h"
#include "dispatch.h"
#include "governor.h"
#include "instance.h"
#include "log.h"
#include "naming.h"
#include "notify.h"
#include "options.h"
#include "python/code.h"
#include "python_reader.h"
#include "serve/serve.h"
#include "unwinder.h"
#include "view/state.h"
#include "worker.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Files that modules may hold open; well below the descriptor limit that main raises. */
#define MODULES_MAX 8192

/* Frames whose names are looked up before anybody asks: large programs bring a few thousand. */
#define WANTED_FRAMES_MAX 16384

struct daemon {
	struct options options;
	struct config config;
	struct state state;
	struct worker *worker;
	struct loop *unwinder;
	struct naming *naming;
	struct python_reader *python_reader;
	struct server *server;
	int instance_fd, signal_fd, timer_fd, epoll_fd;
	double watchdog_seconds, watchdog_sent_seconds;
	bool is_ready;
};

static bool daemon_is_ready(void *context)
{
	struct daemon *daemon = context;

	return __atomic_load_n(&daemon->is_ready, __ATOMIC_ACQUIRE);
}

static void apply_log_level(enum log_level level)
{
	static const enum log_priority thresholds[] = {
		[LOG_LEVEL_ERROR] = LOG_ERROR,
		[LOG_LEVEL_WARNING] = LOG_WARN,
		[LOG_LEVEL_INFO] = LOG_NOTICE,
		[LOG_LEVEL_DEBUG] = LOG_DETAIL,
	};

	log_set_threshold(thresholds[level]);
}

/* ---- Setting up ---- */

/* Every module, link and client is a descriptor. A limit that can't be raised is lived with. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	/* Kernels before 5.11 charge BPF memory to it. */
	limit = (struct rlimit){.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

static int open_signals(struct daemon *daemon)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &signals, NULL))
		return -errno;
	daemon->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return daemon->signal_fd < 0 ? -errno : 0;
}

static int open_timer(struct daemon *daemon)
{
	const struct itimerspec each_second = {.it_interval = {.tv_sec = 1},
					       .it_value = {.tv_sec = 1}};

	daemon->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (daemon->timer_fd < 0 || timerfd_settime(daemon->timer_fd, 0, &each_second, NULL))
		return -errno;
	return 0;
}

static int epoll_add(struct daemon *daemon, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(daemon->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_loop(struct daemon *daemon)
{
	int error = open_timer(daemon);

	daemon->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (daemon->epoll_fd < 0)
		return -errno;
	error = error ? error : epoll_add(daemon, daemon->signal_fd);
	error = error ? error : epoll_add(daemon, daemon->timer_fd);
	error = error ? error : epoll_add(daemon, daemon->state.governor_fd);
	error = error ? error : epoll_add(daemon, probe_object_event_fd(daemon->state.object));
	return error;
}

/* What SIGHUP can change. */
static void apply_config(struct state *state, const struct config *config)
{
	state->sampling_interval_bytes = config->sampling_interval_bytes;
	state->metrics_processes_max = config->metrics_processes_max;
	state->budget_by_hand_share = config->budget_by_hand_percent / 100.0;
	state->budget_by_policy_share = config->budget_by_policy_percent / 100.0;
	state->retry_seconds = config->retry_seconds;
}

/* Debug files are worth having, and nothing that the daemon needs. */
static void open_fetcher(const struct config *config, struct state *state)
{
	const struct debug_fetcher_options options = {
		.urls = config->debuginfod_urls,
		.state_dir = config->state_dir,
		.cache_bytes_max = config->debuginfod_cache_bytes,
		.seconds_max = config->debuginfod_seconds,
	};
	int error;

	if (!config->debuginfod_urls[0] || !state->modules)
		return;
	error = debug_fetcher_start(&options, &state->fetcher);
	if (error)
		log_write(LOG_WARN, "debug information is not fetched into %s/debuginfo: %s",
			  config->state_dir, strerror(-error));
	else
		module_cache_set_fetcher(state->modules, state->fetcher);
}

static int open_state(struct daemon *daemon)
{
	const struct config *config = &daemon->config;
	struct state *state = &daemon->state;
	pthread_condattr_t attributes;
	int error;

	state->start_time_seconds = clock_unix_seconds();
	apply_config(state, config);
	pthread_mutex_init(&state->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&state->attached, &attributes);
	pthread_condattr_destroy(&attributes);
	state->unwinder_wake_fd = state->python_wake_fd = -1;
	state->unwind_bytes_max = config->unwind_tables_bytes;
	python_code_set_bytes_max(config->python_codes_bytes);
	state->modules = module_cache_new(config->symbol_cache_bytes, MODULES_MAX);
	open_fetcher(config, state);
	state->postmortems = postmortem_list_new(config->ooms_max, config->sites_max);
	state->namer = namer_new(WANTED_FRAMES_MAX);
	state->accounts = account_table_new(state->object, state->namer, config->ended_targets_max);
	state->targets = state->modules
				 ? target_table_new(state->object, state->modules, state->backend,
						    config->unwind_tables_bytes)
				 : NULL;
	if (!state->namer || !state->postmortems || !state->accounts || !state->targets) {
		log_write(LOG_ERROR, "out of memory");
		return -ENOMEM;
	}
	attaching_calibrate(state);
	error = governor_open(state);
	if (error) {
		log_write(LOG_ERROR, "cannot make a timer: %s", strerror(-error));
		return error;
	}
	probe_object_set_handler(state->object, dispatch_event, state);
	return 0;
}

static int open_threads(struct daemon *daemon)
{
	int error = unwinder_start(&daemon->state, &daemon->unwinder);

	error = error ? error : naming_start(&daemon->state, &daemon->naming);
	error = error ? error : python_reader_start(&daemon->state, &daemon->python_reader);
	error = error ? error : worker_start(&daemon->state, &daemon->worker);
	if (error)
		log_write(LOG_ERROR, "cannot start a thread: %s", strerror(-error));
	return error;
}

static int open_server(struct daemon *daemon)
{
	const struct server_options options = {.socket_path = daemon->config.socket_path,
					       .socket_group = daemon->config.socket_group,
					       .listen = daemon->config.listen,
					       .state = &daemon->state,
					       .is_ready = daemon_is_ready,
					       .ready_context = daemon};
	struct server_error message = {"out of memory"};
	int error = server_start(&options, &daemon->server, &message);

	if (error)
		log_write(LOG_ERROR, "%s", message.message);
	return error;
}

/* ---- Running ---- */

static void reload(struct daemon *daemon)
{
	struct config_error message;
	struct config config;

	notify_send("RELOADING=1");
	if (options_read_config(&daemon->options, &config, &message)) {
		log_write(LOG_ERROR, "%s; the configuration stays as it was", message.message);
	} else {
		pthread_mutex_lock(&daemon->state.lock);
		apply_config(&daemon->state, &config);
		pthread_mutex_unlock(&daemon->state.lock);
		apply_log_level(config.log_level);
		log_write(LOG_NOTICE, "read the configuration again: sampling_interval, "
				      "budgets, retry_seconds, metrics_processes_max and log_level "
				      "are in force, other keys take a restart");
	}
	notify_send("READY=1");
}

/* Returns whether to go on. */
static bool handle_signals(struct daemon *daemon)
{
	struct signalfd_siginfo info;

	while (read(daemon->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGHUP)
			return false;
		reload(daemon);
	}
	return true;
}

static void handle_timer(struct daemon *daemon)
{
	double now = clock_monotonic_seconds();
	uint64_t expirations;

	if (read(daemon->timer_fd, &expirations, sizeof(expirations)) < 0)
		return;
	dispatch_tick(&daemon->state);
	if (daemon->watchdog_seconds > 0 &&
	    now - daemon->watchdog_sent_seconds >= daemon->watchdog_seconds - 1) {
		notify_send("WATCHDOG=1");
		daemon->watchdog_sent_seconds = now;
	}
}

static void run_loop(struct daemon *daemon)
{
	bool goes_on = true;

	while (goes_on) {
		struct epoll_event events[4];
		int count = epoll_wait(daemon->epoll_fd, events, 4, -1);
		bool is_work_due = false;

		for (int i = 0; i < count && goes_on; i++) {
			if (events[i].data.fd == daemon->signal_fd)
				goes_on = handle_signals(daemon);
			else if (events[i].data.fd == daemon->timer_fd)
				handle_timer(daemon);
			else if (events[i].data.fd == daemon->state.governor_fd)
				is_work_due |= governor_run(&daemon->state);
			else
				dispatch_events(&daemon->state);
			is_work_due |= events[i].data.fd != daemon->state.governor_fd;
		}
		/* It wakes the unwinder in turn. */
		if (is_work_due)
			worker_wake(daemon->worker);
	}
}

static int run(struct daemon *daemon)
{
	char message[600];
	int error;

	raise_limits();
	/* Answers are made by several threads: an arena for each would keep the largest of each. */
	mallopt(M_ARENA_MAX, 2);
	daemon->instance_fd = instance_lock(daemon->config.state_dir, message, sizeof(message));
	if (daemon->instance_fd < 0) {
		log_write(LOG_ERROR, "%s", message);
		return daemon->instance_fd;
	}
	error = open_signals(daemon);
	error = error ? error : attaching_open(&daemon->config, &daemon->state);
	error = error ? error : open_state(daemon);
	error = error ? error : open_loop(daemon);
	error = error ? error : open_threads(daemon);
	error = error ? error : open_server(daemon);
	if (error)
		return error;
	daemon->watchdog_seconds = notify_watchdog_seconds();
	__atomic_store_n(&daemon->is_ready, true, __ATOMIC_RELEASE);
	notify_send("READY=1");
	log_write(LOG_NOTICE, "ready on %s", daemon->config.socket_path);
	run_loop(daemon);
	notify_send("STOPPING=1");
	return 0;
}

static void close_all(struct daemon *daemon)
{
	struct state *state = &daemon->state;

	/* First, since answers wait for it. */
	naming_stop(daemon->naming);
	server_stop(daemon->server);
	worker_stop(daemon->worker);
	unwinder_stop(state, daemon->unwinder);
	python_reader_stop(daemon->python_reader);
	/* Targets first: their probes go before anything else does. */
	target_table_free(state->targets);
	retry_list_clear(&state->retries);
	postmortem_list_free(state->postmortems);
	account_table_free(state->accounts);
	namer_free(state->namer);
	if (state->modules)
		module_cache_free(state->modules);
	debug_fetcher_stop(state->fetcher);
	probe_object_close(state->object);
}

int main(int argc, char **argv)
{
	static struct daemon daemon = {
		.instance_fd = -1, .signal_fd = -1, .timer_fd = -1, .epoll_fd = -1};
	struct config_error message;
	int error;

	switch (options_parse(argc, argv, &daemon.options)) {
	case OPTIONS_DONE:
		return EXIT_SUCCESS;
	case OPTIONS_BAD:
		return 2;
	case OPTIONS_RUN:
		break;
	}
	if (options_read_config(&daemon.options, &daemon.config, &message)) {
		log_write(LOG_ERROR, "%s", message.message);
		return 2;
	}
	apply_log_level(daemon.config.log_level);
	error = run(&daemon);
	close_all(&daemon);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
