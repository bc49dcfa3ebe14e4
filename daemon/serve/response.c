/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/response.h"

#include "serve/encode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
	unsigned int status;
	const char *code;
} errors[] = {
	[RESPONSE_BAD_REQUEST] = {400, "bad_request"},
	[RESPONSE_NOT_PERMITTED] = {403, "not_permitted"},
	[RESPONSE_NOT_FOUND] = {404, "not_found"},
	[RESPONSE_NO_SUCH_PROCESS] = {404, "no_such_process"},
	[RESPONSE_NOT_A_TARGET] = {404, "not_a_target"},
	[RESPONSE_METHOD_NOT_ALLOWED] = {405, "method_not_allowed"},
	[RESPONSE_CONFLICT] = {409, "conflict"},
	[RESPONSE_UNSUPPORTED_PROCESS] = {422, "unsupported_process"},
	[RESPONSE_TOO_MANY_TARGETS] = {429, "too_many_targets"},
	[RESPONSE_INTERNAL] = {500, "internal"},
	[RESPONSE_UNSUPPORTED_KERNEL] = {501, "unsupported_kernel"},
	[RESPONSE_BUSY] = {503, "busy"},
};

/*
 * What the views' errors mean (view.h), and what to say when a view says nothing itself: around the
 * number that was asked for.
 */
static const struct {
	int err;
	enum response_error error;
	const char *before;
	const char *after;
} meanings[] = {
	{-ESRCH, RESPONSE_NO_SUCH_PROCESS, "there is no process ", ", or it is exiting"},
	{-EPERM, RESPONSE_NOT_PERMITTED, "process ",
	 " belongs to another user (root and members of the socket's group see all)"},
	{-ENODATA, RESPONSE_NOT_A_TARGET, "process ",
	 " is not watched (memwatchctl watch --pid N watches one)"},
	{-ENOENT, RESPONSE_NOT_FOUND, "no OOM kill ", " is known"},
	{-EINVAL, RESPONSE_UNSUPPORTED_PROCESS, "process ", " is of a kind that cannot be watched"},
	{-ENOEXEC, RESPONSE_UNSUPPORTED_PROCESS, "process ", " has no known allocator"},
	{-EBUSY, RESPONSE_CONFLICT, "process ", " is already watched with another interval"},
	{-ENOSPC, RESPONSE_TOO_MANY_TARGETS, "process ",
	 " cannot be watched: as many are watched as targets_max allows"},
	{-ENOTSUP, RESPONSE_UNSUPPORTED_KERNEL, "process ",
	 " cannot be watched: this kernel lacks what is needed (memwatchctl doctor)"},
};

void response_init(struct response *response)
{
	*response = (struct response){.status = 200, .content_type = "application/json"};
	text_init(&response->body, RESPONSE_BYTES_MAX);
}

void response_free(struct response *response)
{
	text_free(&response->body);
}

void response_set_error(struct response *response, enum response_error error, const char *message)
{
	struct json json = {.text = &response->body};

	text_free(&response->body);
	response->status = errors[error].status;
	response->content_type = "application/json";
	json_error(&json, errors[error].code, message);
}

void response_set_errno(struct response *response, int err, uint64_t number, const char *message)
{
	enum response_error error = RESPONSE_INTERNAL;
	char meaning[200];

	snprintf(meaning, sizeof(meaning), "%s", strerror(-err));
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (meanings[i].err != err)
			continue;
		error = meanings[i].error;
		snprintf(meaning, sizeof(meaning), "%s%" PRIu64 "%s", meanings[i].before, number,
			 meanings[i].after);
	}
	response_set_error(response, error, message && message[0] ? message : meaning);
}

void response_finish(struct response *response)
{
	if (response->body.error == -EMSGSIZE)
		response_set_error(response, RESPONSE_BAD_REQUEST,
				   "the answer is larger than 64 MiB: ask for less with top=K");
	else if (response->body.error)
		response_set_errno(response, response->body.error, 0, NULL);
}
