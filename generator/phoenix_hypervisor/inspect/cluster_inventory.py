"""The guests of a living cluster as an inventory of Nornir's, for programs of one's own.

    InitNornir(inventory={"plugin": "PhoenixCluster", "options": {"url": …, "token_id": …, "token_file": …}})

Installed, it is found by its name; `register()` makes it known without. Hosts are guests. Each is in the
groups of its type (`lxc`, `qemu`), its state (`running`, `stopped`, `template`), its node (`node_pve1`) and
its tags (`tag_shop`); its `hostname` is the first address that its settings name, otherwise its name.
"""

from __future__ import annotations

from pathlib import Path

from nornir.core.inventory import Defaults, Group, Groups, Host, Hosts, Inventory, ParentGroups
from nornir.core.plugins.inventory import InventoryPluginRegister

from ..proxmox.api import Api
from ..proxmox.endpoint import endpoint
from ..proxmox.guests import LivingGuest, guests
from ..secretstore.given import from_file

NAME = "PhoenixCluster"


class ClusterInventory:
    """Nornir's plugin. Nothing is asked before `load`.

    url: of the API, `https://HOST:8006`.
    token_id: `user@realm!name`; a token that may only look is enough.
    token_file: the file with its value: that is neither here nor in the environment.
    ca_file, fingerprint: how its certificate is known, unless the system's authorities have signed it.
    addresses: whether to ask for them, which is a question a guest.
    """

    def __init__(
        self,
        url: str,
        token_id: str,
        token_file: str,
        ca_file: str = "",
        fingerprint: str = "",
        addresses: bool = True,
    ) -> None:
        token = from_file(token_id, Path(token_file).expanduser())
        ca = Path(ca_file).expanduser() if ca_file else None
        self._to = endpoint(url, token_id, token, ca, fingerprint)
        self._addresses = addresses

    def load(self) -> Inventory:
        """Return the guests. Raises PhoenixError."""
        with Api(self._to) as api:
            found = guests(api, addresses=self._addresses)
        defaults = Defaults()
        names = dict.fromkeys(name for guest in found for name in guest.groups)
        groups = Groups({name: Group(name=name, defaults=defaults) for name in names})
        hosts = Hosts({guest.name: _host(guest, groups, defaults) for guest in found})
        return Inventory(hosts=hosts, groups=groups, defaults=defaults)


def _host(guest: LivingGuest, groups: Groups, defaults: Defaults) -> Host:
    data = {
        "vmid": guest.vmid,
        "node": guest.node,
        "type": guest.type,
        "running": guest.running,
        "tags": list(guest.tags),
        "addresses": list(guest.addresses),
    }
    return Host(
        name=guest.name,
        hostname=guest.addresses[0] if guest.addresses else guest.name,
        groups=ParentGroups(groups[name] for name in guest.groups),
        data=data,
        defaults=defaults,
    )


def register() -> None:
    """Make the plugin known to Nornir under its name."""
    InventoryPluginRegister.register(NAME, ClusterInventory)
