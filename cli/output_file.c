/* SPDX-License-Identifier: Apache-2.0 */
#include "output_file.h"

#include "render.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int output_file_open(struct output_file *file, const char *path)
{
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	*file = (struct output_file){.path = path, .temporary = text_format("%s.XXXXXX", path)};
	fd = mkstemp(file->temporary);
	if (fd >= 0) {
		/* As any other file, not the owner's alone. */
		if (!fchmod(fd, 0666 & ~mask))
			file->stream = fdopen(fd, "w");
		if (file->stream)
			return 0;
		close(fd);
		unlink(file->temporary);
	}
	render_complain("cannot write %s: %m", path);
	free(file->temporary);
	return -1;
}

int output_file_close(struct output_file *file)
{
	int failed = ferror(file->stream);

	failed |= fclose(file->stream);
	if (!failed)
		failed = rename(file->temporary, file->path);
	if (failed) {
		render_complain("cannot write %s: %m", file->path);
		unlink(file->temporary);
	}
	free(file->temporary);
	return failed ? -1 : 0;
}

void output_file_discard(struct output_file *file, int error)
{
	if (error)
		render_complain("cannot write %s: %s", file->path, strerror(-error));
	fclose(file->stream);
	unlink(file->temporary);
	free(file->temporary);
}
