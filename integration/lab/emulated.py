# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with Debian 12's own kernel, emulated: a host, and visitors behind a wire."""

import os
import select
import shlex
import shutil
import subprocess
import time

from . import programs
from .initramfs import Initramfs
from .lab import ACCOUNT_UID, HOST4, HOST6, OUTSIDE4, OUTSIDE6, VISITORS4, VISITORS6

GUEST = programs.TOP / "integration" / "oldkernel"
# What integration/setup has taken out of the kernel's package.
KERNEL = programs.TOP / "build" / "oldkernel"

ETC = {
    "passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
    f"wicket:x:{ACCOUNT_UID}:{ACCOUNT_UID}::/:/bin/false\n",
    "group": f"root:x:0:\nnogroup:x:65534:\nwicket:x:{ACCOUNT_UID}:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    # For ip -batch.
    "wire.host": f"link set wire up\naddr add {HOST4}/24 dev wire\n"
    f"addr add {HOST6}/64 dev wire nodad\n",
    "wire.outside": "link set lo up\nlink set wire up\n"
    + "".join(f"addr add {one}/24 dev wire\n" for one in [OUTSIDE4, *VISITORS4])
    + "".join(f"addr add {one}/64 dev wire nodad\n" for one in [OUTSIDE6, *VISITORS6]),
}
# Debian's sh and these, since busybox prefers its own ip, which knows no namespaces, to any other.
TOOLS = {
    "bin/sh": "/bin/sh",
    "usr/bin/ip": shutil.which("ip"),
    "usr/bin/nsenter": shutil.which("nsenter"),
    "usr/bin/nft": shutil.which("nft"),
}
WICKET = (
    *("bin/wicket", "libexec/wicket-keeper"),
    *("libexec/wicket-ledger", "libexec/wicket-responder"),
)
# Where the programs are once more, with a keeper that takes the kernel for one without owned tables.
WITHOUT_OWNER = "/opt/without-owner"


def _initramfs(directory, installed, kernel_tests):
    """`directory` has room for the modules, with the lists that tell which is wanted when."""
    image = Initramfs()
    for empty in ("dev", "proc", "sys", "run", "var/lib"):
        image.directory(empty)
    image.directory("tmp", 0o1777)
    image.program("bin/busybox", "/bin/busybox")
    image.link("sbin/modprobe", "/bin/busybox")
    for path, source in TOOLS.items():
        image.program(path, source)
    image.file("init", (GUEST / "init").read_bytes(), 0o755)
    for name, text in ETC.items():
        image.file(f"etc/{name}", text.encode())
    build = programs.build_directory()
    for path in WICKET:
        image.program(f"usr/local/{path}", installed / path)
        image.program(f"{WITHOUT_OWNER}/{path.rpartition('/')[2]}", installed / path)
    without_owner = build / "integration" / "keeper_without_owner"
    image.program(f"{WITHOUT_OWNER}/wicket-keeper", without_owner)
    image.program("usr/bin/guest", build / "integration" / "guest")
    for test in kernel_tests:
        image.program(f"usr/bin/{test}", build / "tests" / "redirect" / test)

    (version,) = [one.name for one in (KERNEL / "lib" / "modules").iterdir()]
    shutil.copytree(KERNEL / "lib", directory / "lib")
    subprocess.run(["depmod", "-b", str(directory), version], check=True)
    image.tree("lib", directory / "lib")
    return image


class Emulated:
    """
    Up when it is made. `kernel_tests`: programs of tests/redirect that it is to have. One that does
    not answer in time is ended.
    """

    def __init__(self, directory, installed, kernel_tests=()):
        if not (KERNEL / "lib").is_dir():
            raise RuntimeError(f"{KERNEL}: no kernel to emulate; integration/setup fetches it")
        self._console = directory / "console"
        image = directory / "initramfs"
        _initramfs(directory, installed, kernel_tests).write(image)
        (kernel,) = (KERNEL / "boot").iterdir()
        self._qemu = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--"]
            + ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-smp", "1"]
            + ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
            + ["-serial", f"file:{self._console}", "-serial", "stdio"]
            + ["-kernel", str(kernel), "-initrd", str(image)]
            # Mitigations guard nothing here, and cost a third of the time.
            + ["-append", "console=ttyS0 loglevel=5 panic=-1 mitigations=off"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._pending = b""
        try:
            assert self._answer(180) == ("up\n", 0)
        except BaseException:
            self._end()
            raise

    def console(self):
        """What its kernel said."""
        return self._console.read_text("utf-8", "backslashreplace")

    def _answer(self, timeout):
        """(output, exit status) of what it was told last; see integration/oldkernel/init."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._pending.partition(b"\x1e")[2]:
            left = max(deadline - time.monotonic(), 0)
            ready = select.select([self._qemu.stdout], [], [], left)[0]
            piece = os.read(self._qemu.stdout.fileno(), 65536) if ready else b""
            if not piece:
                self._qemu.kill()
                raise AssertionError(
                    f"the emulated machine {'is gone' if ready else f'not done in {timeout} s'},"
                    f" after {self._pending!r}; its kernel said:\n{self.console()}"
                )
            self._pending += piece
        output, _, rest = self._pending.partition(b"\x1e")
        status, _, self._pending = rest.partition(b"\n")
        return output.decode("utf-8", "backslashreplace"), int(status)

    def _tell(self, line):
        self._qemu.stdin.write(line.encode() + b"\n")
        self._qemu.stdin.flush()

    def shell(self, line, check=True, timeout=60):
        """What a line for its shell prints, with check=False (output, exit status)."""
        self._tell(line)
        output, status = self._answer(timeout)
        if not check:
            return output, status
        assert status == 0, f"{line}: exit status {status}\n{output}"
        return output

    def run(self, *arguments, **more):
        return self.shell(shlex.join(map(str, arguments)), **more)

    def outside(self, *arguments, **more):
        """The same where the visitors are."""
        return self.run("nsenter", "--net=/run/netns/outside", "--", *arguments, **more)

    def power_off(self):
        """qemu's exit status."""
        try:
            self._tell("poweroff -f")
            return self._qemu.wait(60)
        finally:
            self._end()

    def _end(self):
        self._qemu.kill()
        self._qemu.wait()
        self._qemu.stdin.close()
        self._qemu.stdout.close()
