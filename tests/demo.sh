#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# memwatch at work in ten seconds: a daemon on temporary paths, a program that leaks, the report.
# However it ends, nothing of it stays behind.
set -euo pipefail

readonly build=${1:-build}
readonly ready_seconds=10

directory=$(mktemp -d "${TMPDIR:-/tmp}/memwatch-demo.XXXXXX")
readonly directory
readonly socket=$directory/memwatchd.sock
daemon=
program=
report=

clean_up() {
	local pid
	trap - EXIT INT TERM
	for pid in $report $program $daemon; do # whoever asks before who answers
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export MEMWATCH_SOCKET=$socket

wait_until_ready() {
	local deadline=$((SECONDS + ready_seconds))
	until "$build/memwatchctl" status >/dev/null 2>&1; do
		if ! kill -0 "$daemon" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
			echo "demo: memwatchd did not become ready; it said:" >&2
			cat "$directory/log" >&2
			exit 1
		fi
		sleep 0.1
	done
}

: >"$directory/memwatchd.conf"
# In a session of its own: Ctrl-C is for those who ask, so that they can still report.
setsid "$build/memwatchd" --config "$directory/memwatchd.conf" --socket "$socket" --listen none \
	--state-dir "$directory/state" 2>"$directory/log" &
daemon=$!
wait_until_ready

# It obeys its standard input and ends with it: one that stays open and says nothing.
mkfifo "$directory/commands"
exec 3<>"$directory/commands"
"$build/programs/leaky" <&3 >/dev/null &
program=$!
echo "\$ memwatchctl leaks --pid $program --for 10"
# In the background, so that a signal is acted upon at once and not after the observation.
"$build/memwatchctl" leaks --pid "$program" --for 10 &
report=$!
wait $report
