/* SPDX-License-Identifier: Apache-2.0 */
#include "process_tree.h"

#include "text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As many as a recording tells apart; later ones are not followed. */
#define PROCESSES_MAX 256

/* Field number of proc(5); after_name is what follows the second field. 0, or -EINVAL. */
static int parse_field(const char *after_name, int field, uint64_t *number)
{
	const char *at = after_name;
	char *end;

	for (int i = 2; i < field; i++) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	errno = 0;
	*number = strtoull(at, &end, 10);
	return errno || end == at || *at == '-' ? -EINVAL : 0;
}

int process_tree_parse_stat(const char *text, struct process_stat *stat)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	struct process_stat parsed = {0};
	uint64_t parent_pid;
	size_t length;

	if (!open || !close || close < open || close[1] != ' ')
		return -EINVAL;
	/* What follows begins with a space: that is field 3 then. */
	parsed.state = close[2];
	if (parse_field(close + 1, 4, &parent_pid) || parent_pid > INT_MAX ||
	    parse_field(close + 1, 22, &parsed.start_ticks) ||
	    parse_field(close + 1, 24, &parsed.rss_pages))
		return -EINVAL;
	length = (size_t)(close - open - 1);
	if (length >= sizeof(parsed.comm))
		length = sizeof(parsed.comm) - 1;
	memcpy(parsed.comm, open + 1, length);
	parsed.parent_pid = (pid_t)parent_pid;
	*stat = parsed;
	return 0;
}

static int read_stat(pid_t pid, struct process_stat *stat)
{
	char path[64], text[1024];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ESRCH;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return -ESRCH;
	text[got] = '\0';
	return process_tree_parse_stat(text, stat);
}

static bool is_over(const struct process_stat *stat)
{
	return stat->state == 'Z' || stat->state == 'X' || stat->state == 'x';
}

static void add_entry(struct process_tree *tree, pid_t pid, const struct process_stat *stat)
{
	if (tree->count == tree->capacity) {
		tree->capacity = tree->capacity ? tree->capacity * 2 : 16;
		tree->entries =
			reallocarray(tree->entries, tree->capacity, sizeof(tree->entries[0]));
		if (!tree->entries)
			text_fail_out_of_memory();
	}
	tree->entries[tree->count++] = (struct process_entry){
		.pid = pid, .id = tree->next_id++, .stat = *stat, .is_there = true, .looks = 1};
}

int process_tree_begin(struct process_tree *tree, pid_t pid, bool has_children)
{
	struct process_stat stat;

	*tree = (struct process_tree){.has_children = has_children};
	if (read_stat(pid, &stat) || is_over(&stat))
		return -ESRCH;
	add_entry(tree, pid, &stat);
	return 0;
}

void process_tree_clear(struct process_tree *tree)
{
	free(tree->entries);
	*tree = (struct process_tree){0};
}

static void look_at_known(struct process_tree *tree)
{
	size_t kept = 0;

	for (size_t i = 0; i < tree->count; i++) {
		struct process_entry entry = tree->entries[i];
		struct process_stat stat;

		/* The root stays in its place. */
		if (!entry.is_there && i > 0)
			continue;
		entry.is_there = !read_stat(entry.pid, &stat) && !is_over(&stat) &&
				 stat.start_ticks == entry.stat.start_ticks;
		if (entry.is_there) {
			entry.stat = stat;
			entry.looks++;
		}
		tree->entries[kept++] = entry;
	}
	tree->count = kept;
}

/* ---- Children */

struct candidate {
	pid_t pid;
	struct process_stat stat;
	bool is_taken;
};

static struct candidate *read_all(size_t *count)
{
	DIR *directory = opendir("/proc");
	struct candidate *all = NULL;
	size_t capacity = 0;
	struct dirent *file;

	*count = 0;
	while (directory && (file = readdir(directory))) {
		struct candidate candidate = {0};

		if (!isdigit((unsigned char)file->d_name[0]))
			continue;
		candidate.pid = (pid_t)strtol(file->d_name, NULL, 10);
		if (read_stat(candidate.pid, &candidate.stat) || is_over(&candidate.stat))
			continue;
		if (*count == capacity) {
			capacity = capacity ? capacity * 2 : 256;
			all = reallocarray(all, capacity, sizeof(*all));
			if (!all)
				text_fail_out_of_memory();
		}
		all[(*count)++] = candidate;
	}
	if (directory)
		closedir(directory);
	return all;
}

static bool is_known(const struct process_tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->entries[i].pid == pid && tree->entries[i].is_there)
			return true;
	}
	return false;
}

/* A child's children follow, as the child is an entry by then. */
static void find_children(struct process_tree *tree)
{
	size_t count;
	struct candidate *all = read_all(&count);

	for (size_t i = 0; i < tree->count; i++) {
		if (!tree->entries[i].is_there)
			continue;
		for (size_t j = 0; j < count && tree->count < PROCESSES_MAX; j++) {
			if (all[j].is_taken || all[j].stat.parent_pid != tree->entries[i].pid)
				continue;
			all[j].is_taken = true;
			if (!is_known(tree, all[j].pid))
				add_entry(tree, all[j].pid, &all[j].stat);
		}
	}
	free(all);
}

bool process_tree_look(struct process_tree *tree)
{
	look_at_known(tree);
	if (tree->has_children)
		find_children(tree);
	return tree->entries[0].is_there;
}
