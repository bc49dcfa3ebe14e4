/* SPDX-License-Identifier: Apache-2.0 */
#include "render.h"

#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Below this, tables make no sense and the terminal's own wrapping is as good. */
#define RENDER_WIDTH_MIN 40

static bool render_wants_color(FILE *stream)
{
	const char *no_color = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	if (no_color && no_color[0])
		return false;
	if (!terminal || strcmp(terminal, "dumb") == 0)
		return false;
	return isatty(fileno(stream));
}

static size_t render_width(FILE *stream)
{
	struct winsize size = {0};

	if (!isatty(fileno(stream)))
		return RENDER_WIDTH_UNLIMITED;
	/* A serial console says 0: it has 80. */
	if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col < RENDER_WIDTH_MIN ? RENDER_WIDTH_MIN : size.ws_col;
}

struct render render_open(FILE *stream)
{
	return (struct render){
		.stream = stream,
		.width = render_width(stream),
		.has_color = render_wants_color(stream),
	};
}

static const char *render_style_code(enum render_style style)
{
	switch (style) {
	case RENDER_PLAIN:
		return NULL;
	case RENDER_BOLD:
		return "1";
	case RENDER_DIM:
		return "2";
	case RENDER_GOOD:
		return "32";
	case RENDER_WARNING:
		return "33";
	case RENDER_ALARM:
		return "1;31";
	}
	return NULL;
}

/* Text that has been escaped. */
static void render_safe(const struct render *render, enum render_style style, const char *safe,
			size_t length)
{
	const char *code = render->has_color ? render_style_code(style) : NULL;

	if (code)
		fprintf(render->stream, "\033[%sm%.*s\033[0m", code, (int)length, safe);
	else
		fprintf(render->stream, "%.*s", (int)length, safe);
}

/* Formats and escapes. */
static char *render_format(const char *format, va_list arguments)
{
	char *raw, *safe;

	if (vasprintf(&raw, format, arguments) < 0)
		text_fail_out_of_memory();
	safe = text_escape(raw);
	free(raw);
	return safe;
}

void render_text(const struct render *render, enum render_style style, const char *format, ...)
{
	va_list arguments;
	char *safe;

	va_start(arguments, format);
	safe = render_format(format, arguments);
	va_end(arguments);
	render_safe(render, style, safe, strlen(safe));
	free(safe);
}

void render_end_line(const struct render *render)
{
	fputc('\n', render->stream);
}

/* Bytes of text that go on one line of so many columns: whole words, but one word at least. */
static size_t render_line_length(const char *text, size_t columns)
{
	size_t fitting = 0;
	size_t used = 0;

	while (text[fitting]) {
		size_t word = strcspn(text + fitting + 1, " ") + 1;
		char *copy = text_format("%.*s", (int)word, text + fitting);

		used += text_width(copy);
		free(copy);
		if (used > columns && fitting > 0)
			break;
		fitting += word;
	}
	return fitting;
}

/* Takes ownership of safe. label is printed as it is and counts as a part of the indent. */
static void render_wrapped(const struct render *render, enum render_style style, const char *label,
			   size_t indent, char *safe)
{
	const char *text = safe;
	size_t label_width = text_width(label);

	fputs(label, render->stream);
	do {
		size_t length = render_line_length(text, render->width - indent);

		/* A label that is too long is still set off. */
		size_t padding = indent > label_width ? indent - label_width : label_width > 0;

		fprintf(render->stream, "%*s", (int)padding, "");
		render_safe(render, style, text, length);
		render_end_line(render);
		label_width = 0;
		text += length;
		text += strspn(text, " ");
	} while (*text);
	free(safe);
}

void render_paragraph(const struct render *render, enum render_style style, size_t indent,
		      const char *format, ...)
{
	va_list arguments;
	char *safe;

	va_start(arguments, format);
	safe = render_format(format, arguments);
	va_end(arguments);
	render_wrapped(render, style, "", indent, safe);
}

void render_labelled(const struct render *render, enum render_style style, const char *label,
		     size_t indent, const char *format, ...)
{
	char *safe_label = text_escape(label);
	va_list arguments;
	char *safe;

	va_start(arguments, format);
	safe = render_format(format, arguments);
	va_end(arguments);
	render_wrapped(render, style, safe_label, indent, safe);
	free(safe_label);
}

void render_json_to(FILE *stream, const char *json)
{
	while (*json) {
		uint32_t code_point;
		size_t length = text_decode(json, &code_point);

		if (length ==
		    0) { /* JSON is UTF-8: the replacement character stands for what isn't */
			fputs("\\ufffd", stream);
			json++;
			continue;
		}
		/* Outside of strings JSON has no such characters, save for line breaks and tabs. */
		if ((code_point < 0x20 && !strchr("\n\r\t", (int)code_point)) ||
		    (code_point >= 0x7f && code_point < 0xa0))
			fprintf(stream, "\\u%04x", (unsigned int)code_point);
		else
			fwrite(json, 1, length, stream);
		json += length;
	}
	fputc('\n', stream);
}

void render_json(const char *json)
{
	render_json_to(stdout, json);
}

void render_complain(const char *format, ...)
{
	va_list arguments;
	char *safe;

	va_start(arguments, format);
	safe = render_format(format, arguments);
	va_end(arguments);
	fprintf(stderr, "memwatchctl: %s\n", safe);
	free(safe);
}
