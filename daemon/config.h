/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file: "key = value" lines, '#' comments. Every key has a default. */
#ifndef MEMWATCH_CONFIG_H
#define MEMWATCH_CONFIG_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct config {
	char socket_path[108]; /* socket = /run/memwatch/memwatchd.sock */
	char socket_group[64]; /* socket_group = memwatch : may see all processes; may not exist */
	char listen[128];      /* listen = 127.0.0.1:9735 ; "none" for no TCP */
	char state_dir[PATH_MAX];          /* state_dir = /var/lib/memwatch */
	enum log_level log_level;          /* log_level = error|warning|info|debug */
	uint64_t sampling_interval_bytes;  /* sampling_interval = 64KiB ; 1: exact */
	char attach_backend[16];           /* attach_backend = auto|session|multi|perf */
	uint32_t budget_by_hand_percent;   /* budget_by_hand_percent = 30 : probe time per thread */
	uint32_t budget_by_policy_percent; /* budget_by_policy_percent = 3 */
	uint32_t retry_seconds; /* retry_seconds = 10 : after an end over budget, then doubled */
	uint32_t blocks_max;    /* blocks_max = 1048576 : outstanding blocks of all targets */
	uint32_t sites_max;     /* sites_max = 32768 */
	uint32_t targets_max;   /* targets_max = 64 (<= 1024) */
	uint64_t ring_buffer_bytes;      /* ring_buffer = 4MiB, a power of two of at least 64KiB */
	uint64_t symbol_cache_bytes;     /* symbol_cache = 16MiB */
	uint64_t unwind_tables_bytes;    /* unwind_tables = 64MiB */
	uint64_t python_codes_bytes;     /* python_codes = 64MiB */
	char debuginfod_urls[1024];      /* debuginfod_urls = : of servers; "" asks none */
	uint64_t debuginfod_cache_bytes; /* debuginfod_cache = 1GiB */
	uint32_t debuginfod_seconds; /* debuginfod_seconds = 90 : for one file from one server */
	uint32_t ended_targets_max;  /* ended_targets_max = 16 : accounts kept after their process
					ended */
	uint32_t ooms_max;           /* ooms_max = 64 : postmortems kept */
	uint32_t metrics_processes_max; /* metrics_processes_max = 20 : processes with metrics of
					   their own */
};

/* What went wrong, with file, line, key and what would be right, ready to print. */
struct config_error {
	char message[640];
};

void config_set_defaults(struct config *config);
/* Reads a file over *config. On error *config is untouched and error is filled. 0 or -errno. */
int config_read_file(struct config *config, const char *path, struct config_error *error);
/* Same from memory (name is for messages); the fuzz target. */
int config_parse(struct config *config, const char *name, const char *text, size_t length,
		 struct config_error *error);
/* Sets one key, as the command line does ("--listen"). */
int config_set(struct config *config, const char *name, const char *value,
	       struct config_error *error);
/*
 * "64KiB", "1MiB", "4096", "2GiB" (also k, M, G with optional B, all powers of 1024) to bytes.
 * 0 or -EINVAL, -ERANGE.
 */
int config_parse_bytes(const char *text, uint64_t *bytes);

#endif
