"""pve-firewall: compile, simulate, status, localnet, start, stop, restart."""

import base64
import hashlib
import sys

import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firewall_chains import Compiled
    from firewall_simulate import Packet

USAGE = "pve-firewall <COMMAND> [ARGS] [OPTIONS]"
PACKET = ("from", "to", "protocol", "source", "dest", "dport", "sport")


def main(argv: list[str]) -> int:
    verb, rest = (argv[0], argv[1:]) if argv else ("", [])
    verbs = {"compile": _compile, "status": _status, "localnet": _localnet, "simulate": _simulate}
    if verb in verbs:
        if rest and verb != "simulate":
            print("400 too many arguments", file=sys.stderr)
            return 255
        return verbs[verb](rest)
    if verb in ("start", "stop", "restart") and not rest:
        import unit_jobs
        from firewall_daemon import UNIT

        # The real one signals its own daemon; systemd sees what becomes of it.
        return {"start": unit_jobs.start, "stop": unit_jobs.stop, "restart": unit_jobs.restart}[verb](UNIT)
    if verb and verb not in ("start", "stop", "restart", "help"):
        print(f"ERROR: unknown command 'pve-firewall {verb}'\n{USAGE}", file=sys.stderr)
        return 255
    return model.not_simulated("pve-firewall", argv)


def _compile(_: list[str]) -> int:
    import firewall_daemon

    compiled, cluster = firewall_daemon.compile_now()
    print("ipset cmdlist:")
    for chain, lines in sorted(compiled.ipsets.items()):
        _shown(chain, lines, sorted(lines))
    for title, table in (
        ("iptables cmdlist:", compiled.v4),
        ("ip6tables cmdlist:", compiled.v6),
        ("ebtables cmdlist:", compiled.ebtables),
    ):
        print(f"\n{title}")
        for chain, lines in sorted(table.items()):
            _shown(chain, lines, lines)
    print("\niptables table raw cmdlist:\n\nip6tables table raw cmdlist:")
    # Nothing is ever in a kernel here, so everything would be new.
    print("detected changes")
    if cluster.options.get("enable") != "1":
        print("firewall disabled")
    return 0


def _shown(chain: str, lines: list[str], digested: list[str]) -> None:
    digest = (
        base64.b64encode(hashlib.sha1("".join(digested).encode(), usedforsecurity=False).digest())
        .decode()
        .rstrip("=")
    )
    print(f"create {chain} ({digest})")
    for line in lines:
        print(f"\t{line}")


def _status(__: list[str]) -> int:
    import firewall_conf
    import firewall_daemon
    import units

    running = units.active(model.read(), firewall_daemon.UNIT)
    if running:
        # The daemon reads its files every ten seconds; here, whenever somebody asks.
        firewall_daemon.load()
        _, cluster = firewall_daemon.compile_now()
    else:
        cluster = firewall_conf.load("cluster", firewall_conf.CLUSTER)
    on = "enabled" if cluster.options.get("enable") == "1" else "disabled"
    print(f"Status: {on}/{'running' if running else 'stopped'}")
    return 0


def _localnet(_: list[str]) -> int:
    import firewall_chains
    import firewall_conf
    import firewall_daemon

    own = firewall_daemon.own_address()
    detected = firewall_chains.network_of(own) or "127.0.0.0/8"
    cluster = firewall_conf.load("cluster", firewall_conf.CLUSTER, loud=False)
    declared = cluster.aliases.get("local_network")
    print(f"local hostname: {model.read().get('hostname', 'pve')}")
    print(f"local IP address: {own.partition('/')[0]}")
    print(f"network auto detect: {detected}")
    if declared:
        print(f"using user defined local_network: {declared}")
    else:
        print(f"using detected local_network: {detected}")
    return 0


def _simulate(argv: list[str]) -> int:
    import firewall_daemon
    import firewall_simulate

    wanted = {"from": "outside", "to": "host", "protocol": "tcp"}
    rest = list(argv)
    while rest:
        name = rest.pop(0).removeprefix("--")
        if name not in PACKET or not rest:
            model.not_simulated("pve-firewall", ["simulate", *argv])
        wanted[name] = rest.pop(0)
    guest = wanted["to"].removeprefix("ct")
    if wanted["from"] != "outside" or not (wanted["to"] == "host" or guest.isdecimal()):
        model.not_simulated("pve-firewall", ["simulate", *argv])
    if ":" in wanted.get("source", ""):
        print(
            "400 Parameter verification failed.\nsource: value does not look like a valid ipv4 address",
            file=sys.stderr,
        )
        return 255
    compiled, _ = firewall_daemon.compile_now(loud=False)
    print("Test packet:")
    for name in PACKET:
        if name in wanted:
            print(f"  {name if name != 'protocol' else 'proto':<8}: {wanted[name]}")
    ports = [int(wanted[name]) if name in wanted else None for name in ("dport", "sport")]
    dest = firewall_daemon.own_address().partition("/")[0] if wanted["to"] == "host" else "100.200.3.4"
    source = wanted.get("source", "100.100.1.2")
    packet = firewall_simulate.Packet(source, wanted.get("dest", dest), wanted["protocol"], *ports)
    if wanted["to"] == "host":
        said = firewall_simulate.to_host(compiled, packet)
    else:
        said = _to_guest(compiled, packet, guest)
    if said is None:
        print(f"no such CT '{guest}'", file=sys.stderr)
        return 255
    print(f"ACTION: {said}")
    return 0


def _to_guest(compiled: "Compiled", packet: "Packet", vmid: str) -> str | None:
    import firewall_conf
    import firewall_simulate

    interfaces = firewall_conf.guests().get(vmid)
    if interfaces is None:
        return None
    if not interfaces:
        return "ACCEPT"
    number, bridge, _ = interfaces[0]
    return firewall_simulate.to_guest(compiled, packet, f"{vmid}i{number}", bridge)
