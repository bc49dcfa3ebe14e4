/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that reports its own heap samples, as by OpenTelemetry's contract: USDT otel_memory
 * (alloc, free), each place of use a probe of its own. Stands in for a real sampler, and books what
 * it reports. With WITHOUT_SEMAPHORES it always reports.
 */
#ifndef MEMWATCH_TESTS_CONTRACT_H
#define MEMWATCH_TESTS_CONTRACT_H

#include "program.h"

#ifndef WITHOUT_SEMAPHORES
#define _SDT_HAS_SEMAPHORES 1
#endif
#include <sys/sdt.h>

#ifdef WITHOUT_SEMAPHORES
#define CONTRACT_IS_WATCHED 1
#else
#define CONTRACT_SEMAPHORE \
	__attribute__((section(".probes"), visibility("hidden"))) volatile unsigned short
CONTRACT_SEMAPHORE otel_memory_alloc_semaphore, otel_memory_free_semaphore;
#define CONTRACT_IS_WATCHED (otel_memory_alloc_semaphore != 0)
#endif

/* The operands' types and values decide how the probe says where its arguments are. */
#define CONTRACT_ALLOC(address, size, weight) STAP_PROBE3(otel_memory, alloc, address, size, weight)
#define CONTRACT_FREE(address)                STAP_PROBE1(otel_memory, free, address)

/* Books a sample that stands for a whole number of blocks. */
static inline void contract_book(struct site *site, long long size, long long weight)
{
	site_allocated(site, (size_t)weight);
	__atomic_fetch_add(&site->outstanding_objects, weight / size - 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&site->allocated_objects, weight / size - 1, __ATOMIC_RELAXED);
}

static inline void contract_unbook(struct site *site, long long size, long long weight)
{
	site_freed(site, (size_t)weight);
	__atomic_fetch_sub(&site->outstanding_objects, weight / size - 1, __ATOMIC_RELAXED);
}

#endif
