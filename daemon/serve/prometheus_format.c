/* SPDX-License-Identifier: Apache-2.0 */
/* Which format a scraper asks for: the Accept header, as RFC 9110, section 12.5.1 has it. */
#include "serve/prometheus.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A piece of the header, without blanks around it. */
struct piece {
	const char *start;
	size_t length;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes the piece before the next separator off *rest. */
static struct piece next_piece(struct piece *rest, char separator)
{
	const char *end = memchr(rest->start, separator, rest->length);
	struct piece piece = {rest->start, end ? (size_t)(end - rest->start) : rest->length};

	rest->start += piece.length + (end ? 1 : 0);
	rest->length -= piece.length + (end ? 1 : 0);
	while (piece.length && is_blank(piece.start[0])) {
		piece.start++;
		piece.length--;
	}
	while (piece.length && is_blank(piece.start[piece.length - 1]))
		piece.length--;
	return piece;
}

static bool is_word(struct piece piece, const char *word)
{
	return piece.length == strlen(word) && strncasecmp(piece.start, word, piece.length) == 0;
}

/* "0.75"; what is malformed asks for nothing. */
static double parse_quality(struct piece value)
{
	char digits[8];
	char *end;
	double quality;

	if (value.length == 0 || value.length >= sizeof(digits))
		return 0;
	memcpy(digits, value.start, value.length);
	digits[value.length] = '\0';
	if (digits[strspn(digits, "0123456789.")] != '\0')
		return 0;
	quality = strtod(digits, &end);
	return *end == '\0' && quality <= 1 ? quality : 0;
}

/* The parameters of one media range: its quality, 0 for a version that is not 1.0.0. */
static double range_quality(struct piece parameters, bool has_version)
{
	double quality = 1;

	while (parameters.length) {
		struct piece value = next_piece(&parameters, ';');
		struct piece name = next_piece(&value, '=');

		if (is_word(name, "q"))
			quality = parse_quality(value);
		else if (has_version && is_word(name, "version") && !is_word(value, "1.0.0"))
			return 0;
	}
	return quality;
}

static void raise(double *quality, double to)
{
	if (to > *quality)
		*quality = to;
}

enum prometheus_format prometheus_choose_format(const char *accept)
{
	struct piece rest = {accept, accept ? strlen(accept) : 0};
	double openmetrics = 0, text = 0;

	while (rest.length) {
		struct piece range = next_piece(&rest, ',');
		struct piece type = next_piece(&range, ';');

		if (is_word(type, "application/openmetrics-text"))
			raise(&openmetrics, range_quality(range, true));
		else if (is_word(type, "text/plain"))
			raise(&text, range_quality(range, false));
	}
	return openmetrics > 0 && openmetrics >= text ? PROMETHEUS_OPENMETRICS : PROMETHEUS_TEXT;
}

const char *prometheus_content_type(enum prometheus_format format)
{
	return format == PROMETHEUS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}
