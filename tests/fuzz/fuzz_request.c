/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that reads what a client sent: the request's target, its arguments, the Host and the
 * Accept header. The input is the target, then after newlines the two headers.
 */
#include "serve/access.h"
#include "serve/prometheus.h"
#include "serve/request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const patterns[] = {
	"/metrics",
	"/api/v1/processes/{pid}",
	"/api/v1/processes/{pid}/leaks",
};

static void read_target(const char *target, size_t length)
{
	struct request_target parts;
	struct request_arguments arguments;
	struct request_error error;

	if (request_split(target, length, &parts, &error))
		return;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		const char *segment = NULL;
		size_t segment_length = 0;
		uint64_t number;

		if (!request_match(&parts, patterns[i], &segment, &segment_length) || !segment)
			continue;
		if (segment_length == 0 || memchr(segment, '/', segment_length))
			abort();
		if (request_parse_number(segment, segment_length, 1, UINT64_MAX, &number) &&
		    number == 0)
			abort();
	}
	for (unsigned int allowed = 0; allowed < 0x40; allowed++) {
		if (request_parse_arguments(&parts, allowed, &arguments, &error))
			continue;
		if (!(arguments.lease_seconds >= 0 && arguments.lease_seconds <= 86400))
			abort();
	}
}

/* A name that is allowed holds none that can be bought: localhost, or an address. */
static void read_host(const char *host)
{
	struct sockaddr_storage local = {.ss_family = AF_INET};

	if (!access_allows_host(host, &local) || strncasecmp(host, "localhost", 9) == 0)
		return;
	if (host[strspn(host, "0123456789abcdefABCDEF.:[]")] != '\0')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text;
	char *target, *host;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	target = strsep(&rest, "\n");
	read_target(target, rest ? strlen(target) : size);
	host = rest ? strsep(&rest, "\n") : NULL;
	if (host)
		read_host(host);
	prometheus_choose_format(rest);
	free(text);
	return 0;
}
