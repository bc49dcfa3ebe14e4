/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches empty probes to one process: the least that any tool built on uprobes can cost; and one
 * that reads a stack of 29 frames word by word.
 *
 *   empty_probes PID FILE entry:OFFSET|return:OFFSET|words:OFFSET...
 *
 * Offsets are into the file, as memwatchctl doctor --allocators says them. Prints "attached" when
 * all are, and detaches them when stdin ends.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "bench/empty_probes.skel.h"

#define PROBES_MAX 8

struct probe {
	bool is_return;
	bool is_words; /* reads the stack word by word */
	unsigned long long offset;
};

static int probe_parse(const char *text, struct probe *probe)
{
	const char *colon = strchr(text, ':');
	char *end;

	if (!colon)
		return -EINVAL;
	probe->is_return = strncmp(text, "return:", 7) == 0;
	probe->is_words = strncmp(text, "words:", 6) == 0;
	if (!probe->is_return && !probe->is_words && strncmp(text, "entry:", 6) != 0)
		return -EINVAL;
	errno = 0;
	probe->offset = strtoull(colon + 1, &end, 0);
	return errno || end == colon + 1 || *end ? -EINVAL : 0;
}

static int probe_attach(struct empty_probes *object, pid_t pid, const char *file,
			const struct probe *probe, struct bpf_link **link)
{
	LIBBPF_OPTS(bpf_uprobe_opts, options, .retprobe = probe->is_return);
	const struct bpf_program *program = object->progs.on_entry;

	if (probe->is_return)
		program = object->progs.on_return;
	else if (probe->is_words)
		program = object->progs.on_words;

	*link = bpf_program__attach_uprobe_opts(program, pid, file, probe->offset, &options);
	return *link ? 0 : -errno;
}

int main(int argc, char **argv)
{
	struct bpf_link *links[PROBES_MAX] = {NULL};
	struct empty_probes *object = NULL;
	int error = -EINVAL;

	if (argc < 4 || argc - 3 > PROBES_MAX) {
		fprintf(stderr, "usage: empty_probes PID FILE "
				"entry:OFFSET|return:OFFSET|words:OFFSET...\n");
		return 2;
	}
	object = empty_probes__open_and_load();
	if (!object) {
		error = -errno;
		goto out;
	}
	for (int i = 3; i < argc; i++) {
		struct probe probe;

		error = probe_parse(argv[i], &probe);
		if (!error)
			error = probe_attach(object, atoi(argv[1]), argv[2], &probe, &links[i - 3]);
		if (error)
			goto out;
	}
	puts("attached");
	fflush(stdout);
	while (getchar() != EOF)
		;
out:
	if (error)
		fprintf(stderr, "empty_probes: %s: %s\n", argv[2], strerror(-error));
	for (size_t i = 0; i < PROBES_MAX; i++)
		bpf_link__destroy(links[i]);
	empty_probes__destroy(object);
	return error ? 1 : 0;
}
