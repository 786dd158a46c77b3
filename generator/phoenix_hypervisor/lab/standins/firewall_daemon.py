"""The lab's firewall daemon: what it has loaded, and whether a person who comes by ssh still gets in.

There is no packet filter in the lab. What the real daemon gives to the kernel is a verdict in the model
here: connections that it drops are refused at the node's door (lab/transport.py), and by the programs in
guests (firewall_ports.py).
"""

import ipaddress
import sys
import time

import firewall_chains
import firewall_conf as files
import firewall_ports
import firewall_simulate
import model
import network_live

UNIT = "pve-firewall.service"
OFF: dict[str, object] = {"loaded": False, "ssh": "ACCEPT"}


def own_address() -> str:
    """Return the node's address with its prefix."""
    return network_live.own_address()


def client() -> str:
    """Return where a person's connections to a lab node come from: the last address of its network."""
    network = ipaddress.ip_interface(own_address()).network
    return str(network.broadcast_address - 1)


def compile_now(loud: bool = True) -> tuple[firewall_chains.Compiled, files.Conf]:
    """Compile the files as they are; returns the chains and the datacenter's file."""
    cluster = files.load("cluster", files.CLUSTER, loud=loud)
    host = files.load("host", files.HOST, cluster, loud)
    guests = {
        vmid: (files.load("vm", f"{files.FOLDER}/{vmid}.fw", cluster, loud), interfaces)
        for vmid, interfaces in files.guests().items()
        if files.exists(f"{files.FOLDER}/{vmid}.fw")
    }

    def say(text: str) -> None:
        if loud:
            print(text, file=sys.stderr)

    local = firewall_chains.network_of(own_address())
    return firewall_chains.compile_all(cluster, host, guests, local, say), cluster


def load() -> None:
    """Give the rules to the kernel, or take them away when the firewall is off."""
    compiled, cluster = compile_now(loud=False)
    enabled = cluster.options.get("enable") == "1"
    verdict: str | None = "ACCEPT"
    if enabled:
        packet = firewall_simulate.Packet(client(), str(own_address().partition("/")[0]), "tcp", 22, None)
        verdict = firewall_simulate.to_host(compiled, packet)
    _note({"loaded": enabled, "ssh": verdict})
    _tell_guests(compiled if enabled else None)


def unload() -> None:
    """The daemon ends: the node is without a firewall."""
    _note(OFF)
    _tell_guests(None)


def _tell_guests(compiled: firewall_chains.Compiled | None) -> None:
    if firewall_ports.tell(compiled):
        time.sleep(firewall_ports.TAKES)


def _note(now: dict[str, object]) -> None:
    """Write it down when it is something new: most who ask change nothing."""
    if model.read().get("firewall", OFF) != now:
        with model.change() as state:
            state["firewall"] = now
