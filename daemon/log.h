/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines to stderr, in the form that journald understands (<N> priorities when it listens). */
#ifndef MEMWATCH_LOG_H
#define MEMWATCH_LOG_H

/* As in syslog: a smaller number is more urgent. */
enum log_priority { LOG_ERROR = 3, LOG_WARN = 4, LOG_NOTICE = 6, LOG_DETAIL = 7 };

/* Messages less urgent than this are left out. */
void log_set_threshold(enum log_priority threshold);
void log_write(enum log_priority priority, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
