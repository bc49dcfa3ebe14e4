/* SPDX-License-Identifier: Apache-2.0 */
/* memwatchd's command line, and how it and the file make up the configuration. */
#ifndef MEMWATCH_OPTIONS_H
#define MEMWATCH_OPTIONS_H

#include "config.h"

#include <stdbool.h>

struct options {
	const char *config_path; /* NULL: the default one, which may be missing */
	/* The command line's own settings, which go over the file's; NULL: not given. */
	const char *socket, *listen, *state_dir, *log_level;
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_BAD };

/* Parses argv. DONE: --help or --version was answered; BAD: explained on stderr. */
enum options_result options_parse(int argc, char **argv, struct options *options);
/* Defaults, then the file, then the command line. 0 or -errno with the error. */
int options_read_config(const struct options *options, struct config *config,
			struct config_error *error);

#endif
