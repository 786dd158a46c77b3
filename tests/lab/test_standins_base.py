"""The stand-ins for APT, dpkg, sysctl, logrotate and the clock: as Debian 13's own tools say it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from phoenix_hypervisor.lab import skeleton

STANDINS = Path(__file__).resolve().parents[2] / "generator" / "phoenix_hypervisor" / "lab" / "standins"


class Said(NamedTuple):
    """How a tool ended, and what it said."""

    status: int
    out: str
    err: str


class Node:
    """A fresh node's root in a folder, and its stand-ins."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        skeleton.make(root, "pve1", "10.0.0.13")
        self.write("/var/lib/phoenix-lab/model.json", json.dumps(skeleton.model("pve1")))

    def write(self, path: str, text: str) -> None:
        (self.root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path[1:]).write_text(text)

    def read(self, path: str) -> str:
        return (self.root / path[1:]).read_text()

    def run(self, *argv: str) -> Said:
        ended = subprocess.run(
            [sys.executable, "-I", "-S", str(STANDINS), *argv],
            env={"PHOENIX_LAB_ROOT": str(self.root), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        return Said(
            *(ended.returncode, *(text.replace(str(self.root), "") for text in (ended.stdout, ended.stderr)))
        )

    def good(self, *argv: str) -> str:
        said = self.run(*argv)
        assert said.status == 0, said
        return said.out


@pytest.fixture
def node(tmp_path) -> Node:
    return Node(tmp_path / "root")


# --- as the real tools: command, status, stdout, stderr ---------------------------------------------------

RECORDED = {
    "sysctl of what is not there": (
        ("sysctl", "-w", "vm.no_such=1"),
        (1, "", "sysctl: cannot stat /proc/sys/vm/no_such: No such file or directory\n"),
    ),
    "sysctl that is not to mind": (("sysctl", "-e", "vm.no_such"), (0, "", "")),
    "sysctl with a word for a number": (
        ("sysctl", "-w", "vm.swappiness=abc"),
        (1, "", 'sysctl: setting key "vm.swappiness": Invalid argument\n'),
    ),
    "sysctl without a value": (
        ("sysctl", "-w", "vm.swappiness"),
        (1, "", "sysctl: command line(0): invalid syntax, continuing...\n"),
    ),
    "a package that dpkg does not know": (
        ("dpkg-query", "-W", "nosuch"),
        (1, "", "dpkg-query: no packages found matching nosuch\n"),
    ),
    "a hold of what is not there": (
        ("apt-mark", "hold", "nosuch"),
        (100, "", "E: Unable to locate package nosuch\nE: No packages found\n"),
    ),
    "a package that no list has": (
        ("apt-get", "-s", "install", "nosuchpkg"),
        (
            100,
            "Reading package lists...\nBuilding dependency tree...\nReading state information...\n",
            "E: Unable to locate package nosuchpkg\n",
        ),
    ),
    "a zone that is not there": (
        ("timedatectl", "set-timezone", "X/Y"),
        (1, "", "Failed to set time zone: Invalid or not installed time zone 'X/Y'\n"),
    ),
}


@pytest.mark.parametrize("what", RECORDED)
def test_a_refusal_is_the_real_tool_s(what: str, node: Node) -> None:
    argv, expected = RECORDED[what]
    assert node.run(*argv) == expected


UNKNOWN = [
    ("apt-get", "autoremove"),
    ("apt-get", "-o", "Acquire::http::Proxy=x", "update"),
    ("apt-get", "--purge", "remove", "x"),
    ("apt-mark", "auto", "x"),
    ("dpkg", "-i", "x.deb"),
    ("dpkg-query", "-L", "x"),
    ("dpkg-query", "-W", "-f", "${Homepage}", "apt"),
    ("sysctl", "--system"),
    ("timedatectl", "set-ntp", "true"),
    ("chronyc", "makestep"),
    ("hostnamectl", "set-chassis", "vm"),
    ("logrotate", "/etc/logrotate.conf"),
]


@pytest.mark.parametrize("argv", UNKNOWN, ids=" ".join)
def test_what_is_not_simulated_is_loud(argv: tuple[str, ...], node: Node) -> None:
    said = node.run(*argv)
    assert (said.status, said.out) == (70, "")
    assert said.err == f"{argv[0]}: not simulated: {' '.join(argv[1:])}\n"


# --- dpkg and APT -----------------------------------------------------------------------------------------


def test_the_list_of_packages_is_shown_in_any_format(node: Node) -> None:
    assert node.good("dpkg-query", "-W", "-f", r"${Package}=${Version}\n", "ap*") == "apt=3.0.3\n"
    form = r"${db:Status-Abbrev}\t${db:Status-Status} ${db:Status-Want}\n"
    assert node.good("dpkg-query", "-W", "-f", form, "apt") == "ii \tinstalled install\n"
    node.good("apt-mark", "hold", "apt")
    assert node.good("dpkg-query", "-W", "-f", form, "apt") == "hi \tinstalled hold\n"


def test_a_hold_is_set_and_taken_once(node: Node) -> None:
    said = [node.good("apt-mark", verb, "apt") for verb in ("hold", "hold", "unhold", "unhold")]
    assert "".join(said) == (
        "apt set on hold.\napt was already set on hold.\n"
        "Canceled hold on apt.\napt was already not on hold.\n"
    )


def test_an_update_without_a_subscription_fails_and_reads_the_others(node: Node) -> None:
    said = node.run("apt-get", "update")
    assert said.status == 100
    assert " http://deb.debian.org/debian trixie InRelease\n" in said.out
    assert (
        "E: The repository 'https://enterprise.proxmox.com/debian/pve trixie InRelease' is not signed.\n"
        in said.err
    )
    assert "htop" in node.good("apt-get", "-s", "install", "htop")


def test_a_host_that_does_not_resolve_is_a_warning_unless_it_is_not_to_be(node: Node) -> None:
    node.write("/parts/x.list", "deb http://nosuch.invalid/debian trixie main\n")
    alone = ("-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=/parts")
    expected = (
        "{0}: Failed to fetch http://nosuch.invalid/debian/dists/trixie/InRelease  "
        "Could not resolve 'nosuch.invalid'\n"
        "{0}: Some index files failed to download. They have been ignored, or old ones used instead.\n"
    )
    assert node.run("apt-get", *alone, "update")[::2] == (0, expected.format("W"))
    strict = node.run("apt-get", *alone, "-o", "APT::Update::Error-Mode=any", "update")
    assert strict[::2] == (100, expected.format("E"))


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        (
            "x.sources",
            "URIs: http://a\nSuites: s/\n",
            "Malformed stanza 1 in source list /parts/x.sources (type)",
        ),
        ("x.list", "words\n", "Malformed entry 1 in list file /parts/x.list (Type)"),
    ],
)
def test_a_file_that_apt_cannot_read_stops_everything(node: Node, name: str, text: str, error: str) -> None:
    node.write(f"/parts/{name}", text)
    said = node.run("apt-get", "-o", "Dir::Etc::SourceParts=/parts", "update")
    assert (said.status, said.err) == (100, f"E: {error}\nE: The list of sources could not be read.\n")


def test_two_files_that_want_different_keys_stop_everything(node: Node) -> None:
    node.write(
        "/etc/apt/sources.list.d/x.sources",
        "Types: deb\nURIs: http://deb.debian.org/debian\nSuites: trixie\nComponents: x\nSigned-By: /k.gpg\n",
    )
    said = node.run("apt-get", "update")
    assert said.status == 100
    assert said.err.startswith(
        "E: Conflicting values set for option Signed-By regarding source "
        "http://deb.debian.org/debian/ trixie:"
    )


def test_an_update_of_one_repository_keeps_the_other_lists(node: Node) -> None:
    node.run("apt-get", "update")
    node.write("/parts/x.list", "deb http://mirror.example.org/debian trixie main\n")
    alone = ("-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=/parts")
    before = {path.name for path in (node.root / "var/lib/apt/lists").iterdir()}
    node.good("apt-get", "update", *alone, "-o", "APT::Get::List-Cleanup=0")
    after = {path.name for path in (node.root / "var/lib/apt/lists").iterdir()}
    assert after - before == {"mirror.example.org_debian_dists_trixie_main_binary-amd64_Packages"}
    assert before <= after
    node.good("apt-get", "update", *alone)
    assert {path.name for path in (node.root / "var/lib/apt/lists").iterdir()} == after - before | {"lock"}


def test_packages_come_with_what_they_need_and_go_with_what_needs_them(node: Node) -> None:
    node.run("apt-get", "update")
    planned = node.good("apt-get", "-s", "install", "jq")
    assert re.findall("^Inst .*", planned, re.MULTILINE) == [
        "Inst libjq1 (1.6-2.1+deb12u1 lab [amd64])",
        "Inst jq (1.6-2.1+deb12u1 lab [amd64])",
    ]
    node.good("apt-get", "-y", "install", "jq=1.6-2.1")
    upgraded = node.good("apt-get", "-s", "install", "jq")
    assert "Inst libjq1 [1.6-2.1] (1.6-2.1+deb12u1 lab [amd64])" in upgraded
    assert "2 upgraded, 0 newly installed, 0 to remove and 0 not upgraded." in upgraded
    assert re.findall("^Remv .*", node.good("apt-get", "-s", "remove", "libjq1"), re.MULTILINE) == [
        "Remv libjq1 [1.6-2.1]",
        "Remv jq [1.6-2.1]",
    ]
    node.good("apt-get", "-y", "remove", "jq")
    assert node.good("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", "jq") == "rc "


def test_held_packages_and_older_versions_need_a_word_more(node: Node) -> None:
    node.run("apt-get", "update")
    node.good("apt-get", "-y", "install", "libjq1")
    older = ("apt-get", "-y", "install", "libjq1=1.6-2.1")
    assert "without --allow-downgrades." in node.run(*older).err
    node.good("apt-mark", "hold", "libjq1")
    assert "without --allow-change-held-packages." in node.run(*older, "--allow-downgrades").err
    node.good(*older, "--allow-downgrades", "--allow-change-held-packages")
    assert node.good("apt-mark", "showhold") == "libjq1\n"


def test_a_package_brings_its_unit_and_takes_it_away(node: Node) -> None:
    node.run("apt-get", "update")
    node.good("apt-get", "-y", "install", "smartmontools")
    assert node.good("systemctl", "is-active", "smartmontools") == "active\n"
    node.good("apt-get", "-y", "remove", "smartmontools")
    assert node.run("systemctl", "is-active", "smartmontools").status == 3


# --- logrotate --------------------------------------------------------------------------------------------

SECTIONS = {
    "an unknown word, which it passes over": (
        " foo\n missingok\n",
        0,
        ["lr:2 unknown option 'foo' -- ignoring line"],
    ),
    "a count that is none": (
        " rotate x\n",
        1,
        ["lr:2 bad rotation count 'x'", "found error in /var/log/x , skipping"],
    ),
    "a size that is none": (
        " size abc\n",
        1,
        ["lr:2 unknown unit 'c'", "found error in /var/log/x , skipping"],
    ),
    "a script without an end": (
        " postrotate\n x\n",
        1,
        ["lr:prerotate, postrotate or preremove without endscript"],
    ),
    "nothing wrong": (" rotate 4\n create 0640 root adm\n postrotate\n  x\n endscript\n", 0, []),
}


@pytest.mark.parametrize("what", SECTIONS)
def test_logrotate_says_what_it_does_not_take(what: str, node: Node) -> None:
    body, status, errors = SECTIONS[what]
    node.write("/lr", f"/var/log/x {{\n{body}}}\n")
    said = node.run("logrotate", "-d", "/lr")
    found = [line.removeprefix("error: ") for line in said.err.splitlines() if line.startswith("error: ")]
    assert (said.status, [line.replace("/lr:", "lr:") for line in found]) == (status, errors)


def test_the_second_file_that_names_a_log_is_left_out(node: Node) -> None:
    node.write("/var/log/x.log", "")
    for name in ("a", "b"):
        node.write(f"/etc/logrotate.d/{name}", "/var/log/x.log {\n rotate 1\n}\n")
    said = node.run("logrotate", "-d", "/etc/logrotate.conf")
    assert said.status == 1
    assert (
        "error: b:3 duplicate log entry for /var/log/x.log\nerror: found error in file b, skipping\n"
        in said.err
    )


# --- the clock, the name ----------------------------------------------------------------------------------


def test_what_is_set_is_shown(node: Node) -> None:
    node.good("timedatectl", "set-timezone", "Europe/Berlin")
    assert (node.root / "etc/localtime").readlink() == Path("/usr/share/zoneinfo/Europe/Berlin")
    assert node.read("/etc/timezone") == "Europe/Berlin\n"
    node.good("hostnamectl", "set-hostname", "other")
    assert (node.read("/etc/hostname"), node.good("hostnamectl", "--static")) == ("other\n", "other\n")
    assert node.good("sysctl", "-w", "net.ipv4.tcp_rmem=4096 1 2") == "net.ipv4.tcp_rmem = 4096 1 2\n"
    assert node.good("sysctl", "-n", "net/ipv4/tcp_rmem") == "4096\t1\t2\n"


def test_chrony_reads_its_sources_when_it_is_told_to(node: Node) -> None:
    ask = ("chronyc", "-c", "-N", "sources", "-a")
    before = node.good(*ask)
    assert [line.split(",")[2] for line in before.splitlines()] == ["2.debian.pool.ntp.org"]
    node.good("systemctl", "restart", "chrony")
    node.write("/etc/chrony/sources.d/x.sources", "server 192.0.2.1 iburst\n")
    assert node.good(*ask) == before
    assert node.good("chronyc", "reload", "sources") == "200 OK\n"
    assert "192.0.2.1" in node.good(*ask)
    node.good("systemctl", "stop", "chrony")
    assert node.run(*ask) == (1, "506 Cannot talk to daemon\n", "")


def test_timesyncd_reads_its_servers_when_it_starts(node: Node) -> None:
    ask = ("timedatectl", "show-timesync", "-p", "SystemNTPServers", "--value")
    assert node.run(*ask).status == 1
    node.write("/etc/systemd/timesyncd.conf.d/a.conf", "[Time]\nNTP=old\n")
    node.write("/etc/systemd/timesyncd.conf.d/b.conf", "[Time]\nNTP=\nNTP=one two\n")
    node.good("systemctl", "start", "systemd-timesyncd")
    assert node.good(*ask) == "one two\n"
