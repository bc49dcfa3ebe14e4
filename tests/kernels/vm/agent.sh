#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Obeys the test from within the emulated machine: runs each line that comes over the second serial
# port, and answers with the exit status, the sizes of what it wrote to stdout and stderr, and both.
exec <>/dev/ttyS1 >&0
stty raw -echo
echo ready
while IFS= read -r command; do
	sh -c "$command" </dev/null >/run/agent.out 2>/run/agent.err
	echo "$? $(wc -c </run/agent.out) $(wc -c </run/agent.err)"
	cat /run/agent.out /run/agent.err
done
