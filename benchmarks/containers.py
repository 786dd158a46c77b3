"""What a plan costs with many containers on one node: the same few round trips, a constant part for each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from phoenix_hypervisor.config import load
from phoenix_hypervisor.lab.node import LabNode
from phoenix_hypervisor.render import Renderer, render

from . import report
from .measure import Broken, Subject, in_turn
from .report import Aim

PHOENIX = (sys.executable, "-c", "from phoenix_hypervisor.cli import main; main()")
FIRST = 1000
"""The first container's VMID."""
TRIPS = 8
ATTACH = """\
#!/bin/sh
# in place of the lab's own, which makes a root for the guest: some 60 ms, where LXC needs a few
shift 4
exec "$@"
"""
GUEST = """\
lxc:
  hostname: ct{n}
  description: "number {n}"
  tags: [bench, web]
  cores: 2
  memory: 512M
  swap: 256M
  cpulimit: 1.5
  onboot: true
  startup: {{ order: 3, up: 5, down: 5 }}
  nameserver: [10.0.0.1]
  features: {{ nesting: true }}
  net:
    eth0: {{ bridge: vmbr0, ip: 10.1.{b}.{c}/8, gw: 10.0.0.1, mac: "52:54:00:01:{b:02X}:{c:02X}" }}
"""


def prepare(folder: Path, count: int) -> Path:
    """Make a site with that many running containers, and its lab node that has them already."""
    site = folder / f"containers-{count}"
    for part in ("configs/nodes", "configs/guests", "inventory"):
        (site / part).mkdir(parents=True)
    (site / "configs/site.yaml").write_text("name: bench\n")
    (site / "configs/nodes/pve.yaml").write_text("{}\n")
    (site / "inventory/hosts.yaml").write_text("pve: {data: {transport: lab}}\n")
    for n in range(count):
        text = GUEST.format(n=n, b=n // 250, c=n % 250 + 2)
        (site / f"configs/guests/{FIRST + n}-ct{n}.yaml").write_text(text)
    node = LabNode(site / ".phoenix/lab/pve")
    node.folder.parent.mkdir(parents=True)
    node.up("pve", [])
    _fill(site, node)
    return site


def _fill(site: Path, node: LabNode) -> None:
    """Write what Proxmox would have written, and note in the lab's model that they run."""
    resources = load(site).resources
    folder = node.root / "etc/pve/nodes/pve/lxc"
    for file in render(resources.items(), Renderer(site)):
        if file.path.startswith("/etc/pve/lxc/"):
            (folder / Path(file.path).name).write_text(file.text)
    attach = node.root / "usr/local/sbin/lxc-attach"
    attach.write_text(ATTACH)
    model = node.root / "var/lib/phoenix-lab/model.json"
    state = json.loads(model.read_text())
    state["guests"] = {ref.name: {"running": True, "pid": 400_000 + n} for n, ref in enumerate(resources)}
    model.write_text(json.dumps(state))


def measure(folder: Path, sizes: Sequence[int], times: int, log: Path) -> list[Aim]:
    """Measure plans that find nothing to do; returns the aims."""
    plans: dict[str, Subject] = {}
    for size in sizes:
        argv = [*PHOENIX, "--site", str(prepare(folder, size)), "-v", "plan"]
        said = subprocess.run(argv, capture_output=True, text=True, check=False)
        if said.returncode or f"{size} resources as declared" not in said.stdout:
            raise Broken(f"a plan of {size} containers is not empty:\n{said.stdout[:2000]}{said.stderr}")
        trips = int(said.stderr.split("round trips")[0].split()[-1])
        print(f"{size:5} containers: {trips} round trips (aim: at most {TRIPS})")
        if trips > TRIPS:
            raise Broken(f"{trips} round trips for {size} containers")
        plans[f"{size} containers: plan"] = Subject(argv)
    runs = in_turn(plans, times, log)
    report.runs_table(runs, {})
    middle = {size: median(run.seconds for run in runs[f"{size} containers: plan"]) for size in sizes}
    for size in sizes:
        print(f"{size:5} containers: {middle[size] / size * 1000:6.1f} ms each, start-up included")
    small, mid, large = sizes
    pairs = zip(*(runs[f"{size} containers: plan"] for size in sizes), strict=True)
    grown = [
        ((c.seconds - b.seconds) / (large - mid)) / ((b.seconds - a.seconds) / (mid - small))
        for a, b, c in pairs
    ]
    return [Aim(f"a further container, from {mid} to {large} / from {small} to {mid}", 1.5, grown)]
