# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of the benchmark, in the order in which they run."""

from . import pass_measures

PARTS = [pass_measures.PART]
