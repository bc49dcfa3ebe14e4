/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every watched program shares: a loop that obeys commands line by line, and a ledger of what
 * each call site holds. Tests compare memwatch with the ledger and synchronise by reading lines.
 *
 * Nothing here allocates, so that the ledger never stands in the account that it is the truth of.
 */
#ifndef MEMWATCH_TESTS_PROGRAM_H
#define MEMWATCH_TESTS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A function that stays itself: not inlined, cloned or renamed, so that its name is in the report.
 */
#ifdef __clang__
#define CALL_SITE __attribute__((noinline))
#else
#define CALL_SITE __attribute__((noipa))
#endif

/* The direct caller of an allocation function, and what it holds. Safe to use from any thread. */
struct site {
	const char *function;
	long long outstanding_bytes;
	long long outstanding_objects;
	long long allocated_bytes;
	long long allocated_objects;
	int is_listed;
	struct site *next;
};

#define SITE(function_name) static struct site function_name##_site = {.function = #function_name}

void site_allocated(struct site *site, size_t bytes);
void site_freed(struct site *site, size_t bytes);
/* Part of something went, not an object. */
void site_shrank(struct site *site, size_t bytes);
void site_grew(struct site *site, size_t bytes);

/* A block and the site that it is booked on. address is NULL when there is none. */
struct block {
	void *address;
	size_t bytes;
	struct site *site;
};

/* Books a block that an allocator has just returned; a failed call (NULL) is counted as that. */
struct block block_new(struct site *site, void *address, size_t bytes);
/* Frees the block and books that. */
void block_free(struct block *block);

/* Forgets all sites and counts: what was allocated so far belongs to nobody. */
void ledger_clear(void);
/* Adds to a number of the report that belongs to no site, like "failed_allocations". */
void ledger_count(const char *name, long long amount);
/* Prints the ledger as one line of JSON. */
void ledger_print(void);

struct command {
	const char *name;
	/* argument: the rest of the line, as a number; 0 without */
	void (*run)(long argument);
};

/*
 * Prints the ledger, which says that the program is ready, then obeys lines from standard input
 * until "exit" or its end; prints the ledger after each. Built in: "report", "exit".
 * commands end with a NULL name.
 */
int program_serve(const struct command *commands);

/* Lets time pass in a program that runs by itself, meanwhile obeying "report" and "exit". */
void program_pause(long milliseconds);

/* Ends the program with a message when an assumption of the scenario doesn't hold. */
void program_require(bool condition, const char *what);

#ifdef __cplusplus
}
#endif

#endif
