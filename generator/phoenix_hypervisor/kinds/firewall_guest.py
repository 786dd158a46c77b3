"""A guest's firewall."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from ..dialects import firewall_fw as fw
from ..firewall.policy import Options, Serving, removal, value_of
from ..firewall.rules import members
from ..firewall.words import Action, AliasName, CidrNetwork, LogLevel, Members, Name
from ..resource import Samples, Step, Want


class GuestOptions(Options):
    """Options of a guest's .fw, as pve-firewall(8) has them; what is not declared is Proxmox's default."""

    dhcp: bool | None = None
    ndp: bool | None = None
    radv: bool | None = None
    macfilter: bool | None = None
    ipfilter: bool | None = None
    log_level_in: LogLevel | None = None
    log_level_out: LogLevel | None = None


class FirewallGuest(Serving):
    """The firewall of one guest: its <vmid>.fw, as a whole, with `enable: 1` written into it.

    What is served in the guest is opened to the clients declared for it and to all who say that they
    use it; where nobody says, `expose` does, or says `none`. Guests are named by name. It applies to
    interfaces with `firewall: true` only: a guest without one is said. A file of somebody else is left
    alone, unless `overwrite` allows to take it over; it is kept then, and put back when ours goes.
    """

    scope: ClassVar[Literal["node", "host", "guest"]] = "guest"
    beside: ClassVar[bool] = True

    policy_in: Action = "DROP"
    policy_out: Action = "ACCEPT"
    options: GuestOptions = GuestOptions()
    aliases: dict[AliasName, CidrNetwork] = Field(default_factory=dict)
    ipsets: dict[Name, Members] = Field(default_factory=dict)

    @property
    def file(self) -> str:
        """Where the file is."""
        return file_of(self.name)

    @property
    def own_mark(self) -> str:
        """What its first line calls it: a clone's copy of it says by that that it is another's."""
        return mark_of(self.name)

    @property
    def host(self) -> str:
        """Who it is about."""
        return next((given.value.name for given in self.given("guest")), "")

    @property
    def may_cut_us_off(self) -> bool:
        """It decides who gets in to the guest, not to the node: a new connection would prove nothing."""
        return False

    @property
    def firewall(self) -> fw.Firewall:
        """What the file should say."""
        options = {
            "enable": value_of(self.enable),
            "policy_in": self.policy_in,
            "policy_out": self.policy_out,
        }
        return fw.Firewall(
            options | self.options.lines,
            {name: fw.Alias(address) for name, address in self.aliases.items()},
            {name: fw.Set(members(words, self.network)) for name, words in self.ipsets.items()},
            rules=self.all_rules,
        )

    def consumes(self) -> Iterable[Want]:
        yield from super().consumes()
        yield Want("firewall", "datacenter", "enable", "", exact=True, required=False)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step]:
        yield removal(cls.kind, file_of(name), mark_of(name), guarded=False)

    @classmethod
    def samples(cls) -> Samples:
        disks = ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]
        storage = {"type": "zfspool", "content": ["rootdir"], "pool": "tank/disks"}
        around: dict[str, Any] = {
            "zfs_pool": {"tank": {"vdevs": [{"type": "mirror", "disks": disks}]}},
            "zfs_dataset": {"tank/disks": {}, "tank/archives": {}},
            "pve_storage": {
                "tank-disks": storage,
                "tank-archives": {"type": "dir", "path": "/tank/archives", "content": ["vztmpl"]},
            },
            "ct_template": {
                "base": {"storage": "tank-archives", "file": "ubuntu-24.04-standard_24.04-2_amd64.tar.zst"}
            },
            "firewall_cluster": {"management": ["10.0.0.0/24"], "aliases": {"lan": "10.0.0.0/24"}},
            "guests": {
                "101-sample": {
                    "lxc": {
                        "template": "base",
                        "rootfs": {"storage": "tank-disks", "size": "1G"},
                        "net": {"eth0": {"bridge": "vmbr0", "ip": "10.0.0.50/24", "firewall": True}},
                    }
                }
            },
        }
        first: dict[str, Any] = {
            "policy_out": "ACCEPT",
            "options": {"dhcp": True, "log_level_in": "info"},
            "aliases": {"desk": "10.0.0.7"},
            "ipsets": {"clients": ["10.0.0.8", "desk"]},
            "rules": [{"macro": "Ping"}, {"port": "8080:8090", "source": "desk", "interface": "net0"}],
            "expose": {"8000": "lan", "6334": "none"},
        }
        second: dict[str, Any] = {
            "enable": False,
            "policy_in": "REJECT",
            "policy_out": "DROP",
            "options": {"ipfilter": True, "log_level_in": "nolog"},
            "aliases": {"desk": "10.0.0.9"},
            "ipsets": {"clients": ["10.0.0.8"]},
            "rules": [{"port": "8080:8090", "source": "+clients"}, {"macro": "Ping"}],
            "expose": {"8000": "10.0.0.0/16"},
        }
        return Samples("101", first, second, around)


def file_of(vmid: str) -> str:
    """Return the path of a guest's file."""
    return f"{fw.FOLDER}/{vmid}.fw"


def mark_of(vmid: str) -> str:
    """Return what our file of a guest calls itself."""
    return f"firewall_guest:{vmid}"
