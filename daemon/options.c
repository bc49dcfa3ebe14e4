/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG_PATH "/etc/memwatch/memwatchd.conf"

static const char usage[] =
	"Usage: memwatchd [OPTION]...\n"
	"Watches the memory of this host's processes; ask it by memwatchctl.\n"
	"\n"
	"  --config FILE        configuration (default " DEFAULT_CONFIG_PATH ", if there)\n"
	"  --socket PATH        Unix socket to serve (default /run/memwatch/memwatchd.sock)\n"
	"  --listen ADDR:PORT   TCP address for Prometheus (default 127.0.0.1:9735; none: no TCP)\n"
	"  --state-dir DIR      directory of its own (default /var/lib/memwatch)\n"
	"  --log-level LEVEL    error, warning, info or debug (default info)\n"
	"  --help, --version\n"
	"\n"
	"Runs in the foreground and logs to stderr. SIGHUP reads the configuration again,\n"
	"SIGTERM ends it. See memwatchd(8) and memwatchd.conf(5).\n";

enum { OPTION_CONFIG = 256, OPTION_SOCKET, OPTION_LISTEN, OPTION_STATE_DIR, OPTION_LOG_LEVEL };

static const struct option long_options[] = {
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"listen", required_argument, NULL, OPTION_LISTEN},
	{"state-dir", required_argument, NULL, OPTION_STATE_DIR},
	{"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

enum options_result options_parse(int argc, char **argv, struct options *options)
{
	int option;

	memset(options, 0, sizeof(*options));
	while ((option = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
		switch (option) {
		case OPTION_CONFIG:
			options->config_path = optarg;
			break;
		case OPTION_SOCKET:
			options->socket = optarg;
			break;
		case OPTION_LISTEN:
			options->listen = optarg;
			break;
		case OPTION_STATE_DIR:
			options->state_dir = optarg;
			break;
		case OPTION_LOG_LEVEL:
			options->log_level = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return OPTIONS_DONE;
		case 'V':
			puts("memwatchd " MEMWATCH_VERSION);
			return OPTIONS_DONE;
		default:
			fputs("Try memwatchd --help.\n", stderr);
			return OPTIONS_BAD;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "memwatchd: %s: it takes no arguments. Try memwatchd --help.\n",
			argv[optind]);
		return OPTIONS_BAD;
	}
	return OPTIONS_RUN;
}

static int set_if_given(struct config *config, const char *key, const char *value,
			struct config_error *error)
{
	return value ? config_set(config, key, value, error) : 0;
}

int options_read_config(const struct options *options, struct config *config,
			struct config_error *error)
{
	const char *path = options->config_path ? options->config_path : DEFAULT_CONFIG_PATH;
	bool is_optional = !options->config_path;
	int result = 0;

	config_set_defaults(config);
	if (!is_optional || access(path, F_OK) == 0 || errno != ENOENT)
		result = config_read_file(config, path, error);
	result = result ? result : set_if_given(config, "socket", options->socket, error);
	result = result ? result : set_if_given(config, "listen", options->listen, error);
	result = result ? result : set_if_given(config, "state_dir", options->state_dir, error);
	result = result ? result : set_if_given(config, "log_level", options->log_level, error);
	return result;
}
