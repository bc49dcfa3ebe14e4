/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Probes that do nothing: what remains is what the kernel charges for any probe. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("uprobe")
int on_entry(void *context)
{
	(void)context;
	return 0;
}

SEC("uretprobe")
int on_return(void *context)
{
	(void)context;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
