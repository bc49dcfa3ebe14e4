/* SPDX-License-Identifier: Apache-2.0 */
/* A server on temporary addresses, and the plainest of HTTP clients to ask it. */
#ifndef MEMWATCH_TESTS_SERVE_CLIENT_H
#define MEMWATCH_TESTS_SERVE_CLIENT_H

#include "serve/serve.h"
#include "serve_fake.h"

struct served {
	struct state state;
	bool is_ready;
	char directory[64];
	char socket_path[108];
	int port;
	char listen[32];
	struct server_options options;
	struct server *server;
};

/* Makes the directory and finds a free port; served_start() starts. */
void served_prepare(struct served *served);
void served_start(struct served *served);
/* Stops and removes the directory, which must be empty. */
void served_end(struct served *served);

int connect_unix(const char *path);
int connect_tcp(int port);

struct reply {
	int status;    /* 0: the connection ended without an answer */
	char *headers; /* with the status line */
	char *body;    /* terminated */
	size_t body_length;
};

void send_text(int fd, const char *text);
/* Reads until the server closes; fails the test after 10 s of silence. */
struct reply read_reply(int fd);
void reply_free(struct reply *reply);
/* "GET", "/metrics": one request on a connection of its own. */
struct reply ask_unix(const struct served *served, const char *method, const char *target);
/* host NULL: no Host header (and HTTP/1.0). */
struct reply ask_tcp(const struct served *served, const char *method, const char *target,
		     const char *host);
/* Asks over the Unix socket as another user, from a child. */
struct reply ask_as(const struct served *served, uid_t uid, gid_t gid, size_t group_count,
		    const gid_t *groups, const char *target);

#endif
