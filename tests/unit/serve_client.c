/* SPDX-License-Identifier: Apache-2.0 */
#include "serve_client.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_ready(void *context)
{
	return *(bool *)context;
}

static int find_free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
	return ntohs(address.sin_port);
}

void served_prepare(struct served *served)
{
	*served = (struct served){.state = FAKE_STATE, .is_ready = true};
	strcpy(served->directory, "/tmp/memwatch-serve-XXXXXX");
	assert_non_null(mkdtemp(served->directory));
	assert_int_equal(chmod(served->directory, 0755), 0);
	snprintf(served->socket_path, sizeof(served->socket_path), "%s/s", served->directory);
	served->port = find_free_port();
	snprintf(served->listen, sizeof(served->listen), "127.0.0.1:%d", served->port);
	served->options = (struct server_options){
		.socket_path = served->socket_path,
		.socket_group = "daemon",
		.listen = served->listen,
		.state = &served->state,
		.is_ready = is_ready,
		.ready_context = &served->is_ready,
	};
}

void served_start(struct served *served)
{
	struct server_error error = {0};
	int err = server_start(&served->options, &served->server, &error);

	if (err)
		fail_msg("server_start: %s", error.message);
}

void served_end(struct served *served)
{
	server_stop(served->server);
	if (rmdir(served->directory) != 0)
		fail_msg("%s: %s", served->directory, strerror(errno));
}

static void set_timeout(int fd)
{
	struct timeval ten_seconds = {.tv_sec = 10};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &ten_seconds, sizeof(ten_seconds));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &ten_seconds, sizeof(ten_seconds));
}

int connect_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	set_timeout(fd);
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

int connect_tcp(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	set_timeout(fd);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Splits what came into status, headers and body; takes ownership of text. */
static struct reply parse_reply(char *text, size_t length)
{
	struct reply reply = {.headers = text, .body = text + length};
	char *end = strstr(text, "\r\n\r\n");

	if (end) {
		end[2] = '\0';
		reply.body = end + 4;
		reply.body_length = (size_t)(text + length - reply.body);
	}
	if (strncmp(text, "HTTP/1.", 7) == 0)
		reply.status = atoi(text + 9);
	return reply;
}

struct reply read_reply(int fd)
{
	size_t length = 0, capacity = 1 << 16;
	char *text = malloc(capacity);

	for (;;) {
		ssize_t got = recv(fd, text + length, capacity - length - 1, 0);

		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			fail_msg("no answer for 10 s");
		if (got <= 0)
			break;
		length += (size_t)got;
		if (capacity - length < 2)
			text = realloc(text, capacity *= 2);
	}
	text[length] = '\0';
	return parse_reply(text, length);
}

void reply_free(struct reply *reply)
{
	free(reply->headers);
	reply->headers = NULL;
}

static struct reply ask(int fd, const char *text)
{
	struct reply reply;

	assert_true(fd >= 0);
	send_text(fd, text);
	reply = read_reply(fd);
	close(fd);
	return reply;
}

struct reply ask_unix(const struct served *served, const char *method, const char *target)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		 method, target);
	return ask(connect_unix(served->socket_path), text);
}

struct reply ask_tcp(const struct served *served, const char *method, const char *target,
		     const char *host)
{
	char text[4096];

	if (host)
		snprintf(text, sizeof(text),
			 "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, target,
			 host);
	else
		snprintf(text, sizeof(text), "%s %s HTTP/1.0\r\n\r\n", method, target);
	return ask(connect_tcp(served->port), text);
}

/* In the child: asks, and writes all that comes to the pipe. No assertions here: cmocka's jumps. */
static void ask_from_child(const struct served *served, const char *target, int pipe_fd)
{
	char text[4096];
	int fd = connect_unix(served->socket_path);
	ssize_t got;

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		 target);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(1);
	while ((got = read(fd, text, sizeof(text))) > 0) {
		if (write(pipe_fd, text, (size_t)got) != got)
			_exit(1);
	}
	_exit(got < 0);
}

struct reply ask_as(const struct served *served, uid_t uid, gid_t gid, size_t group_count,
		    const gid_t *groups, const char *target)
{
	int fds[2], status;
	char *text = calloc(1, 1 << 20);
	size_t length = 0;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		if (setgroups(group_count, groups) || setresgid(gid, gid, gid) ||
		    setresuid(uid, uid, uid))
			_exit(2);
		ask_from_child(served, target, fds[1]);
	}
	close(fds[1]);
	while ((got = read(fds[0], text + length, (1 << 20) - length - 1)) > 0)
		length += (size_t)got;
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	return parse_reply(text, length);
}
