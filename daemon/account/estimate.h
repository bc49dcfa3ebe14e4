/* SPDX-License-Identifier: Apache-2.0 */
/* How far off the sums of sampled blocks may be. */
#ifndef MEMWATCH_ACCOUNT_ESTIMATE_H
#define MEMWATCH_ACCOUNT_ESTIMATE_H

#include "account/account.h"

/* The stated error of what is outstanding, in bytes: 1.96 times as much to either side covers the
 * truth in 95% of all cases. numbers: as read of that site or account. 0: exact.
 */
double estimate_account_stderr_bytes(const struct account *account,
				     const struct site_numbers *numbers);
double estimate_site_stderr_bytes(const struct account *account, const struct site *site,
				  const struct site_numbers *numbers);

/*
 * The same of a site's growth of resident memory, at worst (bpf/rss_interval.h). total: of the
 * account, all that came and went.
 */
double estimate_rss_stderr_bytes(const struct account *account, const struct record_rss *rss,
				 uint64_t total_bytes);

#endif
