# SPDX-License-Identifier: GPL-2.0-or-later
"""So many long tokens that a document which lists them is more than a socket's buffer holds."""

from ..control import Control
from ..wicket import THUMBPRINT

TOKENS = 300


class Crowd:
    def __init__(self, host):
        self._control = Control(host)
        self._tokens = [f"crowd-{number:03}-".ljust(250, "x") for number in range(TOKENS)]
        for token in self._tokens:
            self._control.add(f"{token}.{THUMBPRINT}")

    def leave(self):
        for token in self._tokens:
            self._control.remove(token)
        self._control.close()
