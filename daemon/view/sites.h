/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the views: the answer about one account's sites, for view_sites and the postmortems. */
#ifndef MEMWATCH_VIEW_SITES_H
#define MEMWATCH_VIEW_SITES_H

#include "view/state.h"
#include "view/view.h"

/*
 * Two steps, so that names are looked up without the lock: gather under the lock, then name. The
 * gathered answer is freed by sites_name() in any case.
 */
struct gathered_sites;

struct gathered_sites *sites_gather(struct state *state, struct account *account,
				    const struct view_sites_options *options);
/*
 * Waits until a time on the monotonic clock at most, for names that nobody has looked up yet; of
 * native code, asks for none when namer is NULL. NULL when out of memory (or when gathered is
 * NULL).
 */
struct answer_sites *sites_name(struct gathered_sites *gathered, struct namer *namer,
				double until_seconds);

/* How long an answer waits for names: so much of a file may have to be read for the first one. */
#define NAMES_SECONDS_MAX 2.0

/* Whether the viewer may see processes of a user. */
bool viewer_sees(const struct view_viewer *viewer, uid_t uid);
/*
 * The account of a pid, if the viewer may see it. 0, -EPERM, -ENODATA (no target), -ESRCH. Under
 * the lock.
 */
int viewer_find_account(struct state *state, const struct view_viewer *viewer, pid_t pid,
			struct account **account);

#endif
