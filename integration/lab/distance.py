# SPDX-License-Identifier: GPL-2.0-or-later
"""
How far away the CA is. In the lab it asks for a challenge a fraction of a millisecond after it was
told to, which no CA can: a network lies between. Here that is in the answers of the CA's DNS.
"""

import collections
import os
import select
import socket
import threading
import time

PORT = 5353
AWAY_S = 0.05


class Distance:
    """Relays what `host` asks its own DNS, and delivers each answer AWAY_S later."""

    def __init__(self, host):
        with host.network():
            self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._front.bind(("127.0.0.1", PORT))
            self._back = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self._back.connect(("::1", 53))  # the rule below is for IPv4
        host.nft(
            "table ip distance {\nchain output {\n"
            "type nat hook output priority -100; policy accept;\n"
            f"ip daddr 127.0.0.1 udp dport 53 redirect to :{PORT}\n"
            "}\n}\n"
        )
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._relay, name="distance", daemon=True)
        self._thread.start()

    def _relay(self):
        asked = {}  # our number of a query: who asked, and its own number
        answers = collections.deque()  # (when due, message, whom)
        number = 0
        while True:
            left = max(0, answers[0][0] - time.monotonic()) if answers else None
            ready, _, _ = select.select([self._front, self._back, self._stop], [], [], left)
            if self._stop in ready:
                return
            if self._front in ready:
                query, whom = self._front.recvfrom(4096)
                number = (number + 1) % 65536
                asked[number] = (whom, query[:2])
                self._back.send(number.to_bytes(2, "big") + query[2:])
            if self._back in ready:
                answer = self._back.recv(4096)
                whom, own = asked.pop(int.from_bytes(answer[:2], "big"))
                answers.append((time.monotonic() + AWAY_S, own + answer[2:], whom))
            while answers and answers[0][0] <= time.monotonic():
                _, answer, whom = answers.popleft()
                self._front.sendto(answer, whom)

    def close(self):
        os.close(self._stopped)
        self._thread.join(5)
        for one in (self._front, self._back):
            one.close()
        os.close(self._stop)
