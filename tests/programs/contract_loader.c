/* SPDX-License-Identifier: Apache-2.0 */
/* Allocates by malloc, then loads a library (contract_plugin.so, beside itself) by which it
 * reports. */
#include "program.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES  300
#define WEIGHT (BYTES * 50)

SITE(mallocs);
SITE(contract_plugin_allocates);

static void (*contract_plugin_allocates)(void *address, size_t size, uint64_t weight);

CALL_SITE static void *mallocs(void)
{
	void *address = malloc(BYTES);

	block_new(&mallocs_site, address, BYTES);
	return address;
}

static void allocate(long count)
{
	while (count-- > 0)
		mallocs();
}

static void load(long unused)
{
	char path[4096];
	ssize_t length =
		readlink("/proc/self/exe", path, sizeof(path) - sizeof("contract_plugin.so"));
	void *plugin;

	(void)unused;
	program_require(length > 0, "an executable");
	path[length] = '\0';
	strcpy(strrchr(path, '/') + 1, "contract_plugin.so");
	plugin = dlopen(path, RTLD_NOW);
	program_require(plugin, "contract_plugin.so lies beside the program");
	*(void **)&contract_plugin_allocates = dlsym(plugin, "contract_plugin_allocates");
	program_require(contract_plugin_allocates, "the library's function");
	ledger_clear();
}

/* By malloc as well, which must not be seen any more. */
static void report(long count)
{
	while (count-- > 0) {
		void *address = malloc(BYTES);

		program_require(address, "memory");
		contract_plugin_allocates(address, BYTES, WEIGHT);
		site_allocated(&contract_plugin_allocates_site, WEIGHT);
		contract_plugin_allocates_site.outstanding_objects += WEIGHT / BYTES - 1;
		contract_plugin_allocates_site.allocated_objects += WEIGHT / BYTES - 1;
	}
}

int main(void)
{
	static const struct command commands[] = {
		{"allocate", allocate},
		{"load", load},
		{"give", report},
		{NULL, NULL},
	};

	return program_serve(commands);
}
