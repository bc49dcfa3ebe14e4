/* SPDX-License-Identifier: Apache-2.0 */
/* Talks HTTP with memwatchd over its Unix socket: a request in, JSON or an error out. */
#ifndef MEMWATCH_CLI_CLIENT_H
#define MEMWATCH_CLI_CLIENT_H

#include <cjson/cJSON.h>
#include <stdbool.h>

struct client;
struct interrupt;

enum client_method { CLIENT_GET, CLIENT_PUT, CLIENT_DELETE };

/* Codes of our own, beside those of the API: no answer came. */
#define CLIENT_CODE_UNREACHABLE "unreachable"
#define CLIENT_CODE_ABORTED     "aborted"

struct client_error {
	char code[40];     /* as in the API: "no_such_process" */
	char message[512]; /* thing, cause, remedy; comes from the daemon: not safe for a terminal
			    */
};

struct client_answer {
	char *body; /* the JSON text as it came */
	cJSON *json;
};

/* Never NULL. The path is borrowed. Connects at the first request. */
struct client *client_new(const char *socket_path);
void client_free(struct client *client);

/* Requests give up once the interrupt is an abort. NULL: they cannot be interrupted. Borrowed. */
void client_set_interrupt(struct client *client, struct interrupt *interrupt);

/* 0 and an answer to release, or -1 and the error. */
int client_request(struct client *client, enum client_method method, const char *path,
		   struct client_answer *answer, struct client_error *error);
void client_answer_release(struct client_answer *answer);

#endif
