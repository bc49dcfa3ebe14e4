/* SPDX-License-Identifier: Apache-2.0 */
/* What a request is answered by, before it meets HTTP; and the one table of errors. */
#ifndef MEMWATCH_SERVE_RESPONSE_H
#define MEMWATCH_SERVE_RESPONSE_H

#include "serve/text.h"

#include <stdint.h>

/* Room for 10,000 sites of 20 named frames; an answer beyond it is asked for with top=K. */
#define RESPONSE_BYTES_MAX (UINT32_C(64) << 20)

struct response {
	unsigned int status;
	const char *content_type; /* static */
	char allow[32];           /* the Allow header of a 405, else empty */
	struct text body;
};

enum response_error {
	RESPONSE_BAD_REQUEST,
	RESPONSE_NOT_PERMITTED,
	RESPONSE_NOT_FOUND,
	RESPONSE_NO_SUCH_PROCESS,
	RESPONSE_NOT_A_TARGET,
	RESPONSE_METHOD_NOT_ALLOWED,
	RESPONSE_CONFLICT,
	RESPONSE_UNSUPPORTED_PROCESS,
	RESPONSE_TOO_MANY_TARGETS,
	RESPONSE_INTERNAL,
	RESPONSE_UNSUPPORTED_KERNEL,
	RESPONSE_BUSY, /* too many answers are under way */
};

void response_init(struct response *response);
void response_free(struct response *response);

/* Replaces whatever the body holds by the error as JSON. */
void response_set_error(struct response *response, enum response_error error, const char *message);
/*
 * The error that a view's -errno means, of the process or OOM kill of that number (0: none was
 * asked for). message NULL or "": what the errno itself says.
 */
void response_set_errno(struct response *response, int err, uint64_t number, const char *message);
/* Once the body is written: turns one that could not be into an error. */
void response_finish(struct response *response);

#endif
