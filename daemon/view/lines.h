/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the views: sites summed up by line, for view_lines() and its tests. Pure. */
#ifndef MEMWATCH_VIEW_LINES_H
#define MEMWATCH_VIEW_LINES_H

#include "view/view.h"

/* Takes the sites, also where it fails. NULL when out of memory. */
struct answer_lines *lines_of_sites(struct answer_sites *sites,
				    const struct view_lines_options *options);

#endif
