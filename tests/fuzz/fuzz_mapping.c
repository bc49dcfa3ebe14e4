/* SPDX-License-Identifier: Apache-2.0 */
/* Operations from bytes on a mapping table, checked after each against the naive model. */
#include "../unit/mapping_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { OPERATION_BYTES = 7, OPERATIONS_MAX = 512 };
	struct model model = {.base = UINT64_C(0x10000)};
	struct mapping_table *table;
	size_t ranges_max;
	bool is_partial;

	if (size < 1)
		return 0;
	ranges_max = data[0];
	is_partial = ranges_max < MODEL_PAGES;
	table = mapping_table_new(ranges_max, model_on_change, &model);
	if (table == NULL)
		return 0;
	if (size > 1 + OPERATION_BYTES * OPERATIONS_MAX)
		size = 1 + OPERATION_BYTES * OPERATIONS_MAX;
	for (size_t i = 1; i + OPERATION_BYTES <= size; i += OPERATION_BYTES) {
		const uint8_t *bytes = data + i;
		struct model_operation op = {
			.kind = bytes[0] % 5,
			.at = bytes[1],
			.pages = bytes[2],
			.to = bytes[3],
			.to_pages = bytes[4],
			.site = bytes[5],
			.generation = bytes[6],
		};

		model_normalize(&op);
		if (op.kind == MODEL_REMAP && bytes[0] >= 128)
			op.pages = 0;
		if (model_run(&model, table, &op) != 0)
			is_partial = true;
		model_check(&model, table, is_partial);
	}
	mapping_table_free(table);
	return 0;
}
