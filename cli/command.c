/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include "render.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How each code of the API's errors ends this program; others are a plain "no". */
static const struct {
	const char *code;
	enum command_exit exit;
} command_codes[] = {
	{"bad_request", COMMAND_EXIT_USAGE},
	{"no_such_process", COMMAND_EXIT_NO_SUCH_PROCESS},
	{"not_permitted", COMMAND_EXIT_NOT_PERMITTED},
	{CLIENT_CODE_UNREACHABLE, COMMAND_EXIT_UNREACHABLE},
};

int command_report_error(const struct client_error *error)
{
	enum command_exit exit = COMMAND_EXIT_NO;

	for (size_t i = 0; i < sizeof(command_codes) / sizeof(command_codes[0]); i++) {
		if (strcmp(error->code, command_codes[i].code) == 0)
			exit = command_codes[i].exit;
	}
	render_complain("%s", error->message);
	return exit;
}

char *command_query(const char *name, const struct option *option)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "-._~";
	const char *byte = option->is_set ? option->string : "";
	char *encoded, *out, *query;

	if (!option->is_set)
		return text_format("%s", "");
	out = encoded = malloc(3 * strlen(byte) + 1);
	if (!encoded)
		text_fail_out_of_memory();
	for (; *byte; byte++) {
		if (strchr(plain, *byte))
			*out++ = *byte;
		else
			out += sprintf(out, "%%%02X", (unsigned char)*byte);
	}
	*out = '\0';
	query = text_format("&%s=%s", name, encoded);
	free(encoded);
	return query;
}

char *command_budget_arguments(const struct option *budget, const struct option *force)
{
	if (force->is_set)
		return text_format("&force=1");
	if (budget->is_set)
		return text_format("&budget=%" PRIu64, budget->count);
	return text_format("%s", "");
}

int command_report_over_budget(const struct option *pid, const char *detail)
{
	render_complain("the watch of process %" PRIu64 " was stopped over its budget: %s",
			pid->count, detail);
	return COMMAND_EXIT_OVER_BUDGET;
}

int command_fetch(const struct options_global *global, enum client_method method, const char *path,
		  struct client_answer *answer)
{
	struct client *client = client_new(options_socket_path(global));
	struct client_error error;
	int exit = COMMAND_EXIT_FINE;

	if (client_request(client, method, path, answer, &error) != 0)
		exit = command_report_error(&error);
	client_free(client);
	return exit;
}

int command_ask(const struct options_global *global, enum client_method method, const char *path,
		command_show show)
{
	struct client_answer answer;
	int exit = command_fetch(global, method, path, &answer);

	if (exit != COMMAND_EXIT_FINE)
		return exit;
	if (options_is_json(global))
		render_json(answer.body);
	else
		show(answer.json);
	client_answer_release(&answer);
	return exit;
}

int command_ask_sites(const struct options_global *global, const char *path,
		      command_show_sites show, const struct sites_view *view)
{
	struct client_answer answer;
	int exit = command_fetch(global, CLIENT_GET, path, &answer);

	if (exit != COMMAND_EXIT_FINE)
		return exit;
	if (options_is_json(global))
		render_json(answer.body);
	else
		show(answer.json, view);
	client_answer_release(&answer);
	return exit;
}
