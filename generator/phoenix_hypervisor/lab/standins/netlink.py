"""What the kernel of a lab's network namespace is told: bridges, virtual cables, addresses, what is up.

The kernel is asked itself (rtnetlink), because `ip` in the lab is a stand-in and the machine may have none.
The caller has CAP_NET_ADMIN where it asks. Numbers are those of linux/rtnetlink.h and its neighbours.
"""

import os
import struct
from _socket import AF_INET, AF_INET6, SOCK_RAW, if_nametoindex, inet_pton
from _socket import socket as Socket  # noqa: N812  (the class)

AF_NETLINK, NETLINK_ROUTE = 16, 0
NLMSG_ERROR = 2
REQUEST, ACK, REPLACE, EXCL, CREATE = 1, 4, 0x100, 0x200, 0x400
RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_SETNEIGHTBL = 16, 17, 20, 24, 67
IFLA_IFNAME, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_PID = 3, 10, 18, 19
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS, IFA_F_NODAD = 1, 2, 8, 0x02
RTA_OIF, RTA_GATEWAY = 4, 5
NDTA_NAME, NDTA_PARMS, NDTPA_IFINDEX, NDTPA_RETRANS_TIME = 1, 6, 1, 5
IFF_UP = 1
EEXIST, ENODEV = 17, 19
ASKED_AGAIN = 30
"""Milliseconds after which a neighbour who does not answer is asked again; after three he is not there."""


class Kernel:
    """The kernel's side of one network namespace: that of the process which makes it."""

    def __init__(self) -> None:
        self._socket = Socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
        self._number = 0

    def close(self) -> None:
        self._socket.close()

    def bridge(self, name: str) -> None:
        """Make a bridge, and bring it up."""
        info = _inside(IFLA_LINKINFO, _named(IFLA_INFO_KIND, "bridge"))
        self._ask(RTM_NEWLINK, _link(0, IFF_UP) + _named(IFLA_IFNAME, name) + info, CREATE | EXCL)

    def cable(self, name: str, master: str, pid: int, other: str) -> None:
        """Make a cable: one end at a bridge of ours, the other in the namespace of the process PID."""
        peer = _link(0, 0) + _named(IFLA_IFNAME, other) + _number(IFLA_NET_NS_PID, pid)
        kind = _named(IFLA_INFO_KIND, "veth") + _inside(IFLA_INFO_DATA, _inside(VETH_INFO_PEER, peer))
        own = _named(IFLA_IFNAME, name) + _number(IFLA_MASTER, if_nametoindex(master))
        self._ask(RTM_NEWLINK, _link(0, IFF_UP) + own + _inside(IFLA_LINKINFO, kind), CREATE | EXCL)

    def remove(self, name: str) -> None:
        """Let there be no such interface; of a cable the other end goes with it."""
        self._ask(RTM_DELLINK, _link(0, 0) + _named(IFLA_IFNAME, name), fine=ENODEV)

    def up(self, name: str) -> None:
        self._ask(RTM_NEWLINK, _link(if_nametoindex(name), IFF_UP))

    def impatient(self, name: str) -> None:
        """Do not wait three seconds to find out that nobody has an address: packets get lost nowhere here."""
        for table in ("arp_cache", "ndisc_cache"):
            parameters = _number(NDTPA_IFINDEX, if_nametoindex(name))
            parameters += _attribute(NDTPA_RETRANS_TIME, struct.pack("=Q", ASKED_AGAIN))
            asked = struct.pack("=BxH", 0, 0) + _named(NDTA_NAME, table) + _inside(NDTA_PARMS, parameters)
            self._ask(RTM_SETNEIGHTBL, asked)

    def address(self, name: str, address: str) -> None:
        """Give an interface an address, `10.0.0.1/24`; one that it has already stays."""
        plain, _, length = address.partition("/")
        family = AF_INET6 if ":" in plain else AF_INET
        packed = inet_pton(family, plain)
        prefix = int(length or 8 * len(packed))
        head = struct.pack("=BBBBI", family, prefix, 0, 0, if_nametoindex(name))
        parts = _attribute(IFA_LOCAL, packed) + _attribute(IFA_ADDRESS, packed)
        self._ask(RTM_NEWADDR, head + parts + _number(IFA_FLAGS, IFA_F_NODAD), CREATE | REPLACE)

    def gateway(self, name: str, address: str) -> None:
        """Send through it what goes nowhere else."""
        family = AF_INET6 if ":" in address else AF_INET
        head = struct.pack("=BBBBBBBBI", family, 0, 0, 0, 254, 4, 0, 1, 0)  # main table, of an administrator
        parts = _attribute(RTA_GATEWAY, inet_pton(family, address)) + _number(RTA_OIF, if_nametoindex(name))
        self._ask(RTM_NEWROUTE, head + parts, CREATE | REPLACE)

    def _ask(self, kind: int, content: bytes, flags: int = 0, *, fine: int = EEXIST) -> None:
        """Send one request and wait for its answer. Raises OSError, but not for the error that is fine."""
        self._number += 1
        head = struct.pack("=IHHII", 16 + len(content), kind, REQUEST | ACK | flags, self._number, 0)
        self._socket.send(head + content)
        answer = self._socket.recv(65536)
        kind, error = struct.unpack_from("=4xH10xi", answer)
        if kind == NLMSG_ERROR and error and -error != fine:
            raise OSError(-error, os.strerror(-error))


def _link(index: int, flags: int) -> bytes:
    """The head of what is said about a link; flags that are not set stay as they are."""
    return struct.pack("=BxHiII", 0, 0, index, flags, flags)


def _attribute(kind: int, content: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(content), kind) + content + bytes(-len(content) % 4)


def _named(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return _attribute(kind, struct.pack("=I", number))


def _inside(kind: int, content: bytes) -> bytes:
    return _attribute(kind | 0x8000, content)
