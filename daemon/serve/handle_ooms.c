/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/encode.h"
#include "serve/handlers.h"

#include <errno.h>

void handle_ooms(const struct exchange *exchange, struct response *response)
{
	struct json json = {.text = &response->body};
	struct answer_ooms *answer;
	int err = view_ooms(exchange->state, &exchange->viewer, 0, &answer);

	if (err) {
		response_set_errno(response, err, exchange->number, NULL);
		return;
	}
	json_ooms(&json, answer);
	answer_ooms_free(answer);
}

void handle_oom(const struct exchange *exchange, struct response *response)
{
	struct json json = {.text = &response->body};
	struct answer_ooms *answer = NULL;
	int err = view_ooms(exchange->state, &exchange->viewer, exchange->number, &answer);

	if (!err && answer->oom_count == 0)
		err = -ENOENT;
	if (err)
		response_set_errno(response, err, exchange->number, NULL);
	else
		json_oom(&json, &answer->ooms[0]);
	answer_ooms_free(answer);
}
