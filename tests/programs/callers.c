/* SPDX-License-Identifier: Apache-2.0 */
/* Sites that share callers: all of them, inlined ones too, some, and by recursion. */
#include "program.h"

#include <pthread.h>
#include <stdlib.h>

#define INLINED static inline __attribute__((always_inline))

SITE(parse_header);
SITE(parse_body);
SITE(log_request);
SITE(worker);

INLINED void box_new(struct site *site, size_t bytes)
{
	block_new(site, malloc(bytes), bytes);
}

/* Both allocate by code that was inlined, at an address of their own. */
CALL_SITE static void parse_header(void)
{
	box_new(&parse_header_site, 400);
}

CALL_SITE static void parse_body(void)
{
	box_new(&parse_body_site, 300);
}

INLINED void parse(void)
{
	parse_header();
	parse_body();
}

CALL_SITE static void log_request(void)
{
	box_new(&log_request_site, 200);
}

CALL_SITE static void handle(void)
{
	parse();
	log_request();
}

/* Two functions a turn. */
CALL_SITE static void descend(long more);

CALL_SITE static void descend_further(long more)
{
	descend(more - 1);
}

CALL_SITE static void descend(long more)
{
	if (more > 0)
		descend_further(more);
	else
		handle();
}

CALL_SITE static void *worker(void *unused)
{
	box_new(&worker_site, 50);
	handle();
	return unused;
}

CALL_SITE static void in_thread(void)
{
	pthread_t thread;

	program_require(pthread_create(&thread, NULL, worker, NULL) == 0, "a thread starts");
	pthread_join(thread, NULL);
}

/* depth: of the recursion, in turns. */
static void serve(long depth)
{
	handle();
	descend(0);
	descend(depth);
	in_thread();
}

int main(void)
{
	static const struct command commands[] = {
		{"serve", serve},
		{NULL, NULL},
	};

	return program_serve(commands);
}
