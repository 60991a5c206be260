# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark: who is compared, what is measured, how it is told. A part of it is a Part."""
