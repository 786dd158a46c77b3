"""The datacenter's firewall."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import Field, model_validator

from ..dialects import firewall_fw as fw
from ..firewall.policy import Options, Policy, removal
from ..firewall.rules import Rule, members
from ..firewall.words import Action, AliasName, CidrNetwork, Forwarding, Members, Name
from ..resource import Offer, Samples, Step

MARK = "firewall_cluster"


class LogRate(Options):
    """How much may be written down: `rate` after the first `burst` packets."""

    enable: bool = True
    rate: Annotated[str, Field(pattern=r"^[1-9][0-9]*/(second|minute|hour|day)$")] = "1/second"
    burst: Annotated[int, Field(ge=0)] = 5


class FirewallCluster(Policy):
    """The firewall of all nodes: /etc/pve/firewall/cluster.fw, as a whole.

    Without `enable` here no rule of any file does anything; with it, what no rule lets in is dropped.
    `management` names the networks from which nodes are administered: Proxmox opens the web interface,
    ssh and consoles to them. A change is refused when it would cut off those networks or the very
    connection it is made over; otherwise a timer on the node takes it back unless a new connection comes
    through. Aliases, sets and groups are for the files of nodes and guests, too. A file of somebody else
    is left alone, unless `overwrite` allows to take it over; it is kept then, and put back when ours goes.
    """

    singleton = True

    policy_in: Action = "DROP"
    policy_out: Action = "ACCEPT"
    policy_forward: Forwarding | None = None
    ebtables: bool | None = None
    log_ratelimit: LogRate | None = None
    management: tuple[CidrNetwork, ...] = ()
    aliases: dict[AliasName, CidrNetwork] = Field(default_factory=dict)
    ipsets: dict[Name, Members] = Field(default_factory=dict)
    groups: dict[Name, tuple[Rule, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _said_once(self) -> "FirewallCluster":
        if self.management and "management" in self.ipsets:
            raise ValueError("the set is said twice: `management` and `ipsets: management:`")
        for name, rules in self.groups.items():
            if any(rule.group or rule.interface for rule in rules):
                raise ValueError(f"a rule of the group `{name}` names a group or an interface")
        return self

    @property
    def file(self) -> str:
        """Where the file is."""
        return fw.CLUSTER

    @property
    def own_mark(self) -> str:
        """What its first line calls it."""
        return MARK

    @property
    def firewall(self) -> fw.Firewall:
        """What the file should say."""
        options = {"enable": self.enable, "policy_in": self.policy_in, "policy_out": self.policy_out}
        further = {"policy_forward": self.policy_forward, "ebtables": self.ebtables}
        said = {name: str(int(v) if isinstance(v, bool) else v) for name, v in options.items()}
        said |= {
            name: str(int(v) if isinstance(v, bool) else v) for name, v in further.items() if v is not None
        }
        if self.log_ratelimit is not None:
            rate = ",".join(f"{name}={value}" for name, value in self.log_ratelimit.lines.items())
            said["log_ratelimit"] = fw.option("log_ratelimit", rate)
        sets = {"management": self.management} if self.management else {}
        return fw.Firewall(
            said,
            {name: fw.Alias(address) for name, address in self.aliases.items()},
            {name: fw.Set(members(words, self.network)) for name, words in {**self.ipsets, **sets}.items()},
            {name: fw.Group(self.lines_of(rules)) for name, rules in self.groups.items()},
            self.lines_of(self.rules),
        )

    def provides(self) -> Iterable[Offer]:
        yield Offer("firewall", "datacenter", self.enable)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step]:  # noqa: ARG003  (there is one for all nodes)
        yield removal(cls.kind, fw.CLUSTER, MARK)

    @classmethod
    def samples(cls) -> Samples:
        first: dict[str, Any] = {
            "policy_in": "DROP",
            "policy_out": "ACCEPT",
            "policy_forward": "ACCEPT",
            "ebtables": True,
            "log_ratelimit": {"rate": "1/second", "burst": 5},
            "management": ["10.0.0.0/24"],
            "aliases": {"lan": "10.0.0.0/24", "backups": "10.1.0.5"},
            "ipsets": {"office": ["10.2.0.0/24", "!10.2.0.9", "lan"]},
            "groups": {"web": [{"port": "80,443", "source": "lan", "comment": "http(s)"}]},
            "rules": [{"macro": "SSH", "source": "lan"}, {"macro": "Ping", "action": "accept"}],
        }
        second: dict[str, Any] = {
            "enable": False,
            "policy_in": "REJECT",
            "policy_out": "REJECT",
            "policy_forward": "DROP",
            "ebtables": False,
            "log_ratelimit": {"rate": "10/minute", "burst": 2},
            "management": ["10.0.0.0/16"],
            "aliases": {"lan": "10.0.0.0/16"},
            "ipsets": {"office": ["10.2.0.0/24"], "cameras": []},
            "groups": {"web": [{"port": 443, "source": "lan"}], "none": []},
            "rules": [{"group": "web"}, {"macro": "SSH", "source": "lan", "log": "info"}],
        }
        return Samples("", first, second)
