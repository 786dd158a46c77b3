"""/var/lib/lxc/<vmid>/config: what Proxmox makes of a guest's conf for LXC, whenever the conf changes."""

import os
import sys

import guest_nets
import model
from guest_conf import Conf, Refused
from guest_formats import FEATURES, parse

FOLDER = "/var/lib/lxc"
MIB = 1 << 20
_CGROUP = "lxc.cgroup2"


def refresh(conf: Conf) -> None:
    """Write LXC's configuration of a guest; refuse what cannot be one."""
    if conf.values.get("template") == "1":
        return
    text = "".join(f"{key} = {value}\n" for key, value in _lines(conf))
    folder = model.path(f"{FOLDER}/{conf.vmid}")
    if not os.path.lexists(folder + "/rootfs"):
        os.makedirs(folder + "/rootfs")
    with open(folder + "/config", "w", encoding="utf-8") as file:
        file.write(text)


def forget(vmid: str) -> None:
    """Remove what `refresh` made."""
    import shutil

    shutil.rmtree(model.path(f"{FOLDER}/{vmid}"), ignore_errors=True)


def _lines(conf: Conf) -> list[tuple[str, str]]:
    values, vmid = conf.values, conf.vmid
    for key, line in (("arch", 676), ("ostype", 694)):
        if key not in values:
            raise Refused(f"missing '{key}' - internal error at /usr/share/perl5/PVE/LXC.pm line {line}.")
    unprivileged = values.get("unprivileged") == "1"
    lines = [
        ("lxc.cgroup.relative", "0"),
        ("lxc.cgroup.dir.monitor", f"lxc.monitor/{vmid}"),
        ("lxc.cgroup.dir.container", f"lxc/{vmid}"),
        ("lxc.cgroup.dir.container.inner", "ns"),
        ("lxc.arch", values["arch"]),
        ("lxc.include", "/usr/share/lxc/config/common.conf"),
    ]
    own = {key for key, _ in conf.raw}
    if unprivileged:
        lines.append(("lxc.include", "/usr/share/lxc/config/userns.conf"))
        lines.append(("lxc.seccomp.profile", f"{FOLDER}/{vmid}/rules.seccomp"))
    lines += _apparmor(values, own)
    lines.append(("lxc.monitor.unshare", "1"))
    if unprivileged and "lxc.idmap" not in own:
        lines += [("lxc.idmap", "u 0 100000 65536"), ("lxc.idmap", "g 0 100000 65536")]
    lines.append(("lxc.tty.max", values.get("tty", "2")))
    lines.append(("lxc.environment", "TERM=linux"))
    lines.append(("lxc.uts.name", values.get("hostname", f"CT{vmid}").partition(".")[0]))
    lines += _limits(values)
    lines.append(("lxc.rootfs.path", f"{FOLDER}/{vmid}/rootfs"))
    return lines + _nets(conf) + conf.raw


def _apparmor(values: dict[str, str], own: set[str]) -> list[tuple[str, str]]:
    features = parse(FEATURES, values.get("features", ""))
    lines = []
    if "lxc.apparmor.profile" not in own:
        lines.append(("lxc.apparmor.profile", "generated"))
        kinds = ["fuse"] * (features.get("fuse") == "1") + features.get("mount", "").split(";")
        lines += [("lxc.apparmor.raw", f"mount fstype={kind},") for kind in kinds if kind]
        if features.get("nesting") == "1":
            lines.append(("lxc.apparmor.allow_nesting", "1"))
        else:
            lines += [("lxc.apparmor.raw", f"deny mount -> /{place}/,") for place in ("proc", "sys")]
    if values.get("unprivileged") == "1":
        lines.append(("lxc.mount.auto", "sys:rw" if features.get("force_rw_sys") == "1" else "sys:mixed"))
    return lines


def _limits(values: dict[str, str]) -> list[tuple[str, str]]:
    memory, swap, limit = values.get("memory", "512"), values.get("swap", "512"), values.get("cpulimit", "0")
    lines = []
    if memory.isdecimal():
        lines.append((f"{_CGROUP}.memory.max", str(int(memory) * MIB)))
        lines.append((f"{_CGROUP}.memory.high", str(int(memory) * 1024 * 1016)))
    else:
        place = "at /usr/share/perl5/PVE/LXC.pm line 769."
        print(f"""Argument "{memory}" isn't numeric in multiplication (*) {place}""", file=sys.stderr)
    if swap.isdecimal():
        lines.append((f"{_CGROUP}.memory.swap.max", str(int(swap) * MIB)))
    if float(limit):
        lines.append((f"{_CGROUP}.cpu.max", f"{int(float(limit) * 100000)} 100000"))
    weight = min(max(int(values.get("cpuunits", "100")), 1), 10000)
    return [*lines, (f"{_CGROUP}.cpu.weight", str(weight))]


def _nets(conf: Conf) -> list[tuple[str, str]]:
    lines = []
    for key, net in guest_nets.every(conf).items():
        guest_nets.refuse_missing_bridge(net)
        number = key.removeprefix("net")
        lines += [
            (f"lxc.net.{number}.type", "veth"),
            (f"lxc.net.{number}.veth.pair", f"veth{conf.vmid}i{number}"),
            (f"lxc.net.{number}.hwaddr", net["hwaddr"]),
            (f"lxc.net.{number}.name", net["name"]),
            (f"lxc.net.{number}.mtu", net.get("mtu", "1500")),
            (f"lxc.net.{number}.script.up", "/usr/share/lxc/lxcnetaddbr"),
        ]
    return lines
