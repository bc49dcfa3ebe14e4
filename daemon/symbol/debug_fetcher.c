/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/debug_fetcher.h"

#include "clock.h"
#include "log.h"
#include "symbol/debug_cache.h"
#include "symbol/debug_download.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX 256
/* Of more the oldest are tried anew, too early. */
#define FAILURES_MAX           1024
#define NOT_FOUND_REST_SECONDS 3600
#define FAILED_REST_SECONDS    300

struct build_id {
	char digits[2 * ELF_BUILD_ID_MAX_BYTES + 1];
};

struct failure {
	struct build_id id;
	double until_seconds;
};

struct debug_fetcher {
	/* Never change. */
	struct debug_cache *cache;
	struct debug_download *download;
	char *urls;
	uint64_t cache_bytes_max;
	unsigned int seconds_max;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t wanted;
	/* Guarded by the lock. */
	bool is_stopping;
	struct build_id queue[QUEUE_MAX]; /* a ring; the first is being fetched, or will be next */
	size_t first, count;
	struct failure failures[FAILURES_MAX]; /* a ring */
	size_t next_failure;
	struct debug_fetcher_counters counters;

	uint64_t arrivals; /* atomic */
	bool has_warned;   /* of the thread: a failure was told */
};

/* ---- What is wanted */

static bool is_queued(const struct debug_fetcher *fetcher, const char *build_id)
{
	for (size_t i = 0; i < fetcher->count; i++)
		if (!strcmp(fetcher->queue[(fetcher->first + i) % QUEUE_MAX].digits, build_id))
			return true;
	return false;
}

static bool has_failed(const struct debug_fetcher *fetcher, const char *build_id)
{
	double now = clock_monotonic_seconds();

	for (size_t i = 0; i < FAILURES_MAX; i++)
		if (fetcher->failures[i].until_seconds > now &&
		    !strcmp(fetcher->failures[i].id.digits, build_id))
			return true;
	return false;
}

static void want(struct debug_fetcher *fetcher, const char *build_id)
{
	struct build_id *id = &fetcher->queue[(fetcher->first + fetcher->count) % QUEUE_MAX];

	if (fetcher->is_stopping || is_queued(fetcher, build_id) || has_failed(fetcher, build_id))
		return;
	if (fetcher->count == QUEUE_MAX) {
		fetcher->counters.dropped_total++;
		return;
	}
	snprintf(id->digits, sizeof(id->digits), "%s", build_id);
	fetcher->count++;
	pthread_cond_signal(&fetcher->wanted);
}

int debug_fetcher_get(struct debug_fetcher *fetcher, const char *build_id, struct symbol_file *file)
{
	int error = debug_cache_open_file(fetcher->cache, build_id, file);

	if (!error || !debug_cache_is_id(build_id))
		return error;
	pthread_mutex_lock(&fetcher->lock);
	want(fetcher, build_id);
	pthread_mutex_unlock(&fetcher->lock);
	return -ENOENT;
}

uint64_t debug_fetcher_arrivals(const struct debug_fetcher *fetcher)
{
	return __atomic_load_n(&fetcher->arrivals, __ATOMIC_ACQUIRE);
}

void debug_fetcher_read_counters(struct debug_fetcher *fetcher,
				 struct debug_fetcher_counters *counters)
{
	pthread_mutex_lock(&fetcher->lock);
	*counters = fetcher->counters;
	counters->queued = fetcher->count;
	pthread_mutex_unlock(&fetcher->lock);
	counters->cache_bytes = debug_cache_bytes(fetcher->cache);
	counters->cache_bytes_max = fetcher->cache_bytes_max;
}

/* ---- Fetching, on the thread */

struct receiving {
	struct debug_fetcher *fetcher;
	struct debug_cache_part part;
};

static int receive(void *context, const void *bytes, size_t size)
{
	struct receiving *receiving = context;

	pthread_mutex_lock(&receiving->fetcher->lock);
	receiving->fetcher->counters.received_bytes_total += size;
	pthread_mutex_unlock(&receiving->fetcher->lock);
	return debug_cache_write(&receiving->part, bytes, size);
}

static void tell_failure(struct debug_fetcher *fetcher, const char *url, int error,
			 const char *message)
{
	log_write(fetcher->has_warned ? LOG_DETAIL : LOG_WARN,
		  "cannot fetch debug information, %s: %s%s", url,
		  error == -EBADMSG ? "it is of another build-id"
		  : error == -EFBIG ? "it is larger than half of debuginfod_cache"
		  : message[0]      ? message
				    : strerror(-error),
		  fetcher->has_warned ? "" : " (further failures are counted and not told)");
	fetcher->has_warned = true;
}

static int fetch_from(struct debug_fetcher *fetcher, const char *server, size_t server_length,
		      const char *build_id)
{
	const struct debug_download_limits limits = {
		.seconds_max = fetcher->seconds_max,
		.bytes_max = debug_cache_file_bytes_max(fetcher->cache),
	};
	struct receiving receiving = {.fetcher = fetcher};
	const char *message = "";
	char url[PATH_MAX];
	int error;

	while (server_length > 0 && server[server_length - 1] == '/')
		server_length--;
	if (snprintf(url, sizeof(url), "%.*s/buildid/%s/debuginfo", (int)server_length, server,
		     build_id) >= (int)sizeof(url))
		return -ENAMETOOLONG;
	error = debug_cache_begin(fetcher->cache, build_id, &receiving.part);
	if (error)
		return error;
	error = debug_download_get(fetcher->download, url, &limits, receive, &receiving, &message);
	if (error)
		debug_cache_abandon(&receiving.part);
	else
		error = debug_cache_keep(&receiving.part);
	if (error && error != -ENOENT && error != -ECANCELED)
		tell_failure(fetcher, url, error, message);
	return error;
}

/* Each server in turn; a failure says more than that a further server has no such file. */
static int fetch(struct debug_fetcher *fetcher, const char *build_id)
{
	const char *server = fetcher->urls;
	int result = -ENOENT;

	while (*(server += strspn(server, " "))) {
		size_t length = strcspn(server, " ");
		int error = fetch_from(fetcher, server, length, build_id);

		if (!error || error == -ECANCELED)
			return error;
		if (error != -ENOENT)
			result = error;
		server += length;
	}
	return result;
}

static void enter_failure(struct debug_fetcher *fetcher, const struct build_id *id, int error)
{
	struct failure *failure = &fetcher->failures[fetcher->next_failure++ % FAILURES_MAX];

	failure->id = *id;
	failure->until_seconds = clock_monotonic_seconds() +
				 (error == -ENOENT ? NOT_FOUND_REST_SECONDS : FAILED_REST_SECONDS);
}

static void enter_result(struct debug_fetcher *fetcher, const struct build_id *id, int error)
{
	struct debug_fetcher_counters *counters = &fetcher->counters;

	if (error)
		enter_failure(fetcher, id, error);
	else
		__atomic_fetch_add(&fetcher->arrivals, 1, __ATOMIC_RELEASE);
	switch (error) {
	case 0:
		counters->found_total++;
		break;
	case -ENOENT:
		counters->not_found_total++;
		break;
	case -EBADMSG:
	case -EFBIG:
		counters->refused_total++;
		break;
	default:
		counters->failed_total++;
	}
}

static void *run(void *context)
{
	struct debug_fetcher *fetcher = context;

	pthread_mutex_lock(&fetcher->lock);
	while (!fetcher->is_stopping) {
		struct build_id id;
		int error;

		if (!fetcher->count) {
			pthread_cond_wait(&fetcher->wanted, &fetcher->lock);
			continue;
		}
		id = fetcher->queue[fetcher->first];
		pthread_mutex_unlock(&fetcher->lock);
		error = fetch(fetcher, id.digits);
		pthread_mutex_lock(&fetcher->lock);
		fetcher->first = (fetcher->first + 1) % QUEUE_MAX;
		fetcher->count--;
		enter_result(fetcher, &id, error);
	}
	pthread_mutex_unlock(&fetcher->lock);
	return NULL;
}

/* ---- Starting and stopping */

static void free_fetcher(struct debug_fetcher *fetcher)
{
	debug_download_free(fetcher->download);
	debug_cache_close(fetcher->cache);
	pthread_cond_destroy(&fetcher->wanted);
	pthread_mutex_destroy(&fetcher->lock);
	free(fetcher->urls);
	free(fetcher);
}

int debug_fetcher_start(const struct debug_fetcher_options *options, struct debug_fetcher **fetcher)
{
	struct debug_fetcher *started = calloc(1, sizeof(*started));
	int error;

	if (!started)
		return -ENOMEM;
	pthread_mutex_init(&started->lock, NULL);
	pthread_cond_init(&started->wanted, NULL);
	started->seconds_max = options->seconds_max;
	started->cache_bytes_max = options->cache_bytes_max;
	started->urls = strdup(options->urls);
	error = started->urls ? debug_download_new(&started->download) : -ENOMEM;
	if (!error)
		error = debug_cache_open(options->state_dir, options->cache_bytes_max,
					 &started->cache);
	if (!error)
		error = -pthread_create(&started->thread, NULL, run, started);
	if (error) {
		free_fetcher(started);
		return error;
	}
	*fetcher = started;
	return 0;
}

void debug_fetcher_stop(struct debug_fetcher *fetcher)
{
	if (!fetcher)
		return;
	pthread_mutex_lock(&fetcher->lock);
	fetcher->is_stopping = true;
	pthread_cond_signal(&fetcher->wanted);
	pthread_mutex_unlock(&fetcher->lock);
	debug_download_interrupt(fetcher->download);
	pthread_join(fetcher->thread, NULL);
	free_fetcher(fetcher);
}
