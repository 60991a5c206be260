# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian 12 with a systemd of its own, booted by systemd-nspawn in the network of a lab host."""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from . import proc, programs
from .process import wait_for_end

# What is in it besides a minimal Debian: what the programs link, an ACME client, production.
PACKAGES = [
    "systemd",
    "iproute2",
    "nftables",
    "certbot",
    "python3-cffi-backend",  # debootstrap does not find what certbot's part needs by another name
    "apache2-bin",
    "ca-certificates",
    "libcap2",
    "libjansson4",
    "libmicrohttpd12",
    "libmnl0",
    "libnftnl11",
    "libseccomp2",
    "libyaml-0-2",
]
SUITE = "bookworm"


def mirror():
    """Where this machine's own apt gets its Debian from."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"]
        + ["Created-By: Packages"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    for line in listed.splitlines():
        uri, release, component = line.split()
        if (release, component) in ((SUITE, "main"), ("stable", "main")):
            return uri
    raise RuntimeError(f"apt knows no mirror of Debian's {SUITE}")


def tree():
    """The directory with that Debian, never written to. Made when it is missing."""
    key = hashlib.sha256(" ".join([SUITE, *PACKAGES]).encode()).hexdigest()[:12]
    path = programs.WORK / f"tree-{SUITE}-{key}"
    if path.exists():
        return path
    programs.WORK.mkdir(parents=True, exist_ok=True)
    for old in programs.WORK.glob("tree-*"):
        shutil.rmtree(old)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=programs.WORK))
    making.chmod(0o755)
    result = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
        + [SUITE, str(making), mirror()],
        env={"PATH": os.environ["PATH"], "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        shutil.rmtree(making)
        raise AssertionError(f"debootstrap failed:\n{result.stdout[-4000:]}")
    # Units of the packages that have nothing to do here.
    for unit in ("certbot.timer", "apt-daily.timer", "apt-daily-upgrade.timer"):
        link = making / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    making.rename(path)
    return path


def remove_groups():
    """The control groups that systemd-nspawn leaves below this process's own, but for those in use."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controller, own = line.split(":", 2)
        if controller not in ("", "name=systemd"):
            continue
        for mounted in ("", "unified", "systemd"):
            for name in ("payload", "supervisor"):
                top = Path("/sys/fs/cgroup", mounted, own.lstrip("/"), name)
                for directory, _, _ in os.walk(top, topdown=False):
                    with contextlib.suppress(OSError):
                        os.rmdir(directory)


class Machine:
    """
    Shares the network of `host`, and ends with it at the latest. What it writes goes to memory; the
    lab's directory is its /mnt.
    """

    def __init__(self, lab, installed):
        self.host = lab.host
        # In the host's mount namespace, which takes it along when it goes.
        self._root = "/run/machine/root"
        self.host.run("mkdir", "-p", "/run/machine")
        self.host.run("mount", "-t", "tmpfs", "tmpfs", "/run/machine")
        for name in ("upper", "work", "root"):
            self.host.run("mkdir", f"/run/machine/{name}")
        options = f"lowerdir={tree()},upperdir=/run/machine/upper,workdir=/run/machine/work"
        self.host.run("mount", "-t", "overlay", "-o", options, "overlay", self._root)
        for name in ("usr/local", "etc"):
            self.host.run("mkdir", "-p", f"{self._root}/{name}")
        self.host.run("cp", "-a", f"{installed}/.", f"{self._root}/usr/local/")
        for name in ("hosts", "resolv.conf"):
            self.host.run("cp", f"/etc/{name}", f"{self._root}/etc/{name}")
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(str(self.host.path("/run/machine/notify")))
        self._console = self.host.start(
            *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"),
            *("--directory", self._root, "--bind=/mnt", "--machine=machine"),
            *("--network-namespace-path=/proc/self/ns/net", "--capability=CAP_NET_ADMIN"),
            # Its list of system calls is older than these, which other containers have.
            "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self",
            *("--resolv-conf=off", "--timezone=off"),
            *("--link-journal=no", "--console=pipe", "--notify-ready=yes"),
            name="systemd-nspawn",
            environment={
                "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
                "NOTIFY_SOCKET": "/run/machine/notify",
            },
        )
        lab.at_end(self.stop)
        self._wait_ready()
        children = Path(f"/proc/{self._console.pid}/task/{self._console.pid}/children")
        self._leader = children.read_text().split()[0]

    def _wait_ready(self):
        """Until systemd says that it has started what there is to start."""
        self._notified.settimeout(60)
        while b"READY=1" not in self._notified.recv(4096).split(b"\n"):
            pass

    def run(self, *arguments, check=True, timeout=60, prefix=()):
        """A command in the machine, as root, outside of its units."""
        command = ["nsenter", "--target", self._leader, "--all", "--", *prefix, *map(str, arguments)]
        try:
            result = subprocess.run(
                command,
                check=False,
                timeout=timeout,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            )
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{arguments} not done after {timeout} s\n{self.journal()}"
            ) from None
        if check and result.returncode != 0:
            raise AssertionError(
                f"{arguments}: exit status {result.returncode}\n{result.stdout}\n{result.stderr}\n"
                + self.journal()
            )
        return result

    def systemctl(self, *arguments, **more):
        return self.run("systemctl", "--no-pager", *arguments, **more)

    def show(self, unit, name):
        """A property of a unit."""
        return self.systemctl("show", "--property", name, "--value", unit).stdout.strip()

    def write(self, path, text, mode=0o644):
        file = self.host.path(self._root + path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def journal(self, *arguments):
        return self.run("journalctl", "--no-pager", "-o", "short-unix", *arguments, check=False).stdout

    def pid_of(self, program):
        """The pid, as seen from outside, of the one process that runs the program of this name."""
        namespace = os.stat(f"/proc/{self._leader}/ns/pid").st_ino
        (pid,) = (
            pid
            for pid, command in proc.processes(namespace).items()
            if command[0].rsplit(b"/", 1)[-1] == program.encode()
        )
        return pid

    def stop(self):
        if self._console.returncode is None:
            self.run("systemctl", "--force", "--force", "poweroff", check=False)
            if not wait_for_end(self._console.pid, 5):
                self._console.signal(signal.SIGKILL)
            self._console.wait()
        self._notified.close()
        remove_groups()
