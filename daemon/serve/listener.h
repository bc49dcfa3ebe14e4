/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets listened on: how they are bound, and given back. */
#ifndef MEMWATCH_SERVE_LISTENER_H
#define MEMWATCH_SERVE_LISTENER_H

#include "serve/serve.h"

#include <sys/types.h>

struct unix_listener {
	int fd;
	int directory_fd;
	char name[108]; /* in the directory */
	dev_t device;   /* which file it is, so that only ours is removed */
	ino_t inode;
};

/*
 * Binds path with mode 0666 (who sees what is decided by credentials). Creates the last directory
 * of the path if it is missing. A socket file that a dead process left is replaced; a living one's
 * gives -EADDRINUSE. At every moment the path names nothing or a socket that is listened on, so two
 * daemons that start at once cannot take each other's for dead. 0 or -errno with the error.
 */
int listener_open_unix(const char *path, struct unix_listener *listener,
		       struct server_error *error);
/* Removes the socket file if it is still ours; connections that came before may still be served. */
void listener_remove_unix(struct unix_listener *listener);
void listener_close_unix(struct unix_listener *listener);

/* "127.0.0.1:9735", "[::1]:9735". The listening socket or -errno with the error. */
int listener_open_tcp(const char *address, struct server_error *error);

__attribute__((format(printf, 2, 3))) void server_error_set(struct server_error *error,
							    const char *format, ...);

#endif
