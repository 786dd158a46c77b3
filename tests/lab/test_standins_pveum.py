"""The stand-in for pveum against recordings of the real one, and what a recording cannot show."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.lab import transcripts

STANDINS = Path(__file__).resolve().parents[2] / "generator" / "phoenix_hypervisor" / "lab" / "standins"
TOPIC = "05-qm-access-pvesh"
LEFT_OUT = {74: "pvesh"}
KNOWN_MISSES: dict[int, str] = {}
FILE = "etc/pve/user.cfg"


class Lab:
    """A node's root in a folder; the stand-in runs as a process of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "var/lib/phoenix-lab").mkdir(parents=True)
        (root / "etc/pve/lxc").mkdir(parents=True)
        (root / "bin").mkdir()
        tool = root / "bin/pveum"
        tool.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {STANDINS} pveum "$@"\n')
        tool.chmod(0o755)
        self.env = {"PATH": f"{root}/bin:/usr/bin:/bin", "PHOENIX_LAB_ROOT": str(root), "LC_ALL": "C.UTF-8"}

    def shell(self, command: str, stdin: str = "") -> transcripts.Outcome:
        done = subprocess.run(
            ["bash", "-c", command],
            env=self.env,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            input=stdin,
        )
        return transcripts.Outcome(done.returncode, done.stdout, done.stderr)

    def ok(self, command: str, stdin: str = "") -> str:
        done = self.shell(command, stdin)
        assert (done.exit, done.stderr) == (0, ""), command
        return done.stdout

    def text(self, path: str = FILE) -> str:
        return (self.root / path).read_text()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def in_order(text: str) -> str:
    """The lists of roles come in Perl's order of the day."""
    if text.startswith("[{"):
        return json.dumps(sorted(json.loads(text), key=lambda row: row["roleid"]))
    return text


@pytest.mark.skipif(not transcripts.available(), reason="the recordings are not here")
def test_what_was_recorded_is_reproduced(lab):
    # what the recording's node had before: two containers, and a token of root's
    for vmid in (100, 101):
        (lab.root / f"etc/pve/lxc/{vmid}.conf").write_text("")
    report = transcripts.Report(TOPIC)
    for entry in transcripts.load(TOPIC):
        if "pveum" not in entry.command and "user.cfg" not in entry.command and entry.n != 74:
            continue
        if entry.n in LEFT_OUT:
            report.leave_out(entry, LEFT_OUT[entry.n])
            continue
        if entry.n == 45:
            lab.ok("pveum user token add root@pam oracle --privsep 0")
        command = entry.command.replace("/etc/pve/", f"{lab.root}/etc/pve/")
        report.judge(entry, lab.shell(command), in_order)
    print(report)  # noqa: T201 - the figures are what a replay is for
    assert report.unexpected(KNOWN_MISSES) == {}
    assert set(report.missed) == set(KNOWN_MISSES)


@pytest.mark.skipif(not transcripts.available(), reason="the recordings are not here")
def test_a_restricted_token_may_do_what_was_recorded(lab):
    """What /access/permissions of the recording says of the rights that `pveum` had given."""
    recorded = {entry.n: entry.stdout for entry in transcripts.load("11-restricted-token")}
    given = json.loads(recorded[16].rpartition("\n")[2])["data"]
    lab.ok("pveum user add apiuser@pve && pveum acl modify /vms/101 --users apiuser@pve --roles PVEVMUser")
    assert json.loads(lab.ok("pveum user permissions apiuser@pve --output-format json")) == given
    given = json.loads(recorded[27].rpartition("\n")[2])["data"]
    lab.ok("pveum user add priv@pve && pveum user token add priv@pve sep >/dev/null")
    lab.ok("pveum acl modify /vms/101 --tokens 'priv@pve!sep' --roles PVEVMAdmin")
    assert sorted(given["/vms/101"]) == sorted(_privileges(lab, "PVEVMAdmin"))


def _privileges(lab, role):
    rows = json.loads(lab.ok("pveum role list --output-format json"))
    return next(row["privs"].split(",") for row in rows if row["roleid"] == role)


def test_a_token_s_value_is_shown_once_and_kept_for_root_alone(lab):
    made = json.loads(lab.ok("pveum user token add root@pam ci --output-format json"))
    kept = lab.root / "etc/pve/priv/token.cfg"
    assert kept.read_text() == f"root@pam!ci {made['value']}\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert made["value"] not in lab.ok("pveum user token list root@pam") + lab.text()


def test_what_goes_takes_its_rights_along(lab):
    lab.ok(
        "pveum group add devs && pveum user add dev@pve --groups devs && pveum role add Ops --privs VM.Audit"
    )
    lab.ok("pveum user token add dev@pve ci >/dev/null")
    lab.ok("pveum acl modify / --users dev@pve --tokens 'dev@pve!ci' --groups devs --roles Ops")
    lab.ok("pveum user delete dev@pve")
    assert "dev@pve" not in lab.text()
    assert lab.text("etc/pve/priv/token.cfg") == ""
    lab.ok("pveum role delete Ops")
    assert "acl:" not in lab.text()


@pytest.mark.parametrize("words", ["canary-one\ncanary-two\n", "short\nshort\n", "only-one-line\n", ""])
def test_a_password_that_is_refused_changes_nothing(lab, words):
    lab.ok("pveum user add dev@pve && pveum passwd dev@pve", "canary-one\ncanary-one\n")
    before = lab.text("etc/pve/priv/shadow.cfg")
    assert before.startswith("dev:$5$")
    assert lab.shell("pveum passwd dev@pve", words).exit == 255
    assert lab.text("etc/pve/priv/shadow.cfg") == before
