/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options, declared once: the same table parses the command line and writes --help. --socket,
 * --json and --help are understood before and after the command.
 */
#ifndef MEMWATCH_CLI_OPTIONS_H
#define MEMWATCH_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct render;

enum option_kind {
	OPTION_FLAG,
	OPTION_COUNT,   /* a whole number from minimum to maximum */
	OPTION_BYTES,   /* the same with units: 64KiB */
	OPTION_SECONDS, /* 0 to maximum, may have a fraction */
	OPTION_CHOICE,
	OPTION_STRING,
};

struct option {
	const char *name;       /* "--pid" */
	const char *value_name; /* "N"; NULL for a flag */
	enum option_kind kind;
	bool is_required;
	bool is_set; /* the command line gave it */
	uint64_t minimum;
	uint64_t maximum;
	const char *const *choices; /* ends in NULL */
	const char *help;

	/* What the command line said, or the initial value. */
	uint64_t count; /* of OPTION_BYTES too */
	double seconds;
	const char *string; /* of OPTION_CHOICE too; borrowed from the command line */
};

/* Numbers of processes, as the kernel bounds them. */
#define OPTION_PID(help_text)                                                                  \
	{                                                                                      \
		.name = "--pid", .value_name = "N", .kind = OPTION_COUNT, .is_required = true, \
		.minimum = 1, .maximum = 4194304, .help = (help_text)                          \
	}

/* Those of every command. */
struct options_global {
	struct option options[3];
};

void options_global_init(struct options_global *global);
const char *options_socket_path(const struct options_global *global);
bool options_is_json(const struct options_global *global);

struct options_line {
	const char *command;     /* "leaks"; NULL: what precedes the command */
	const char *description; /* one line or more, for --help */
	struct option *options;
	size_t option_count;
	struct option *operands; /* arguments that are no options, in their order: "ID" */
	size_t operand_count;
	bool takes_command; /* what follows the options is another program with its own */
	void (*print_more)(
		const struct render *render); /* what --help says beyond options; NULL: nothing */
};

/*
 * Parses argv[1] and on. True: go on. False: *exit_code says how to end, and help or the reason
 * has been printed. Without a command, or where that takes another one, it stops at the first
 * argument that is no option; *argument (may be NULL) is then its index, or argc.
 */
bool options_parse(struct options_line *line, struct options_global *global, int argc, char **argv,
		   int *argument, int *exit_code);

/* One line of --help, or more if need be. */
void options_print_entry(const struct render *render, const char *name, const char *help);

#endif
