# SPDX-License-Identifier: Apache-2.0
"""Emulated machines that run Debian's kernels, and memwatch within them."""
