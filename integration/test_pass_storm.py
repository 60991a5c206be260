# SPDX-License-Identifier: GPL-2.0-or-later
"""
The big test of the pass, in small: windows open and shut and certificates are issued while visitors
of every kind come and go. integration/storm does the same for as long as one likes.
"""

import pytest
from lab import under_storm

WINDOWS = 8  # for each production
CERTIFICATES = 2


@pytest.fixture
def storm(make_lab, tell):
    def run(kind, *amount, **more):
        record = under_storm.run(make_lab(behind=kind == "docker"), kind, *amount, **more)
        if not more:  # with a configuration of its own it is meant to go wrong
            tell("\n    ".join(under_storm.describe(record)))
        return record

    return run


@pytest.mark.parametrize("kind", under_storm.PRODUCTIONS)
def test_windows_under_a_storm(storm, kind):
    """Nobody is turned away, nothing is altered, production knows who came; every challenge holds."""
    record = storm(kind, WINDOWS, CERTIFICATES)
    assert record["wrong"] == {}
    assert record["windows"] >= WINDOWS
    assert record["certificates"] == record["certificates_asked"] >= CERTIFICATES
    # Whoever came in a window was passed; each of the storm's kinds came.
    assert record["passed"] > 0
    for family in ("IPv4", "IPv6"):
        assert len(record["visits"][family]) == 11
    # The pass keeps a visitor's port where it is free, and mostly it is.
    assert record["kept_ports"] > 0.9 * record["log_lines"] > 0


@pytest.mark.parametrize("kind", under_storm.PRODUCTIONS)
def test_storm_without_a_window(storm, kind):
    """What the storm finds under a window is the window's: without one it finds nothing."""
    record = storm(kind, 0, 0)
    assert record["wrong"] == {}
    assert record["kept_ports"] == record["log_lines"] > 100


def test_the_storm_sees_who_is_turned_away(storm):
    """Without the pass the storm has every reason to complain, and does."""
    record = storm("nginx", 1, 0, configuration="other_requests: not-found\n")
    assert record["wrong"]["a failed visit (close)"] > 0
    assert record["wrong"]["a request that production never logged"] > 0
    assert any("status 404" in example for example in record["examples"])
