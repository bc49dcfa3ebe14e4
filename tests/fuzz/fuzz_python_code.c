/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code objects, and the structures that lead from _PyRuntime to them, in a hostile process's
 * memory: bounded work, and text that is text.
 */
#include "python/code.h"
#include "python/inspect.h"
#include "python_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define READS_MAX 200000

static void read_code(const struct python_layout *layout, const struct python_memory *memory,
		      uint64_t address)
{
	struct python_code *code;

	if (python_code_read(layout, memory, address, &code))
		return;
	if (strlen(python_code_file(code)) > 10 * 16384 || !python_code_function(code) ||
	    !python_code_qualified_name(code) || python_code_line(code, 10) > INT32_MAX)
		abort();
	python_code_release(code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct python_image image = {.reads_max = READS_MAX};
	struct python_memory memory = {.read = python_image_read, .context = &image};
	struct inspection inspection = {.memory = &memory};
	int error;

	if (size < 16)
		return 0;
	inspection.layout = *python_layout_find(0x308 + data[0] % 7);
	image.bytes = data + 8;
	image.size = size - 8;
	read_code(&inspection.layout, &memory, data[1] | 1);
	inspection.runtime = 4096 + data[2];
	error = inspect_code_type(&inspection, data[3]);
	inspection.layout.code_type = data[4] & 1 ? 0 : data[3];
	if (error != -ENOMEM)
		inspect_interpreter(&inspection);
	return 0;
}
