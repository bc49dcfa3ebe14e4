/* SPDX-License-Identifier: Apache-2.0 */
/* Every answer is valid JSON with exactly the fields of docs/api.md, whatever a target is called.
 */
#include "serve/routes.h"
#include "serve_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* What FAKE_HOSTILE_TEXT must become. */
#define MENDED_TEXT                                   \
	"a\"b\\c\nd\x01\x7f\xef\xbf\xbd\xef\xbf\xbd(" \
	"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x92\xa9"

static char *answer_text(const char *method, const char *target)
{
	struct state state = FAKE_STATE;
	struct exchange exchange = {
		.state = &state,
		.listener = LISTENER_UNIX,
		.viewer = {.sees_all = true},
		.method = method,
		.target = target,
	};
	struct response response;
	char *text;

	state.is_watched = true;
	response_init(&response);
	routes_answer(&exchange, &response);
	assert_int_equal(response.status, 200);
	assert_string_equal(response.content_type, "application/json");
	text = strndup(response.body.data, response.body.length);
	response_free(&response);
	return text;
}

static cJSON *answer_json(const char *method, const char *target)
{
	char *text = answer_text(method, target);
	cJSON *json = cJSON_ParseWithOpts(text, NULL, 1);

	if (!json)
		fail_msg("not JSON: %s", text);
	free(text);
	return json;
}

/* names: separated by single blanks, in order. */
static void assert_fields(const cJSON *object, const char *names)
{
	char found[1024] = "";
	const cJSON *field;

	assert_true(cJSON_IsObject(object));
	cJSON_ArrayForEach(field, object)
	{
		if (found[0])
			strcat(found, " ");
		strcat(found, field->string);
	}
	assert_string_equal(found, names);
}

static const cJSON *get(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const cJSON *first(const cJSON *object, const char *name)
{
	return cJSON_GetArrayItem(get(object, name), 0);
}

static void assert_string(const cJSON *object, const char *name, const char *value)
{
	assert_true(cJSON_IsString(get(object, name)));
	assert_string_equal(get(object, name)->valuestring, value);
}

#define COST_CONTROL_FIELDS                                                                    \
	"recent_overhead_share budget_share forced over_budget sampling_interval_asked_bytes " \
	"sampling_interval_raises"

#define ACCOUNT_FIELDS                                                                      \
	"pid comm start_time observed_seconds provider sampling_interval_bytes complete "   \
	"incomplete_reason lost_events stacks_taken stacks_to_root python losses ended "    \
	"end_reason "                                                                       \
	"end_detail "                                                                       \
	"overhead_share " COST_CONTROL_FIELDS " outstanding_bytes "                         \
	"outstanding_bytes_stderr outstanding_objects peak_bytes peak_seconds rss_profile " \
	"sites_total"

#define SITES_FIELDS ACCOUNT_FIELDS " pending_frames sites"

static void test_leaks_has_the_documented_fields(void **state)
{
	cJSON *json = answer_json("GET", "/api/v1/processes/100/leaks");
	const cJSON *site = first(json, "sites");

	(void)state;
	assert_fields(json, SITES_FIELDS);
	assert_string(json, "start_time", "2026-01-01T00:00:00Z");
	assert_string(json, "end_reason", "exited");
	assert_true(cJSON_IsNull(get(json, "overhead_share")));
	assert_fields(get(json, "losses"), "map_full ring_full");
	assert_fields(site, "verdict kind is_python_arena outstanding_bytes "
			    "outstanding_bytes_stderr outstanding_objects "
			    "allocated_bytes allocated_objects freed_bytes freed_objects "
			    "rss_growth_bytes rss_grown_bytes rss_shrunk_bytes "
			    "growth_bytes_per_second oldest_age_seconds reason stack_end stack");
	assert_string(site, "verdict", "leak");
	assert_string(site, "kind", "block");
	assert_fields(first(site, "stack"),
		      "kind function module build_id offset file line inlined pending");
	cJSON_Delete(json);
}

static void test_stacks_has_no_verdicts(void **state)
{
	cJSON *json = answer_json("GET", "/api/v1/processes/100/stacks");

	(void)state;
	assert_fields(json, SITES_FIELDS);
	assert_fields(first(json, "sites"),
		      "kind is_python_arena outstanding_bytes outstanding_bytes_stderr "
		      "outstanding_objects "
		      "allocated_bytes allocated_objects freed_bytes freed_objects "
		      "rss_growth_bytes rss_grown_bytes rss_shrunk_bytes "
		      "oldest_age_seconds stack_end stack");
	cJSON_Delete(json);
}

static void test_resident_memory_is_told_by_kind(void **state)
{
	cJSON *json = answer_json("GET", "/api/v1/processes/100/stacks?sort=rss");
	const cJSON *profile = get(json, "rss_profile"), *site = first(json, "sites");
	char *text = cJSON_PrintUnformatted(json);

	(void)state;
	assert_fields(profile,
		      "available growth_bytes grown_bytes_by_kind shrunk_bytes_by_kind "
		      "grown_elsewhere_bytes shrunk_elsewhere_bytes interval_bytes samples "
		      "samples_to_root samples_without_stack lost_samples");
	assert_fields(get(profile, "grown_bytes_by_kind"), "anonymous file shared");
	assert_string(site, "kind", "resident");
	assert_fields(site,
		      "kind is_python_arena outstanding_bytes outstanding_bytes_stderr "
		      "outstanding_objects "
		      "allocated_bytes allocated_objects freed_bytes freed_objects "
		      "rss_growth_bytes rss_grown_bytes rss_shrunk_bytes rss_growth_bytes_stderr "
		      "rss_grown_bytes_by_kind rss_shrunk_bytes_by_kind "
		      "oldest_age_seconds stack_end stack");
	assert_non_null(strstr(text, "\"rss_growth_bytes\":-7,"));
	free(text);
	cJSON_Delete(json);
}

static void test_what_is_unknown_of_a_frame_is_null(void **state)
{
	cJSON *json = answer_json("GET", "/api/v1/processes/100/stacks");
	const cJSON *frame = cJSON_GetArrayItem(get(first(json, "sites"), "stack"), 1);
	static const char *const unknown[] = {"function", "module", "build_id", "file", "line"};

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_true(cJSON_IsNull(get(frame, unknown[i])));
	assert_true(cJSON_IsFalse(get(frame, "inlined")));
	assert_true(cJSON_IsTrue(get(frame, "pending")));
	cJSON_Delete(json);
}

static void test_hostile_text_is_mended_not_passed_on(void **state)
{
	cJSON *json = answer_json("GET", "/api/v1/processes/100/leaks");
	cJSON *doctor = answer_json("GET", "/api/v1/doctor");
	const cJSON *frame = first(first(json, "sites"), "stack");

	(void)state;
	assert_string(frame, "module", MENDED_TEXT);
	assert_string(first(doctor, "checks"), "detail", MENDED_TEXT);
	/* A comm of 16 bytes has no terminator; its last bytes are half a character here. */
	assert_memory_equal(get(json, "comm")->valuestring, "a\"b\\c\nd\x01\x7f", 9);
	cJSON_Delete(json);
	cJSON_Delete(doctor);
}

static void test_large_numbers_keep_every_digit(void **state)
{
	char *text = answer_text("GET", "/api/v1/processes/100/leaks");

	(void)state;
	assert_non_null(strstr(text, "\"allocated_bytes\":18446744073709551615,"));
	assert_non_null(strstr(text, "\"freed_bytes\":9007199254740993,"));
	assert_non_null(strstr(text, "\"outstanding_bytes\":9223372036854775807,"));
	assert_non_null(strstr(text, "\"outstanding_bytes\":-5,"));
	assert_non_null(strstr(text, "\"offset\":18446744073709551615,"));
	assert_non_null(strstr(text, "\"observed_seconds\":30.1,"));
	assert_non_null(strstr(text, "\"outstanding_objects\":117,"));
	assert_non_null(strstr(text, "\"growth_bytes_per_second\":-1e+300,"));
	free(text);
}

#define TARGET_FIELDS                                                                          \
	"pid namespace_pid comm uid start_time watched_seconds provider provider_reason "      \
	"sampling_interval_bytes ended end_reason end_detail allocators backend leases "       \
	"persistent retried outstanding_bytes outstanding_bytes_stderr "                       \
	"outstanding_objects allocated_bytes sites blocks blocks_max mappings mapping_bytes "  \
	"allocator_mapping_bytes "                                                             \
	"allocation_hits free_hits return_hits failed_allocations unknown_frees missed_frees " \
	"abandoned_calls nested_calls probes probes_single_stepped "                           \
	"overhead_share " COST_CONTROL_FIELDS " losses"

#define SUM_FIELDS                                                                           \
	"outstanding_bytes python_arena_bytes outstanding_bytes_stderr outstanding_objects " \
	"allocated_bytes "                                                                   \
	"allocated_objects freed_bytes freed_objects rss_growth_bytes"

static void test_lines_has_the_documented_fields(void **state)
{
	cJSON *json = answer_json("GET", "/api/v1/processes/100/lines");
	const cJSON *line = first(json, "lines");

	(void)state;
	assert_fields(json, ACCOUNT_FIELDS " current_bytes group_by lines_total lines_full lines "
					   "left_out native unknown total");
	assert_string(json, "group_by", "line");
	assert_fields(line, "file line function qualified_name " SUM_FIELDS
			    " peak_bytes source cumulative");
	assert_string(line, "file", MENDED_TEXT);
	assert_string(line, "function", "load");
	assert_string(line, "qualified_name", "Loader.load");
	assert_int_equal(get(line, "line")->valueint, 4);
	assert_true(cJSON_IsNull(get(line, "source")));
	assert_fields(get(line, "cumulative"), SUM_FIELDS " peak_bytes");
	assert_fields(get(json, "left_out"), SUM_FIELDS);
	assert_fields(get(json, "native"), SUM_FIELDS);
	assert_fields(get(json, "unknown"), SUM_FIELDS);
	assert_fields(get(json, "total"), SUM_FIELDS);
	cJSON_Delete(json);
}

/* What isn't listed is left out, and counted there. */
static void test_lines_beyond_the_top_are_left_out(void **state)
{
	char *text = answer_text("GET", "/api/v1/processes/100/lines?top=1");
	cJSON *json = cJSON_Parse(text);

	(void)state;
	assert_int_equal(cJSON_GetArraySize(get(json, "lines")), 1);
	assert_int_equal(get(json, "lines_total")->valueint, 2);
	assert_non_null(strstr(text, "\"left_out\":{\"outstanding_bytes\":9007199254740992,"));
	cJSON_Delete(json);
	free(text);
}

static void test_other_groups_than_lines_have_their_own_names(void **state)
{
	cJSON *files = answer_json("GET", "/api/v1/processes/100/lines?group_by=file");
	cJSON *functions = answer_json("GET", "/api/v1/processes/100/lines?group_by=function");
	cJSON *tracebacks = answer_json("GET", "/api/v1/processes/100/lines?group_by=traceback");
	cJSON *modules = answer_json("GET", "/api/v1/processes/100/lines?group_by=module");

	(void)state;
	assert_true(cJSON_IsNull(get(first(files, "lines"), "function")));
	assert_true(cJSON_IsNull(get(first(files, "lines"), "line")));
	assert_true(cJSON_IsNull(get(first(functions, "lines"), "line")));
	assert_string(first(functions, "lines"), "function", "load");
	assert_fields(first(first(tracebacks, "lines"), "traceback"),
		      "file line function qualified_name");
	assert_string(first(modules, "lines"), "module", MENDED_TEXT);
	assert_string(first(modules, "lines"), "kind", "native");
	assert_true(cJSON_IsNull(get(first(modules, "lines"), "file")));
	cJSON_Delete(files);
	cJSON_Delete(functions);
	cJSON_Delete(tracebacks);
	cJSON_Delete(modules);
}

static void test_targets_has_the_documented_fields(void **state)
{
	cJSON *json = answer_json("GET", "/api/v1/targets");

	(void)state;
	assert_fields(json, "targets waiting");
	assert_fields(first(json, "waiting"),
		      "pid comm uid due_seconds retries overhead_share budget_share");
	assert_fields(first(json, "targets"), TARGET_FIELDS);
	assert_true(cJSON_IsNull(get(first(json, "targets"), "sampling_interval_bytes")));
	cJSON_Delete(json);
}

#define PROCESS_FIELDS                                                                        \
	"pid namespace_pid parent_pid uid comm threads start_time rss_bytes "                 \
	"rss_anon_bytes rss_file_bytes "                                                      \
	"rss_shmem_bytes swap_bytes peak_rss_bytes total_vm_bytes minor_faults major_faults " \
	"target"

static void test_processes_have_the_documented_fields(void **state)
{
	cJSON *json = answer_json("GET", "/api/v1/processes?top=5");
	cJSON *one = answer_json("GET", "/api/v1/processes/100");
	cJSON *other = answer_json("GET", "/api/v1/processes/200");

	(void)state;
	assert_fields(json, "processes_total rss_bytes minor_faults major_faults processes");
	assert_fields(first(json, "processes"), PROCESS_FIELDS);
	assert_true(cJSON_IsTrue(get(first(json, "processes"), "target")));
	assert_fields(one, PROCESS_FIELDS);
	assert_fields(get(one, "target"), TARGET_FIELDS);
	assert_true(cJSON_IsNull(get(other, "target")));
	cJSON_Delete(json);
	cJSON_Delete(one);
	cJSON_Delete(other);
}

#define OOM_FIELDS                                                                             \
	"id time pid uid comm cgroup rss_bytes rss_anon_bytes rss_file_bytes rss_shmem_bytes " \
	"swap_bytes total_vm_bytes page_tables_bytes oom_score_adj was_target held"

static void test_ooms_have_the_documented_fields(void **state)
{
	cJSON *json = answer_json("GET", "/api/v1/ooms");
	cJSON *one = answer_json("GET", "/api/v1/ooms/1");

	(void)state;
	assert_fields(json, "oom_kills_total ooms");
	assert_fields(first(json, "ooms"), OOM_FIELDS);
	assert_fields(one, OOM_FIELDS);
	assert_string(one, "cgroup", MENDED_TEXT);
	assert_true(cJSON_IsNull(get(one, "rss_bytes")));
	assert_fields(get(one, "held"), SITES_FIELDS);
	cJSON_Delete(json);
	cJSON_Delete(one);
}

static void test_status_and_doctor_have_the_documented_fields(void **state)
{
	cJSON *status = answer_json("GET", "/api/v1/status");
	cJSON *doctor = answer_json("GET", "/api/v1/doctor");

	(void)state;
	assert_fields(status,
		      "version start_time uptime_seconds backend attach_backends_tried "
		      "targets targets_max targets_reporting "
		      "cpu_seconds rss_bytes bpf_memory_bytes symbol_cache_bytes naming "
		      "python_codes unwind "
		      "debuginfod oom_kills_total ended_over_budget_total intervals_raised_total "
		      "events_total maps losses");
	assert_fields(first(status, "attach_backends_tried"), "name works reason");
	assert_fields(get(status, "naming"),
		      "waiting_frames named_frames_total dropped_frames_total "
		      "pending_frames_total cpu_seconds_total");
	assert_fields(get(status, "debuginfod"),
		      "configured queued found_total not_found_total failed_total refused_total "
		      "dropped_total received_bytes_total cache_bytes cache_bytes_max");
	assert_fields(get(status, "maps"), "blocks");
	assert_fields(get(get(status, "maps"), "blocks"), "used max");
	assert_fields(doctor, "healthy checks costs_ns");
	assert_fields(first(doctor, "checks"), "name state detail remedy");
	assert_true(cJSON_IsNull(get(first(doctor, "checks"), "remedy")));
	assert_fields(get(doctor, "costs_ns"), "allocation_exact free");
	assert_true(cJSON_IsNull(get(get(doctor, "costs_ns"), "free")));
	cJSON_Delete(status);
	cJSON_Delete(doctor);
}

static void test_watch_and_unwatch_have_the_documented_fields(void **state)
{
	cJSON *watch = answer_json("PUT", "/api/v1/processes/100/watch");
	cJSON *lease = answer_json("PUT", "/api/v1/processes/100/watch?lease=30");
	cJSON *unwatch = answer_json("DELETE", "/api/v1/processes/100/watch");

	(void)state;
	assert_fields(watch, "pid lease_id was_watched provider sampling_interval_bytes "
			     "watched_seconds budget_share forced");
	assert_true(cJSON_IsNull(get(watch, "lease_id")));
	assert_int_equal(get(lease, "lease_id")->valueint, 7);
	assert_fields(unwatch, "pid watched");
	assert_true(cJSON_IsTrue(get(unwatch, "watched")));
	cJSON_Delete(watch);
	cJSON_Delete(lease);
	cJSON_Delete(unwatch);
}

static void test_an_answer_too_large_says_how_to_ask_for_less(void **state)
{
	struct response response;

	(void)state;
	response_init(&response);
	response.body.max_bytes = 10;
	text_append_string(&response.body, "12345");
	text_append_string(&response.body, "678901");
	response.body.max_bytes = RESPONSE_BYTES_MAX;
	response_finish(&response);
	assert_int_equal(response.status, 400);
	text_append(&response.body, "", 1);
	assert_non_null(strstr(response.body.data, "top=K"));
	response_free(&response);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaks_has_the_documented_fields),
		cmocka_unit_test(test_stacks_has_no_verdicts),
		cmocka_unit_test(test_resident_memory_is_told_by_kind),
		cmocka_unit_test(test_what_is_unknown_of_a_frame_is_null),
		cmocka_unit_test(test_hostile_text_is_mended_not_passed_on),
		cmocka_unit_test(test_large_numbers_keep_every_digit),
		cmocka_unit_test(test_lines_has_the_documented_fields),
		cmocka_unit_test(test_lines_beyond_the_top_are_left_out),
		cmocka_unit_test(test_other_groups_than_lines_have_their_own_names),
		cmocka_unit_test(test_targets_has_the_documented_fields),
		cmocka_unit_test(test_processes_have_the_documented_fields),
		cmocka_unit_test(test_ooms_have_the_documented_fields),
		cmocka_unit_test(test_status_and_doctor_have_the_documented_fields),
		cmocka_unit_test(test_watch_and_unwatch_have_the_documented_fields),
		cmocka_unit_test(test_an_answer_too_large_says_how_to_ask_for_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
