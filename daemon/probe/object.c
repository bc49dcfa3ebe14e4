/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/object.h"

#include "log.h"
#include "memwatch.skel.h"
#include "probe/load_log.h"
#include "probe/programs.h"
#include "probe/rss_profile.h"
#include "probe/session_call.h"
#include "probe/usdt_table.h"
#include "procfs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct shared_map {
	void *memory;
	size_t bytes;
};

struct probe_object {
	struct memwatch_bpf *skeleton;
	struct probe_limits limits;
	struct ring_buffer *ring;
	struct usdt_table *usdt;
	struct rss_profile *rss;
	bool has_rss; /* the kernel tells of changes of resident memory */
	struct shared_map sites, controls, counters, host_counters, last_account;
	int cpu_count;
	bool has_safe_allocation;     /* programs may allocate map elements as they run */
	int32_t session_is_return_id; /* of the kernel's function, not positive: it has none */
	struct probe_programs programs;
	probe_event_fn handler;
	void *handler_context;
	uint64_t events, events_end; /* handled so far; where consuming stops for now */
};

__attribute__((format(printf, 2, 3))) static void set_error(struct probe_error *error,
							    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
}

/* ---- Loading ---- */

static struct probe_program_table program_table(const struct probe_object *object)
{
	struct memwatch_bpf *skeleton = object->skeleton;

	return (struct probe_program_table){{
		[PROBE_PROGRAM_SESSION] = skeleton->progs.allocator_session,
		[PROBE_PROGRAM_ENTRY] = skeleton->progs.allocator_entry,
		[PROBE_PROGRAM_RETURN] = skeleton->progs.allocator_return,
		[PROBE_PROGRAM_SWEEP] = skeleton->progs.allocator_sweep,
	}};
}

static struct rss_profile_pieces rss_pieces(const struct probe_object *object)
{
	const struct memwatch_bpf *skeleton = object->skeleton;

	return (struct rss_profile_pieces){
		.change = skeleton->progs.rss_change,
		.exec = skeleton->progs.rss_exec,
		.begin = skeleton->progs.rss_begin_targets,
		.spaces = skeleton->maps.rss_spaces,
		.parts = skeleton->maps.rss_parts,
		.slots = skeleton->maps.rss_slots,
		.filter = skeleton->maps.rss_filter,
	};
}

/* Their numbers are the lowest. */
static uint32_t rss_site_count(const struct probe_limits *limits)
{
	return limits->sites_max / RECORD_RSS_SITES_DIVISOR + 1;
}

static void allocate_elements_at_load(struct bpf_map *map)
{
	bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~(uint32_t)BPF_F_NO_PREALLOC);
}

static int configure(struct probe_object *object)
{
	struct memwatch_bpf *skeleton = object->skeleton;
	const struct probe_limits *limits = &object->limits;
	struct rss_profile_pieces rss = rss_pieces(object);
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return -errno;
	skeleton->rodata->stack_hash_seed = seed;
	skeleton->rodata->page_size_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
	skeleton->rodata->possible_cpu_count = (uint32_t)object->cpu_count;
	bpf_map__set_max_entries(skeleton->maps.blocks, limits->blocks_max);
	bpf_map__set_max_entries(skeleton->maps.sites, probe_object_site_count(object));
	bpf_map__set_max_entries(skeleton->maps.free_sites, limits->sites_max);
	bpf_map__set_max_entries(skeleton->maps.free_rss_sites, rss_site_count(limits));
	bpf_map__set_max_entries(skeleton->maps.site_index, probe_object_site_count(object));
	bpf_map__set_max_entries(skeleton->maps.target_controls, limits->targets_max);
	bpf_map__set_max_entries(skeleton->maps.target_counters, limits->targets_max);
	bpf_map__set_max_entries(skeleton->maps.target_hits, limits->targets_max);
	bpf_map__set_max_entries(skeleton->maps.unwind_spaces, limits->targets_max);
	bpf_map__set_max_entries(skeleton->maps.python_interpreters, limits->targets_max);
	bpf_map__set_max_entries(skeleton->maps.events, (uint32_t)limits->ring_buffer_bytes);
	rss_profile_configure(&rss, object->has_rss, limits->targets_max,
			      (uint32_t)object->cpu_count);
	if (!object->has_safe_allocation) {
		allocate_elements_at_load(skeleton->maps.blocks);
		allocate_elements_at_load(skeleton->maps.site_index);
	}
	if (object->session_is_return_id <= 0)
		return 0;
	return session_call_resolve(skeleton->progs.allocator_session,
				    object->session_is_return_id);
}

static int map_shared(struct bpf_map *map, struct shared_map *shared)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = (size_t)bpf_map__value_size(map);

	bytes = (bytes + 7) / 8 * 8 * bpf_map__max_entries(map);
	bytes = (bytes + page - 1) / page * page;
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (memory == MAP_FAILED)
		return -errno;
	shared->memory = memory;
	shared->bytes = bytes;
	return 0;
}

static int map_all_shared(struct probe_object *object)
{
	struct memwatch_bpf *skeleton = object->skeleton;
	int error = map_shared(skeleton->maps.sites, &object->sites);

	error = error ? error : map_shared(skeleton->maps.target_controls, &object->controls);
	error = error ? error : map_shared(skeleton->maps.target_counters, &object->counters);
	error = error ? error : map_shared(skeleton->maps.host_counters, &object->host_counters);
	error = error ? error : map_shared(skeleton->maps.last_account, &object->last_account);
	return error;
}

static int push_free_site(const struct probe_object *object, uint32_t number)
{
	const struct memwatch_bpf *skeleton = object->skeleton;
	bool is_rss = number < rss_site_count(&object->limits);

	return bpf_map_update_elem(
		bpf_map__fd(is_rss ? skeleton->maps.free_rss_sites : skeleton->maps.free_sites),
		NULL, &number, BPF_ANY);
}

static int fill_free_sites(struct probe_object *object)
{
	int error = 0;

	for (uint32_t number = probe_object_site_count(object); number-- > 0 && !error;)
		error = push_free_site(object, number);
	return error;
}

static int on_ring_record(void *context, void *data, size_t bytes)
{
	struct probe_object *object = context;

	if (object->handler && bytes >= sizeof(struct record_event))
		object->handler(object->handler_context, data, bytes);
	return ++object->events < object->events_end ? 0 : -EAGAIN;
}

static void explain_load_error(int error, struct probe_error *message)
{
	if (error == -EPERM || error == -EACCES)
		set_error(message,
			  "cannot load BPF programs: %s (memwatchd must run as root, or with "
			  "CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_SYS_ADMIN)",
			  strerror(-error));
	else if (error == -ENOMEM)
		set_error(message,
			  "cannot load BPF programs: no memory for the maps (lower blocks_max or "
			  "sites_max in the configuration)");
	else
		set_error(message,
			  "cannot load BPF programs: %s (run with --log-level debug to see why; "
			  "memwatch needs Linux 5.15 or later)",
			  strerror(-error));
}

/* The inode of the initial PID namespace (PROC_PID_INIT_INO of include/linux/proc_ns.h). */
#define INITIAL_PID_NAMESPACE 0xEFFFFFFCU

/* BPF programs see the host's pids: in a namespace of our own they would name other processes. */
static int check_pid_namespace(struct probe_error *message)
{
	struct stat namespace;

	if (stat("/proc/self/ns/pid", &namespace) || namespace.st_ino == INITIAL_PID_NAMESPACE)
		return 0;
	set_error(message, "memwatchd runs in a PID namespace of its own, where the kernel's pids "
			   "mean nothing (run it on the host, or in a container with --pid=host)");
	return -ENOTSUP;
}

/* Reads the kernel's types, from which it is also known what the kernel offers. */
static int read_types(struct probe_object *object, struct probe_error *message)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (!btf) {
		set_error(message,
			  "the kernel's type information (BTF) cannot be read from "
			  "/sys/kernel/btf/vmlinux: %s (it needs a kernel built with "
			  "CONFIG_DEBUG_INFO_BTF=y, and sysfs mounted)",
			  strerror(errno));
		return -ENOENT;
	}
	object->session_is_return_id =
		btf__find_by_name_kind(btf, "bpf_session_is_return", BTF_KIND_FUNC);
	/* Before 6.1 the kernel had no allocator for it, and warns of such maps in its log. */
	object->has_safe_allocation =
		btf__find_by_name_kind(btf, "bpf_mem_alloc", BTF_KIND_STRUCT) > 0;
	object->has_rss = rss_profile_is_offered(btf);
	btf__free(btf);
	return 0;
}

static int load(struct probe_object *object, const struct probe_backend *backend)
{
	struct probe_program_table programs;
	int error;

	memwatch_bpf__destroy(object->skeleton);
	object->skeleton = memwatch_bpf__open();
	if (!object->skeleton)
		return -errno;
	programs = program_table(object);
	probe_programs_configure(&programs, backend);
	error = configure(object);
	return error ? error : memwatch_bpf__load(object->skeleton);
}

int probe_object_open(const struct probe_limits *limits, const struct probe_backend *backend,
		      struct probe_object **opened, struct probe_error *message)
{
	struct probe_object *object = calloc(1, sizeof(*object));
	struct probe_program_table programs;
	struct rss_profile_pieces rss;
	int error;

	if (!object)
		return -ENOMEM;
	load_log_start();
	object->limits = *limits;
	object->cpu_count = libbpf_num_possible_cpus();
	error = check_pid_namespace(message);
	error = error ? error : read_types(object, message);
	if (error)
		goto out;
	error = load(object, backend);
	/* A kernel whose verifier refuses what is but one answer of many. */
	if (error && error != -EPERM && error != -ENOMEM && object->has_rss) {
		log_write(LOG_NOTICE, "BPF programs: once more without the RSS profile");
		object->has_rss = false;
		error = load(object, backend);
	}
	if (error) {
		explain_load_error(error, message);
		goto out;
	}
	programs = program_table(object);
	error = map_all_shared(object);
	error = error ? error : fill_free_sites(object);
	error = error ? error : memwatch_bpf__attach(object->skeleton);
	if (error) {
		explain_load_error(error, message);
		goto out;
	}
	object->usdt = usdt_table_new(bpf_map__fd(object->skeleton->maps.usdt_arguments));
	rss = rss_pieces(object);
	object->rss = rss_profile_new(&rss, object->has_rss, limits->targets_max);
	if (!object->usdt || !object->rss) {
		error = -ENOMEM;
		explain_load_error(error, message);
		goto out;
	}
	object->ring = ring_buffer__new(bpf_map__fd(object->skeleton->maps.events), on_ring_record,
					object, NULL);
	if (!object->ring) {
		error = -errno;
		set_error(message, "cannot read the event buffer: %s", strerror(errno));
	}
out:
	if (error) {
		probe_object_close(object);
		return error;
	}
	probe_programs_note(&programs, &object->programs);
	*opened = object;
	return 0;
}

static void unmap_shared(struct shared_map *shared)
{
	if (shared->memory)
		munmap(shared->memory, shared->bytes);
}

void probe_object_close(struct probe_object *object)
{
	if (!object)
		return;
	ring_buffer__free(object->ring);
	usdt_table_free(object->usdt);
	rss_profile_free(object->rss);
	unmap_shared(&object->sites);
	unmap_shared(&object->controls);
	unmap_shared(&object->counters);
	unmap_shared(&object->host_counters);
	unmap_shared(&object->last_account);
	memwatch_bpf__destroy(object->skeleton);
	free(object);
}

/* ---- What the maps hold ---- */

const struct probe_limits *probe_object_limits(const struct probe_object *object)
{
	return &object->limits;
}

uint32_t probe_object_site_count(const struct probe_object *object)
{
	return rss_site_count(&object->limits) + object->limits.sites_max;
}

struct record_site *probe_object_sites(const struct probe_object *object)
{
	return object->sites.memory;
}

struct record_target_control *probe_object_controls(const struct probe_object *object)
{
	return object->controls.memory;
}

struct record_target_counters *probe_object_counters(const struct probe_object *object)
{
	return object->counters.memory;
}

const struct record_host_counters *probe_object_host_counters(const struct probe_object *object)
{
	return object->host_counters.memory;
}

struct usdt_table *probe_object_usdt(const struct probe_object *object)
{
	return object->usdt;
}

void probe_object_unwind_maps(const struct probe_object *object, struct probe_unwind_maps *maps)
{
	const struct memwatch_bpf *skeleton = object->skeleton;

	*maps = (struct probe_unwind_maps){
		.spaces_fd = bpf_map__fd(skeleton->maps.unwind_spaces),
		.chunks_fd = bpf_map__fd(skeleton->maps.unwind_chunks),
		.pages_fd = bpf_map__fd(skeleton->maps.unwind_pages),
		.rules_fd = bpf_map__fd(skeleton->maps.unwind_rules),
	};
}

int probe_object_set_python(const struct probe_object *object, uint32_t slot,
			    const struct record_python *python)
{
	return bpf_map_update_elem(bpf_map__fd(object->skeleton->maps.python_interpreters), &slot,
				   python, BPF_ANY)
		       ? -errno
		       : 0;
}

struct rss_profile *probe_object_rss(const struct probe_object *object)
{
	return object->rss;
}

uint32_t probe_object_new_account(struct probe_object *object)
{
	uint32_t *last = object->last_account.memory;

	return __atomic_add_fetch(last, 1, __ATOMIC_SEQ_CST);
}

/* As site_mark_used() of bpf/site.h. */
static void mark_site_used(struct probe_object *object, uint32_t number)
{
	struct record_host_counters *host = object->host_counters.memory;
	__u64 end = __atomic_load_n(&host->sites_end, __ATOMIC_RELAXED);

	while (number >= end &&
	       !__atomic_compare_exchange_n(&host->sites_end, &end, (__u64)number + 1, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
}

uint32_t probe_object_new_overflow_site(struct probe_object *object, uint32_t account)
{
	int fd = bpf_map__fd(object->skeleton->maps.free_sites);
	struct record_site *site;
	uint32_t number;

	if (bpf_map_lookup_and_delete_elem(fd, NULL, &number))
		return 0;
	mark_site_used(object, number);
	site = &probe_object_sites(object)[number];
	site->is_stack_sent = 1; /* it has none */
	site->account = account;
	return number + 1;
}

int probe_object_set_slot(struct probe_object *object, uint32_t pid, uint32_t slot)
{
	return bpf_map_update_elem(bpf_map__fd(object->skeleton->maps.target_slots), &pid, &slot,
				   BPF_ANY);
}

void probe_object_clear_slot(struct probe_object *object, uint32_t pid)
{
	bpf_map_delete_elem(bpf_map__fd(object->skeleton->maps.target_slots), &pid);
}

void probe_object_hits(const struct probe_object *object, uint32_t slot,
		       struct record_target_hits *hits)
{
	size_t cpus = (size_t)object->cpu_count;
	struct record_target_hits *parts = calloc(cpus, sizeof(*parts));

	memset(hits, 0, sizeof(*hits));
	if (parts &&
	    !bpf_map_lookup_elem(bpf_map__fd(object->skeleton->maps.target_hits), &slot, parts)) {
		for (size_t cpu = 0; cpu < cpus; cpu++) {
			hits->allocations += parts[cpu].allocations;
			hits->frees += parts[cpu].frees;
			hits->returns += parts[cpu].returns;
			hits->idle_returns += parts[cpu].idle_returns;
			hits->samples += parts[cpu].samples;
			hits->single_stepped += parts[cpu].single_stepped;
			hits->rss_changes += parts[cpu].rss_changes;
			hits->rss_samples += parts[cpu].rss_samples;
		}
	}
	free(parts);
}

void probe_object_reset_hits(struct probe_object *object, uint32_t slot)
{
	struct record_target_hits *zeros = calloc((size_t)object->cpu_count, sizeof(*zeros));

	if (zeros)
		bpf_map_update_elem(bpf_map__fd(object->skeleton->maps.target_hits), &slot, zeros,
				    BPF_ANY);
	free(zeros);
}

uint32_t probe_object_sites_end(const struct probe_object *object)
{
	return (uint32_t)probe_object_host_counters(object)->sites_end;
}

uint32_t probe_object_sites_used(const struct probe_object *object)
{
	const struct record_site *sites = probe_object_sites(object);
	uint32_t end = probe_object_sites_end(object);
	uint32_t used = 0;

	for (uint32_t number = 0; number < end; number++)
		used += __atomic_load_n(&sites[number].account, __ATOMIC_RELAXED) != 0;
	return used;
}

static bool is_among(uint32_t account, const uint32_t *accounts, size_t account_count)
{
	for (size_t i = 0; i < account_count; i++)
		if (accounts[i] == account)
			return true;
	return false;
}

static void recycle_sites(struct probe_object *object, const uint32_t *accounts,
			  size_t account_count)
{
	struct record_site *sites = probe_object_sites(object);

	uint32_t end = probe_object_sites_end(object);

	for (uint32_t number = end; number-- > 0;) {
		if (!sites[number].account ||
		    !is_among(sites[number].account, accounts, account_count))
			continue;
		memset(&sites[number], 0, sizeof(sites[number]));
		push_free_site(object, number);
	}
}

static int purge_batch(struct probe_object *object, const uint32_t *accounts, size_t account_count)
{
	int fd = bpf_map__fd(object->skeleton->maps.ended_accounts);
	LIBBPF_OPTS(bpf_test_run_opts, options);
	int error = 0;

	for (size_t i = 0; i < account_count && !error; i++)
		error = bpf_map_update_elem(fd, &accounts[i], &accounts[i], BPF_ANY);
	if (!error)
		error = bpf_prog_test_run_opts(
			bpf_program__fd(object->skeleton->progs.purge_ended_accounts), &options);
	for (size_t i = 0; i < account_count; i++)
		bpf_map_delete_elem(fd, &accounts[i]);
	if (!error)
		recycle_sites(object, accounts, account_count);
	return error;
}

int probe_object_purge(struct probe_object *object, const uint32_t *accounts, size_t account_count)
{
	size_t batch_max = bpf_map__max_entries(object->skeleton->maps.ended_accounts);
	int error = 0;

	while (account_count > 0 && !error) {
		size_t batch = account_count < batch_max ? account_count : batch_max;

		error = purge_batch(object, accounts, batch);
		accounts += batch;
		account_count -= batch;
	}
	return error;
}

/* ---- Events and iterators ---- */

void probe_object_set_handler(struct probe_object *object, probe_event_fn handler, void *context)
{
	object->handler = handler;
	object->handler_context = context;
}

int probe_object_event_fd(const struct probe_object *object)
{
	return ring_buffer__epoll_fd(object->ring);
}

int probe_object_consume(struct probe_object *object)
{
	uint64_t before = object->events;
	int result;

	/* As many as the buffer holds if all are of the smallest kind, each with its 8-byte head.
	 */
	object->events_end =
		before + object->limits.ring_buffer_bytes / (sizeof(struct record_event) + 8);
	result = ring_buffer__consume(object->ring);
	return result < 0 && result != -EAGAIN ? result : (int)(object->events - before);
}

uint64_t probe_object_event_count(const struct probe_object *object)
{
	return object->events;
}

static int read_records(int fd, probe_process_fn on_process, void *context)
{
	struct record_process records[64];
	size_t filled = 0;
	ssize_t got;

	while ((got = read(fd, (char *)records + filled, sizeof(records) - filled)) != 0) {
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		filled += (size_t)got;
		size_t whole = filled / sizeof(records[0]);

		for (size_t i = 0; i < whole; i++)
			on_process(context, &records[i]);
		filled -= whole * sizeof(records[0]);
		memmove(records, &records[whole], filled);
	}
	return 0;
}

int probe_object_read_processes(const struct probe_object *object, probe_process_fn on_process,
				void *context)
{
	struct bpf_link *link = object->skeleton->links.process_iterate;
	int fd = bpf_iter_create(bpf_link__fd(link));
	int error;

	if (fd < 0)
		return -errno;
	error = read_records(fd, on_process, context);
	close(fd);
	return error;
}

static uint64_t map_memory_bytes(int fd)
{
	uint64_t bytes = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	procfs_read_number(path, "memlock", &bytes);
	return bytes;
}

uint64_t probe_object_memory_bytes(const struct probe_object *object)
{
	struct bpf_map *map;
	uint64_t bytes = 0;

	bpf_object__for_each_map(map, object->skeleton->obj) bytes +=
		map_memory_bytes(bpf_map__fd(map));
	return bytes;
}

const struct probe_programs *probe_object_programs(const struct probe_object *object)
{
	return &object->programs;
}
