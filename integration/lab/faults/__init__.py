# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults, struck at every step of a renewal, and what must be so after each of them."""
