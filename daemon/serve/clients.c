/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/clients.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

struct client {
	bool is_used;
	bool is_leaving; /* shut down; its thread has yet to notice */
	bool is_being_answered;
	int fd;
	struct view_viewer viewer;
	uint64_t used_at; /* on the table's own clock, which counts uses */
};

struct clients {
	pthread_mutex_t lock; /* over everything below */
	uint64_t now;
	size_t max;
	size_t max_per_uid;
	size_t slot_count;
	struct client slots[];
};

struct clients *clients_new(size_t max, size_t max_per_uid)
{
	/* Those that are leaving still take a slot each for a moment. */
	size_t slot_count = 2 * max;
	struct clients *clients = calloc(1, sizeof(*clients) + slot_count * sizeof(struct client));

	if (!clients)
		return NULL;
	pthread_mutex_init(&clients->lock, NULL);
	clients->max = max;
	clients->max_per_uid = max_per_uid;
	clients->slot_count = slot_count;
	return clients;
}

void clients_free(struct clients *clients)
{
	if (!clients)
		return;
	pthread_mutex_destroy(&clients->lock);
	free(clients);
}

/* How many there are, of one user or (uid NULL) in all; and which of them should go first. */
static size_t count_clients(struct clients *clients, const uid_t *uid, struct client **first_to_go)
{
	size_t count = 0;

	*first_to_go = NULL;
	for (size_t i = 0; i < clients->slot_count; i++) {
		struct client *client = &clients->slots[i];

		if (!client->is_used || client->is_leaving || (uid && client->viewer.uid != *uid))
			continue;
		count++;
		if (!client->is_being_answered &&
		    (!*first_to_go || client->used_at < (*first_to_go)->used_at))
			*first_to_go = client;
	}
	return count;
}

/* Makes room for one more, of one user or in all. False: everybody there is being answered. */
static bool make_room(struct clients *clients, const uid_t *uid, size_t max)
{
	struct client *first_to_go;

	if (count_clients(clients, uid, &first_to_go) < max)
		return true;
	if (!first_to_go)
		return false;
	first_to_go->is_leaving = true;
	shutdown(first_to_go->fd, SHUT_RDWR);
	return true;
}

static struct client *find_slot(struct clients *clients)
{
	for (size_t i = 0; i < clients->slot_count; i++) {
		if (!clients->slots[i].is_used)
			return &clients->slots[i];
	}
	return NULL;
}

struct client *clients_add(struct clients *clients, int fd, const struct view_viewer *viewer)
{
	struct client *client = NULL;

	pthread_mutex_lock(&clients->lock);
	if (make_room(clients, &viewer->uid, clients->max_per_uid) &&
	    make_room(clients, NULL, clients->max))
		client = find_slot(clients);
	if (client)
		*client = (struct client){
			.is_used = true,
			.fd = fd,
			.viewer = *viewer,
			.used_at = ++clients->now,
		};
	pthread_mutex_unlock(&clients->lock);
	return client;
}

void clients_remove(struct clients *clients, struct client *client)
{
	pthread_mutex_lock(&clients->lock);
	client->is_used = false;
	pthread_mutex_unlock(&clients->lock);
}

const struct view_viewer *client_viewer(const struct client *client)
{
	return &client->viewer;
}

static void set_being_answered(struct clients *clients, struct client *client, bool is_it)
{
	pthread_mutex_lock(&clients->lock);
	client->is_being_answered = is_it;
	client->used_at = ++clients->now;
	pthread_mutex_unlock(&clients->lock);
}

void clients_begin_answer(struct clients *clients, struct client *client)
{
	set_being_answered(clients, client, true);
}

void clients_end_answer(struct clients *clients, struct client *client)
{
	set_being_answered(clients, client, false);
}
