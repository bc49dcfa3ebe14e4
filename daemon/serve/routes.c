/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/routes.h"

#include "serve/handlers.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define UNIX LISTENER_UNIX
#define BOTH (LISTENER_UNIX | LISTENER_TCP)
#define TOP  REQUEST_ARGUMENT_TOP

static const struct route {
	const char *method; /* GET also answers HEAD: the server leaves out the body */
	const char *pattern;
	unsigned int listeners; /* a set of enum listener_kind */
	unsigned int arguments; /* a set of enum request_argument */
	void (*handle)(const struct exchange *exchange, struct response *response);
	bool is_slow;
} routes[] = {
	{"GET", "/-/healthy", BOTH, 0, handle_healthy, false},
	{"GET", "/-/ready", BOTH, 0, handle_ready, false},
	{"GET", "/metrics", BOTH, 0, handle_metrics, false},
	{"GET", "/api/v1/status", BOTH, 0, handle_status, false},
	{"GET", "/api/v1/doctor", UNIX, 0, handle_doctor, false},
	{"GET", "/api/v1/processes", UNIX, TOP, handle_processes, false},
	{"GET", "/api/v1/processes/{pid}", UNIX, 0, handle_process, false},
	{"GET", "/api/v1/processes/{pid}/leaks", UNIX, TOP | REQUEST_ARGUMENT_ALL, handle_leaks,
	 true},
	{"GET", "/api/v1/processes/{pid}/stacks", UNIX, TOP | REQUEST_ARGUMENT_SORT, handle_stacks,
	 true},
	{"GET", "/api/v1/processes/{pid}/lines", UNIX,
	 TOP | REQUEST_ARGUMENT_LINE_SORT | REQUEST_ARGUMENT_GROUP_BY | REQUEST_ARGUMENT_FILE |
		 REQUEST_ARGUMENT_FUNCTION,
	 handle_lines, true},
	{"PUT", "/api/v1/processes/{pid}/watch", UNIX,
	 REQUEST_ARGUMENT_INTERVAL | REQUEST_ARGUMENT_LEASE | REQUEST_ARGUMENT_LEASE_ID |
		 REQUEST_ARGUMENT_BUDGET | REQUEST_ARGUMENT_FORCE | REQUEST_ARGUMENT_RETRY,
	 handle_watch, true},
	{"DELETE", "/api/v1/processes/{pid}/watch", UNIX, REQUEST_ARGUMENT_LEASE_ID, handle_unwatch,
	 true},
	{"GET", "/api/v1/targets", UNIX, 0, handle_targets, false},
	{"GET", "/api/v1/ooms", UNIX, 0, handle_ooms, true},
	{"GET", "/api/v1/ooms/{id}", UNIX, 0, handle_oom, true},
};

static bool has_method(const struct route *route, const char *method)
{
	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	return strcmp(route->method, method) == 0;
}

static void allow_method(struct response *response, const char *method)
{
	size_t used = strlen(response->allow);

	snprintf(response->allow + used, sizeof(response->allow) - used, "%s%s", used ? ", " : "",
		 strcmp(method, "GET") == 0 ? "GET, HEAD" : method);
}

/* The number in the path, in the range that its name in the pattern has. */
static int parse_path_number(const struct route *route, const char *segment, size_t length,
			     uint64_t *number, struct request_error *error)
{
	bool is_pid = strstr(route->pattern, "{pid}") != NULL;

	if (request_parse_number(segment, length, 1, is_pid ? INT_MAX : UINT64_MAX, number))
		return 0;
	snprintf(error->message, sizeof(error->message), "'%.*s' is no %s: a whole number from 1",
		 (int)(length < 32 ? length : 32), segment, is_pid ? "pid" : "id");
	return -1;
}

static void run_route(const struct route *route, const struct request_target *parts,
		      const char *segment, size_t segment_length, struct exchange *exchange,
		      struct response *response)
{
	struct request_error error = {0};

	if ((segment &&
	     parse_path_number(route, segment, segment_length, &exchange->number, &error)) ||
	    request_parse_arguments(parts, route->arguments, &exchange->arguments, &error)) {
		response_set_error(response, RESPONSE_BAD_REQUEST, error.message);
		return;
	}
	route->handle(exchange, response);
	response_finish(response);
}

static void refuse_method(const struct exchange *exchange, struct response *response)
{
	char message[128];

	snprintf(message, sizeof(message), "this path does not take %.20s; it takes %s",
		 exchange->method, response->allow);
	response_set_error(response, RESPONSE_METHOD_NOT_ALLOWED, message);
}

bool routes_is_slow(enum listener_kind listener, const char *method, const char *target)
{
	struct request_target parts;
	struct request_error error = {0};

	if (request_split(target, strlen(target), &parts, &error))
		return false;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const struct route *route = &routes[i];
		const char *segment = NULL;
		size_t segment_length = 0;

		if (route->is_slow && route->listeners & listener && has_method(route, method) &&
		    request_match(&parts, route->pattern, &segment, &segment_length))
			return true;
	}
	return false;
}

void routes_answer(struct exchange *exchange, struct response *response)
{
	struct request_target parts;
	struct request_error error = {0};
	bool is_elsewhere = false;

	if (request_split(exchange->target, strlen(exchange->target), &parts, &error)) {
		response_set_error(response, RESPONSE_BAD_REQUEST, error.message);
		return;
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const struct route *route = &routes[i];
		const char *segment = NULL;
		size_t segment_length = 0;

		if (!request_match(&parts, route->pattern, &segment, &segment_length))
			continue;
		if (!(route->listeners & exchange->listener)) {
			is_elsewhere = true;
		} else if (has_method(route, exchange->method)) {
			response->allow[0] = '\0';
			run_route(route, &parts, segment, segment_length, exchange, response);
			return;
		} else {
			allow_method(response, route->method);
		}
	}
	if (response->allow[0])
		refuse_method(exchange, response);
	else if (is_elsewhere)
		response_set_error(response, RESPONSE_NOT_PERMITTED,
				   "this path is served on the Unix socket alone");
	else
		response_set_error(response, RESPONSE_NOT_FOUND, "no such path");
}
