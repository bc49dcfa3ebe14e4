/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections of one listener, bounded in all and for each user. A timeout does not keep away
 * who sends one byte now and then; here the connection that was of no use for longest has to go
 * when a new one needs its place, so that no client can shut out another.
 *
 * Used by several threads; locks itself.
 */
#ifndef MEMWATCH_SERVE_CLIENTS_H
#define MEMWATCH_SERVE_CLIENTS_H

#include "view/view.h"

struct clients;
struct client;

/* max, max_per_uid: connections. NULL: out of memory. */
struct clients *clients_new(size_t max, size_t max_per_uid);
void clients_free(struct clients *clients);

/*
 * fd: borrowed until clients_remove; may be shut down, never closed, by us. NULL: there is no room
 * even so, and the caller should give up the connection.
 */
struct client *clients_add(struct clients *clients, int fd, const struct view_viewer *viewer);
void clients_remove(struct clients *clients, struct client *client);

const struct view_viewer *client_viewer(const struct client *client);

/* Around a request's handling: whoever is being answered is not sent away. */
void clients_begin_answer(struct clients *clients, struct client *client);
void clients_end_answer(struct clients *clients, struct client *client);

#endif
