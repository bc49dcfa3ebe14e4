/* SPDX-License-Identifier: Apache-2.0 */
/* Answers as the JSON of docs/api.md, one file for each family. None of them fails: see text.h. */
#ifndef MEMWATCH_SERVE_ENCODE_H
#define MEMWATCH_SERVE_ENCODE_H

#include "serve/json.h"
#include "view/view.h"

/* leaks and stacks; as a value of the key, or alone with NULL. */
void json_sites(struct json *json, const char *key, const struct answer_sites *answer);

/* What they say of the account as a whole, as fields of an object that is open. */
void json_account(struct json *json, const struct answer_sites *answer);

/* lines, grouped so. */
void json_lines(struct json *json, const struct answer_lines *answer, enum line_group_by group_by);

void json_targets(struct json *json, const struct answer_targets *answer);
void json_target(struct json *json, const char *key, const struct answer_target *target);

void json_processes(struct json *json, const struct answer_processes *answer);
/* target: NULL when the process is none. */
void json_process(struct json *json, const struct answer_process *process,
		  const struct answer_target *target);

void json_ooms(struct json *json, const struct answer_ooms *answer);
void json_oom(struct json *json, const struct answer_oom *oom);

void json_status(struct json *json, const struct answer_status *answer);
void json_doctor(struct json *json, const struct answer_doctor *answer);

void json_watched(struct json *json, pid_t pid, const struct view_watch_result *result);
/* is_watched: others still hold the watch. */
void json_unwatched(struct json *json, pid_t pid, bool is_watched);

void json_error(struct json *json, const char *code, const char *message);

/* The sampling interval as every answer says it: null where the process itself draws its samples.
 */
void json_interval(struct json *json, uint64_t sampling_interval_bytes);

/* What the probes may cost and how sampling was adapted to it; part of several answers. */
void json_cost_control(struct json *json, const struct answer_cost_control *control);
/* A share of time: null when it is not known (< 0) or without limit. */
void json_share(struct json *json, const char *key, double share);
/* "losses": {"map_full": 0, …}, part of several answers. */
void json_losses(struct json *json, const struct answer_loss *losses, size_t loss_count);

/* "namespace_pid": null where it is the same as the pid, or unknown. */
void json_namespace_pid(struct json *json, pid_t namespace_pid);

#endif
