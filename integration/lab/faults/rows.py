# SPDX-License-Identifier: GPL-2.0-or-later
"""The failure table of README.md, as far as it promises a time, for the configuration used here."""

LEASE = 1.0  # the shortest that there is
LIFETIME = 2.0  # of a token, where a fault is to make a client forget it
LIMIT = 2.0  # of a window, where it is to run into it
#: For asking, and for a machine that is busy with other things.
MARGIN = 0.5

#: The ledger as small as it can be: thousands of windows are written to a small disk (ground.py).
CONFIGURATION = f"ledger:\n  size: 1\nwindow:\n  lease: {LEASE:.0f}s\n"
FORGETFUL = f"{CONFIGURATION}  token_lifetime: {LIFETIME:.0f}s\n"
LIMITED = f"{CONFIGURATION}  token_lifetime: {LIMIT:.0f}s\n  limit: {LIMIT:.0f}s\n"

#: What a row of the table allows, in seconds.
AT_ONCE = 0.0
THIRD = LEASE / 3
DEADLINE = LIFETIME
