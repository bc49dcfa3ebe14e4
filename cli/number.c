/* SPDX-License-Identifier: Apache-2.0 */
#include "number.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *number_sign(double number, const char *plus)
{
	if (number < 0)
		return "-";
	return number > 0 ? plus : "";
}

/* Digits after the point, so that three matter: 1.23, 12.3, 123. */
static int number_decimals(double magnitude)
{
	if (magnitude < 9.995)
		return 2;
	return magnitude < 99.95 ? 1 : 0;
}

static struct number_text number_bytes_signed(double bytes, const char *plus, const char *suffix)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double magnitude = fabs(bytes);
	struct number_text result;
	size_t unit = 0;

	if (!isfinite(bytes))
		return (struct number_text){"?"};
	/* 1023.5 would be rounded to "1024 KiB". */
	while (magnitude >= 1023.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		magnitude /= 1024;
		unit++;
	}
	if (unit == 0)
		magnitude = round(magnitude);
	snprintf(result.text, sizeof(result.text), "%s%.*f %s%s",
		 number_sign(magnitude > 0 ? bytes : 0, plus),
		 unit == 0 ? 0 : number_decimals(magnitude), magnitude, units[unit], suffix);
	return result;
}

struct number_text number_bytes(double bytes)
{
	return number_bytes_signed(bytes, "", "");
}

struct number_text number_rate(double bytes_per_second)
{
	return number_bytes_signed(bytes_per_second, "+", "/s");
}

struct number_text number_change(double bytes)
{
	return number_bytes_signed(bytes, "+", "");
}

struct number_text number_count(double count)
{
	struct number_text result;
	char digits[24];
	size_t length, out = 0;

	if (!isfinite(count) || fabs(count) >= 1e18) /* as many digits as digits[] has room for */
		return (struct number_text){"?"};
	length = (size_t)snprintf(digits, sizeof(digits), "%.0f", fabs(round(count)));
	if (round(count) < 0)
		result.text[out++] = '-';
	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			result.text[out++] = ',';
		result.text[out++] = digits[i];
	}
	result.text[out] = '\0';
	return result;
}

struct number_text number_seconds(double seconds)
{
	struct number_text result;
	long long whole;

	if (!isfinite(seconds) || fabs(seconds) >= 1e15)
		return (struct number_text){"?"};
	whole = llround(seconds);
	if (seconds < 9.95 && seconds != (double)whole)
		snprintf(result.text, sizeof(result.text), "%.1f s", seconds);
	else if (whole < 60)
		snprintf(result.text, sizeof(result.text), "%lld s", whole);
	else if (whole < 3600)
		snprintf(result.text, sizeof(result.text), "%lld min %lld s", whole / 60,
			 whole % 60);
	else if (whole < 86400)
		snprintf(result.text, sizeof(result.text), "%lld h %lld min", whole / 3600,
			 whole % 3600 / 60);
	else
		snprintf(result.text, sizeof(result.text), "%lld d %lld h", whole / 86400,
			 whole % 86400 / 3600);
	return result;
}

struct number_text number_share(double share)
{
	struct number_text result;
	double percent = 100 * share;

	if (!isfinite(share))
		return (struct number_text){"?"};
	if (percent > 0 && percent < 0.05)
		return (struct number_text){"<0.1%"};
	snprintf(result.text, sizeof(result.text), "%.*f%%", percent < 9.95 ? 1 : 0, percent);
	return result;
}

/* Digits at the start of text; end is where they end. strtoull would take signs and blanks. */
static int number_parse_digits(const char *text, uint64_t *number, const char **end)
{
	char *rest;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	*number = strtoull(text, &rest, 10);
	*end = rest;
	return errno == ERANGE ? -ERANGE : 0;
}

int number_parse_count(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *count)
{
	uint64_t number;
	const char *end;
	int rc = number_parse_digits(text, &number, &end);

	if (rc != 0)
		return rc;
	if (*end)
		return -EINVAL;
	if (number < minimum || number > maximum)
		return -ERANGE;
	*count = number;
	return 0;
}

int number_parse_seconds(const char *text, double maximum, double *seconds)
{
	double number;
	char *end;

	/* strtod alone would take signs, "inf", "0x1p3" and "1e9". */
	if (text[strspn(text, "0123456789.")] || !strpbrk(text, "0123456789"))
		return -EINVAL;
	number = strtod(text, &end);
	if (*end)
		return -EINVAL;
	if (number > maximum)
		return -ERANGE;
	*seconds = number;
	return 0;
}

/* Power of two of a unit, -EINVAL for what is none. */
static int number_unit_shift(const char *unit)
{
	static const char letters[] = "KMG";

	if (unit[0] == '\0' || strcasecmp(unit, "B") == 0)
		return 0;
	for (int i = 0; letters[i]; i++) {
		if (toupper((unsigned char)unit[0]) == letters[i] &&
		    (!unit[1] || strcasecmp(unit + 1, "B") == 0 || strcasecmp(unit + 1, "iB") == 0))
			return 10 * (i + 1);
	}
	return -EINVAL;
}

int number_parse_bytes(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *bytes)
{
	uint64_t number;
	const char *unit;
	int rc = number_parse_digits(text, &number, &unit);
	int shift;

	if (rc != 0)
		return rc;
	shift = number_unit_shift(unit);
	if (shift < 0)
		return shift;
	if (number > UINT64_MAX >> shift || number << shift < minimum || number << shift > maximum)
		return -ERANGE;
	*bytes = number << shift;
	return 0;
}
