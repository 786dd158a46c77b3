"""`python -m benchmarks`: measure, print, and say which aims are met. See docs/speed.md.

Exit status 0 whatever the figures are, unless something broke; with --strict 1 when an aim is not met.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from phoenix_hypervisor.lab.node import LabNode

from . import containers, fill, inside, loading, nodes, reference, report, sites
from .measure import Broken, Run, Subject, in_turn, once, ratios
from .report import Aim

ROUND_TRIP = 50
MANY = 8
CONTAINERS = (10, 100, 1000)
GUESTS = (100, 10_000)
FILLED = 100
"""Sites with more resources are converged by `fill`, and not measured on a lab node: it takes minutes."""
PASSWORD = "only-for-generated-nodes"
PHOENIX = (sys.executable, "-c", "from phoenix_hypervisor.cli import main; main()")
ALL_AT_ONCE = """\
for port in $0; do
    ssh "$@" -p "$port" -- 127.0.0.1 'exec sh' <"$script" &
    pids="$pids $!"
done
for pid in $pids; do
    wait "$pid" || exit 1
done
"""


class Bench:
    """The nodes, the sites on them, and the scripts that ask what phoenix asks."""

    def __init__(self, folder: Path, servers: nodes.Servers, sizes: Sequence[int]) -> None:
        self.folder = folder
        self.servers = servers
        self.log = folder / "log"
        self.script = {size: folder / f"floor-{size}" / "n1.sh" for size in sizes}
        self.lab: dict[int, list[sites.Reach]] = {}
        self.quick: dict[int, list[sites.Reach]] = {}
        self.answering: dict[int, LabNode] = {}

    def prepare(self, size: int) -> None:
        """Make a lab node, converge it, record what a second apply asks, make a node that answers at once."""
        node = nodes.lab_node(self.folder / "lab", f"n{size}", sites.disks(size))
        self.lab[size] = [self.servers.reach("n1", self.servers.sshd(node))]
        site = self.site(f"lab-{size}", size, self.lab[size])
        begun = time.monotonic()
        if size > FILLED:
            fill.fill(node, site, PASSWORD)
        else:
            once(self.apply(site), self.log)
        how = " (its tools called in one process)" if size > FILLED else ""
        print(f"{size:5} resources converged in {time.monotonic() - begun:.1f} s{how}", flush=True)
        self.script[size].parent.mkdir()
        recording = [sys.executable, "-m", "benchmarks.record", str(self.script[size].parent)]
        once(self.apply(site, start=recording), self.log)
        self.answering[size] = nodes.quick(node, self.script[size], self.folder / "lab" / f"q{size}")
        self.quick[size] = [self.servers.reach("n1", self.servers.sshd(self.answering[size]))]

    def more(self, size: int, count: int) -> list[sites.Reach]:
        """Return `count` answering nodes: the one there is, and copies of it."""
        found = list(self.quick[size])
        for number in range(2, count + 1):
            node = nodes.copy(self.answering[size], self.folder / "lab" / f"q{size}-{number}")
            found.append(self.servers.reach(f"n{number}", self.servers.sshd(node)))
        return found

    def late(self, reaches: Sequence[sites.Reach]) -> list[sites.Reach]:
        """Return the same nodes behind a line with a round-trip time."""
        return [self.servers.reach(r.name, self.servers.delayed(r.port, ROUND_TRIP)) for r in reaches]

    def site(self, name: str, size: int, reaches: Sequence[sites.Reach]) -> Path:
        """Write a site for nodes; all sites have the same secret."""
        folder = sites.write(self.folder / name, size, list(reaches))
        first = self.folder / "secrets"
        if not first.exists():
            phoenix = [*PHOENIX, "--site", str(folder)]
            subprocess.run([*phoenix, "secrets", "init"], check=True, capture_output=True)
            making = [*phoenix, "secrets", "set", sites.SECRET]
            subprocess.run(making, check=True, capture_output=True, input=PASSWORD.encode())
            first.mkdir()
            shutil.copy(folder / ".phoenix/identity.txt", first)
            shutil.copy(folder / "configs/secrets.age", first)
        (folder / ".phoenix").mkdir(exist_ok=True)
        shutil.copy(first / "identity.txt", folder / ".phoenix")
        shutil.copy(first / "secrets.age", folder / "configs")
        return folder

    def apply(self, site: Path, start: Sequence[str] = PHOENIX) -> Subject:
        """Return `phoenix apply --yes` on a site, with its own connection: no master is found or left."""
        place: list[Path] = []

        def before() -> Mapping[str, str]:
            place.append(Path(tempfile.mkdtemp(dir=self.folder, prefix="s")))
            return {"XDG_RUNTIME_DIR": str(place[-1])}

        def after() -> None:
            for socket in place[-1].glob("phoenix-*/*"):
                ending = ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "any"]
                subprocess.run(ending, capture_output=True, check=False)

        return Subject([*start, "--site", str(site), "apply", "--yes"], None, before, after)

    def floor(self, size: int, reaches: Sequence[sites.Reach]) -> Subject:
        """Return the least: a fresh connection a node, one script that asks all; all nodes at once."""
        if len(reaches) == 1:
            return Subject(nodes.floor(reaches[0]), self.script[size])
        ports = " ".join(str(reach.port) for reach in reaches)
        options = nodes.floor(reaches[0])[1:-5]
        environment = {"script": str(self.script[size])}
        return Subject(["sh", "-c", ALL_AT_ONCE, ports, *options], None, lambda: environment)


def _pairs(
    bench: Bench, name: str, reached: Mapping[str, tuple[int, list[sites.Reach]]], times: int
) -> dict[str, list[Run]]:
    """Measure apply and floor in turn for each of some sites, and print the table."""
    subjects: dict[str, Subject] = {}
    for label, (size, reaches) in reached.items():
        site = bench.site(f"{name}-{label}".replace(" ", "-"), size, reaches)
        subjects[f"{label}: apply"] = bench.apply(site)
        subjects[f"{label}: floor"] = bench.floor(size, reaches)
    runs = in_turn(subjects, times, bench.log)
    report.runs_table(runs, {f"{label}: apply": f"{label}: floor" for label in reached})
    return runs


def _local(bench: Bench, sizes: Sequence[int], times: int) -> None:
    """What needs no node: start-up, validate, render; and the parts of a plan."""
    last = bench.folder / f"lab-{sizes[-1]}"
    plain = {"python -c pass": Subject([sys.executable, "-c", "pass"])}
    plain["phoenix --help"] = Subject([*PHOENIX, "--help"])
    for size in sizes:
        arguments = ["--site", str(bench.folder / f"lab-{size}"), "validate"]
        plain[f"phoenix validate, {size} resources"] = Subject([*PHOENIX, *arguments])
    report.heading("Without a node, whole processes")
    report.runs_table(in_turn(plain, times, bench.log), {})
    report.heading(f"Rendering {sizes[-1]} resources, artifacts per second")
    report.parts_table([_inside(bench, "render", last) for _ in range(times)], "", 0)
    for size in sizes:
        site = bench.folder / f"quick-{size}-resources"
        report.heading(f"Parts of `phoenix plan`, {size} resources, quick node")
        report.parts_table([_inside(bench, "split", site) for _ in range(times)], "s", 3)


def _inside(bench: Bench, what: str, site: Path) -> dict[str, float]:
    subject = Subject([sys.executable, "-m", "benchmarks.inside", what, str(site)])
    runtime = bench.apply(site)
    begun = {inside.BEGUN: repr(time.monotonic())}
    once(subject._replace(before=lambda: {**runtime.before(), **begun}, after=runtime.after), bench.log)
    found: dict[str, float] = json.loads(bench.log.read_text().splitlines()[-1])
    return found


def measure(bench: Bench, sizes: Sequence[int], times: int) -> list[Aim]:
    """Measure everything; returns the aims."""
    report.heading("Preparing: converging the lab nodes once")
    for size in sizes:
        bench.prepare(size)
    quick = {f"{size} resources": (size, bench.quick[size]) for size in sizes}
    many = f"{MANY} x 100"
    quick[many] = (100, bench.more(100, MANY))
    report.heading("No-op apply, nodes that answer at once")
    near = _pairs(bench, "quick", quick, times)
    report.heading(f"The same with {ROUND_TRIP} ms of round-trip time")
    far = _pairs(bench, "far", {label: (size, bench.late(r)) for label, (size, r) in quick.items()}, times)
    report.heading("No-op apply, lab nodes (every tool is a Python program)")
    lab = {f"{size} resources": (size, bench.lab[size]) for size in sizes if size <= FILLED}
    slow = _pairs(bench, "slow", lab, max(2, times // 2))
    _local(bench, sizes, times)
    report.heading("Plan of a node with containers, nothing to do")
    grown = containers.measure(bench.folder, CONTAINERS, max(2, times // 2), bench.log)
    report.heading("Reading a site of many guests, on one processor")
    read = loading.measure(bench.folder, GUESTS, max(2, times // 2), bench.log)
    whole = _reference(bench.folder, max(2, times // 2))
    return [*_aims(near, far, slow, many), *grown, *read, *whole]


def _reference(folder: Path, times: int) -> list[Aim]:
    report.heading("No-op apply of the reference site with its guests and services, lab node")
    return reference.measure(folder, times, folder / "log")


def _aims(
    near: Mapping[str, list[Run]], far: Mapping[str, list[Run]], slow: Mapping[str, list[Run]], many: str
) -> list[Aim]:
    one, ten = "100 resources: apply", "1000 resources: apply"
    late = f"with {ROUND_TRIP} ms"
    aims = []
    for where, runs in (("", near), (", lab nodes", slow)):
        aims.append(
            Aim(f"100 resources / floor{where}", 3.5, ratios(runs[one], runs["100 resources: floor"]))
        )
        if ten in runs:
            aims.append(Aim(f"1,000 resources / 100{where}", 3, ratios(runs[ten], runs[one])))
    aims.append(Aim(f"{MANY} nodes / 1 node", 2, ratios(near[f"{many}: apply"], near[one])))
    floors = ratios(near[f"{many}: floor"], near["100 resources: floor"])
    aims.append(Aim(f"  (what the floor itself takes: {MANY} / 1, all on this machine)", 0, floors))
    for label in dict.fromkeys(name.partition(":")[0] for name in far):
        found = ratios(far[f"{label}: apply"], far[f"{label}: floor"])
        aims.append(Aim(f"{label} / floor, {late}", 2, found))
    return aims


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("-n", "--repetitions", type=int, default=5, help="of each command, in turn (5)")
    parser.add_argument(
        "--sizes", default="10,100,1000", help="resources a node (10,100,1000; 100 is always one)"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 when an aim is not met")
    parser.add_argument(
        "--keep", action="store_true", help="keep the sites and nodes, and say where they are"
    )
    parser.add_argument("--reference", action="store_true", help="only the reference site; needs no OpenSSH")
    chosen = parser.parse_args()
    sizes = sorted({100, *(int(size) for size in chosen.sizes.split(","))})
    missing = [
        tool for tool in ("ssh", "sshd") if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin")
    ]
    if missing and not chosen.reference:
        print(f"cannot measure without {' and '.join(missing)} (openssh)", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="pb-"))
    try:
        if chosen.reference:
            aims = _reference(folder, chosen.repetitions)
        else:
            with nodes.Servers(folder) as servers:
                aims = measure(Bench(folder, servers, sizes), sizes, chosen.repetitions)
    except Broken as broken:
        print(f"broken: {broken}", file=sys.stderr)
        return 1
    finally:
        if chosen.keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    report.heading("Aims (median of the pairs)")
    report.aims_table(aims)
    return int(chosen.strict and not all(aim.met for aim in aims))


if __name__ == "__main__":
    sys.exit(main())
