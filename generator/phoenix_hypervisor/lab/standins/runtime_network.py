"""The network of a connection's guests: the node's bridges, and a cable to each guest that runs.

A bridge connects all that hangs on it, whatever VLAN it is in. There is nothing outside.
"""

import os
from typing import Any

import guest_spaces
import model
import netlink
import network_live

Row = dict[str, Any]
STATE = "/var/lib/phoenix-lab"
"""Of a guest: where its model is."""


class Network:
    """What has been made of it; empty until the first guest is connected."""

    def __init__(self) -> None:
        self._kernel: netlink.Kernel | None = None
        self._bridges: set[str] = set()
        self.connected: dict[str, tuple[int, str]] = {}
        """VMID → (number of its start, its interfaces as they were)."""

    def connect(self, guests: dict[str, Row]) -> None:
        """Let there be a cable to each of these guests and to no others. Raises OSError."""
        if not guests and not self.connected:
            return
        if self._kernel is None:
            self._kernel = self._begin()
        for vmid in [vmid for vmid, seen in self.connected.items() if _seen(guests.get(vmid)) != seen]:
            # its end of the cable goes with its namespace
            guest_spaces.drop(vmid)
            del self.connected[vmid]
        for vmid, row in guests.items():
            if vmid not in self.connected:
                self._plug(self._kernel, vmid, row)
                self.connected[vmid] = _seen(row)

    def _begin(self) -> netlink.Kernel:
        """Give the node its addresses: those of bridges there, all others where they are reached as well."""
        kernel = netlink.Kernel()
        kernel.up("lo")
        for name, link in network_live.read().items():
            if name == "lo" or not link["up"]:
                continue
            if link["kind"] == "bridge":
                self._bridge(kernel, name)
            for address in (*link["addresses"], *link.get("dynamic", ())):
                if link["kind"] == "bridge":
                    kernel.address(name, address)
                else:
                    kernel.address("lo", address.partition("/")[0])
        return kernel

    def _bridge(self, kernel: netlink.Kernel, name: str) -> None:
        if name not in self._bridges:
            kernel.bridge(name[:15])
            kernel.impatient(name[:15])
            self._bridges.add(name)

    def _plug(self, kernel: netlink.Kernel, vmid: str, row: Row) -> None:
        pid = guest_spaces.holder(vmid, row["pid"])
        nets = row["plan"].get("nets", ())
        for number, net in nets:
            self._bridge(kernel, net["bridge"])
            kernel.remove(f"veth{vmid}i{number}")  # of its last start: the kernel takes its time to do that
            kernel.cable(f"veth{vmid}i{number}", net["bridge"][:15], pid, net["name"])
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _inside(vmid, row, [net for _, net in nets], writing)
        os.close(writing)
        why = os.read(reading, 100).decode()
        os.close(reading)
        if os.waitpid(child, 0)[1]:
            raise OSError(0, f"guest {vmid} gets no network: {why}")


def _inside(vmid: str, row: Row, nets: list[dict[str, str]], told: int) -> None:
    """Bring up a guest's interfaces, or tell why not; ends this process."""
    status = 1
    try:
        guest_spaces.join(vmid, row["pid"])
        kernel = netlink.Kernel()
        kernel.up("lo")
        for net in nets:
            kernel.up(net["name"])
            kernel.impatient(net["name"])
            for key, gateway in (("ip", "gw"), ("ip6", "gw6")):
                if "/" in net.get(key, ""):
                    kernel.address(net["name"], net[key])
                if gateway in net:
                    kernel.gateway(net["name"], net[gateway])
        status = 0
    except OSError as error:
        os.write(told, str(error.strerror).encode())
    finally:
        os._exit(status)


def _seen(row: Row | None) -> tuple[int, str]:
    return (row["pid"], str(row["plan"].get("nets"))) if row else (0, "")


def running() -> dict[str, Row]:
    """Return the guests that run, as the node's model has them; one whose root is gone has nothing to run."""
    rows = {vmid: row for vmid, row in model.read().get("guests", {}).items() if row.get("running")}
    return {vmid: row for vmid, row in rows.items() if os.path.isdir(row["plan"]["root"] + STATE)}
