#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The first process of an emulated machine that holds memwatch and little else.
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
ip link set lo up
exec sh /agent.sh
