/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an ELF file with USDT notes. What is to be probed must lie inside the file. */
#include "probe/contract.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void check_point(const struct contract_point *point, const uint8_t *data, size_t size)
{
	require(point->file_offset && point->file_offset < size);
	require(data[point->file_offset] == 0x90 || data[point->file_offset] == 0x0f);
	require(point->semaphore_file_offset <= size - sizeof(uint16_t));
	require(point->operation == RECORD_OPERATION_CONTRACT_ALLOCATE ||
		point->operation == RECORD_OPERATION_CONTRACT_FREE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct contract contract;

	if (fd < 0)
		fd = memfd_create("elf", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	contract_read(fd, &contract);
	require(contract.point_count <= CONTRACT_POINTS_MAX);
	require(!contract.is_usable || contract.point_count >= 2);
	for (size_t i = 0; i < contract.point_count; i++)
		check_point(&contract.points[i], data, size);
	contract_clear(&contract);
	return 0;
}
