/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots, which may come from anybody: as the bytes of a file, and as the account in a file that
 * is well packed, which mutations of packed bytes would hardly ever reach. What is taken can be
 * grouped in every way.
 */
#include "groups.h"
#include "snapshot_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void group(const cJSON *account)
{
	for (int by = LINE_BY_LINE; by <= LINE_BY_MODULE; by++) {
		struct groups *groups = groups_new(account, (enum line_group_by)by, NULL, NULL);
		size_t count;
		const struct line_group *list = line_groups_list(groups->lines, &count);

		require(count <= LINE_GROUPS_MAX);
		for (size_t i = 0; i < count; i++) {
			require(line_groups_find(groups->lines, &list[i]) == &list[i]);
			free(groups_name(&list[i], (enum line_group_by)by));
		}
		groups_free(groups);
	}
}

/* Whether it was taken. */
static int parse(const void *bytes, size_t length)
{
	struct snapshot snapshot;
	struct snapshot_error error = {""};

	if (snapshot_parse(bytes, length, TEXT_BYTES_MAX, &snapshot, &error)) {
		size_t message_length = strnlen(error.message, sizeof(error.message));

		require(message_length > 0 && message_length < sizeof(error.message));
		return 0;
	}
	require(cJSON_IsObject(snapshot.account));
	group(snapshot.account);
	snapshot_release(&snapshot);
	return 1;
}

static void parse_packed(const uint8_t *data, size_t size)
{
	char *account = malloc(size + 1), *packed = NULL;
	size_t packed_size = 0;
	FILE *out = open_memstream(&packed, &packed_size);

	require(account && out);
	memcpy(account, data, size);
	account[size] = '\0';
	require(snapshot_write(out, account, 0) == 0);
	fclose(out);
	/* Cut anywhere, it is no snapshot any more. */
	if (parse(packed, packed_size) && packed_size > 1)
		require(!parse(packed, packed_size - 1 - size % (packed_size - 1)));
	free(packed);
	free(account);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse(data, size);
	parse_packed(data, size);
	return 0;
}
