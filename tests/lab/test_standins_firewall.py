"""The stand-ins for pve-firewall and systemd-run, against recordings of the real ones, and beyond them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.lab import transcripts

STANDINS = Path(__file__).resolve().parents[2] / "generator" / "phoenix_hypervisor" / "lab" / "standins"
TOPIC = "04-firewall"


class Lab:
    """A node's root in a folder; the stand-ins run as processes of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("etc/pve/firewall", "etc/pve/nodes/pve/lxc", "etc/network", "var/lib/phoenix-lab"):
            (root / folder).mkdir(parents=True)
        (root / "etc/pve/local").symlink_to("nodes/pve")
        (root / "etc/pve/lxc").symlink_to("nodes/pve/lxc")
        (root / "etc/network/interfaces").write_text("iface vmbr0 inet static\n\taddress 10.99.0.1/24\n")
        self.daemon("active")

    def daemon(self, active: str) -> None:
        units = {"pve-firewall.service": {"active": active, "sub": "running"}}
        self.file("var/lib/phoenix-lab/model.json", json.dumps({"hostname": "pve", "units": units}))

    def file(self, path: str, text: str) -> None:
        (self.root / path).write_text(text)

    def run(self, *argv: str) -> transcripts.Outcome:
        words = (sys.executable, "-I", "-S", str(STANDINS), *argv)
        env = {"PATH": os.environ["PATH"], "PHOENIX_LAB_ROOT": str(self.root)}
        done = subprocess.run(words, env=env, cwd="/", capture_output=True, text=True, check=False)
        return transcripts.Outcome(done.returncode, done.stdout, done.stderr)

    def timers(self) -> list[dict[str, object]]:
        path = self.root / "var/lib/phoenix-lab/timers.json"
        found: list[dict[str, object]] = json.loads(path.read_text()) if path.exists() else []
        return found

    def let_time_pass(self) -> None:
        """As if all timers had come due."""
        rows = [{**row, "due": time.time() - 1} for row in self.timers()]
        self.file("var/lib/phoenix-lab/timers.json", json.dumps(rows))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.mark.skipif(not transcripts.available(), reason="no recorded transcripts here")
def test_what_was_recorded_of_pve_firewall_is_reproduced(lab, capsys):
    """Files are put there as the recorded `cat`s show them; what pvesh did to them in between is not ours."""
    report = transcripts.Report(TOPIC)
    lab.daemon("inactive")
    lab.file("etc/pve/lxc/100.conf", "net0: name=eth0,bridge=vmbr0\n")
    files: dict[str, str] = {}
    for entry in transcripts.load(TOPIC):
        words = entry.command.split()
        if words[0] == "pve-firewall":
            for path, text in files.items():
                lab.file(path, text)
            report.judge(entry, lab.run(*words))
            continue
        shown = words[-1].lstrip("/")
        if "cat" in words and shown.endswith(".fw") and entry.n < 72:
            files[shown] = entry.stdout
        report.leave_out(entry, "no tool of ours calls it" if words[0] == "pvesh" else "a file, not a tool")
    with capsys.disabled():
        sys.stdout.write(f"\n{str(report).splitlines()[0]}\n")
    assert report.missed == {}
    assert [entry.n for entry in report.exact] == [72, 75, 76]


def test_a_guests_chains_are_there_only_with_enable_and_a_filtered_interface(lab):
    lab.file("etc/pve/firewall/cluster.fw", "[OPTIONS]\nenable: 1\n")
    rules = "[RULES]\nIN ACCEPT -p tcp -dport 8000 -source 10.99.0.5\n"
    lab.file("etc/pve/lxc/100.conf", "net0: name=eth0,bridge=vmbr0,firewall=1,hwaddr=AA:BB:CC:DD:EE:FF\n")
    lab.file("etc/pve/firewall/100.fw", f"[OPTIONS]\nenable: 1\n{rules}")
    compiled = lab.run("pve-firewall", "compile").stdout
    assert "\t-A veth100i0-IN -s 10.99.0.5 -p tcp --dport 8000 -j ACCEPT\n" in compiled
    assert (
        "\t-A PVEFW-FWBR-IN -m physdev --physdev-is-bridged --physdev-out veth100i0 -j veth100i0-IN\n"
        in compiled
    )
    for path, text in (
        ("etc/pve/firewall/100.fw", rules),
        ("etc/pve/lxc/100.conf", "net0: name=eth0,bridge=vmbr0\n"),
    ):
        lab.file(path, text)
        assert "veth100i0" not in lab.run("pve-firewall", "compile").stdout


def simulated(lab: Lab, source: str, port: int, to: str = "host") -> str:
    packet = ("--from", "outside", "--to", to, "--protocol", "tcp", "--source", source, "--dport", str(port))
    said = lab.run("pve-firewall", "simulate", *packet)
    assert said.exit == 0, said
    return said.stdout.splitlines()[-1]


def test_the_simulation_says_what_the_rules_say(lab):
    lab.file(
        "etc/pve/firewall/cluster.fw",
        "[OPTIONS]\nenable: 1\n[RULES]\nIN ACCEPT -p tcp -dport 445 -source 10.5.0.0/16\n",
    )
    lab.file("etc/pve/local/host.fw", "[RULES]\nIN REJECT -source 10.5.0.9\n")
    assert simulated(lab, "10.5.0.1", 445) == "ACTION: ACCEPT"
    assert simulated(lab, "10.5.0.9", 445) == "ACTION: REJECT"
    assert simulated(lab, "10.6.0.1", 445) == "ACTION: DROP"
    assert simulated(lab, "10.99.0.7", 22) == "ACTION: ACCEPT"  # the local network, to Proxmox's own ports


def test_status_tells_declared_from_running(lab):
    assert lab.run("pve-firewall", "status").stdout == "Status: disabled/running\n"
    lab.file("etc/pve/firewall/cluster.fw", "[OPTIONS]\nenable: 1\n")
    assert lab.run("pve-firewall", "status").stdout == "Status: enabled/running\n"
    assert lab.run("pve-firewall", "stop").exit == 0
    assert lab.run("pve-firewall", "status").stdout == "Status: enabled/stopped\n"


@pytest.mark.parametrize("verb", ["set", "enable"])
def test_there_is_no_verb_to_set_anything(lab, verb):
    """The predecessor called `pve-firewall set`, which is none: a firewall that was never on."""
    said = lab.run("pve-firewall", verb)
    assert (said.exit, said.stderr.splitlines()[0]) == (255, f"ERROR: unknown command 'pve-firewall {verb}'")


def start(lab: Lab, seconds: str = "60s") -> transcripts.Outcome:
    return lab.run(
        "systemd-run", "--quiet", "--collect", "--unit=revert", f"--on-active={seconds}",
        "--timer-property=AccuracySec=100ms", "touch", str(lab.root / "rang"),
    )  # fmt: skip


def test_a_timer_is_due_after_the_time_it_was_given(lab):
    before = time.time()
    assert start(lab, "90") == transcripts.Outcome(0, "", "")
    (row,) = lab.timers()
    assert (row["unit"], 90 <= row["due"] - before < 150) == ("revert.timer", True)


def test_a_due_timer_rings_at_the_next_stand_in_and_once(lab):
    start(lab)
    assert lab.run("pve-firewall", "status").exit == 0
    assert not (lab.root / "rang").exists()
    lab.let_time_pass()
    lab.run("pve-firewall", "status")
    assert (lab.root / "rang").exists()
    assert lab.timers() == []


def test_a_stopped_timer_does_not_ring(lab):
    start(lab)
    assert lab.run("systemctl", "stop", "revert.timer").exit == 0
    lab.let_time_pass()
    lab.run("lab-timers")
    assert not (lab.root / "rang").exists()
    again = lab.run("systemctl", "stop", "revert.timer")
    assert (again.exit, again.stderr) == (5, "Failed to stop revert.timer: Unit revert.timer not loaded.\n")


def test_a_name_is_one_timers(lab):
    start(lab)
    said = "Unit revert.timer was already loaded or has a fragment file."
    assert start(lab) == transcripts.Outcome(1, "", f"Failed to start transient timer unit: {said}\n")


def test_what_is_not_known_is_refused_loudly(lab):
    for argv in (("systemd-run", "--on-calendar=daily", "true"), ("systemd-run", "true"), ("pve-firewall",)):
        assert lab.run(*argv).exit == 70
