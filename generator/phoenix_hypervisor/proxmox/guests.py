"""The guests of a living cluster, as its API tells of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..dialects import property_string, qemu_properties
from .api import Api, NotAllowedError

_LIST = re.compile(r"[\s,;]+")
_NO_SIGN = re.compile(r"[^a-z0-9_]+")


class LivingGuest(NamedTuple):
    """A guest that is there."""

    name: str
    """Its own, and with its VMID where another one is called the same."""
    vmid: int
    node: str
    type: str
    """`lxc` or `qemu`."""
    running: bool
    template: bool
    tags: tuple[str, ...]
    addresses: tuple[str, ...]
    """Those that its settings name, without their prefixes; leased ones are not known."""

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups it is in: its type, its node, its tags, and whether it runs."""
        state = "template" if self.template else "running" if self.running else "stopped"
        return (
            self.type,
            state,
            f"node_{_plain(self.node)}",
            *(f"tag_{_plain(tag)}" for tag in self.tags),
        )


def guests(api: Api, *, addresses: bool = True) -> list[LivingGuest]:
    """Return all guests that the token may see, by VMID. Raises HostError.

    `addresses` costs a question for each guest.
    """
    rows = sorted(api.rows("cluster/resources", type="vm"), key=lambda row: int(row["vmid"]))
    called: dict[str, int] = {}
    for row in rows:
        called[_name(row)] = called.get(_name(row), 0) + 1
    return [
        LivingGuest(
            _name(row) if called[_name(row)] == 1 else f"{_name(row)}-{row['vmid']}",
            int(row["vmid"]),
            str(row["node"]),
            str(row["type"]),
            row.get("status") == "running",
            bool(row.get("template")),
            tuple(word for word in _LIST.split(str(row.get("tags") or "")) if word),
            _addresses(api, row) if addresses else (),
        )
        for row in rows
        if row.get("type") in ("lxc", "qemu")
    ]


def _name(row: Mapping[str, Any]) -> str:
    return str(row.get("name") or f"guest{row['vmid']}")


def _plain(text: str) -> str:
    return _NO_SIGN.sub("_", text.lower())


def _addresses(api: Api, row: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        config = api.settings(f"nodes/{row['node']}/{row['type']}/{row['vmid']}/config")
    except NotAllowedError:
        return ()
    return tuple(dict.fromkeys(_static(config)))


def _static(config: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(config):
        if not re.fullmatch(r"(net|ipconfig)\d+", key):
            continue
        text = str(config[key])
        is_net = key.startswith("net")
        found = (
            property_string.parse(text, property_string.NET) if is_net else qemu_properties.parse(key, text)
        )
        for name in ("ip", "ip6"):
            address = found.get(name, "")
            if "/" in address:
                yield address.partition("/")[0]
