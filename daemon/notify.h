/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager's notification protocol (sd_notify(3)), a datagram of "KEY=value" lines. */
#ifndef MEMWATCH_NOTIFY_H
#define MEMWATCH_NOTIFY_H

/* Tells the service manager, if there is one, e.g. "READY=1". Failures don't matter to us. */
void notify_send(const char *state);
/* How often "WATCHDOG=1" is wanted, in seconds; 0: not at all. */
double notify_watchdog_seconds(void);

#endif
