# SPDX-License-Identifier: GPL-2.0-or-later
"""What makes the benchmark fail: never that something is slow."""


class Wrong(Exception):
    """An answer was not what it had to be, or did not come. One line."""
