"""Reading a site of many guests: `phoenix validate` on one processor, against parsing its YAML alone."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from . import report
from .measure import Run, Subject, in_turn
from .report import Aim

PHOENIX = (sys.executable, "-c", "from phoenix_hypervisor.cli import main; main()")
PARSE = """\
import sys
from pathlib import Path
from ruamel.yaml import YAML
for path in Path(sys.argv[1]).rglob("*.yaml"):
    list(YAML(typ="safe").load_all(path.read_text()))
"""
"""The floor: the same files, parsed by ruamel's C parser and nothing else."""
SECONDS, MEBIBYTES = 10.0, 1024.0
QUICK = 1.0
"""What a hundred guests may take, so that an editor can ask after each change."""
NODE = """\
hardware:
  memory: 64T
  disks: {a: {id: d1, size: 4P}, b: {id: d2, size: 4P}}
zfs_pool: {tank: {vdevs: [{type: mirror, disks: [d1, d2]}]}}
zfs_dataset: {tank/disks: {}, tank/iso: {}, tank/models: {}}
pve_storage:
  disks: {type: zfspool, pool: tank/disks, content: [rootdir]}
  iso: {type: dir, path: /tank/iso, content: [iso, vztmpl]}
ct_template: {base: {storage: iso, file: base_1_amd64.tar.zst}}
network_interface:
  vmbr0: {addresses: [10.0.0.1/8], ports: []}
"""
LAYER = """\
lxc:
  template: base
  rootfs: {storage: disks, size: 8G}
  net: {eth0: {bridge: vmbr0, ip: 10.255.255.1/8}}
lxc_layer: {}
"""
PROFILE = """\
lxc:
  clone: layer
  cores: 2
  memory: 2G
  onboot: true
  startup: {order: 2, up: 5}
host_file:
  /etc/app/defaults.conf: {content: "workers = 2\\n"}
"""
GUEST = """\
profiles: [app]
lxc:
  description: Guest number {n}
  tags: [app, row{row}]
  rootfs: {{size: 16G}}
  net: {{eth0: {{bridge: vmbr0, ip: 10.{a}.{b}.{c}/8, gw: 10.0.0.1}}}}
host_file:
  /etc/app/own.conf:
    content: |
      name = app{n}
"""


def write(folder: Path, guests: int) -> Path:
    """Write a site of one node with a layer and that many clones of it."""
    files = {
        "configs/site.yaml": "name: many\n",
        "configs/nodes/pve.yaml": NODE,
        "configs/profiles/app.yaml": PROFILE,
        "configs/guests/900-layer.yaml": LAYER,
        "inventory/hosts.yaml": "pve: {hostname: 10.0.0.1}\n",
    }
    for n in range(guests):
        a, b, c = 1 + n // 62500, n // 250 % 250, 1 + n % 250
        files[f"configs/guests/{1000 + n}-app{n}.yaml"] = GUEST.format(n=n, row=n % 10, a=a, b=b, c=c)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def measure(folder: Path, sizes: Sequence[int], times: int, log: Path) -> list[Aim]:
    """Measure, print, and return the aims: the larger of the sizes is the one with limits."""
    one = ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if shutil.which("taskset") else []
    subjects: dict[str, Subject] = {}
    for size in sizes:
        site = write(folder / f"guests-{size}", size)
        subjects[f"{size} guests: validate"] = Subject([*one, *PHOENIX, "--site", str(site), "validate"])
        subjects[f"{size} guests: floor"] = Subject([*one, sys.executable, "-c", PARSE, str(site)])
    runs = in_turn(subjects, times, log)
    report.runs_table(runs, {f"{size} guests: validate": f"{size} guests: floor" for size in sizes})
    return _aims(runs, sizes)


def _aims(runs: dict[str, list[Run]], sizes: Sequence[int]) -> list[Aim]:
    few, many = (runs[f"{size} guests: validate"] for size in (min(sizes), max(sizes)))
    return [
        Aim(f"{min(sizes):,} guests: validate, seconds", QUICK, [run.seconds for run in few]),
        Aim(f"{max(sizes):,} guests: validate, seconds", SECONDS, [run.seconds for run in many]),
        Aim(f"{max(sizes):,} guests: validate, MiB", MEBIBYTES, [run.megabytes for run in many]),
    ]
