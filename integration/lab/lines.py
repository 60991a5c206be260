# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines as they come in, with their times, and waiting for one of them."""

import re
import threading
import time


class Lines:
    """Filled by one thread, read by others. Times are time.monotonic()."""

    def __init__(self, name, on_line=None):
        self.name = name
        self._on_line = on_line
        self._entries = []
        self._ended = False
        self._changed = threading.Condition()

    def append(self, text):
        now = time.monotonic()
        with self._changed:
            self._entries.append((now, text))
            self._changed.notify_all()
        if self._on_line:
            self._on_line(now, text)

    def end(self):
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def read_from(self, stream):
        """Takes over a text stream in a thread of its own, to its end."""

        def read():
            with stream:
                for line in stream:
                    self.append(line.rstrip("\n"))
            self.end()

        thread = threading.Thread(target=read, name=f"lines of {self.name}", daemon=True)
        thread.start()
        return thread

    def __len__(self):
        with self._changed:
            return len(self._entries)

    def entries(self, start=0):
        with self._changed:
            return self._entries[start:]

    def text(self, start=0):
        return "\n".join(text for _, text in self.entries(start))

    def wait_for(self, pattern, start=0, timeout=15):
        """The match of the first line from number `start` on that `pattern` is found in."""
        return self.wait_for_entry(pattern, start, timeout)[1]

    def wait_for_entry(self, pattern, start=0, timeout=15):
        """As wait_for; returns (time, match)."""
        compiled = re.compile(pattern)
        deadline = time.monotonic() + timeout
        position = start
        with self._changed:
            while True:
                for moment, text in self._entries[position:]:
                    match = compiled.search(text)
                    if match:
                        return moment, match
                position = max(position, len(self._entries))
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    reason = "ended" if self._ended else f"said nothing of it in {timeout} s"
                    said = "\n".join("  " + text for _, text in self._entries)
                    raise AssertionError(
                        f"waiting for /{pattern}/ of {self.name}, which {reason}:\n{said}"
                    )
                self._changed.wait(left)
