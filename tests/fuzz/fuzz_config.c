/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration file: accepted whole or refused whole, with a message to print. */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void require_message(const char *message)
{
	size_t length = strlen(message);

	require(length > 0 && length < sizeof(((struct config_error *)0)->message));
	for (size_t i = 0; i < length; i++)
		require(isprint((unsigned char)message[i]));
}

static void require_valid(const struct config *config)
{
	require(memchr(config->socket_path, '\0', sizeof(config->socket_path)) != NULL);
	require(memchr(config->state_dir, '\0', sizeof(config->state_dir)) != NULL);
	require(config->socket_path[0] == '/' && config->state_dir[0] == '/');
	require(memchr(config->socket_group, '\0', sizeof(config->socket_group)) != NULL);
	require(memchr(config->listen, '\0', sizeof(config->listen)) != NULL);
	require(memchr(config->attach_backend, '\0', sizeof(config->attach_backend)) != NULL);
	require(config->log_level <= LOG_LEVEL_DEBUG);
	require(config->sampling_interval_bytes >= 1);
	require(config->targets_max >= 1 && config->targets_max <= 1024);
	require((config->ring_buffer_bytes & (config->ring_buffer_bytes - 1)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config before;
	static struct config config;
	struct config_error error = {""};
	uint64_t bytes;
	char *text = malloc(size + 1);

	require(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	config_set_defaults(&before);
	config = before;
	if (config_parse(&config, "fuzz.conf", text, size, &error) == 0) {
		require_valid(&config);
	} else {
		require(memcmp(&config, &before, sizeof(config)) == 0);
		require_message(error.message);
	}
	config_parse_bytes(text, &bytes);
	if (config_set(&config, "listen", text, &error) != 0)
		require_message(error.message);
	if (config_set(&config, text, "1", &error) != 0)
		require_message(error.message);
	require_valid(&config);
	free(text);
	return 0;
}
