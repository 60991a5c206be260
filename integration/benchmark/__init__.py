# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark of the pass: who is compared, what is measured, how it is told."""
