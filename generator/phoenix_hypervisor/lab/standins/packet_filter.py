"""The firewall's daemon on a node whose kernel filters packets: gives it what `pve-firewall compile` prints.

A program of its own: `packet_filter.py load nft`, `unload`, `status`. The lines of all chains are those of
the stand-in, which is held to what Proxmox printed itself; sets go through `ipset restore`, chains through
`iptables-restore`, as Proxmox does. A node has no other rules, so its whole table is exchanged at once.
"""

from __future__ import annotations

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # it is started with -I

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firewall_chains import Chains

    Found = tuple[Chains, Chains, Chains, bool]
    """Chains as lists of lines: sets, IPv4, IPv6; and whether the firewall is on."""

LOADED = "/run/phoenix-firewall.loaded"
HOOKS = {"INPUT": "PVEFW-INPUT", "OUTPUT": "PVEFW-OUTPUT", "FORWARD": "PVEFW-FORWARD"}
BRIDGED = "/proc/sys/net/bridge"
FAMILIES = ("ip", "ip6")
NOTHING: Found = ({}, {}, {}, False)
CLUSTER_FILE = "/etc/pve/firewall/cluster.fw"


def main(argv: list[str]) -> int:
    """Verbs: load WAY… (nft or legacy, the first that the kernel takes), unload, status."""
    verb, ways = argv[0], argv[1:]
    if verb == "status":
        print(f"Status: {_status()}")
        return 0
    found = _compiled() if verb == "load" else NOTHING
    sets, v4, v6, on = found
    loaded = _forget()
    if on:
        _ask_of_bridges()
        _give(ways, sets, v4, v6)
    elif loaded:
        _give(ways or ["nft", "legacy"], {}, {}, {})
    if verb == "load":
        with open(LOADED, "w", encoding="utf-8") as file:
            file.write(repr(found))
    return 0


def _compiled() -> Found:
    if not os.path.exists(CLUSTER_FILE):  # no firewall: quickly, as at every boot
        return NOTHING
    import firewall_daemon

    found, cluster = firewall_daemon.compile_now(loud=False)
    return found.ipsets, found.v4, found.v6, cluster.options.get("enable") == "1"


def _ask_of_bridges() -> None:
    """Let what goes over a bridge be asked about like all the rest."""
    if not os.path.isdir(BRIDGED):
        subprocess.run(["modprobe", "br_netfilter"], check=True)
    for family in FAMILIES:
        with open(f"{BRIDGED}/bridge-nf-call-{family}tables", "w", encoding="ascii") as file:
            file.write("1")


def _give(ways: list[str], sets: Chains, v4: Chains, v6: Chains) -> None:
    """Load it: sets first, for chains name them."""
    _feed(["ipset", "restore"], _filled(sets))
    for family, chains in zip(FAMILIES, (v4, v6), strict=True):
        _feed([_tool(f"{family}tables", ways), "-w"], _table(chains))
    listed = subprocess.run(["ipset", "list", "-n"], capture_output=True, text=True, check=True)
    for name in set(listed.stdout.split()) - set(sets):
        subprocess.run(["ipset", "destroy", name], check=True)


def _table(chains: Chains) -> str:
    """Return a whole table for `iptables-restore`."""
    lines = [
        "*filter",
        *(f":{hook} ACCEPT [0:0]" for hook in HOOKS),
        *(f":{name} - [0:0]" for name in chains),
    ]
    lines += [f"-A {hook} -j {chain}" for hook, chain in HOOKS.items() if chain in chains]
    lines += [line for each in chains.values() for line in each]
    return "\n".join([*lines, "COMMIT", ""])


def _filled(sets: Chains) -> str:
    """Return what makes and fills sets for `ipset restore`; those in use are exchanged."""
    lines = []
    for name, (create, *members) in sets.items():
        new = f"{name}_swap"
        lines += [f"{create} -exist", create.replace(name, new, 1)]
        lines += [member.replace(name, new, 1) for member in members]
        lines += [f"swap {new} {name}", f"destroy {new}"]
    return "\n".join([*lines, ""])


def _tool(name: str, ways: list[str]) -> str:
    said = ""
    for way in ways:
        asked = subprocess.run(
            [f"{name}-{way}", "-w", "-n", "-L"], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0:
            return f"{name}-{way}-restore"
        said += asked.stderr
    raise SystemExit(f"the kernel takes no rules: {said}")


def _feed(argv: list[str], text: str) -> None:
    ended = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{' '.join(argv)}: {ended.stderr}\n{text}")


def _forget() -> bool:
    """Forget what was loaded; tell whether there was anything."""
    try:
        os.unlink(LOADED)
    except FileNotFoundError:
        return False
    return True


def _status() -> str:
    asked = subprocess.run(["systemctl", "is-active", "--quiet", "pve-firewall"], check=False)
    found = _compiled()
    on = "enabled" if found[3] else "disabled"
    if asked.returncode:
        return f"{on}/stopped"
    try:
        with open(LOADED, encoding="utf-8") as file:
            settled = file.read() == repr(found)
    except FileNotFoundError:
        settled = False
    return f"{on}/running{'' if settled else ' (pending changes)'}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
