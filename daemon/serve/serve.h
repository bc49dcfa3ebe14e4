/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two listeners: a Unix socket for everything (peer credentials decide who sees what), and TCP
 * for /metrics, /-/healthy, /-/ready and /api/v1/status alone, read-only.
 */
#ifndef MEMWATCH_SERVE_SERVE_H
#define MEMWATCH_SERVE_SERVE_H

#include "view/view.h"

struct server;

struct server_options {
	const char *socket_path;
	const char *socket_group;        /* its members see all processes, as root does */
	const char *listen;              /* "127.0.0.1:9735", "[::1]:9735", "none" */
	struct state *state;             /* borrowed */
	bool (*is_ready)(void *context); /* for /-/ready */
	void *ready_context;
};

/* Why it could not start, ready to print: names the socket or port and what to do. */
struct server_error {
	char message[400];
};

/* Binds and starts answering. 0 or -errno (-EADDRINUSE: a living process has it) with the error. */
int server_start(const struct server_options *options, struct server **server,
		 struct server_error *error);
/* Stops answering, waits for requests under way, removes the socket file. NULL is fine. */
void server_stop(struct server *server);

#endif
