# SPDX-License-Identifier: GPL-2.0-or-later
"""One line on a terminal, nothing elsewhere."""

import sys


class Progress:
    """Overwritten by what comes next."""

    def __init__(self):
        self._shown = sys.stderr.isatty()

    def tell(self, text):
        if self._shown:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def end(self):
        self.tell("")
