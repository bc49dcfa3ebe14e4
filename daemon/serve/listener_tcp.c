/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 64

void server_error_set(struct server_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
}

/* Takes "ADDR:PORT" apart; an IPv6 address is in brackets. */
static int split_address(const char *address, char host[64], char port[8])
{
	const char *colon = strrchr(address, ':');
	const char *start = address, *end = colon;
	size_t port_length;

	if (!colon)
		return -EINVAL;
	if (address[0] == '[') {
		if (colon[-1] != ']')
			return -EINVAL;
		start++;
		end--;
	} else if (memchr(address, ':', (size_t)(colon - address))) {
		return -EINVAL;
	}
	port_length = strlen(colon + 1);
	if (end <= start || end - start >= 64 || port_length == 0 || port_length >= 8)
		return -EINVAL;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	memcpy(port, colon + 1, port_length + 1);
	return 0;
}

static int resolve(const char *address, struct addrinfo **resolved)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	};
	char host[64], port[8];

	if (split_address(address, host, port))
		return -EINVAL;
	/* Digits alone: port 0 would be one that nobody knows, and strtol takes signs and blanks.
	 */
	if (port[strspn(port, "0123456789")] != '\0' || port[strspn(port, "0")] == '\0' ||
	    strlen(port) > 5 || (strlen(port) == 5 && strcmp(port, "65535") > 0))
		return -EINVAL;
	return getaddrinfo(host, port, &hints, resolved) == 0 ? 0 : -EINVAL;
}

static int listen_on(const struct addrinfo *resolved)
{
	int fd = socket(resolved->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1, no = 0, err;

	if (fd < 0)
		return -errno;
	/* Connections of a daemon that has just ended must not keep the next one from the port. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (resolved->ai_family == AF_INET6) /* "[::]" means IPv4 as well, whatever the sysctl */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (bind(fd, resolved->ai_addr, resolved->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int listener_open_tcp(const char *address, struct server_error *error)
{
	struct addrinfo *resolved;
	int fd;

	if (resolve(address, &resolved)) {
		server_error_set(error,
				 "cannot listen on '%s': it must be ADDRESS:PORT like "
				 "127.0.0.1:9735 or [::1]:9735, or none",
				 address);
		return -EINVAL;
	}
	fd = listen_on(resolved);
	freeaddrinfo(resolved);
	if (fd == -EADDRINUSE)
		server_error_set(error,
				 "cannot listen on %s: another process has this port "
				 "(choose another with --listen, or none)",
				 address);
	else if (fd < 0)
		server_error_set(error, "cannot listen on %s: %s", address, strerror(-fd));
	return fd;
}
