/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words on the terminal: lines, paragraphs and tables that fit its width. Everything that goes
 * through here is escaped, so callers may pass names of processes and files as they came.
 */
#ifndef MEMWATCH_CLI_RENDER_H
#define MEMWATCH_CLI_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum render_style {
	RENDER_PLAIN,
	RENDER_BOLD,
	RENDER_DIM,
	RENDER_GOOD,    /* green */
	RENDER_WARNING, /* yellow */
	RENDER_ALARM,   /* red, bold */
};

struct render {
	FILE *stream;
	size_t width;   /* columns of the terminal; RENDER_WIDTH_UNLIMITED when it is none */
	bool has_color; /* a terminal, not a dumb one, and NO_COLOR is not set */
};

#define RENDER_WIDTH_UNLIMITED ((size_t)1 << 20)

struct render render_open(FILE *stream);

/* Text within a line; a newline in it is escaped like any other control character. */
void render_text(const struct render *render, enum render_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void render_end_line(const struct render *render);
/* Whole lines: words wrapped to the width, each line indented by so many columns. */
void render_paragraph(const struct render *render, enum render_style style, size_t indent,
		      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same, with a label before the first line; the text begins in column indent. */
void render_labelled(const struct render *render, enum render_style style, const char *label,
		     size_t indent, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* JSON to stdout, with nothing in it that a terminal would act upon; still the same JSON. */
void render_json(const char *json);
/* The same, elsewhere. */
void render_json_to(FILE *stream, const char *json);

/* "memwatchctl: …" to stderr. */
void render_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
