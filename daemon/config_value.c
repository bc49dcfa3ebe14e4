/* SPDX-License-Identifier: Apache-2.0 */
#include "config_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static int text_copy(const struct config_key *key, const char *text, void *field)
{
	size_t length = strlen(text);

	if (length >= key->field_bytes)
		return -ERANGE;
	memcpy(field, text, length + 1);
	return 0;
}

static void text_describe_range(const struct config_key *key, char *text, size_t size)
{
	snprintf(text, size, "at most %zu bytes", key->field_bytes - 1);
}

static int path_parse(const struct config_key *key, const char *text, void *field)
{
	/* Under systemd the daemon works in /: a relative path would not mean what it says. */
	return text[0] == '/' && text[1] != '\0' ? text_copy(key, text, field) : -EINVAL;
}

static int group_parse(const struct config_key *key, const char *text, void *field)
{
	/* A number would be looked up as a name and silently never match. */
	if (!isalpha((unsigned char)text[0]) && text[0] != '_')
		return -EINVAL;
	for (const char *c = text; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("_.-$", *c) == NULL)
			return -EINVAL;
	return text_copy(key, text, field);
}

/* length digits and no more of them; too large a number becomes UINT64_MAX. */
static bool parse_decimal(const char *text, size_t length, uint64_t *number)
{
	if (length == 0 || strspn(text, "0123456789") != length)
		return false;
	*number = 0;
	for (size_t i = 0; i < length; i++) {
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(text[i] - '0'), number)) {
			*number = UINT64_MAX;
			break;
		}
	}
	return true;
}

static int listen_parse(const struct config_key *key, const char *text, void *field)
{
	char address[sizeof(((struct config *)0)->listen)];
	unsigned char binary[sizeof(struct in6_addr)];
	const char *colon = strrchr(text, ':');
	bool is_bracketed;
	uint64_t port;
	size_t length;

	if (strcmp(text, "none") == 0)
		return text_copy(key, text, field);
	if (colon == NULL || !parse_decimal(colon + 1, strlen(colon + 1), &port))
		return -EINVAL;
	length = (size_t)(colon - text);
	if (length >= sizeof(address))
		return -EINVAL;
	is_bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';
	length -= is_bracketed ? 2 : 0;
	memcpy(address, text + is_bracketed, length);
	address[length] = '\0';
	if (inet_pton(is_bracketed ? AF_INET6 : AF_INET, address, binary) != 1)
		return -EINVAL;
	if (port < key->minimum || port > key->maximum)
		return -ERANGE;
	return text_copy(key, text, field);
}

static void listen_describe_range(const struct config_key *key, char *text, size_t size)
{
	snprintf(text, size, "a port of %llu to %llu", (unsigned long long)key->minimum,
		 (unsigned long long)key->maximum);
}

static int level_parse(const struct config_key *key, const char *text, void *field)
{
	static const char *const names[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARNING] = "warning",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};

	(void)key;
	for (size_t level = 0; level < sizeof(names) / sizeof(names[0]); level++) {
		if (strcmp(text, names[level]) == 0) {
			*(enum log_level *)field = (enum log_level)level;
			return 0;
		}
	}
	return -EINVAL;
}

static int backend_parse(const struct config_key *key, const char *text, void *field)
{
	static const char *const names[] = {"auto", "session", "multi", "perf"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			snprintf(field, key->field_bytes, "%s", text);
			return 0;
		}
	}
	return -EINVAL;
}

/* A name and a password would be told wherever the URL is. */
static bool is_url(const char *text, size_t length)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t scheme = strlen(schemes[i]);

		if (length > scheme && strncmp(text, schemes[i], scheme) == 0 &&
		    text[scheme] != '/' && memchr(text, '@', length) == NULL)
			return true;
	}
	return false;
}

static int urls_parse(const struct config_key *key, const char *text, void *field)
{
	for (const char *url = text; *url != '\0'; url += strspn(url, " ")) {
		size_t length = strcspn(url, " ");

		if (!is_url(url, length) || memchr(url, '\t', length) != NULL)
			return -EINVAL;
		url += length;
	}
	return text_copy(key, text, field);
}

static int count_parse(const struct config_key *key, const char *text, void *field)
{
	uint64_t count;

	if (!parse_decimal(text, strlen(text), &count))
		return -EINVAL;
	if (count < key->minimum || count > key->maximum)
		return -ERANGE;
	*(uint32_t *)field = (uint32_t)count;
	return 0;
}

static void count_describe_range(const struct config_key *key, char *text, size_t size)
{
	snprintf(text, size, "%llu to %llu", (unsigned long long)key->minimum,
		 (unsigned long long)key->maximum);
}

int config_parse_bytes(const char *text, uint64_t *bytes)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = {{"", 1},     {"B", 1},     {"k", KIB}, {"kB", KIB}, {"KiB", KIB}, {"M", MIB},
		     {"MB", MIB}, {"MiB", MIB}, {"G", GIB}, {"GB", GIB}, {"GiB", GIB}};
	size_t length = strspn(text, "0123456789");
	const char *unit = text + length + strspn(text + length, " ");
	uint64_t number;

	if (!parse_decimal(text, length, &number))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(unit, units[i].name) != 0)
			continue;
		if (number == UINT64_MAX || __builtin_mul_overflow(number, units[i].bytes, &number))
			return -ERANGE;
		*bytes = number;
		return 0;
	}
	return -EINVAL;
}

static int size_parse(const struct config_key *key, const char *text, void *field)
{
	uint64_t bytes;
	int err = config_parse_bytes(text, &bytes);

	if (err != 0)
		return err;
	if (bytes < key->minimum || bytes > key->maximum)
		return -ERANGE;
	*(uint64_t *)field = bytes;
	return 0;
}

static int power_parse(const struct config_key *key, const char *text, void *field)
{
	uint64_t bytes;
	int err = size_parse(key, text, &bytes);

	if (err != 0)
		return err;
	if ((bytes & (bytes - 1)) != 0)
		return -ERANGE;
	*(uint64_t *)field = bytes;
	return 0;
}

static void print_size(uint64_t bytes, char *text, size_t size)
{
	static const char *const units[] = {"", "KiB", "MiB", "GiB"};
	size_t unit = 0;

	while (unit < 3 && bytes >= KIB && bytes % KIB == 0) {
		bytes /= KIB;
		unit++;
	}
	snprintf(text, size, "%llu%s", (unsigned long long)bytes, units[unit]);
}

static void size_describe_range(const struct config_key *key, char *text, size_t size)
{
	char minimum[32];
	char maximum[32];

	print_size(key->minimum, minimum, sizeof(minimum));
	print_size(key->maximum, maximum, sizeof(maximum));
	snprintf(text, size, "%s to %s%s", minimum, maximum,
		 key->type->parse == power_parse ? ", a power of two" : "");
}

const struct config_type config_path_type = {"absolute path", "it begins with /", path_parse,
					     text_describe_range};
const struct config_type config_group_type = {"group name", "letters, digits, _ . -, e.g. memwatch",
					      group_parse, text_describe_range};
const struct config_type config_listen_type = {"address", "127.0.0.1:9735, [::1]:9735, or none",
					       listen_parse, listen_describe_range};
const struct config_type config_level_type = {"log level", "error, warning, info or debug",
					      level_parse, NULL};
const struct config_type config_urls_type = {
	"list of servers", "http:// or https:// URLs without a password, separated by spaces",
	urls_parse, text_describe_range};
const struct config_type config_backend_type = {"attach back end", "auto, session, multi or perf",
						backend_parse, NULL};
const struct config_type config_count_type = {"number", "digits alone, e.g. 64", count_parse,
					      count_describe_range};
const struct config_type config_size_type = {
	"size", "a number with an optional KiB, MiB or GiB, e.g. 64KiB", size_parse,
	size_describe_range};
const struct config_type config_power_type = {
	"size", "a number with an optional KiB, MiB or GiB, e.g. 4MiB", power_parse,
	size_describe_range};
