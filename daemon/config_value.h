/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the configuration: what the value of a key may look like. */
#ifndef MEMWATCH_CONFIG_VALUE_H
#define MEMWATCH_CONFIG_VALUE_H

#include "config.h"

struct config_key;

/* What a value may look like. parse() fills the field (untouched on error) and returns 0, -EINVAL
 * where text is no such thing, -ERANGE where it is one that the key does not allow. */
struct config_type {
	const char *noun; /* after "is no" */
	const char *example;
	int (*parse)(const struct config_key *key, const char *text, void *field);
	void (*describe_range)(const struct config_key *key, char *text, size_t size);
};

struct config_key {
	const char *name;
	const struct config_type *type;
	const char *default_text;
	size_t offset;
	size_t field_bytes;
	uint64_t minimum; /* of numbers, and of the port in an address */
	uint64_t maximum;
};

/* "/absolute/path", a group's name, "127.0.0.1:9735" or "none", a log level. */
extern const struct config_type config_path_type;
extern const struct config_type config_group_type;
extern const struct config_type config_listen_type;
extern const struct config_type config_level_type;
/* Of servers, separated by spaces; "" names none. */
extern const struct config_type config_urls_type;
/* "auto" or the name of an attach back end (probe/backend.h). */
extern const struct config_type config_backend_type;
/* Whole numbers, sizes such as 64KiB, and sizes that are powers of two. */
extern const struct config_type config_count_type;
extern const struct config_type config_size_type;
extern const struct config_type config_power_type;

#endif
