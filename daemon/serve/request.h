/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request asks for: its target ("/api/v1/processes/42/leaks?top=5") taken apart. Pure, and
 * the first thing to touch what a client sent.
 */
#ifndef MEMWATCH_SERVE_REQUEST_H
#define MEMWATCH_SERVE_REQUEST_H

#include "view/line_groups.h"

/* Ours need less than 100 bytes. */
#define REQUEST_TARGET_BYTES_MAX 1024

/* Names the argument and what would be right; may hold bytes of the client's, so escape it. */
struct request_error {
	char message[320];
};

/* Points into the target. */
struct request_target {
	const char *path;
	size_t path_length;
	const char *query; /* behind the '?'; empty when there is none */
	size_t query_length;
};

/* A set of these says which arguments a path takes. */
enum request_argument {
	REQUEST_ARGUMENT_TOP = 1 << 0,
	REQUEST_ARGUMENT_ALL = 1 << 1,
	REQUEST_ARGUMENT_SORT = 1 << 2,
	REQUEST_ARGUMENT_INTERVAL = 1 << 3,
	REQUEST_ARGUMENT_LEASE = 1 << 4,
	REQUEST_ARGUMENT_LEASE_ID = 1 << 5,
	REQUEST_ARGUMENT_BUDGET = 1 << 6,
	REQUEST_ARGUMENT_FORCE = 1 << 7,
	REQUEST_ARGUMENT_RETRY = 1 << 8,
	REQUEST_ARGUMENT_LINE_SORT = 1 << 9, /* "sort" as well, of lines */
	REQUEST_ARGUMENT_GROUP_BY = 1 << 10,
	REQUEST_ARGUMENT_FILE = 1 << 11,
	REQUEST_ARGUMENT_FUNCTION = 1 << 12,
};

/* What the longest text in an argument has, with its terminator. */
#define REQUEST_TEXT_BYTES_MAX 512

/* Arguments that were not given are zero. */
struct request_arguments {
	size_t top; /* 0: no limit */
	bool is_all;
	enum answer_sort sort;
	uint64_t interval_bytes; /* 0: the configured one */
	double lease_seconds;    /* 0: no lease */
	uint64_t lease_id;
	uint64_t budget_percent; /* 0: as configured */
	bool is_forced;
	bool is_retried;
	enum line_sort line_sort;
	enum line_group_by group_by;
	char file[REQUEST_TEXT_BYTES_MAX]; /* "": not given */
	char function[REQUEST_TEXT_BYTES_MAX];
};

/* 0 or -EINVAL with the error. */
int request_split(const char *target, size_t length, struct request_target *parts,
		  struct request_error *error);

/*
 * Whether the path is one of the pattern, in which a segment in braces ("{pid}") stands for any
 * one segment that is not empty; *segment and *segment_length are then that one.
 */
bool request_match(const struct request_target *parts, const char *pattern, const char **segment,
		   size_t *segment_length);

/* The whole text is a decimal number from min to max. */
bool request_parse_number(const char *text, size_t length, uint64_t min, uint64_t max,
			  uint64_t *number);

/* allowed: a set of enum request_argument. 0 or -EINVAL with the error. */
int request_parse_arguments(const struct request_target *parts, unsigned int allowed,
			    struct request_arguments *arguments, struct request_error *error);

#endif
