# SPDX-License-Identifier: GPL-2.0-or-later
"""Challenges by the thousand, in the forms in which the contenders want them."""

import base64
import functools
import hashlib

from lab.wicket import PREFIX, THUMBPRINT

# In memory, and gone with the lab's host.
ROOT = "/run/challenges"


def token(number):
    """As long as a CA's, and spread as theirs."""
    digest = hashlib.sha256(b"%d" % number).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def key_authorization(name):
    return f"{name}.{THUMBPRINT}"


@functools.lru_cache(maxsize=8)
def tokens(count):
    return [token(number) for number in range(count)]


class Challenges:
    """
    So many of them. `asked` is the one that visitors fetch, of the middle; `unknown` is one that
    nobody registered.
    """

    unknown = token(-1)

    def __init__(self, count):
        self.tokens = tokens(count)
        self.asked = self.tokens[count // 2]

    @property
    def path(self):
        return PREFIX + self.asked

    @property
    def body(self):
        return key_authorization(self.asked).encode()

    def pairs(self):
        """(path, key authorization)."""
        return ((PREFIX + name, key_authorization(name)) for name in self.tokens)

    def write_list(self, path):
        """A key authorization a line."""
        path.write_text("".join(f"{key_authorization(name)}\n" for name in self.tokens))

    def write_files(self, host):
        """A file each below ROOT, and no others there."""
        directory = host.path(ROOT + PREFIX)
        directory.mkdir(parents=True, exist_ok=True)
        wanted = set(self.tokens)
        there = {path.name for path in directory.iterdir()}
        for name in there - wanted:
            (directory / name).unlink()
        for name in wanted - there:
            (directory / name).write_text(key_authorization(name))
