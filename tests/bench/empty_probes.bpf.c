/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Probes that do nothing, so that what remains is what the kernel charges for any; and one that
 * reads. */
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("uprobe")
int on_entry(void *context)
{
	(void)context;
	return 0;
}

/*
 * The stack of so many frames, as a walker reads it that takes word by word: of each frame the
 * return address and the saved frame pointer.
 */
#define FRAMES 29

SEC("uprobe")
int on_words(struct pt_regs *context)
{
	unsigned long place = PT_REGS_SP(context), word, sum = 0;

	for (int i = 0; i < FRAMES; i++) {
		bpf_probe_read_user(&word, sizeof(word), (void *)place);
		sum += word;
		bpf_probe_read_user(&word, sizeof(word), (void *)(place + sizeof(word)));
		/* The next place depends on what was read, as a walker's does. */
		place += 2 * sizeof(word) + ((sum + word) >> 63);
	}
	return sum == 1;
}

SEC("uretprobe")
int on_return(void *context)
{
	(void)context;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
