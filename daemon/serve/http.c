/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http.h"

#include "serve/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Neither a slow client nor a slow answer holds one of them. */
#define UNIX_THREADS 4
#define TCP_THREADS  2

#define UNIX_CLIENTS_MAX         128
#define UNIX_CLIENTS_PER_UID_MAX 32
#define TCP_CLIENTS_MAX          64

#define IDLE_SECONDS_MAX        10
#define CONNECTION_MEMORY_BYTES 16384

/* No request of ours has a body; a client that sends one is told so if it is this short. */
#define BODY_BYTES_MAX 4096

/*
 * Answers that clients have yet to take, all together. Half is kept for those who see all, so that
 * a user who asks and does not read cannot silence the daemon for root.
 */
#define HELD_BYTES_MAX ((size_t)128 << 20)

struct http {
	struct http_options options;
	struct MHD_Daemon *daemon;
	struct clients *clients;
	int quiesced_fd; /* what MHD listened on, -1 before http_quiesce */

	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t answer_sent;
	size_t answers_under_way;
	size_t errands_under_way;
	size_t held_bytes;
};

/* From a request's first line until it is completed or its connection ends. */
struct request {
	char *target;
	size_t body_bytes;
	bool has_headers;
	bool is_under_way; /* counted in answers_under_way */
	bool has_response;
	struct response response;
};

/* A request that is answered by a thread of its own while its connection is suspended. */
struct errand {
	struct http *http;
	struct MHD_Connection *connection;
	struct request *request;
	const char *method; /* MHD's, valid while the connection is suspended */
	struct view_viewer viewer;
};

/* A body that libmicrohttpd is sending. */
struct held_body {
	struct http *http;
	char *data;
	size_t length;
};

/* ---- Bodies on their way ---- */

static bool hold_bytes(struct http *http, size_t length, bool sees_all)
{
	size_t max = sees_all ? HELD_BYTES_MAX : HELD_BYTES_MAX / 2;
	bool fits;

	pthread_mutex_lock(&http->lock);
	fits = http->held_bytes <= max && length <= max - http->held_bytes;
	if (fits)
		http->held_bytes += length;
	pthread_mutex_unlock(&http->lock);
	return fits;
}

static void release_bytes(struct http *http, size_t length)
{
	pthread_mutex_lock(&http->lock);
	http->held_bytes -= length;
	pthread_mutex_unlock(&http->lock);
}

static void free_held_body(void *context)
{
	struct held_body *body = context;

	release_bytes(body->http, body->length);
	free(body->data);
	free(body);
}

/* Takes the response's body over; its bytes are already counted as held. NULL: out of memory. */
static struct MHD_Response *response_to_mhd(struct http *http, struct response *response)
{
	struct held_body *body = malloc(sizeof(*body));
	struct MHD_Response *result = NULL;

	if (body) {
		*body = (struct held_body){http, response->body.data, response->body.length};
		result = MHD_create_response_from_buffer_with_free_callback_cls(
			body->length, body->data, free_held_body, body);
	}
	if (!result) {
		release_bytes(http, response->body.length);
		free(body);
		return NULL;
	}
	text_init(&response->body, 0);
	MHD_add_response_header(result, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type);
	MHD_add_response_header(result, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(result, "X-Content-Type-Options", "nosniff");
	if (response->allow[0])
		MHD_add_response_header(result, MHD_HTTP_HEADER_ALLOW, response->allow);
	return result;
}

static enum MHD_Result send_response(struct http *http, struct MHD_Connection *connection,
				     bool sees_all, struct response *response)
{
	struct MHD_Response *to_send;
	enum MHD_Result result;

	if (!hold_bytes(http, response->body.length, sees_all)) {
		response_set_error(response, RESPONSE_BUSY,
				   "too many answers have yet to be read: try again, or ask for "
				   "less with top=K");
		/* The word that there is no room needs none to speak of. */
		if (!hold_bytes(http, response->body.length, true))
			return MHD_NO;
	}
	to_send = response_to_mhd(http, response);
	if (!to_send)
		return MHD_NO;
	result = MHD_queue_response(connection, response->status, to_send);
	MHD_destroy_response(to_send);
	return result;
}

/* ---- One request ---- */

static void *on_first_line(void *context, const char *target, struct MHD_Connection *connection)
{
	struct request *request = calloc(1, sizeof(*request));

	(void)context;
	(void)connection;
	if (!request)
		return NULL;
	/* One byte more than is taken, so that too long a target is still seen as too long. */
	request->target = strndup(target, REQUEST_TARGET_BYTES_MAX + 1);
	response_init(&request->response);
	return request;
}

struct host_header {
	const char *value;
	unsigned int count;
};

static enum MHD_Result find_host(void *context, enum MHD_ValueKind kind, const char *key,
				 const char *value)
{
	struct host_header *host = context;

	(void)kind;
	if (strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0) {
		host->value = value;
		host->count++;
	}
	return MHD_YES;
}

static int connection_fd(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static bool is_host_ours(struct MHD_Connection *connection)
{
	struct host_header host = {0};
	struct sockaddr_storage local = {0};
	socklen_t size = sizeof(local);

	MHD_get_connection_values(connection, MHD_HEADER_KIND, find_host, &host);
	if (getsockname(connection_fd(connection), (struct sockaddr *)&local, &size) != 0)
		return false;
	return host.count == 1 && access_allows_host(host.value, &local);
}

static void fill_response(struct http *http, struct MHD_Connection *connection, const char *method,
			  const struct request *request, const struct view_viewer *viewer,
			  struct response *response)
{
	struct exchange exchange = {
		.state = http->options.state,
		.is_ready = http->options.is_ready,
		.ready_context = http->options.ready_context,
		.listener = http->options.listener,
		.viewer = *viewer,
		.method = method,
		.target = request->target,
		.accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
						      MHD_HTTP_HEADER_ACCEPT),
	};

	if (http->options.listener == LISTENER_TCP && !is_host_ours(connection))
		response_set_error(response, RESPONSE_NOT_PERMITTED,
				   "the Host header must name localhost, a loopback address or the "
				   "address that is listened on");
	else if (request->body_bytes > 0)
		response_set_error(response, RESPONSE_BAD_REQUEST, "no request takes a body");
	else
		routes_answer(&exchange, response);
}

static struct client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void *run_errand(void *context)
{
	struct errand *errand = context;
	struct http *http = errand->http;

	fill_response(http, errand->connection, errand->method, errand->request, &errand->viewer,
		      &errand->request->response);
	errand->request->has_response = true;
	MHD_resume_connection(errand->connection);
	free(errand);
	pthread_mutex_lock(&http->lock);
	http->errands_under_way--;
	pthread_cond_broadcast(&http->answer_sent);
	pthread_mutex_unlock(&http->lock);
	return NULL;
}

/* The response is there when the connection goes on and MHD calls us for it again. */
static bool send_on_errand(struct http *http, struct MHD_Connection *connection, const char *method,
			   struct request *request, const struct view_viewer *viewer)
{
	struct errand *errand = malloc(sizeof(*errand));
	pthread_t thread;

	if (!errand)
		return false;
	*errand = (struct errand){http, connection, request, method, *viewer};
	pthread_mutex_lock(&http->lock);
	http->errands_under_way++;
	pthread_mutex_unlock(&http->lock);
	MHD_suspend_connection(connection);
	/* Where no thread can be had, everybody waits. */
	if (pthread_create(&thread, NULL, run_errand, errand))
		run_errand(errand);
	else
		pthread_detach(thread);
	return true;
}

static enum MHD_Result answer(struct http *http, struct MHD_Connection *connection,
			      const char *method, struct request *request)
{
	struct client *client = client_of(connection);
	enum MHD_Result result;

	if (!client)
		return MHD_NO;
	if (!request->is_under_way) {
		pthread_mutex_lock(&http->lock);
		http->answers_under_way++;
		request->is_under_way = true;
		pthread_mutex_unlock(&http->lock);
		clients_begin_answer(http->clients, client);
		if (routes_is_slow(http->options.listener, method, request->target) &&
		    send_on_errand(http, connection, method, request, client_viewer(client)))
			return MHD_YES;
	}
	if (!request->has_response)
		fill_response(http, connection, method, request, client_viewer(client),
			      &request->response);
	result = send_response(http, connection, client_viewer(client)->sees_all,
			       &request->response);
	clients_end_answer(http->clients, client);
	return result;
}

/* Called once with the headers, then for each piece of a body, then once more. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *body,
				  size_t *body_length, void **request_context)
{
	struct request *request = *request_context;

	(void)url;
	(void)version;
	(void)body;
	if (!request || !request->target)
		return MHD_NO;
	if (!request->has_headers) {
		request->has_headers = true;
		return MHD_YES;
	}
	if (*body_length > 0) {
		request->body_bytes += *body_length;
		*body_length = 0;
		return request->body_bytes <= BODY_BYTES_MAX ? MHD_YES : MHD_NO;
	}
	return answer(context, connection, method, request);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
			 enum MHD_RequestTerminationCode how)
{
	struct http *http = context;
	struct request *request = *request_context;

	(void)connection;
	(void)how;
	if (!request)
		return;
	if (request->is_under_way) {
		pthread_mutex_lock(&http->lock);
		http->answers_under_way--;
		pthread_cond_broadcast(&http->answer_sent);
		pthread_mutex_unlock(&http->lock);
	}
	response_free(&request->response);
	free(request->target);
	free(request);
	*request_context = NULL;
}

/* ---- One connection ---- */

static struct client *admit(struct http *http, int fd)
{
	/* On TCP nobody has a name, and nothing that depends on one is served. */
	struct view_viewer viewer = {.uid = (uid_t)-1};

	if (http->options.listener == LISTENER_UNIX &&
	    access_identify_peer(fd, &http->options.group, &viewer))
		return NULL;
	return clients_add(http->clients, fd, &viewer);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct http *http = context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		int fd = connection_fd(connection);

		*socket_context = admit(http, fd);
		if (!*socket_context)
			shutdown(fd, SHUT_RDWR);
	} else if (*socket_context) {
		/* Comes before the descriptor is closed, so none is shut down that is another's. */
		clients_remove(http->clients, *socket_context);
		*socket_context = NULL;
	}
}

/* ---- The listener ---- */

static struct MHD_Daemon *start_daemon(struct http *http, int fd)
{
	bool is_unix = http->options.listener == LISTENER_UNIX;
	/* The bound that counts is that of clients.h: this one only keeps a margin above it. */
	int connections_max = 2 * (is_unix ? UNIX_CLIENTS_MAX : TCP_CLIENTS_MAX);
	const struct MHD_OptionItem mhd_options[] = {
		{MHD_OPTION_LISTEN_SOCKET, fd, NULL},
		{MHD_OPTION_THREAD_POOL_SIZE, is_unix ? UNIX_THREADS : TCP_THREADS, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, connections_max, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS_MAX, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES, NULL},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_first_line, NULL},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, http},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, http},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_Daemon *daemon;
	sigset_t all, before;

	/* Signals are for the thread that waits for them, not for the ones started here. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/* poll, not epoll: with that, MHD_quiesce_daemon() aborts if a thread wakes meanwhile. */
	daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
				  NULL, on_request, http, MHD_OPTION_ARRAY, mhd_options,
				  MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return daemon;
}

static struct http *http_new(const struct http_options *options)
{
	struct http *http = calloc(1, sizeof(*http));
	bool is_unix = options->listener == LISTENER_UNIX;
	pthread_condattr_t attributes;

	if (!http)
		return NULL;
	http->clients = clients_new(is_unix ? UNIX_CLIENTS_MAX : TCP_CLIENTS_MAX,
				    is_unix ? UNIX_CLIENTS_PER_UID_MAX : TCP_CLIENTS_MAX);
	if (!http->clients) {
		free(http);
		return NULL;
	}
	http->options = *options;
	http->quiesced_fd = -1;
	pthread_mutex_init(&http->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&http->answer_sent, &attributes);
	pthread_condattr_destroy(&attributes);
	return http;
}

static void http_free(struct http *http)
{
	pthread_cond_destroy(&http->answer_sent);
	pthread_mutex_destroy(&http->lock);
	clients_free(http->clients);
	free(http);
}

int http_start(const struct http_options *options, int fd, struct http **http)
{
	struct http *created = http_new(options);
	int mhd_fd, err;

	if (!created)
		return -ENOMEM;
	/* MHD closes what it listens on, on some paths: let that be a descriptor of its own. */
	mhd_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (mhd_fd < 0) {
		err = -errno;
		http_free(created);
		return err;
	}
	errno = 0;
	created->daemon = start_daemon(created, mhd_fd);
	if (!created->daemon) {
		err = errno ? -errno : -ENOMEM;
		http_free(created);
		return err;
	}
	*http = created;
	return 0;
}

void http_quiesce(struct http *http)
{
	if (http->quiesced_fd < 0)
		http->quiesced_fd = MHD_quiesce_daemon(http->daemon);
}

void http_drain(struct http *http, const struct timespec *deadline)
{
	int err = 0;

	pthread_mutex_lock(&http->lock);
	while (http->answers_under_way > 0 && err == 0)
		err = pthread_cond_timedwait(&http->answer_sent, &http->lock, deadline);
	pthread_mutex_unlock(&http->lock);
}

/* A connection must not be ended while it is suspended. */
static void wait_for_errands(struct http *http)
{
	pthread_mutex_lock(&http->lock);
	while (http->errands_under_way > 0)
		pthread_cond_wait(&http->answer_sent, &http->lock);
	pthread_mutex_unlock(&http->lock);
}

void http_stop(struct http *http)
{
	if (!http)
		return;
	http_quiesce(http);
	wait_for_errands(http);
	MHD_stop_daemon(http->daemon);
	if (http->quiesced_fd >= 0)
		close(http->quiesced_fd);
	http_free(http);
}
