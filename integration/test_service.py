# SPDX-License-Identifier: GPL-2.0-or-later
"""The keeper as a service: what it tells the service manager, its socket, and SIGHUP."""

import os
import signal
import socket

import pytest
from lab import network
from lab.lab import HOST4, HOST6, VISITORS4
from lab.network import KeepAlive, get
from lab.visitors import Visitors

SOCKET = "/run/wicket/control.sock"


class Manager:
    """A service manager's ends: where the keeper's notifications go, and the socket it is given."""

    def __init__(self, host):
        self._host = host
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(str(host.path("/run/notify")))
        self._notified.settimeout(20)
        self._listening = None

    def listen(self, path=SOCKET, kind=socket.SOCK_SEQPACKET):
        """A listening socket of its own, as a socket unit has."""
        self._host.run("mkdir", "-p", "-m", "755", os.path.dirname(path))
        # The name is what getsockname(2) tells, so it has to be bound in the host.
        script = (
            "import os, socket, sys\n"
            f"s = socket.socket(socket.AF_UNIX, {int(kind)})\n"
            f"s.bind({path!r}); os.chmod({path!r}, 0o660); s.listen(8)\n"
            "p = socket.socket(fileno=0)\n"
            "socket.send_fds(p, [b'x'], [s.fileno()])\n"
        )
        ours, theirs = socket.socketpair()
        child = self._host.popen(["/usr/bin/python3", "-c", script], stdin=theirs)
        theirs.close()
        _, descriptors, _, _ = socket.recv_fds(ours, 16, 1)
        ours.close()
        assert child.wait() == 0
        self._listening = descriptors[0]

    def start(self, *arguments, watchdog_us=0):
        environment = {"NOTIFY_SOCKET": "/run/notify"}
        if watchdog_us:
            environment["WATCHDOG_USEC"] = str(watchdog_us)
        command = ["wicket", *arguments, "serve"]
        more = {}
        if self._listening is not None:
            # LISTEN_PID is known by whoever becomes the keeper; 3 is where sockets begin.
            environment["LISTEN_FDS"] = "1"
            descriptor = self._listening
            os.set_inheritable(descriptor, True)
            script = f'exec 3<&{descriptor} {descriptor}<&-; LISTEN_PID=$$ exec "$@"'
            if descriptor == 3:
                script = 'LISTEN_PID=$$ exec "$@"'
            command = ["bash", "-c", script, "bash", *command]
            more["pass_fds"] = [descriptor]
        return self._host.start(*command, name="keeper", environment=environment, **more)

    def next(self):
        return self._notified.recv(4096).decode()

    def wait_for(self, start):
        while not (text := self.next()).startswith(start):
            pass
        return text

    def close(self):
        self._notified.close()
        if self._listening is not None:
            os.close(self._listening)


@pytest.fixture
def manager(lab):
    manager = Manager(lab.host)
    yield manager
    manager.close()


def test_notifications(lab, production, wicket, manager):
    keeper = manager.start(watchdog_us=400_000)
    manager.wait_for("READY=1")
    manager.wait_for("STATUS=No window is open")
    for _ in range(3):
        manager.wait_for("WATCHDOG=1")
    wicket.run("open", "--for", "20s")
    manager.wait_for("STATUS=A window is open, reasons: 1")
    keeper.signal(signal.SIGHUP)
    reloading = manager.wait_for("RELOADING=1")
    assert "MONOTONIC_USEC=" in reloading
    manager.wait_for("READY=1")
    keeper.signal(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    manager.wait_for("STATUS=The last window is shut")
    # It shows that it lives while it drains, too.
    manager.wait_for("WATCHDOG=1")
    assert keeper.wait() == 0
    wicket.assert_gone()


def test_watchdog_ends_with_the_loop(lab, wicket, manager):
    keeper = manager.start(watchdog_us=200_000)
    manager.wait_for("READY=1")
    manager.wait_for("WATCHDOG=1")
    keeper.freeze()
    manager._notified.settimeout(0.6)
    with pytest.raises(TimeoutError):
        for _ in range(10):  # what was on its way
            manager.next()
    keeper.signal(signal.SIGCONT)
    manager._notified.settimeout(20)
    manager.wait_for("WATCHDOG=1")
    assert keeper.stop() == 0


def test_passed_socket(lab, production, wicket, manager):
    """Leaves when idle, and leaves the socket alone: the next one takes up who waits there."""
    wicket.turn_away()
    options = wicket.command()[1:]
    manager.listen()
    for _ in range(2):
        keeper = manager.start(*options)
        manager.wait_for("READY=1")
        wicket.add()
        assert get(lab.outside, HOST4).server == "responder"
        wicket.run("open", "--for", "1s")
        for line in wicket.status()["reasons"]:
            if line["kind"] == "token":
                wicket.run("remove", line["token"])
        assert keeper.wait(30) == 0
        manager.wait_for("STOPPING=1")
        assert lab.host.path(SOCKET).is_socket()
        # Whoever connects between two keepers is served by the second one.
        waiting = lab.host.start(*wicket.command("open", "--for", "1s"), name="wicket")
    keeper = manager.start(*options)
    assert waiting.wait() == 0, waiting.output.text()
    assert keeper.wait(30) == 0


@pytest.mark.parametrize(
    ("path", "kind", "reason"),
    [
        ("/run/wicket/other.sock", socket.SOCK_SEQPACKET, "control.socket is /run/wicket/control"),
        (SOCKET, socket.SOCK_STREAM, "ListenSequentialPacket="),
    ],
)
def test_wrong_socket(lab, wicket, manager, path, kind, reason):
    manager.listen(path, kind)
    keeper = manager.start()
    assert keeper.wait_output() == 78
    (line,) = [line for line in keeper.output.text().splitlines() if "no user" not in line]
    assert reason in line
    assert "wicket" not in lab.host.run("nft", "list", "tables").stdout


def test_reload_keeps_connections(lab, production, wicket, tell):
    """The scope changes under an open window: nobody's connection is cut, nobody slips through."""
    wicket.turn_away("responder: {deadline: 20s}\n")
    keeper = wicket.serve()
    kept = KeepAlive(lab.outside, HOST4)  # with production, from before the window
    assert kept.ask().server == "production"
    challenge = wicket.add()
    path = "/.well-known/acme-challenge/" + challenge[0]
    halves = []
    for _ in range(20):
        half = network.connect(lab.outside, HOST4)
        half.sendall(f"GET {path} HTTP/1.1\r\n".encode())
        halves.append(half)
    always = VISITORS4[2]
    with Visitors(lab.outside, [(always, HOST4)] * 8, rate=200) as visitors:
        for number in range(100):
            start = len(keeper.output)
            inside, outside = VISITORS4[number % 2], VISITORS4[1 - number % 2]
            wicket.turn_away(
                f"responder: {{deadline: 20s}}\nredirect: {{sources: [{inside}, {always}]}}\n"
            )
            keeper.signal(signal.SIGHUP)
            keeper.output.wait_for("wicket.yaml: in force", start)
            keeper.output.wait_for("replaced, the window stays open", start)
            assert get(lab.outside, HOST4, source=inside).server == "responder"
            assert get(lab.outside, HOST4, source=outside).server == "production"
            assert get(lab.outside, HOST4, path, source=inside).body == challenge[1].encode()
            assert kept.ask().server == "production"
    tally = visitors.tally()
    assert set(tally) == {"responder 404"}
    for half in halves:
        half.sendall(b"Host: lab\r\nConnection: close\r\n\r\n")
        with half.makefile("rb") as stream:
            assert network.read_answer(stream).body == challenge[1].encode()
        half.close()
    kept.close()
    wicket.run("remove", challenge[0])
    assert keeper.stop() == 0
    wicket.assert_gone()
    tell(f"100 reloads under {len(halves)} open connections and {sum(tally.values())} fresh ones")


def test_reload_limits(lab, production, wicket):
    """Limits and answers change in the responder that runs, accounts for the next token."""
    wicket.turn_away()
    keeper = wicket.serve()
    responder = wicket.responder()
    wicket.add()
    assert get(lab.outside, HOST4).status == 404
    start = len(keeper.output)
    wicket.configure(
        "other_requests: https\nwindow: {lease: 2s}\n"
        "tokens: {accounts: [AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA]}\n"
    )
    keeper.signal(signal.SIGHUP)
    keeper.output.wait_for("wicket.yaml: in force", start)
    assert get(lab.outside, HOST4).status == 308
    assert wicket.responder() == responder
    refused = wicket.run("add", "t." + "B" * 43, check=False)
    assert refused.returncode == 77
    assert keeper.stop() == 0


def test_reload_refuses_a_bad_file(lab, production, wicket):
    """Whole: no part of it is taken, and every mistake is named."""
    wicket.configure("other_requests: not-found\n")
    keeper = wicket.serve()
    wicket.add()
    bad = "other_requests: https\nwindow:\n  lease: soon\nredirect:\n  prot: 80\n"
    for text in (bad, "redirect: {sources: [192.0.2.1], addresses: ['2001:db8::1']}\n"):
        start = len(keeper.output)
        (lab.directory / "wicket.yaml").write_text(text)
        keeper.signal(signal.SIGHUP)
        keeper.output.wait_for("refused, the previous configuration stays in force", start)
        if text is bad:
            assert "wicket.yaml:3:" in keeper.output.text(start)
            assert "wicket.yaml:5:" in keeper.output.text(start)
        for address in (HOST4, HOST6):
            answer = get(lab.outside, address)
            assert (answer.server, answer.status) == ("responder", 404)
    # The good one again, and all is forgotten.
    start = len(keeper.output)
    wicket.configure("other_requests: https\n")
    keeper.signal(signal.SIGHUP)
    keeper.output.wait_for("wicket.yaml: in force", start)
    assert get(lab.outside, HOST4).status == 308
    assert keeper.stop() == 0


def test_reload_names_what_needs_a_restart(lab, production, wicket):
    wicket.configure("{}\n")
    keeper = wicket.serve()
    start = len(keeper.output)
    (lab.directory / "wicket.yaml").write_text(
        "responder: {port: 8500, user: nobody}\n"
        "control: {socket: /run/wicket/other.sock, group: root}\n"
        "tokens: {webroot: /var/lib/other}\n"
        "other_requests: https\n"
    )
    keeper.signal(signal.SIGHUP)
    keeper.output.wait_for("wicket.yaml: in force", start)
    for key in ("responder.port", "responder.user", "control.socket", "control.group"):
        keeper.output.wait_for(f"{key} takes effect when the keeper starts again", start)
    keeper.output.wait_for("tokens.webroot takes effect when the keeper starts again", start)
    assert lab.host.path(SOCKET).is_socket()
    assert not lab.host.path("/run/wicket/other.sock").exists()
    assert keeper.stop() == 0
