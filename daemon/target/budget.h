/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much the probes of a target may cost, and what is to be done when they cost more. Arithmetic
 * alone: what they cost is measured in target/meter.h, what is decided is carried out by the
 * governor.
 *
 * A token bucket: it holds BUDGET_CAPACITY_SECONDS of probe time for each thread that runs, and is
 * filled up again at the budget's rate. A burst shorter than that never empties it, and a steady
 * load is averaged over capacity / budget: 1 s at 30%, 10 s at 3%.
 */
#ifndef MEMWATCH_TARGET_BUDGET_H
#define MEMWATCH_TARGET_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_CAPACITY_SECONDS 0.3
/* Of its speed, what a target may lose to probes over budget before the first decision. */
#define BUDGET_DECISION_SECONDS 0.1
/* Up to this interval a block's weight fits the kernel's arithmetic (bpf/sample.h). */
#define BUDGET_INTERVAL_BYTES_MAX (1ULL << 30)

/* What happened between two looks at a target. */
struct budget_look {
	double wall_seconds;
	double cpu_seconds;     /* of all its threads, probes included; 0: none, or not known */
	double waited_seconds;  /* that its threads could have run but had no CPU */
	double probe_seconds;   /* all that its probes took */
	double sampled_seconds; /* of that, what a longer sampling interval lowers */
	double rss_seconds;     /* and what the RSS profile took */
};

/*
 * All times are per thread that ran, and without those in which a busy one waited for a CPU: a
 * process that gets little of it, or has a quota, is slowed down by its probes all the same. Begins
 * as zeros.
 */
struct budget {
	double used_seconds; /* of the bucket */
	double last_share;   /* probe time per second and thread at the last look */
	double recent_share; /* the same, averaged over the last second or so */
	/* Since the target exceeded its budget; 0 once the bucket is full again. */
	double over_probe_seconds, over_seconds;
	bool was_looked_at;
};

enum budget_decision {
	BUDGET_GO_ON,
	BUDGET_LOWER_COST, /* raise the sampling interval, if that helps */
	BUDGET_END,        /* the bucket is empty */
};

/* Accounts for one look. share: the budget, 0.3 for 30%; INFINITY: no limit. */
enum budget_decision budget_account(struct budget *budget, const struct budget_look *look,
				    double share);
/* Whether it is over the budget now, and has been for a moment. */
bool budget_is_over(const struct budget *budget, double share);
/* What the probes have cost since they were over budget: the number to tell people. */
double budget_over_share(const struct budget *budget);

/*
 * The interval, a power of two times as long, at which what was looked at would have kept within
 * the budget; interval_bytes itself when no interval can do that, or none is needed.
 */
uint64_t budget_raise_interval(uint64_t interval_bytes, const struct budget_look *look,
			       double share);

#endif
