/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process and those that descend from it, as /proc has them. Who is known stays known, also when
 * its parent has died; a descendant whose parent came and went between two looks is not found.
 */
#ifndef MEMWATCH_CLI_PROCESS_TREE_H
#define MEMWATCH_CLI_PROCESS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_stat {
	char comm[64]; /* the kernel's own have longer names */
	char state;    /* 'Z': it has ended and waits for its parent */
	pid_t parent_pid;
	uint64_t start_ticks; /* with the pid it names one process for good */
	uint64_t rss_pages;
};

struct process_entry {
	pid_t pid;
	uint32_t id; /* in order of discovery */
	struct process_stat stat;
	bool is_there;      /* at the last look */
	unsigned int looks; /* that have seen it */
	uint64_t lease_id;  /* of our watch, 0: none */
	double lease_end_seconds;
	bool is_watch_tried; /* as the recorder has it */
};

struct process_tree {
	struct process_entry *entries; /* by id; the first is the root */
	size_t count, capacity;
	uint32_t next_id;
	bool has_children; /* are they looked for? */
};

/* Of /proc/PID/stat. 0, or -EINVAL. The name in it is whatever the process chose. */
int process_tree_parse_stat(const char *text, struct process_stat *stat);

/* 0, or -ESRCH: there is no such process. */
int process_tree_begin(struct process_tree *tree, pid_t pid, bool has_children);
/* Looks again: finds the born, takes out who had ended before. Whether the root still lives. */
bool process_tree_look(struct process_tree *tree);
void process_tree_clear(struct process_tree *tree);

#endif
