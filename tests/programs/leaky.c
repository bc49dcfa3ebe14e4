/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The showcase of `make demo`: a little server that leaks in one place, caches in another and is
 * steady in a third. Runs by itself; obeys "report" and "exit".
 */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#define REQUESTS_EVERY_MS 20
#define SESSION_BYTES     (16 << 10)
#define PAGE_BYTES        (8 << 10)
#define CACHED_PAGES      64
#define BUFFER_BYTES      (32 << 10)
#define CONNECTIONS       16

SITE(session_new);
SITE(page_cache_insert);
SITE(connection_reset);

static struct block cached_pages[CACHED_PAGES];
static struct block buffers[CONNECTIONS];

/* The leak: nobody ever ends a session. */
CALL_SITE static void session_new(void)
{
	struct block session = block_new(&session_new_site, malloc(SESSION_BYTES), SESSION_BYTES);

	memset(session.address, 1, session.bytes);
}

/* The cache: a new page replaces the oldest. */
CALL_SITE static void page_cache_insert(unsigned long request)
{
	struct block *oldest = &cached_pages[request % CACHED_PAGES];

	block_free(oldest);
	*oldest = block_new(&page_cache_insert_site, malloc(PAGE_BYTES), PAGE_BYTES);
	memset(oldest->address, 2, oldest->bytes);
}

/* The steady part: each connection has one buffer, which lives as long as the connection. */
CALL_SITE static void connection_reset(unsigned long request)
{
	struct block *buffer = &buffers[request % CONNECTIONS];

	block_free(buffer);
	*buffer = block_new(&connection_reset_site, malloc(BUFFER_BYTES), BUFFER_BYTES);
	memset(buffer->address, 3, buffer->bytes);
}

CALL_SITE static void handle_request(unsigned long request)
{
	connection_reset(request);
	page_cache_insert(request);
	session_new();
}

int main(void)
{
	unsigned long request;

	ledger_print();
	for (request = 0;; request++) {
		handle_request(request);
		program_pause(REQUESTS_EVERY_MS);
	}
}
