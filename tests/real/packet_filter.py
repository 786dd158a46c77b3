"""The firewall's daemon of a real node: gives the kernel what `pve-firewall compile` prints.

Laid onto nodes as a program of its own, beside the lab's stand-ins. The lines of all chains are those of
the stand-in, which is held to what Proxmox printed itself; sets go through `ipset restore`, chains through
`iptables-restore`, as Proxmox does. A node has no other rules, so its whole table is exchanged at once.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

STANDINS = "/usr/local/lib/phoenix-lab"
PLACE = "/usr/local/lib/phoenix-firewall.py"
LOADED = Path("/run/phoenix-firewall.loaded")
UNIT = f"""\
[Unit]
Description=Proxmox VE firewall
After=phoenix-lab.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 -I -S -B {PLACE} load
ExecReload=/usr/bin/python3 -I -S -B {PLACE} load
ExecStop=/usr/bin/python3 -I -S -B {PLACE} unload
[Install]
WantedBy=multi-user.target
"""
TOOL = f"""\
#!/bin/sh
case $1 in
    status) exec /usr/bin/python3 -I -S -B {PLACE} status ;;
    start | stop | restart) exec systemctl "$1" pve-firewall ;;
esac
exec /usr/bin/python3 -I -S -B {STANDINS} pve-firewall "$@"
"""
HOOKS = {"INPUT": "PVEFW-INPUT", "OUTPUT": "PVEFW-OUTPUT", "FORWARD": "PVEFW-FORWARD"}
BRIDGED = Path("/proc/sys/net/bridge")


def compiled():
    """Return chains as lists of lines: sets, IPv4, IPv6; and whether the firewall is on."""
    sys.path.insert(0, STANDINS)
    import firewall_daemon

    found, cluster = firewall_daemon.compile_now(loud=False)
    return found.ipsets, found.v4, found.v6, cluster.options.get("enable") == "1"


def table(chains):
    """Return a whole table for `iptables-restore`."""
    lines = [
        "*filter",
        *(f":{hook} ACCEPT [0:0]" for hook in HOOKS),
        *(f":{name} - [0:0]" for name in chains),
    ]
    lines += [f"-A {hook} -j {chain}" for hook, chain in HOOKS.items() if chain in chains]
    lines += [line for each in chains.values() for line in each]
    return "\n".join([*lines, "COMMIT", ""])


def filled(sets):
    """Return what makes and fills sets for `ipset restore`; those in use are exchanged."""
    lines = []
    for name, (create, *members) in sets.items():
        new = f"{name}_swap"
        lines += [f"{create} -exist", create.replace(name, new, 1)]
        lines += [member.replace(name, new, 1) for member in members]
        lines += [f"swap {new} {name}", f"destroy {new}"]
    return "\n".join([*lines, ""])


def tool(version):
    """Return the tool of an IP version: Proxmox takes the older one where the kernel has it."""
    name = "iptables" if version == 4 else "ip6tables"
    for each in ("legacy", "nft"):
        asked = subprocess.run([f"{name}-{each}", "-w", "-n", "-L"], capture_output=True, check=False)
        if asked.returncode == 0:
            return f"{name}-{each}-restore"
    raise SystemExit(f"the kernel takes no rules: {asked.stderr.decode()}")


def give(sets, v4, v6):
    """Load it: sets first, for chains name them."""
    feed(["ipset", "restore"], filled(sets))
    feed([tool(4), "-w"], table(v4))
    feed([tool(6), "-w"], table(v6))
    there = subprocess.run(["ipset", "list", "-n"], capture_output=True, text=True, check=True).stdout.split()
    for name in set(there) - set(sets):
        subprocess.run(["ipset", "destroy", name], check=True)


def feed(argv, text):
    ended = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{' '.join(argv)}: {ended.stderr}\n{text}")


def digest():
    """Return what tells one set of rules from another."""
    return hashlib.sha256(repr(compiled()).encode()).hexdigest()


def status():
    """Say what `pve-firewall status` says."""
    asked = subprocess.run(["systemctl", "is-active", "--quiet", "pve-firewall"], check=False)
    on = "enabled" if compiled()[3] else "disabled"
    if asked.returncode:
        return f"{on}/stopped"
    settled = LOADED.exists() and LOADED.read_text() == digest()
    return f"{on}/running{'' if settled else ' (pending changes)'}"


def main(verb):
    if verb == "status":
        sys.stdout.write(f"Status: {status()}\n")
        return
    sets, v4, v6, on = compiled()
    LOADED.unlink(missing_ok=True)
    if verb == "load" and on:
        for family in ("ip", "ip6"):  # what goes over a bridge is asked about like all the rest
            (BRIDGED / f"bridge-nf-call-{family}tables").write_text("1")
        give(sets, v4, v6)
    else:
        give({}, {}, {})
    if verb == "load":
        LOADED.write_text(digest())


if __name__ == "__main__":
    main(sys.argv[1])
