"""A node's own firewall."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import Field

from ..dialects import firewall_fw as fw
from ..firewall.policy import Options, Serving, removal, value_of
from ..firewall.sight import NODE_FILE
from ..firewall.words import LogLevel
from ..resource import Samples, Step, Want

MARK = "firewall_node"


class NodeOptions(Options):
    """Options of host.fw, as pve-firewall(8) has them; what is not declared is Proxmox's default."""

    log_level_in: LogLevel | None = None
    log_level_out: LogLevel | None = None
    log_level_forward: LogLevel | None = None
    nosmurfs: bool | None = None
    smurf_log_level: LogLevel | None = None
    tcpflags: bool | None = None
    tcp_flags_log_level: LogLevel | None = None
    ndp: bool | None = None
    log_nf_conntrack: bool | None = None
    nf_conntrack_allow_invalid: bool | None = None
    nf_conntrack_max: Annotated[int, Field(ge=32768)] | None = None
    nf_conntrack_tcp_timeout_established: Annotated[int, Field(ge=7875)] | None = None
    nf_conntrack_tcp_timeout_syn_recv: Annotated[int, Field(ge=30, le=60)] | None = None
    protection_synflood: bool | None = None
    protection_synflood_rate: Annotated[int, Field(ge=1)] | None = None
    protection_synflood_burst: Annotated[int, Field(ge=1)] | None = None


class FirewallNode(Serving):
    """The firewall of one node: its host.fw, as a whole. Its rules come before the datacenter's.

    What the node serves (exports, shares) is opened to the clients that are declared there; where none
    are, `expose` says who may use a port, or `none`. A change is refused when it would lock us out, and
    taken back by the node itself unless a new connection comes through. A file of somebody else is left
    alone, unless `overwrite` allows to take it over; it is kept then, and put back when ours goes.
    """

    singleton = True

    options: NodeOptions = NodeOptions()

    @property
    def file(self) -> str:
        """Where the file is."""
        return NODE_FILE

    @property
    def own_mark(self) -> str:
        """What its first line calls it."""
        return MARK

    @property
    def host(self) -> str:
        """Who it is about."""
        return self.name

    @property
    def firewall(self) -> fw.Firewall:
        """What the file should say."""
        options = {"enable": value_of(self.enable), **self.options.lines}
        return fw.Firewall(options, rules=self.all_rules)

    def consumes(self) -> Iterable[Want]:
        yield from super().consumes()
        yield Want("firewall", "datacenter", "enable", "", exact=True, required=False)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step]:  # noqa: ARG003  (there is one for each node)
        yield removal(cls.kind, NODE_FILE, MARK)

    @classmethod
    def samples(cls) -> Samples:
        around = {"firewall_cluster": {"management": ["10.0.0.0/24"], "aliases": {"lan": "10.0.0.0/24"}}}
        first: dict[str, Any] = {
            "options": {"log_level_in": "info", "tcpflags": True, "nf_conntrack_max": 262144},
            "rules": [{"macro": "Ping"}, {"port": 9100, "source": "lan"}],
            "expose": {"2049": "lan", "445/tcp": "none"},
        }
        second: dict[str, Any] = {
            "enable": False,
            "options": {"log_level_in": "nolog", "ndp": False, "nf_conntrack_max": 524288},
            "rules": [{"port": 9100, "source": "lan"}, {"macro": "Ping", "source": "10.0.0.0/8"}],
            "expose": {"2049": ["10.0.0.7", "10.1.0.0/24"]},
        }
        return Samples("", first, second, around)
