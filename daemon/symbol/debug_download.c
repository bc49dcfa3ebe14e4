/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/debug_download.h"

#include "log.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_SECONDS_MAX 10
#define REDIRECTS_MAX       5
#define POLL_MS             1000
#define STATUS_OK           200
/* What a server says beside the file, such as a page about an error. */
#define WORDS_MAX_BYTES (1u << 20)

/*
 * libcurl and the thirty libraries that it brings are loaded by those who have configured servers.
 * It stays loaded.
 */
#define LIBRARY "libcurl.so.4"

static struct {
	__typeof__(&curl_global_init) global_init;
	__typeof__(&curl_easy_init) easy_init;
	__typeof__(&curl_easy_cleanup) easy_cleanup;
	__typeof__(&curl_easy_reset) easy_reset;
	__typeof__(&(curl_easy_setopt)) easy_setopt;
	__typeof__(&(curl_easy_getinfo)) easy_getinfo;
	__typeof__(&curl_easy_strerror) easy_strerror;
	__typeof__(&curl_multi_init) multi_init;
	__typeof__(&curl_multi_cleanup) multi_cleanup;
	__typeof__(&curl_multi_add_handle) multi_add_handle;
	__typeof__(&curl_multi_remove_handle) multi_remove_handle;
	__typeof__(&curl_multi_perform) multi_perform;
	__typeof__(&curl_multi_poll) multi_poll;
	__typeof__(&curl_multi_info_read) multi_info_read;
	__typeof__(&curl_multi_wakeup) multi_wakeup;
} library;

struct debug_download {
	CURLM *multi;
	CURL *curl;
	bool is_interrupted; /* atomic */
	char message[CURL_ERROR_SIZE];
	/* Of the transfer that goes on. */
	debug_download_sink *sink;
	void *context;
	int sink_error;
	size_t words_bytes;
};

static bool load_library(void)
{
	static const struct {
		const char *name;
		void *function; /* where its address goes */
	} functions[] = {
		{"curl_global_init", &library.global_init},
		{"curl_easy_init", &library.easy_init},
		{"curl_easy_cleanup", &library.easy_cleanup},
		{"curl_easy_reset", &library.easy_reset},
		{"curl_easy_setopt", &library.easy_setopt},
		{"curl_easy_getinfo", &library.easy_getinfo},
		{"curl_easy_strerror", &library.easy_strerror},
		{"curl_multi_init", &library.multi_init},
		{"curl_multi_cleanup", &library.multi_cleanup},
		{"curl_multi_add_handle", &library.multi_add_handle},
		{"curl_multi_remove_handle", &library.multi_remove_handle},
		{"curl_multi_perform", &library.multi_perform},
		{"curl_multi_poll", &library.multi_poll},
		{"curl_multi_info_read", &library.multi_info_read},
		{"curl_multi_wakeup", &library.multi_wakeup},
	};
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	bool is_complete = handle != NULL;

	for (size_t i = 0; is_complete && i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *function = dlsym(handle, functions[i].name);

		memcpy(functions[i].function, &function, sizeof(function));
		is_complete = function != NULL;
	}
	if (!is_complete)
		log_write(LOG_WARN, "cannot use " LIBRARY ": %s", dlerror());
	return is_complete;
}

int debug_download_new(struct debug_download **download)
{
	struct debug_download *made;

	if (!load_library() || library.global_init(CURL_GLOBAL_DEFAULT))
		return -ELIBACC;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->multi = library.multi_init();
	made->curl = library.easy_init();
	if (!made->multi || !made->curl) {
		debug_download_free(made);
		return -ENOMEM;
	}
	*download = made;
	return 0;
}

void debug_download_free(struct debug_download *download)
{
	if (!download)
		return;
	if (download->curl)
		library.easy_cleanup(download->curl);
	if (download->multi)
		library.multi_cleanup(download->multi);
	free(download);
}

static bool is_interrupted(const struct debug_download *download)
{
	return __atomic_load_n(&download->is_interrupted, __ATOMIC_ACQUIRE);
}

void debug_download_interrupt(struct debug_download *download)
{
	__atomic_store_n(&download->is_interrupted, true, __ATOMIC_RELEASE);
	library.multi_wakeup(download->multi);
}

static long response_status(const struct debug_download *download)
{
	long status = 0;

	library.easy_getinfo(download->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t receive(char *bytes, size_t item_bytes, size_t count, void *context)
{
	struct debug_download *download = context;
	size_t size = item_bytes * count;

	if (response_status(download) == STATUS_OK) {
		download->sink_error = download->sink(download->context, bytes, size);
		return download->sink_error ? 0 : size;
	}
	download->words_bytes += size;
	return download->words_bytes > WORDS_MAX_BYTES ? 0 : size;
}

static void allow_protocols(CURL *curl, bool is_encrypted)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	library.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	library.easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
			    is_encrypted ? "https" : "http,https");
#else
	library.easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
	library.easy_setopt(
		curl, CURLOPT_REDIR_PROTOCOLS,
		(long)(is_encrypted ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static void set_options(struct debug_download *download, const char *url,
			const struct debug_download_limits *limits)
{
	CURL *curl = download->curl;

	/* Connections are kept, settings are not. */
	library.easy_reset(curl);
	library.easy_setopt(curl, CURLOPT_URL, url);
	allow_protocols(curl, !strncmp(url, "https:", 6));
	library.easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	library.easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
	library.easy_setopt(curl, CURLOPT_TIMEOUT, (long)limits->seconds_max);
	library.easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)limits->bytes_max);
	library.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS_MAX);
	library.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	library.easy_setopt(curl, CURLOPT_PROXY, ""); /* else the environment names one */
	library.easy_setopt(curl, CURLOPT_USERAGENT, "memwatch/" MEMWATCH_VERSION);
	library.easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	library.easy_setopt(curl, CURLOPT_WRITEDATA, download);
	library.easy_setopt(curl, CURLOPT_ERRORBUFFER, download->message);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A name server that doesn't answer is not waited for at the end. */
	library.easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
#endif
}

/* CURLE_ABORTED_BY_CALLBACK when interrupted. */
static CURLcode transfer(struct debug_download *download)
{
	CURLcode result = CURLE_ABORTED_BY_CALLBACK;
	int running = 1, left;
	CURLMsg *finished;

	if (library.multi_add_handle(download->multi, download->curl))
		return CURLE_OUT_OF_MEMORY;
	while (running && !is_interrupted(download)) {
		if (library.multi_perform(download->multi, &running) ||
		    (running && library.multi_poll(download->multi, NULL, 0, POLL_MS, NULL)))
			break;
	}
	while ((finished = library.multi_info_read(download->multi, &left)))
		if (finished->msg == CURLMSG_DONE)
			result = finished->data.result;
	library.multi_remove_handle(download->multi, download->curl);
	return result;
}

static int error_of(const struct debug_download *download, CURLcode result)
{
	long status = response_status(download);

	if (download->sink_error)
		return download->sink_error;
	if (is_interrupted(download))
		return -ECANCELED;
	if (result == CURLE_FILESIZE_EXCEEDED)
		return -EFBIG;
	if (result == CURLE_OPERATION_TIMEDOUT)
		return -ETIMEDOUT;
	if (result)
		return -EIO;
	return status == STATUS_OK ? 0 : status == 404 ? -ENOENT : -EIO;
}

int debug_download_get(struct debug_download *download, const char *url,
		       const struct debug_download_limits *limits, debug_download_sink *sink,
		       void *context, const char **message)
{
	CURLcode result;

	download->sink = sink;
	download->context = context;
	download->sink_error = 0;
	download->words_bytes = 0;
	download->message[0] = '\0';
	set_options(download, url, limits);
	result = transfer(download);
	if (!result && response_status(download) != STATUS_OK)
		snprintf(download->message, sizeof(download->message), "HTTP status %ld",
			 response_status(download));
	else if (result && !download->message[0])
		snprintf(download->message, sizeof(download->message), "%s",
			 library.easy_strerror(result));
	*message = download->message;
	return error_of(download, result);
}
