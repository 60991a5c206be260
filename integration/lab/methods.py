# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways in which connections get to the responder."""

import pytest

METHODS = ["redirect", "tproxy"]

# For tests, or whole modules, whose promises hold for both.
BOTH_METHODS = pytest.mark.parametrize("method", METHODS)


def with_method(text, method):
    """A configuration that asks for this one; `redirect` is there without being asked for."""
    if method == "redirect":
        return text
    line = f"  method: {method}\n"
    section = "redirect:\n"
    if text == "{}\n":
        return section + line
    lines = text.splitlines(keepends=True)
    if section not in lines:
        return f"{text}{section}{line}"
    end = lines.index(section) + 1
    while end < len(lines) and lines[end].startswith(" "):
        end += 1
    return "".join([*lines[:end], line, *lines[end:]])
