/* SPDX-License-Identifier: Apache-2.0 */
/* Builds small ELF files with the system's compiler for the tests of daemon/probe. */
#ifndef MEMWATCH_TESTS_PROBE_BUILD_H
#define MEMWATCH_TESTS_PROBE_BUILD_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Compiles the C source with the flags; returns the file opened for reading, already unlinked. */
static inline int probe_build(const char *flags, const char *source)
{
	char path[] = "/tmp/memwatch-probe-XXXXXX";
	char command[512];
	FILE *compiler;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "cc -x c -o %s - %s", path, flags);
	compiler = popen(command, "w");
	assert_non_null(compiler);
	fputs(source, compiler);
	assert_int_equal(pclose(compiler), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	assert_true(fd >= 0);
	return fd;
}

#endif
