/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNTS_MAX 16

static struct site *ledger_sites;

static struct {
	const char *name;
	long long amount;
} ledger_counts[COUNTS_MAX];

static void site_list(struct site *site)
{
	if (__atomic_exchange_n(&site->is_listed, 1, __ATOMIC_ACQ_REL))
		return;
	site->next = __atomic_load_n(&ledger_sites, __ATOMIC_ACQUIRE);
	while (!__atomic_compare_exchange_n(&ledger_sites, &site->next, site, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
}

static void add(long long *counter, long long amount)
{
	__atomic_fetch_add(counter, amount, __ATOMIC_RELAXED);
}

void site_allocated(struct site *site, size_t bytes)
{
	site_list(site);
	add(&site->outstanding_objects, 1);
	add(&site->allocated_objects, 1);
	site_grew(site, bytes);
}

void site_freed(struct site *site, size_t bytes)
{
	add(&site->outstanding_objects, -1);
	site_shrank(site, bytes);
}

void site_shrank(struct site *site, size_t bytes)
{
	add(&site->outstanding_bytes, -(long long)bytes);
}

void site_grew(struct site *site, size_t bytes)
{
	add(&site->outstanding_bytes, (long long)bytes);
	add(&site->allocated_bytes, (long long)bytes);
}

struct block block_new(struct site *site, void *address, size_t bytes)
{
	if (address)
		site_allocated(site, bytes);
	else
		ledger_count("failed_allocations", 1);
	return (struct block){.address = address, .bytes = bytes, .site = site};
}

void block_free(struct block *block)
{
	if (!block->address)
		return;
	/* Before the call: afterwards another thread may be given the same address. */
	site_freed(block->site, block->bytes);
	free(block->address);
	block->address = NULL;
}

void ledger_clear(void)
{
	struct site *site;

	for (site = ledger_sites; site; site = site->next) {
		site->outstanding_bytes = site->outstanding_objects = 0;
		site->allocated_bytes = site->allocated_objects = 0;
	}
	memset(ledger_counts, 0, sizeof(ledger_counts));
}

void ledger_count(const char *name, long long amount)
{
	size_t i;

	for (i = 0; i < COUNTS_MAX; i++) {
		const char *nobody = NULL;

		if (__atomic_compare_exchange_n(&ledger_counts[i].name, &nobody, name, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) ||
		    !strcmp(nobody, name)) {
			add(&ledger_counts[i].amount, amount);
			return;
		}
	}
	program_require(false, "no more than 16 different counts");
}

/* One line of output; snprintf and write because a stdio stream would allocate its buffer. */
struct line {
	char text[16384];
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void line_add(struct line *line, const char *format,
							   ...)
{
	size_t room = sizeof(line->text) - line->length;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line->text + line->length, room, format, arguments);
	va_end(arguments);
	program_require(length >= 0 && (size_t)length < room, "the report fits its line");
	line->length += (size_t)length;
}

void ledger_print(void)
{
	static struct line line;
	const struct site *site;
	size_t i;

	line.length = 0;
	line_add(&line, "{\"pid\": %d, \"sites\": [", (int)getpid());
	for (site = ledger_sites; site; site = site->next)
		line_add(&line,
			 "%s{\"function\": \"%s\", \"outstanding_bytes\": %lld, "
			 "\"outstanding_objects\": %lld, \"allocated_bytes\": %lld, "
			 "\"allocated_objects\": %lld}",
			 site == ledger_sites ? "" : ", ", site->function, site->outstanding_bytes,
			 site->outstanding_objects, site->allocated_bytes, site->allocated_objects);
	line_add(&line, "], \"counts\": {");
	for (i = 0; i < COUNTS_MAX && ledger_counts[i].name; i++)
		line_add(&line, "%s\"%s\": %lld", i ? ", " : "", ledger_counts[i].name,
			 ledger_counts[i].amount);
	line_add(&line, "}}\n");
	if (write(STDOUT_FILENO, line.text, line.length) != (ssize_t)line.length)
		_exit(EXIT_FAILURE);
}

/* Byte by byte, so that after a fork parent and child can take turns. False at the input's end. */
static bool read_command(char *text, size_t size)
{
	size_t length = 0;

	for (;;) {
		ssize_t count = read(STDIN_FILENO, text + length, 1);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return false;
		if (text[length] == '\n')
			break;
		program_require(++length < size, "commands are short");
	}
	text[length] = '\0';
	return true;
}

static void obey(const struct command *commands, char *text)
{
	char *argument = strchr(text, ' ');

	if (argument)
		*argument++ = '\0';
	if (!strcmp(text, "exit"))
		exit(EXIT_SUCCESS);
	for (; strcmp(text, "report"); commands++) {
		program_require(commands->name, "known commands only");
		if (!strcmp(text, commands->name)) {
			commands->run(argument ? strtol(argument, NULL, 10) : 0);
			break;
		}
	}
	ledger_print();
}

int program_serve(const struct command *commands)
{
	char text[64];

	ledger_print();
	while (read_command(text, sizeof(text)))
		obey(commands, text);
	return EXIT_SUCCESS;
}

void program_pause(long milliseconds)
{
	static bool is_input_over;
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
	char text[64];

	if (is_input_over) {
		nanosleep(&time, NULL);
		return;
	}
	if (poll(&input, 1, (int)milliseconds) <= 0)
		return;
	if (read_command(text, sizeof(text)))
		obey(&(const struct command){0}, text);
	else
		is_input_over = true;
}

void program_require(bool condition, const char *what)
{
	if (condition)
		return;
	dprintf(STDERR_FILENO, "expected: %s\n", what);
	_exit(EXIT_FAILURE);
}
