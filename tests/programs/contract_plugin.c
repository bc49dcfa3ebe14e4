/* SPDX-License-Identifier: Apache-2.0 */
/* A sampler that comes with a library; loaded by contract_loader.c. */
#include "contract.h"

#include <stdint.h>

void contract_plugin_allocates(void *address, size_t size, uint64_t weight);
void contract_plugin_frees(void *address);

CALL_SITE void contract_plugin_allocates(void *address, size_t size, uint64_t weight)
{
	CONTRACT_ALLOC(address, size, weight);
}

CALL_SITE void contract_plugin_frees(void *address)
{
	CONTRACT_FREE(address);
}
