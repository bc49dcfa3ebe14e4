/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include "interrupt.h"
#include "json.h"
#include "text.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_CONNECT_TIMEOUT_SECONDS 5L
/* Attaching to a big process or naming its stacks for the first time takes seconds, never this. */
#define CLIENT_TIMEOUT_SECONDS 60L
/* 10,000 sites of 127 frames are about 250 MiB of JSON: a longer answer is a mistake. */
#define CLIENT_BODY_BYTES_MAX ((size_t)512 << 20)

struct client {
	CURL *curl;
	struct curl_slist *headers;
	const char *socket_path;
	struct interrupt *interrupt;
};

struct client_body {
	char *text; /* always ends in NUL once it has been written to */
	size_t length;
	size_t capacity;
};

static size_t client_receive(char *data, size_t size, size_t count, void *context)
{
	struct client_body *body = context;
	size_t length = size * count;

	if (length > CLIENT_BODY_BYTES_MAX - body->length)
		return 0;
	if (body->length + length + 1 > body->capacity) {
		size_t capacity = 2 * (body->length + length + 1);
		char *text = realloc(body->text, capacity);

		if (!text)
			return 0;
		body->text = text;
		body->capacity = capacity;
	}
	memcpy(body->text + body->length, data, length);
	body->length += length;
	body->text[body->length] = '\0';
	return length;
}

/* Called by libcurl at least once a second, whether or not data flows. */
static int client_may_go_on(void *context, curl_off_t download_total, curl_off_t downloaded,
			    curl_off_t upload_total, curl_off_t uploaded)
{
	struct client *client = context;

	(void)download_total;
	(void)downloaded;
	(void)upload_total;
	(void)uploaded;
	return client->interrupt && interrupt_is_abort(client->interrupt);
}

struct client *client_new(const char *socket_path)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		text_fail_out_of_memory();
	client->socket_path = socket_path;
	client->curl = curl_easy_init();
	/* An empty PUT is no form. */
	client->headers = curl_slist_append(NULL, "Content-Type:");
	if (!client->curl || !client->headers)
		text_fail_out_of_memory();
	return client;
}

void client_free(struct client *client)
{
	curl_easy_cleanup(client->curl);
	curl_slist_free_all(client->headers);
	free(client);
}

void client_set_interrupt(struct client *client, struct interrupt *interrupt)
{
	client->interrupt = interrupt;
}

static void client_prepare(struct client *client, enum client_method method, const char *url,
			   struct client_body *body)
{
	CURL *curl = client->curl;

	/* Forgets the options of the request before; the connection is kept. */
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	/* http_proxy of the environment does not concern a Unix socket. */
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CLIENT_CONNECT_TIMEOUT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, CLIENT_TIMEOUT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, client_receive);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, client_may_go_on);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
	if (method == CLIENT_PUT) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PUT");
	} else if (method == CLIENT_DELETE) {
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "DELETE");
	}
}

static void client_fail(struct client_error *error, const char *code, const char *message)
{
	snprintf(error->code, sizeof(error->code), "%s", code);
	snprintf(error->message, sizeof(error->message), "%s", message);
}

/* No HTTP answer came: says why and what to do. */
static void client_explain_failure(struct client *client, CURLcode result,
				   struct client_error *error)
{
	long system_error = 0;
	char *message;

	if (result == CURLE_ABORTED_BY_CALLBACK) {
		client_fail(error, CLIENT_CODE_ABORTED, "interrupted");
		return;
	}
	curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &system_error);
	if (result == CURLE_COULDNT_CONNECT && (system_error == EACCES || system_error == EPERM)) {
		message = text_format("not permitted to open %s: %s (be root or in the group of "
				      "the socket)",
				      client->socket_path, strerror((int)system_error));
		client_fail(error, "not_permitted", message);
	} else if (result == CURLE_COULDNT_CONNECT) {
		message = text_format("cannot reach memwatchd at %s: %s (start it with \"systemctl "
				      "start memwatchd\", or name its socket with --socket)",
				      client->socket_path,
				      system_error ? strerror((int)system_error)
						   : curl_easy_strerror(result));
		client_fail(error, CLIENT_CODE_UNREACHABLE, message);
	} else if (result == CURLE_OPERATION_TIMEDOUT) {
		message = text_format("memwatchd at %s does not answer (waited %ld s; see its log "
				      "with \"journalctl -u memwatchd\")",
				      client->socket_path, CLIENT_TIMEOUT_SECONDS);
		client_fail(error, CLIENT_CODE_UNREACHABLE, message);
	} else {
		message = text_format("no answer from memwatchd at %s: %s (did it end? see its log "
				      "with \"journalctl -u memwatchd\")",
				      client->socket_path, curl_easy_strerror(result));
		client_fail(error, CLIENT_CODE_UNREACHABLE, message);
	}
	free(message);
}

/* Fills error when the answer is one; else 0. */
static int client_check_status(struct client *client, const cJSON *json, struct client_error *error)
{
	const cJSON *object = cJSON_GetObjectItemCaseSensitive(json, "error");
	const char *code = json_string(object, "code");
	const char *message = json_string(object, "message");
	char *words;
	long status = 0;

	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 == 2 && json)
		return 0;
	if (code && message) {
		client_fail(error, code, message);
		return -1;
	}
	words = text_format("%s answered with HTTP status %ld and no JSON that memwatchctl knows "
			    "(is it memwatchd, and of this version?)",
			    client->socket_path, status);
	client_fail(error, "internal", words);
	free(words);
	return -1;
}

int client_request(struct client *client, enum client_method method, const char *path,
		   struct client_answer *answer, struct client_error *error)
{
	char *url = text_format("http://localhost%s", path);
	struct client_body body = {0};
	cJSON *json = NULL;
	CURLcode result;
	int rc = -1;

	client_prepare(client, method, url, &body);
	result = curl_easy_perform(client->curl);
	if (result != CURLE_OK) {
		client_explain_failure(client, result, error);
		goto out;
	}
	json = body.text ? cJSON_Parse(body.text) : NULL;
	rc = client_check_status(client, json, error);
	if (rc != 0)
		goto out;
	*answer = (struct client_answer){.body = body.text, .json = json};
	body.text = NULL;
	json = NULL;
out:
	cJSON_Delete(json);
	free(body.text);
	free(url);
	return rc;
}

void client_answer_release(struct client_answer *answer)
{
	cJSON_Delete(answer->json);
	free(answer->body);
	*answer = (struct client_answer){0};
}
