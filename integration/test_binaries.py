# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs as they are installed: hardening, what they link, and that they find each other."""

import os
import re
import stat
import subprocess

import pytest

PROGRAMS = {
    "wicket": "bin/wicket",
    "wicket-keeper": "libexec/wicket-keeper",
    "wicket-ledger": "libexec/wicket-ledger",
    "wicket-responder": "libexec/wicket-responder",
    "wicket-check": "libexec/wicket-check",
}


def readelf(path, *options):
    return subprocess.run(
        ["readelf", "--wide", *options, str(path)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def needed(path):
    return {
        match.split(".so")[0]
        for match in re.findall(r"\(NEEDED\).*\[(.*)\]", readelf(path, "--dynamic"))
    }


@pytest.fixture(params=PROGRAMS)
def program(request, installed):
    return installed / PROGRAMS[request.param]


def test_position_independent(program):
    assert re.search(r"Type:\s+DYN \(Position-Independent Executable", readelf(program, "-h"))
    assert "PIE" in readelf(program, "--dynamic")


def test_relocations_read_only_from_the_start(program):
    assert "GNU_RELRO" in readelf(program, "--segments")
    assert re.search(r"\(FLAGS\).*BIND_NOW", readelf(program, "--dynamic"))
    assert re.search(r"\(FLAGS_1\).*NOW", readelf(program, "--dynamic"))


def test_no_executable_stack(program):
    (flags,) = re.findall(r"GNU_STACK\s+(?:0x\w+\s+){5}(\S+)", readelf(program, "--segments"))
    assert "E" not in flags
    assert not re.search(r"\sRWE\s", readelf(program, "--segments"))


def test_stack_protector(program):
    assert "__stack_chk_fail" in readelf(program, "--dyn-syms")


def test_fortified(program):
    fortified = re.findall(r"__\w+_chk(?=@)", readelf(program, "--dyn-syms"))
    assert set(fortified) - {"__stack_chk_fail"}


def test_control_flow_protection(program):
    """
    Every function that can be jumped to begins with ENDBR64. (Debian 12's own start-up code does
    not, so that the linker leaves the note out that would have it enforced.)
    """
    landing_pads = program.read_bytes().count(b"\xf3\x0f\x1e\xfa")
    assert (landing_pads > 30) == (os.uname().machine == "x86_64")


def test_no_path_to_libraries(program):
    assert not re.search(r"\((RPATH|RUNPATH)\)", readelf(program, "--dynamic"))


def test_not_set_user_id(program):
    mode = program.stat().st_mode
    assert stat.S_IMODE(mode) == 0o755


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wicket", {"libjansson", "libyaml-0", "libc"}),
        (
            "wicket-keeper",
            {"libnftnl", "libmnl", "libyaml-0", "libjansson", "libcap", "libseccomp", "libc"}
            | {"libnettle"},
        ),
        ("wicket-ledger", {"libcap", "libseccomp", "libc"}),
        ("wicket-check", {"libnftnl", "libmnl", "libyaml-0", "libjansson", "libc"}),
        ("wicket-responder", {"libmicrohttpd", "libcap", "libseccomp", "libc"}),
    ],
)
def test_libraries(installed, name, expected):
    """Who reads strangers' bytes knows no nftables, and the other way round."""
    assert needed(installed / PROGRAMS[name]) <= expected


def test_libraries_that_must_be_there(installed):
    assert "libnftnl" in needed(installed / PROGRAMS["wicket-keeper"])
    assert "libmicrohttpd" in needed(installed / PROGRAMS["wicket-responder"])
    for name in ("wicket-keeper", "wicket-ledger", "wicket-responder"):
        assert "libseccomp" in needed(installed / PROGRAMS[name])


def test_installed_programs_find_each_other(lab, production, wicket):
    """In /usr/local as `meson install` laid it out, each by its absolute path."""
    token, _ = wicket.add()
    commands = [command[0].decode() for command in lab.host.processes().values()]
    assert "/usr/local/libexec/wicket-keeper" in commands
    assert "/usr/local/libexec/wicket-responder" in commands
    wicket.run("remove", token)
    wicket.wait_gone()


def test_a_copy_without_the_others(lab, production):
    """Says where it looked, and does not go by PATH."""
    lab.host.run("mkdir", "/mnt/elsewhere")
    lab.host.run("cp", "/usr/local/bin/wicket", "/mnt/elsewhere/wicket")
    served = lab.host.run("/mnt/elsewhere/wicket", "serve", check=False)
    assert served.returncode == 69
    assert "wicket-keeper is missing: looked in /mnt/elsewhere" in served.stderr


def test_beside_each_other_in_a_build_tree(lab, production, wicket):
    lab.host.run("mkdir", "/mnt/tree")
    for path in PROGRAMS.values():
        lab.host.run("cp", f"/usr/local/{path}", "/mnt/tree/")
    keeper = lab.host.start("/mnt/tree/wicket", "serve", name="keeper")
    keeper.output.wait_for("ready")
    assert os.readlink(f"/proc/{keeper.pid}/exe").endswith("/tree/wicket-keeper")
    commands = [command[0] for command in lab.host.processes().values()]
    assert b"/mnt/tree/wicket-responder" in commands
    wicket.leave(keeper)


def test_version_says_nothing_else(program):
    """A build without its sandbox would say so here."""
    text = subprocess.run([program, "--version"], check=True, stdout=subprocess.PIPE, text=True)
    assert re.fullmatch(rf"{program.name} \d+\.\d+\.\d+\n", text.stdout)


def test_version_and_help(wicket):
    assert re.fullmatch(r"wicket \d+\.\d+\.\d+\n", wicket.run("--version").stdout)
    text = wicket.run("--help").stdout
    commands = "run hook add remove open close status ruleset check serve"
    for command in commands.split():
        assert re.search(rf"^  {command}\b", text, re.MULTILINE)
        assert wicket.run(command, "--help").stdout.startswith("usage: wicket")
    assert wicket.run("no-such-command", check=False).returncode == 64
