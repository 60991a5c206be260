# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of the benchmark, in the order in which they run."""

from . import answering, footprint, growth, pass_measures, window

PARTS = [answering.PART, window.PART, pass_measures.PART, footprint.PART, growth.PART]
