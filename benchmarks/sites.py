"""Generated sites: as many mixed resources a node as wanted, on as many nodes as wanted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

PER_HUNDRED = {
    "zfs_pool": 2,
    "zfs_dataset": 60,
    "pve_storage": 14,
    "nfs_export": 8,
    "samba_share": 8,
    "samba_user": 7,
}
"""What 100 resources are, beside the one `zfs_arc` a node can have."""
PER_TEN = {
    "zfs_pool": 1,
    "zfs_dataset": 4,
    "pve_storage": 1,
    "nfs_export": 1,
    "samba_share": 1,
    "samba_user": 1,
}
OWNED = (1, 4)
"""Of five datasets these have a declared owner: as many as in the reference site."""
DISK_SIZE = 2_000_398_934_016
SECRET = "bench/user"


class Reach(NamedTuple):
    """How a node of the site is reached over ssh."""

    name: str
    port: int
    options: tuple[str, ...]


def disks(resources: int) -> list[str]:
    """Return the by-id names of the disks a node with that many resources has: one for each pool."""
    return [f"nvme-Bench_{n}" for n in range(1, _counts(resources)["zfs_pool"] + 1)]


def write(folder: Path, resources: int, nodes: list[Reach]) -> Path:
    """Write a site whose nodes all have that many resources (10, or a multiple of 100); return its folder."""
    for part in ("configs/nodes", "configs/profiles", "configs/guests", "inventory"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    _dump(folder / "configs/site.yaml", {"name": "bench", "defaults": {"zfs_dataset": {"*": _EVERY_DATASET}}})
    for node in nodes:
        (folder / f"configs/nodes/{node.name}.yaml").write_text(_node(resources))
    hosts = {
        node.name: {
            "hostname": "127.0.0.1",
            "port": node.port,
            "data": {"transport": "ssh", "ssh_options": list(node.options)},
        }
        for node in nodes
    }
    _dump(folder / "inventory/hosts.yaml", hosts)
    return folder


_EVERY_DATASET = {"compression": "lz4", "sync": "standard", "atime": "off"}


def _counts(resources: int) -> dict[str, int]:
    if resources == 10:
        return PER_TEN
    found = {kind: number * (resources // 100) for kind, number in PER_HUNDRED.items()}
    # the ARC's limit is one a node: of larger nodes, users make up the number
    return {**found, "samba_user": found["samba_user"] + resources // 100 - 1}


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))  # JSON is YAML


def _node(resources: int) -> str:
    """The text of a node's file, in the block style people write: JSON would be read faster."""
    count = _counts(resources)
    pools = [f"p{n}" for n in range(1, count["zfs_pool"] + 1)]
    datasets = [
        f"{pools[n % len(pools)]}/d{n + 1}" for n in range(count["zfs_dataset"] - len(pools))
    ]  # each pool's root dataset is one, too
    lines = ["hardware:", "  disks:"]
    lines += [f"    {disk}: {{ id: {disk}, size: {DISK_SIZE} }}" for disk in disks(resources)]
    lines += ["zfs_arc:", "  max: 32G", "zfs_pool:"]
    for pool, disk in zip(pools, disks(resources), strict=True):
        lines += [f"  {pool}:", "    vdevs:", "      - type: stripe", f"        disks: [{disk}]"]
    lines += ["zfs_dataset:", *[f"  {pool}: {{}}" for pool in pools]]
    for number, dataset in enumerate(datasets):
        owner = ', owner: u1, group: u1, mode: "0770"' if number % 5 in OWNED else ""
        lines.append(f"  {dataset}: {{ recordsize: 128K, quota: 10G{owner} }}")
    lines += [*_storages(count, datasets), *_shared(count, datasets)]
    return "\n".join(lines) + "\n"


def _storages(count: dict[str, int], datasets: list[str]) -> list[str]:
    lines = ["pve_storage:"]
    for number in range(count["pve_storage"]):
        dataset = datasets[number]
        if number % 2:
            lines.append(
                f"  st{number}: {{ type: dir, path: /{dataset}, content: [iso], is_mountpoint: true }}"
            )
        else:
            lines.append(
                f"  st{number}: {{ type: zfspool, pool: {dataset}, content: [images], sparse: true }}"
            )
    return lines


def _shared(count: dict[str, int], datasets: list[str]) -> list[str]:
    lines = ["nfs_export:"]
    for dataset in datasets[-count["nfs_export"] :]:
        lines += [f"  /{dataset}:", "    clients:", "      10.0.0.0/24: [rw, sync, no_subtree_check]"]
    lines.append("samba_user:")
    lines += [f"  u{n}: {{ password: !secret {SECRET} }}" for n in range(1, count["samba_user"] + 1)]
    lines.append("samba_share:")
    for number in range(count["samba_share"]):
        path = (
            f"/{datasets[-count['nfs_export'] - 1 - number]}" if len(datasets) > 3 else f"/{datasets[number]}"
        )
        lines.append(f"  s{number}: {{ path: {path}, valid_users: [u1] }}")
    return lines
