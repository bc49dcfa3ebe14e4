/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "command.h"
#include "number.h"
#include "render.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_SYNOPSIS        "Usage: memwatchctl"
#define OPTIONS_SYNOPSIS_INDENT 12
#define OPTIONS_HELP_COLUMN     22
#define OPTIONS_SOCKET_DEFAULT  "/run/memwatch/memwatchd.sock"

enum { GLOBAL_SOCKET, GLOBAL_JSON, GLOBAL_HELP };
_Static_assert(GLOBAL_HELP + 1 == sizeof(((struct options_global *)0)->options) /
					  sizeof(((struct options_global *)0)->options[0]),
	       "one place for each");

void options_global_init(struct options_global *global)
{
	*global = (struct options_global){{
		[GLOBAL_SOCKET] = {.name = "--socket",
				   .value_name = "PATH",
				   .kind = OPTION_STRING,
				   .help = "socket of memwatchd (or MEMWATCH_SOCKET; "
					   "default " OPTIONS_SOCKET_DEFAULT ")"},
		[GLOBAL_JSON] = {.name = "--json", .help = "print the answer as JSON"},
		[GLOBAL_HELP] = {.name = "--help", .help = "say how it is used, and exit"},
	}};
}

const char *options_socket_path(const struct options_global *global)
{
	const struct option *option = &global->options[GLOBAL_SOCKET];
	const char *environment = getenv("MEMWATCH_SOCKET");

	if (option->is_set)
		return option->string;
	return environment && environment[0] ? environment : OPTIONS_SOCKET_DEFAULT;
}

bool options_is_json(const struct options_global *global)
{
	return global->options[GLOBAL_JSON].is_set;
}

/* ---- --help */

/* Adds one piece, on a line of its own if need be: "[--top K]" is not to be broken. */
static void options_print_piece(const struct render *render, const char *piece, size_t *column)
{
	size_t width = 1 + text_width(piece);

	if (*column + width > render->width) {
		fprintf(render->stream, "\n%*s", OPTIONS_SYNOPSIS_INDENT, "");
		*column = OPTIONS_SYNOPSIS_INDENT;
	}
	render_text(render, RENDER_PLAIN, " %s", piece);
	*column += width;
}

static void options_print_synopsis(const struct options_line *line, const struct render *render)
{
	size_t column = strlen(OPTIONS_SYNOPSIS);

	fputs(OPTIONS_SYNOPSIS, render->stream);
	options_print_piece(render, line->command ? line->command : "[OPTION...] COMMAND", &column);
	for (size_t i = 0; line->command && i < line->option_count; i++) {
		const struct option *option = &line->options[i];
		char *piece = text_format(option->is_required ? "%s%s%s" : "[%s%s%s]", option->name,
					  option->value_name ? " " : "",
					  option->value_name ? option->value_name : "");

		options_print_piece(render, piece, &column);
		free(piece);
	}
	for (size_t i = 0; i < line->operand_count; i++) {
		char *piece = text_format("[%s]", line->operands[i].name);

		options_print_piece(render, piece, &column);
		free(piece);
	}
	if (line->takes_command)
		options_print_piece(render, "[--] COMMAND [ARGUMENT...]", &column);
	render_end_line(render);
}

void options_print_entry(const struct render *render, const char *name, const char *help)
{
	char *label = text_format("  %s", name);

	render_labelled(render, RENDER_PLAIN, label, OPTIONS_HELP_COLUMN, "%s", help);
	free(label);
}

static void options_print_table(const struct render *render, const struct option *options,
				size_t count, bool has_values)
{
	for (size_t i = 0; i < count; i++) {
		const char *value = has_values ? options[i].value_name : NULL;
		char *name = text_format("%s %s", options[i].name, value ? value : "");

		options_print_entry(render, name, options[i].help);
		free(name);
	}
}

static void options_print_help(const struct options_line *line, const struct options_global *global)
{
	/* As wide as a terminal is at least, wherever it goes. */
	struct render render = {.stream = stdout, .width = 80};

	options_print_synopsis(line, &render);
	render_end_line(&render);
	render_paragraph(&render, RENDER_PLAIN, 0, "%s", line->description);
	render_end_line(&render);
	options_print_table(&render, line->operands, line->operand_count, false);
	options_print_table(&render, line->options, line->option_count, true);
	options_print_table(&render, global->options, GLOBAL_HELP + 1, true);
	if (line->print_more)
		line->print_more(&render);
}

/* ---- parsing */

static void options_complain(const struct options_line *line, const char *reason)
{
	const char *space = line->command ? " " : "";
	const char *command = line->command ? line->command : "";

	render_complain("%s%s%s (see memwatchctl%s%s --help)", command, line->command ? ": " : "",
			reason, space, command);
}

/* What would have been right, for the message. */
static char *options_expected(const struct option *option)
{
	char *list;

	switch (option->kind) {
	case OPTION_COUNT:
		return text_format("a whole number from %ju to %ju", (uintmax_t)option->minimum,
				   (uintmax_t)option->maximum);
	case OPTION_BYTES:
		return text_format("a size from %s to %s, such as 64KiB",
				   number_bytes((double)option->minimum).text,
				   number_bytes((double)option->maximum).text);
	case OPTION_SECONDS:
		return text_format("a number of seconds from 0 to %ju", (uintmax_t)option->maximum);
	case OPTION_CHOICE:
		list = text_format("%s", option->choices[0]);
		for (size_t i = 1; option->choices[i]; i++) {
			char *longer = text_format("%s or %s", list, option->choices[i]);

			free(list);
			list = longer;
		}
		return list;
	case OPTION_FLAG:
	case OPTION_STRING:
		break;
	}
	return text_format("a %s", option->value_name);
}

static int options_parse_value(struct option *option, const char *value)
{
	switch (option->kind) {
	case OPTION_COUNT:
		return number_parse_count(value, option->minimum, option->maximum, &option->count);
	case OPTION_BYTES:
		return number_parse_bytes(value, option->minimum, option->maximum, &option->count);
	case OPTION_SECONDS:
		return number_parse_seconds(value, (double)option->maximum, &option->seconds);
	case OPTION_CHOICE:
		for (size_t i = 0; option->choices[i]; i++) {
			if (strcmp(value, option->choices[i]) == 0) {
				option->string = value;
				return 0;
			}
		}
		return -EINVAL;
	case OPTION_STRING:
		option->string = value;
		return value[0] ? 0 : -EINVAL;
	case OPTION_FLAG:
		break;
	}
	return 0;
}

static bool options_set_value(const struct options_line *line, struct option *option,
			      const char *value)
{
	char *expected, *reason;

	if (options_parse_value(option, value) == 0) {
		option->is_set = true;
		return true;
	}
	expected = options_expected(option);
	reason = text_format("%s wants %s, not \"%s\"", option->name, expected, value);
	options_complain(line, reason);
	free(expected);
	free(reason);
	return false;
}

/* name_length: without "=value". */
static struct option *options_find(struct option *options, size_t count, const char *name,
				   size_t name_length)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(options[i].name) == name_length &&
		    strncmp(options[i].name, name, name_length) == 0)
			return &options[i];
	}
	return NULL;
}

/* Why an option with or without a value cannot be right. To free; NULL: it may be. */
static char *options_find_fault(const struct option *option, const char *word, bool has_value,
				bool is_last)
{
	if (!option)
		return text_format("there is no option %s", word);
	if (option->kind == OPTION_FLAG && has_value)
		return text_format("%s takes no value", option->name);
	if (option->kind != OPTION_FLAG && !has_value && is_last)
		return text_format("%s wants a value: %s", option->name, option->value_name);
	return NULL;
}

/* One option at argv[*index], which is moved to its last word. */
static bool options_take(const struct options_line *line, struct options_global *global, int argc,
			 char **argv, int *index)
{
	const char *word = strcmp(argv[*index], "-h") == 0 ? "--help" : argv[*index];
	size_t name_length = strcspn(word, "=");
	const char *value = word[name_length] ? word + name_length + 1 : NULL;
	struct option *option = options_find(line->options, line->option_count, word, name_length);
	char *fault;

	if (!option)
		option = options_find(global->options, GLOBAL_HELP + 1, word, name_length);
	fault = options_find_fault(option, word, value != NULL, *index + 1 == argc);
	if (fault) {
		options_complain(line, fault);
		free(fault);
		return false;
	}
	if (option->kind != OPTION_FLAG)
		return options_set_value(line, option, value ? value : argv[++*index]);
	option->is_set = true;
	return true;
}

static bool options_check_required(const struct options_line *line)
{
	for (size_t i = 0; i < line->option_count; i++) {
		const struct option *option = &line->options[i];

		if (option->is_required && !option->is_set) {
			char *reason =
				text_format("%s %s is missing", option->name, option->value_name);

			options_complain(line, reason);
			free(reason);
			return false;
		}
	}
	return true;
}

static bool options_take_operand(const struct options_line *line, const char *word)
{
	char *reason;

	for (size_t i = 0; i < line->operand_count; i++)
		if (!line->operands[i].is_set)
			return options_set_value(line, &line->operands[i], word);
	reason = text_format("does not know what to do with \"%s\"", word);
	options_complain(line, reason);
	free(reason);
	return false;
}

bool options_parse(struct options_line *line, struct options_global *global, int argc, char **argv,
		   int *argument, int *exit_code)
{
	bool is_option_possible = true;
	int i;

	*exit_code = COMMAND_EXIT_USAGE;
	for (i = 1; i < argc; i++) {
		bool is_option = is_option_possible && argv[i][0] == '-' && argv[i][1];

		if (is_option && strcmp(argv[i], "--") == 0) {
			is_option_possible = false;
			if (line->takes_command) {
				i++;
				break;
			}
		} else if (is_option) {
			if (!options_take(line, global, argc, argv, &i))
				return false;
		} else if (!line->command || line->takes_command) {
			break;
		} else if (!options_take_operand(line, argv[i])) {
			return false;
		}
		if (global->options[GLOBAL_HELP].is_set) {
			options_print_help(line, global);
			*exit_code = COMMAND_EXIT_FINE;
			return false;
		}
	}
	if (argument)
		*argument = i;
	return options_check_required(line);
}
