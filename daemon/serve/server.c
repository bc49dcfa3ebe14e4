/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/serve.h"

#include "serve/http.h"
#include "serve/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The daemon has two seconds to end; answers that are being read may take half of it. */
#define DRAIN_SECONDS 1

struct server {
	struct unix_listener unix_listener;
	int tcp_fd; /* -1: none */
	struct http *unix_http;
	struct http *tcp_http; /* NULL: none */
};

static int start_http(const struct server_options *options, enum listener_kind listener, int fd,
		      struct http **http, struct server_error *error)
{
	struct http_options http_options = {
		.listener = listener,
		.group = access_find_group(options->socket_group),
		.state = options->state,
		.is_ready = options->is_ready,
		.ready_context = options->ready_context,
	};
	int err = http_start(&http_options, fd, http);

	if (err)
		server_error_set(error, "cannot start to answer on %s: %s",
				 listener == LISTENER_UNIX ? options->socket_path : options->listen,
				 strerror(-err));
	return err;
}

static int open_and_start(const struct server_options *options, struct server *server,
			  struct server_error *error)
{
	bool has_tcp = options->listen && strcmp(options->listen, "none") != 0;
	int err = listener_open_unix(options->socket_path, &server->unix_listener, error);

	if (err)
		return err;
	if (has_tcp) {
		server->tcp_fd = listener_open_tcp(options->listen, error);
		if (server->tcp_fd < 0)
			return server->tcp_fd;
	}
	err = start_http(options, LISTENER_UNIX, server->unix_listener.fd, &server->unix_http,
			 error);
	if (!err && has_tcp)
		err = start_http(options, LISTENER_TCP, server->tcp_fd, &server->tcp_http, error);
	return err;
}

int server_start(const struct server_options *options, struct server **server,
		 struct server_error *error)
{
	struct server *created = calloc(1, sizeof(*created));
	int err;

	if (!created) {
		server_error_set(error, "cannot start to answer: out of memory");
		return -ENOMEM;
	}
	created->tcp_fd = -1;
	created->unix_listener = (struct unix_listener){.fd = -1, .directory_fd = -1};
	err = open_and_start(options, created, error);
	if (err) {
		server_stop(created);
		return err;
	}
	*server = created;
	return 0;
}

static void drain(struct server *server)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += DRAIN_SECONDS;
	if (server->unix_http) {
		http_quiesce(server->unix_http);
		http_drain(server->unix_http, &deadline);
	}
	if (server->tcp_http) {
		http_quiesce(server->tcp_http);
		http_drain(server->tcp_http, &deadline);
	}
}

void server_stop(struct server *server)
{
	if (!server)
		return;
	listener_remove_unix(&server->unix_listener);
	drain(server);
	http_stop(server->unix_http);
	http_stop(server->tcp_http);
	listener_close_unix(&server->unix_listener);
	if (server->tcp_fd >= 0)
		close(server->tcp_fd);
	free(server);
}
