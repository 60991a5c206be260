#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The schema, the man page and the example file name the same keys, ranges and defaults, in the
same order.

usage: check_documents.py SCHEMA_DUMP RUNTIME_DIR MAN_PAGE EXAMPLE
"""

import re
import subprocess
import sys

DOCUMENTED_RUNTIME_DIR = "/run/wicket"


def schema_keys(dump, runtime_dir):
    output = subprocess.run([dump], check=True, capture_output=True, text=True).stdout
    rows = [tuple(line.split("\t")) for line in output.splitlines()]
    # The documents have the default of the build option.
    return [
        (name, allowed, default.replace(runtime_dir + "/", DOCUMENTED_RUNTIME_DIR + "/"))
        for name, allowed, default in rows
    ]


def man_keys(path):
    with open(path, encoding="utf-8") as stream:
        return re.findall(r"^\*([a-z_.]+)\* \((.*); default (.*)\)$", stream.read(), re.MULTILINE)


def example_keys(path):
    """A key's line begins with '#' and no space, or with '#' and two: prose has exactly one."""
    section = ""
    keys = []
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            if match := re.fullmatch(r"#([a-z_]+):\n", line):
                section = match[1] + "."
            elif match := re.fullmatch(r"#([a-z_]+): (\S+)\n", line):
                keys.append((match[1], match[2]))
            elif match := re.fullmatch(r"#  ([a-z_]+): (\S+)\n", line):
                keys.append((section + match[1], match[2]))
            elif not re.fullmatch(r"(# .*|#)?\n", line):
                sys.exit(f"{path}: neither a key nor prose: {line!r}")
    return keys


def differences(what, found, wanted):
    for item in wanted:
        if item not in found:
            yield f"{what}: not there: {item}"
    for item in found:
        if item not in wanted:
            yield f"{what}: not in the schema: {item}"
    if not set(found) ^ set(wanted) and found != wanted:
        yield f"{what}: another order than the schema"


def main():
    dump, runtime_dir, man_page, example = sys.argv[1:]
    schema = schema_keys(dump, runtime_dir)
    if not schema:
        sys.exit("the schema is empty")
    bad = [
        *differences(man_page, man_keys(man_page), schema),
        *differences(
            example, example_keys(example), [(name, default) for name, _, default in schema]
        ),
    ]
    if bad:
        sys.exit("\n".join(bad))
    print(f"{len(schema)} keys, the same everywhere")


main()
