/* SPDX-License-Identifier: Apache-2.0 */
/* One table says which method and path exist on which listener, and who answers them. */
#ifndef MEMWATCH_SERVE_ROUTES_H
#define MEMWATCH_SERVE_ROUTES_H

#include "serve/request.h"
#include "serve/response.h"
#include "view/view.h"

enum listener_kind {
	LISTENER_UNIX = 1 << 0,
	LISTENER_TCP = 1 << 1,
};

/* One request on its way through a handler. */
struct exchange {
	/* set by whoever received it; all borrowed */
	struct state *state;
	bool (*is_ready)(void *context);
	void *ready_context;
	enum listener_kind listener;
	struct view_viewer viewer;
	const char *method;
	const char *target;
	const char *accept; /* the Accept header; NULL: none */
	/* set by routes_answer */
	uint64_t number; /* the pid or id in the path */
	struct request_arguments arguments;
};

/*
 * Whether the answer may take a while: probes are attached or taken out, names looked up. Target as
 * in struct exchange.
 */
bool routes_is_slow(enum listener_kind listener, const char *method, const char *target);
/* Fills the response, whatever was asked. */
void routes_answer(struct exchange *exchange, struct response *response);

#endif
