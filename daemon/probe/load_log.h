/* SPDX-License-Identifier: Apache-2.0 */
/* What libbpf says, and the verifier through it, as lines of our own log. */
#ifndef MEMWATCH_PROBE_LOAD_LOG_H
#define MEMWATCH_PROBE_LOAD_LOG_H

/*
 * From here on libbpf's messages are logged as details. They belong to a developer: the operator
 * gets our own message. Of the verifier's log of a program that it refused, the end is kept.
 */
void load_log_start(void);

#endif
