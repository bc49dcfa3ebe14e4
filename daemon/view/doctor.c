/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: what this kernel offers, what is missing and how to mend it. */
#include "target/seccomp_trial.h"
#include "view/state.h"
#include "view/view.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CHECKS_MAX 12
#define COSTS_MAX  6

__attribute__((format(printf, 1, 2))) static char *format_text(const char *format, ...)
{
	char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	return text;
}

/* Takes ownership of detail and remedy. */
static void add_check(struct answer_doctor *answer, const char *name, const char *state,
		      char *detail, char *remedy)
{
	struct answer_check *check = &answer->checks[answer->check_count++];

	check->name = name;
	check->state = state;
	check->detail = detail;
	check->remedy = remedy;
}

static void check_kernel(struct answer_doctor *answer)
{
	struct utsname kernel;

	if (uname(&kernel))
		return;
	add_check(answer, "kernel", "ok",
		  format_text("%s %s %s", kernel.sysname, kernel.release, kernel.machine), NULL);
}

/* memwatchd does not start without these: that it answers says that they are there. */
static void check_started(struct answer_doctor *answer)
{
	add_check(answer, "type information", "ok", format_text("/sys/kernel/btf/vmlinux"), NULL);
	add_check(
		answer, "BPF programs", "ok",
		format_text("loaded; exec, exit, fork and OOM kills are seen (no tracefs needed)"),
		NULL);
}

static void check_backend(const struct state *state, struct answer_doctor *answer)
{
	const char *name = "attach back end";
	char refused[700];

	probe_backend_explain(&state->backends, refused, sizeof(refused));
	if (!state->backend)
		add_check(answer, name, "missing",
			  format_text("no process can be watched, the host's counters work; %s",
				      refused),
			  format_text("run Linux 5.15 or later with CONFIG_UPROBES, and memwatchd "
				      "as root or with the capabilities of its systemd unit"));
	else if (refused[0])
		add_check(answer, name, "degraded",
			  format_text("%s; %s", state->backend->name, refused),
			  format_text("run Linux 6.13 or later: its uprobe sessions make calls "
				      "that aren't sampled cheaper"));
	else
		add_check(answer, name, "ok",
			  format_text("%s, tried on a child of memwatchd's own",
				      state->backend->name),
			  NULL);
}

static void check_trial(const struct state *state, struct answer_doctor *answer)
{
	struct process_error reason;

	if (!state->backend)
		return;
	if (state->costs.is_known)
		add_check(answer, "watching a process", "ok",
			  format_text("tried at the start on a child of memwatchd's own"), NULL);
	else if (seccomp_check(target_table_seccomp(state->targets), getpid(), &reason))
		add_check(answer, "watching a process", "degraded",
			  format_text(
				  "what probes cost could not be measured: memwatchd runs under a "
				  "seccomp filter itself, and so would the child"),
			  format_text("see \"seccomp filters\""));
	else
		add_check(answer, "watching a process", "missing",
			  format_text("the trial on a child failed: %s", state->calibration_error),
			  format_text("run memwatchd as root or with the capabilities of its "
				      "systemd unit, and see its log"));
}

/* Raising semaphores is older than every kernel that memwatch runs on (Linux 4.20). */
static void check_contract(struct answer_doctor *answer)
{
#if defined(__x86_64__)
	add_check(answer, "contract probes", "ok",
		  format_text("a process that reports its own heap samples (USDT otel_memory) is "
			      "watched by these, and its allocator is left alone"),
		  NULL);
#else
	add_check(answer, "contract probes", "degraded",
		  format_text("arguments of USDT probes are read on x86-64 alone: processes that "
			      "report their own heap samples are watched by their allocator"),
		  NULL);
#endif
}

static void check_seccomp(const struct state *state, struct answer_doctor *answer)
{
	const struct seccomp_trial *trial = target_table_seccomp(state->targets);

	if (trial->verdict == SECCOMP_UNTRIED)
		return; /* nothing can be watched */
	if (trial->verdict == SECCOMP_HARMLESS)
		add_check(answer, "seccomp filters", "ok",
			  format_text("a child under a filter that knows nothing of probes lived "
				      "through %llu probed returns",
				      (unsigned long long)trial->probed_returns),
			  NULL);
	else
		add_check(answer, "seccomp filters", "degraded",
			  format_text("processes under a filter are not watched. Tried on a child: "
				      "%s",
				      trial->reason),
			  format_text("run Linux 6.14 or later (or a stable one that lets the "
				      "probes' system call pass); until then watch no process that "
				      "puts itself under a filter later on: it would be killed"));
}

static void check_map_files(struct answer_doctor *answer)
{
	char path[64];

	/* Our own: whether the kernel lets us follow the links at all. */
	snprintf(path, sizeof(path), "/proc/%d/map_files", (int)getpid());
	if (!access(path, R_OK | X_OK))
		add_check(answer, "mapped files", "ok",
			  format_text("deleted files and other mount namespaces can be read"),
			  NULL);
	else
		add_check(
			answer, "mapped files", "degraded",
			format_text("%s: %s", path, strerror(errno)),
			format_text("give memwatchd CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN, and a "
				    "kernel with CONFIG_CHECKPOINT_RESTORE"));
}

static void add_costs(const struct state *state, struct answer_doctor *answer)
{
	const struct probe_costs *costs = &state->costs;
	const struct answer_cost all[COSTS_MAX] = {
		{"allocation_exact", costs->allocation_exact_ns},
		{"allocation_unsampled", costs->allocation_unsampled_ns},
		{"free_exact", costs->free_exact_ns},
		{"free_unknown", costs->free_unknown_ns},
		{"single_step", costs->single_step_ns},
		{"rss_change", costs->rss_change_ns},
	};

	for (size_t i = 0; i < COSTS_MAX; i++) {
		answer->costs[i] = all[i];
		if (!costs->is_known)
			answer->costs[i].ns = -1;
	}
	answer->cost_count = COSTS_MAX;
}

static bool all_texts_made(const struct answer_doctor *answer)
{
	for (size_t i = 0; i < answer->check_count; i++)
		if (!answer->checks[i].detail)
			return false;
	return true;
}

int view_doctor(struct state *state, struct answer_doctor **answer)
{
	struct answer_doctor *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->checks = calloc(CHECKS_MAX, sizeof(*made->checks));
	made->costs = calloc(COSTS_MAX, sizeof(*made->costs));
	if (!made->checks || !made->costs) {
		answer_doctor_free(made);
		return -ENOMEM;
	}
	check_kernel(made);
	check_started(made);
	check_backend(state, made);
	check_trial(state, made);
	check_seccomp(state, made);
	check_map_files(made);
	check_contract(made);
	add_costs(state, made);
	made->is_healthy = true;
	for (size_t i = 0; i < made->check_count; i++)
		if (!strcmp(made->checks[i].state, "missing"))
			made->is_healthy = false;
	if (!all_texts_made(made)) {
		answer_doctor_free(made);
		return -ENOMEM;
	}
	*answer = made;
	return 0;
}
