/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/backend.h"

#include "log.h"

#include <stdio.h>
#include <string.h>

static const struct probe_backend *const backends[PROBE_BACKENDS_MAX] = {
	&probe_backend_session,
	&probe_backend_multi,
	&probe_backend_perf,
};

bool probe_backend_exists(const char *name)
{
	for (size_t i = 0; i < PROBE_BACKENDS_MAX; i++)
		if (!strcmp(backends[i]->name, name))
			return true;
	return false;
}

void probe_backend_choice_init(struct probe_backend_choice *choice, const char *name)
{
	memset(choice, 0, sizeof(*choice));
	for (size_t i = 0; i < PROBE_BACKENDS_MAX; i++)
		if (!name || !strcmp(backends[i]->name, name))
			choice->trials[choice->trial_count++].backend = backends[i];
}

const struct probe_backend *probe_backend_choose(struct probe_backend_choice *choice)
{
	for (size_t i = 0; i < choice->trial_count && !choice->chosen; i++) {
		struct probe_backend_trial *trial = &choice->trials[i];

		if (trial->is_tried)
			continue;
		trial->is_tried = true;
		trial->works =
			probe_backend_try(trial->backend, trial->reason, sizeof(trial->reason));
		log_write(LOG_DETAIL, "attach back end %s: %s", trial->backend->name,
			  trial->works ? "works" : trial->reason);
		if (trial->works)
			choice->chosen = trial->backend;
	}
	return choice->chosen;
}

void probe_backend_refuse(struct probe_backend_choice *choice, const char *reason)
{
	for (size_t i = 0; i < choice->trial_count; i++) {
		struct probe_backend_trial *trial = &choice->trials[i];

		if (trial->backend != choice->chosen)
			continue;
		trial->works = false;
		snprintf(trial->reason, sizeof(trial->reason), "%s", reason);
	}
	choice->chosen = NULL;
}

void probe_backend_explain(const struct probe_backend_choice *choice, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < choice->trial_count && used < size; i++) {
		const struct probe_backend_trial *trial = &choice->trials[i];

		if (trial->is_tried && !trial->works)
			used += (size_t)snprintf(text + used, size - used, "%s%s: %s",
						 used ? "; " : "", trial->backend->name,
						 trial->reason);
	}
}
