/* SPDX-License-Identifier: Apache-2.0 */
/* What the type of code objects says of their members: PyTypeObject and PyMemberDef. */
#include "python/inspect.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* PyTypeObject, the same in all versions since 3.8. */
#define TYPE_NAME    24
#define TYPE_MEMBERS 240
#define MEMBERS_MAX  32 /* code objects have 16 to 19 */

struct member {
	uint64_t name;
	uint64_t type;
	uint64_t offset;
	uint64_t flags;
	uint64_t doc;
};

#define MEMBER_NAME_BYTES 16

struct expected_member {
	const char *name;
	uint32_t offset;
	bool is_seen;
};

/* An empty string when it can't be read. */
static void read_name(struct inspection *inspection, uint64_t address,
		      char name[static MEMBER_NAME_BYTES])
{
	const struct python_memory *memory = inspection->memory;

	if (memory->read(memory->context, address, name, MEMBER_NAME_BYTES))
		name[0] = '\0';
	name[MEMBER_NAME_BYTES - 1] = '\0';
}

static int check_member(struct inspection *inspection, const struct member *member,
			struct expected_member *expected, size_t count)
{
	char name[MEMBER_NAME_BYTES];

	read_name(inspection, member->name, name);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(name, expected[i].name) != 0)
			continue;
		if (member->offset != expected[i].offset) {
			snprintf(inspection->reason, sizeof(inspection->reason),
				 "%s lies at %llu of a code object instead of %u", name,
				 (unsigned long long)member->offset, expected[i].offset);
			return -EPROTO;
		}
		expected[i].is_seen = true;
	}
	return 0;
}

static int check_members(struct inspection *inspection, uint64_t members,
			 struct expected_member *expected, size_t count)
{
	const struct python_memory *memory = inspection->memory;
	int error = 0;

	for (int i = 0; i < MEMBERS_MAX && !error; i++) {
		struct member member;

		error = memory->read(memory->context, members + (uint64_t)i * sizeof(member),
				     &member, sizeof(member));
		if (error || !member.name)
			break;
		error = check_member(inspection, &member, expected, count);
	}
	for (size_t i = 0; i < count && !error; i++) {
		if (expected[i].is_seen)
			continue;
		snprintf(inspection->reason, sizeof(inspection->reason),
			 "code objects have no member %s", expected[i].name);
		error = -EPROTO;
	}
	return error;
}

int inspect_code_type(struct inspection *inspection, uint64_t type)
{
	const struct python_layout *layout = &inspection->layout;
	const struct python_memory *memory = inspection->memory;
	struct expected_member expected[] = {
		{"co_filename", layout->code_file, false},
		{"co_name", layout->code_name, false},
		{"co_firstlineno", layout->code_first_line, false},
		{layout->line_table_kind == PYTHON_LINES_NUMBER_TABLE ? "co_lnotab"
								      : "co_linetable",
		 layout->code_line_table, false},
		{"co_qualname", layout->code_qualified_name, false},
	};
	size_t count = sizeof(expected) / sizeof(*expected) - !layout->code_qualified_name;
	uint64_t name_address, members;
	char name[MEMBER_NAME_BYTES];
	int error = memory->read(memory->context, type + TYPE_NAME, &name_address,
				 sizeof(name_address));

	if (!error)
		error = memory->read(memory->context, type + TYPE_MEMBERS, &members,
				     sizeof(members));
	snprintf(inspection->reason, sizeof(inspection->reason), "PyCode_Type can't be read");
	if (error)
		return error;
	read_name(inspection, name_address, name);
	if (strcmp(name, "code") != 0) {
		snprintf(inspection->reason, sizeof(inspection->reason),
			 "PyCode_Type isn't the type of code objects");
		return -EPROTO;
	}
	return check_members(inspection, members, expected, count);
}
