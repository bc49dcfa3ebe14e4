/* SPDX-License-Identifier: Apache-2.0 */
#include "target/process.h"

#include "clock.h"
#include "procfs.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* PF_KTHREAD of include/linux/sched.h */
#define KERNEL_THREAD_FLAG 0x00200000UL

__attribute__((format(printf, 2, 3))) static void set_error(struct process_error *error,
							    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
}

/* The number in a field behind comm, whose closing parenthesis is given. */
static int stat_read_field(const char *comm_end, int field, uint64_t *number)
{
	const char *text = comm_end + 1;
	char *end;

	for (int skipped = 2; skipped < field - 1; skipped++) {
		text += strspn(text, " ");
		text += strcspn(text, " ");
	}
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno || end == text ? -EINVAL : 0;
}

int process_stat_parse(const char *text, struct process_stat *stat)
{
	const char *open = strchr(text, '(');
	/* comm may hold anything, parentheses too: it ends at the last one. */
	const char *close = strrchr(text, ')');
	uint64_t flags;
	size_t length;

	if (!open || !close || close < open)
		return -EINVAL;
	length = (size_t)(close - open - 1);
	if (length >= sizeof(stat->comm))
		length = sizeof(stat->comm) - 1;
	memset(stat, 0, sizeof(*stat));
	memcpy(stat->comm, open + 1, length);
	/* Fields are counted from 1 as in proc(5): comm is the second, state the third. */
	if (sscanf(close + 1, " %c", &stat->state) != 1)
		return -EINVAL;
	if (stat_read_field(close, 9, &flags) || stat_read_field(close, 22, &stat->start_ticks))
		return -EINVAL;
	stat->flags = (unsigned long)flags;
	return 0;
}

static int read_proc_text(pid_t pid, const char *name, char *text, size_t size, uid_t *owner)
{
	struct stat status;
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	got = fstat(fd, &status) ? -1 : read(fd, text, size - 1);
	if (got < 0)
		got = -errno;
	close(fd);
	if (got < 0)
		return (int)got;
	text[got] = '\0';
	*owner = status.st_uid;
	return 0;
}

/* The owner of /proc/PID itself would be no answer: it is the user even of set-group-id programs.
 */
static int read_stat(pid_t pid, struct process_stat *stat, uid_t *owner)
{
	char text[1024];
	int error = pid > 0 ? read_proc_text(pid, "stat", text, sizeof(text), owner) : -ESRCH;

	return error ? error : process_stat_parse(text, stat);
}

static void set_identity(pid_t pid, uid_t owner, const struct process_stat *stat,
			 struct process_identity *identity)
{
	identity->pid = pid;
	identity->namespace_pid = 0;
	identity->uid = owner;
	identity->start_ticks = stat->start_ticks;
	identity->start_time_seconds = clock_boot_offset_seconds() +
				       (double)stat->start_ticks / (double)sysconf(_SC_CLK_TCK);
	memcpy(identity->comm, stat->comm, sizeof(identity->comm));
}

int process_identify(pid_t pid, struct process_identity *identity)
{
	struct process_stat stat;
	uid_t owner = 0;
	int error = read_stat(pid, &stat, &owner);

	if (!error)
		set_identity(pid, owner, &stat, identity);
	return error;
}

bool process_is_over(const struct process_identity *identity)
{
	struct process_stat stat;
	uint64_t threads;
	char path[64];
	uid_t owner = 0;
	int error = read_stat(identity->pid, &stat, &owner);

	if (error || stat.start_ticks != identity->start_ticks)
		return error == -ESRCH || !error;
	if (stat.state != 'Z' && stat.state != 'X')
		return false;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)identity->pid);
	return procfs_read_number(path, "Threads", &threads) || threads <= 1;
}

static pid_t thread_group_of(pid_t pid)
{
	char path[64];
	uint64_t group;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	return procfs_read_number(path, "Tgid", &group) ? -1 : (pid_t)group;
}

/* The program's ELF class, 32 or 64; 0 unknown. Works for deleted files. */
static int program_word_bits(pid_t pid)
{
	unsigned char head[EI_NIDENT] = {0};
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0;
	got = read(fd, head, sizeof(head));
	close(fd);
	if (got != (ssize_t)sizeof(head) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return 0;
	return head[EI_CLASS] == ELFCLASS32 ? 32 : 64;
}

pid_t process_namespace_pid(pid_t pid)
{
	pid_t namespace_pid;

	if (procfs_read_namespace_pid(pid, &namespace_pid) || namespace_pid == pid)
		return 0;
	return namespace_pid;
}

int process_check(pid_t pid, struct process_identity *identity, struct process_error *error)
{
	struct process_stat stat;
	uid_t owner = 0;
	int result = read_stat(pid, &stat, &owner);
	pid_t group;

	if (result == -ESRCH) {
		set_error(error, "there is no process %d", (int)pid);
		return result;
	}
	if (result) {
		set_error(error, "cannot read /proc/%d/stat: %s", (int)pid, strerror(-result));
		return result;
	}
	group = thread_group_of(pid);
	if (group > 0 && group != pid) {
		set_error(error, "%d is a thread of process %d: name the process", (int)pid,
			  (int)group);
		return -ESRCH;
	}
	if (stat.state == 'Z' || stat.state == 'X') {
		set_error(error,
			  "process %d has exited and waits for its parent (a zombie): it "
			  "holds no memory any more",
			  (int)pid);
		return -ESRCH;
	}
	if (stat.flags & KERNEL_THREAD_FLAG) {
		set_error(error, "%d is a kernel thread: it has no user memory to watch", (int)pid);
		return -EINVAL;
	}
	if (pid == getpid()) {
		set_error(error, "%d is memwatchd itself, which does not watch itself", (int)pid);
		return -EINVAL;
	}
	if (program_word_bits(pid) == 32) {
		set_error(error,
			  "process %d runs a 32-bit program: only 64-bit ones can be watched",
			  (int)pid);
		return -ENOEXEC;
	}
	set_identity(pid, owner, &stat, identity);
	identity->namespace_pid = process_namespace_pid(pid);
	return 0;
}
