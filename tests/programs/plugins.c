/* SPDX-License-Identifier: Apache-2.0 */
/* Loads plugin.so, beside itself, and lets it allocate. */
#include "program.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

SITE(plugin_allocates);

static void *plugin;
static void *(*plugin_allocates)(size_t bytes);

static void load(long unused)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - sizeof("plugin.so"));

	(void)unused;
	program_require(length > 0, "an executable");
	path[length] = '\0';
	strcpy(strrchr(path, '/') + 1, "plugin.so");
	plugin = dlopen(path, RTLD_NOW);
	program_require(plugin, "plugin.so lies beside the program");
	*(void **)&plugin_allocates = dlsym(plugin, "plugin_allocates");
	program_require(plugin_allocates, "the plugin's function");
}

static void allocate(long count)
{
	while (count-- > 0)
		block_new(&plugin_allocates_site, plugin_allocates(77), 77);
}

/* Its blocks stay behind, and its file is no longer mapped. */
static void unload(long unused)
{
	(void)unused;
	program_require(!dlclose(plugin), "dlclose works");
}

int main(void)
{
	static const struct command commands[] = {
		{"load", load},
		{"allocate", allocate},
		{"unload", unload},
		{NULL, NULL},
	};

	return program_serve(commands);
}
