/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports its samples, but of its frees the argument is found by a symbol alone (or, built with
 * PARTLY, of one place of two where it reports allocations).
 */
#define STAP_SDT_ARG_CONSTRAINT o
#define WITHOUT_SEMAPHORES
#include "contract.h"

#include <stdint.h>
#include <stdlib.h>

#define BYTES  300
#define WEIGHT (BYTES * 20)

void *named_address;

SITE(reports);
CALL_SITE static void *reports(void)
{
	void *volatile address = malloc(BYTES);
	volatile uint64_t size = BYTES, weight = WEIGHT;

	program_require(address, "memory");
	CONTRACT_ALLOC(address, size, weight);
	return address;
}

CALL_SITE static void reports_free(void *given)
{
#ifdef PARTLY
	void *volatile address = given;

	CONTRACT_FREE(address);
#else
	named_address = given;
	CONTRACT_FREE(named_address);
#endif
	free(given);
}

static void allocate_and_free(long count)
{
	while (count-- > 0) {
		reports_free(reports());
#ifdef PARTLY
		contract_book(&reports_site, BYTES, WEIGHT);
		contract_unbook(&reports_site, BYTES, WEIGHT);
#else
		site_allocated(&reports_site, BYTES);
		site_freed(&reports_site, BYTES);
#endif
	}
}

#ifdef PARTLY
CALL_SITE static void reports_by_a_name(void)
{
	volatile uint64_t size = BYTES, weight = WEIGHT;

	named_address = malloc(BYTES);
	CONTRACT_ALLOC(named_address, size, weight);
	free(named_address);
}
#endif

static void report_by_a_name(long count)
{
	(void)count;
#ifdef PARTLY
	while (count-- > 0)
		reports_by_a_name();
#endif
}

int main(void)
{
	static const struct command commands[] = {
		{"allocate_and_free", allocate_and_free},
		{"report_by_a_name", report_by_a_name},
		{NULL, NULL},
	};

	return program_serve(commands);
}
