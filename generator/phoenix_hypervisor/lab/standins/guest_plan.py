"""From a container's configuration to the plan it is started with; what it needs must be there."""

import os
import re
import stat

import guest_formats
import guest_mounts
import guest_nets
import guest_volumes
import model
from guest_conf import Conf, Refused
from guest_runtime import Plan

BASE, COUNT = 100000, 65536
Row = dict[str, str | bool]


def make(conf: Conf) -> Plan:
    """Return what to start a container with. Raises Refused, in the order in which Proxmox finds out."""
    for key, line in (("arch", 676), ("ostype", 694)):
        if key not in conf.values:
            raise Refused(f"missing '{key}' - internal error at /usr/share/perl5/PVE/LXC.pm line {line}.")
    mounts = guest_mounts.every(conf)
    if "rootfs" not in mounts:
        raise Refused("missing 'rootfs' configuration")
    devices = _devices(conf)
    nets = guest_nets.every(conf)
    for net in nets.values():
        if net.get("bridge", "") and net["bridge"] not in guest_nets.bridges():
            raise Refused(f"bridge '{net['bridge']}' does not exist")
    for mount in mounts.values():
        if guest_mounts.kind(mount) == "volume" and not guest_volumes.exists(mount["volume"]):
            raise Refused(f"volume '{mount['volume']}' does not exist")
    root = mounts.pop("rootfs")
    addresses = [
        net[key].partition("/")[0]
        for net in nets.values()
        for key in ("ip", "ip6")
        if "/" in net.get(key, "")
    ]
    return {
        "root": guest_volumes.place(root["volume"]),
        "hostname": conf.values.get("hostname", f"CT{conf.vmid}").partition(".")[0],
        "idmap": idmap(conf),
        "mounts": [*map(_mount, mounts.values()), *_raw_mounts(conf)],
        "devices": devices,
        "bridges": [[key.removeprefix("net"), net.get("bridge", "")] for key, net in nets.items()],
        "addresses": addresses,
        "nets": [_net(key, net) for key, net in nets.items() if "bridge" in net and "name" in net],
    }


def _net(key: str, net: dict[str, str]) -> list[str | dict[str, str]]:
    kept = ("name", "bridge", "ip", "gw", "ip6", "gw6")
    return [key.removeprefix("net"), {key: net[key] for key in kept if key in net}]


def idmap(conf: Conf) -> list[list[str | int]]:
    """Return which ids of the container are which of the node: [u or g, inside, outside, how many]."""
    rows: list[list[str | int]] = []
    for key, value in conf.raw:
        words = value.split()
        if key == "lxc.idmap" and len(words) == 4 and all(word.isdecimal() for word in words[1:]):
            rows.append([words[0], *map(int, words[1:])])
    if not rows and conf.values.get("unprivileged") == "1":
        rows = [["u", 0, BASE, COUNT], ["g", 0, BASE, COUNT]]
    return rows


def _mount(mount: guest_mounts.Mount) -> Row:
    volume = guest_mounts.kind(mount) == "volume"
    if guest_mounts.kind(mount) == "device":
        model.not_simulated("pct", ["start", f"with a block device mounted: {mount['volume']}"])
    source = guest_volumes.place(mount["volume"]) if volume else mount["volume"]
    return {"source": source, "target": mount["mp"], "read_only": mount.get("ro") == "1", "volume": volume}


def _raw_mounts(conf: Conf) -> list[Row]:
    """Bind mounts that `lxc.mount.entry` asks for; other file systems are not simulated."""
    found: list[Row] = []
    for key, value in conf.raw:
        words = value.split()
        options = words[3].split(",") if key == "lxc.mount.entry" and len(words) > 3 else []
        if "bind" in options or "rbind" in options:
            row: Row = {
                "source": words[0],
                "target": "/" + words[1].lstrip("/"),
                "read_only": "ro" in options,
            }
            found.append(row | {"volume": False, "optional": "optional" in options})
    return found


def missing_folder(plan: Plan) -> str:
    """Return the first folder of the node that is to be mounted and is not there; empty if none."""
    for row in plan["mounts"]:
        if not row["volume"] and not row.get("optional") and not os.path.exists(model.path(row["source"])):
            return str(row["source"])
    return ""


def _devices(conf: Conf) -> list[list[str | int]]:
    found: list[list[str | int]] = []
    for key in sorted(
        (key for key in conf.values if re.fullmatch(r"dev\d+", key)), key=lambda key: int(key[3:])
    ):
        row = guest_formats.parse(guest_formats.DEVICE, conf.values[key])
        path = model.path(row["path"])
        if not os.path.exists(path):
            raise Refused(f"Device {row['path']} does not exist")
        kind = os.stat(path).st_mode
        if not (stat.S_ISCHR(kind) or stat.S_ISBLK(kind)):
            raise Refused(f"{row['path']} is not a device")
        found.append([row["path"], row.get("mode", "0660"), int(row.get("uid", 0)), int(row.get("gid", 0))])
    return found
