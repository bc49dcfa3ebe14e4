/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP on one listening socket: the only part that knows libmicrohttpd. */
#ifndef MEMWATCH_SERVE_HTTP_H
#define MEMWATCH_SERVE_HTTP_H

#include "serve/access.h"
#include "serve/routes.h"

#include <time.h>

struct http;

struct http_options {
	enum listener_kind listener;
	struct access_group group; /* LISTENER_UNIX: whose members see all */
	struct state *state;       /* borrowed */
	bool (*is_ready)(void *context);
	void *ready_context;
};

/* fd: a listening, non-blocking socket, borrowed until http_stop. 0 or -errno. */
int http_start(const struct http_options *options, int fd, struct http **http);
/* Takes no more connections. */
void http_quiesce(struct http *http);
/* Waits until every answer under way is sent, or the deadline (CLOCK_MONOTONIC). */
void http_drain(struct http *http, const struct timespec *deadline);
/* Ends all connections and threads. NULL is fine. */
void http_stop(struct http *http);

#endif
