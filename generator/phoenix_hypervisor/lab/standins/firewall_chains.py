"""From the firewall's files to the chains that `pve-firewall compile` prints, in its order and words."""

import ipaddress

import firewall_conf as files
import firewall_macros
from hints import Callable, Iterator

Chains = dict[str, list[str]]
Guests = dict[str, tuple[files.Conf, list[tuple[str, str, str]]]]
Say = Callable[[str], None]

ACCEPTED = "0x80000000/0x80000000"
CLEARED = "0x00000000/0x80000000"
MANAGEMENT = ("8006", "5900:5999", "3128", "22", "60000:60050")
OUTWARDS = ("8006", "22", "5900:5999", "3128")
ND = ("router-solicitation", "router-advertisement", "neighbor-solicitation", "neighbor-advertisement")
FLAGS = "FIN,SYN,RST,PSH,ACK,URG"
BAD_FLAGS = (
    f"--tcp-flags {FLAGS} FIN,PSH,URG",
    f"--tcp-flags {FLAGS} NONE",
    "--tcp-flags SYN,RST SYN,RST",
    "--tcp-flags FIN,SYN FIN,SYN",
    "--sport 0 --tcp-flags FIN,SYN,RST,ACK SYN",
)


class Compiled:
    """All chains of all tables; keys are chains, values their lines."""

    def __init__(self) -> None:
        self.ipsets: Chains = {}
        self.v4: Chains = {}
        self.v6: Chains = {}
        self.ebtables: Chains = {}


def compile_all(cluster: files.Conf, host: files.Conf, guests: Guests, local: str, say: Say) -> Compiled:
    """Compile. `guests` is VMID → (its file, its interfaces); `say` takes complaints."""
    found = Compiled()
    _sets(found.ipsets, "0", cluster.sets, _local(cluster, local))
    for vmid, (conf, _) in guests.items():
        _sets(found.ipsets, vmid, conf.sets, "")
    for version, chains in ((4, found.v4), (6, found.v6)):
        Table(chains, version, cluster, host, guests, _local(cluster, local), say).fill()
    found.ebtables["PVEFW-FORWARD"] = [
        "-A PVEFW-FORWARD -p IPv4 -j ACCEPT",
        "-A PVEFW-FORWARD -p IPv6 -j ACCEPT",
        "-A PVEFW-FORWARD -o fwln+ -j PVEFW-FWBR-OUT",
    ]
    found.ebtables["PVEFW-FWBR-OUT"] = []
    return found


def _local(cluster: files.Conf, local: str) -> str:
    return cluster.aliases.get("local_network", local)


def _sets(ipsets: Chains, vmid: str, sets: dict[str, list[tuple[str, bool]]], local: str) -> None:
    sets = {"management": [], **sets} if vmid == "0" else sets
    for name, declared in sorted(sets.items()):
        managed = vmid == "0" and name == "management" and local
        members = [*declared, (local, False)] if managed else declared
        for version, family in ((4, "inet"), (6, "inet6")):
            chain = f"PVEFW-{vmid}-{name}-v{version}"
            own = sorted({(m, no) for m, no in members if files.version(m) == version})
            size = 64
            while size < len(own):
                size *= 2
            ipsets[chain] = [
                f"create {chain} hash:net family {family} hashsize {size} maxelem {size} bucketsize 12",
                *(f"add {chain} {member}{' nomatch' if no else ''}" for member, no in own),
            ]


class Table:
    """The chains of one IP version."""

    def __init__(
        self,
        chains: Chains,
        version: int,
        cluster: files.Conf,
        host: files.Conf,
        guests: Guests,
        local: str,
        say: Say,
    ) -> None:
        self.chains, self.version, self.cluster, self.host = chains, version, cluster, host
        self.guests, self.local, self.say = guests, local, say
        self.icmp = "icmp" if version == 4 else "icmpv6"

    def add(self, chain: str, *rules: str) -> None:
        own = self.chains.setdefault(chain, [])
        own += [f"-A {chain} {rule}" for rule in rules]

    def fill(self) -> None:
        self._standard()
        for name, rules in self.cluster.groups.items():
            self._group(name, rules)
        self._forward()
        for vmid, (conf, interfaces) in self.guests.items():
            if conf.options.get("enable") == "1":
                for number, _, mac in interfaces:
                    self._guest(vmid, conf, f"{vmid}i{number}", f"net{number}", mac)
        if self.host.options.get("enable") != "0":
            self._host_in()
            self._host_out()
        self.add("PVEFW-INPUT", *(["-j PVEFW-HOST-IN"] if "PVEFW-HOST-IN" in self.chains else []))
        self.add("PVEFW-OUTPUT", *(["-j PVEFW-HOST-OUT"] if "PVEFW-HOST-OUT" in self.chains else []))

    def _standard(self) -> None:
        self.add("PVEFW-SET-ACCEPT-MARK", f" -j MARK --set-mark {ACCEPTED}")
        self.add("PVEFW-logflags", " -j DROP")
        self.add("PVEFW-tcpflags", *(f"-p tcp -m tcp {flags} -g PVEFW-logflags" for flags in BAD_FLAGS))
        if self.version == 4:
            for kind in ("BROADCAST", "MULTICAST", "ANYCAST"):
                self.add("PVEFW-DropBroadcast", f"-m addrtype --dst-type {kind} -j DROP")
            self.add("PVEFW-DropBroadcast", "-d 224.0.0.0/4 -j DROP")
            self.add("PVEFW-smurflog", " -j DROP")
            self.add(
                "PVEFW-smurfs",
                "-s 0.0.0.0/32 -j RETURN",
                "-m addrtype --src-type BROADCAST -g PVEFW-smurflog",
                "-s 224.0.0.0/4 -g PVEFW-smurflog",
            )
            self.add("PVEFW-reject", "-m addrtype --dst-type BROADCAST -j DROP", "-s 224.0.0.0/4 -j DROP")
        else:
            self.add("PVEFW-DropBroadcast", "-d ff00::/8 -j DROP")
        self._reject()
        self._quiet("PVEFW-Drop", "-j DROP")
        self._quiet("PVEFW-Reject", "-j PVEFW-reject")

    def _reject(self) -> None:
        port = "icmp-port-unreachable" if self.version == 4 else "icmp6-port-unreachable"
        self.add(
            "PVEFW-reject",
            f"-p {self.icmp} -j DROP",
            "-p tcp -j REJECT --reject-with tcp-reset",
            f"-p udp -j REJECT --reject-with {port}",
        )
        if self.version == 4:
            self.add(
                "PVEFW-reject",
                "-p icmp -j REJECT --reject-with icmp-host-unreachable",
                " -j REJECT --reject-with icmp-host-prohibited",
            )
        else:
            self.add("PVEFW-reject", " -j REJECT --reject-with icmp6-adm-prohibited")

    def _quiet(self, chain: str, verdict: str) -> None:
        """What is dropped without being written down."""
        if self.version == 6:
            self.add(chain, "-p tcp --dport 43 -j PVEFW-reject")
        self.add(chain, " -j PVEFW-DropBroadcast")
        kinds: tuple[str, ...] = ("fragmentation-needed", "time-exceeded")
        if self.version == 6:
            kinds = ("destination-unreachable", "time-exceeded", "packet-too-big")
        for kind in kinds:
            self.add(chain, f"-p {self.icmp} -m {self.icmp} --{self.icmp}-type {kind} -j ACCEPT")
        self.add(
            chain,
            "-m conntrack --ctstate INVALID -j DROP",
            f"-p udp --match multiport --dports 135,445 {verdict}",
            f"-p udp --dport 137:139 {verdict}",
            f"-p udp --sport 137 --dport 1024:65535 {verdict}",
            f"-p tcp --match multiport --dports 135,139,445 {verdict}",
            "-p udp --dport 1900 -j DROP",
            "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",
            "-p udp --sport 53 -j DROP",
        )

    def _group(self, name: str, rules: list[files.Rule]) -> None:
        for way in ("in", "out"):
            chain = f"GROUP-{name}-{way.upper()}"
            self.add(chain, f"-j MARK --set-mark {CLEARED}")
            for rule in rules:
                if rule["enable"] and rule["type"] == way:
                    self._rule(chain, rule, self.cluster, "-g PVEFW-SET-ACCEPT-MARK", "")

    def _forward(self) -> None:
        self.add(
            "PVEFW-FORWARD",
            "-m conntrack --ctstate INVALID -j DROP",
            "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "-m physdev --physdev-is-bridged --physdev-in fwln+ -j PVEFW-FWBR-IN",
            "-m physdev --physdev-is-bridged --physdev-out fwln+ -j PVEFW-FWBR-OUT",
        )
        smurfs = ["-m conntrack --ctstate INVALID,NEW -j PVEFW-smurfs"] if self.version == 4 else []
        self.add("PVEFW-FWBR-IN", *smurfs)
        self.add("PVEFW-FWBR-OUT")

    def _guest(self, vmid: str, conf: files.Conf, port: str, iface: str, mac: str) -> None:
        veth = f"veth{port}"
        bridged = "-m physdev --physdev-is-bridged"
        self.add("PVEFW-FWBR-IN", f"{bridged} --physdev-out {veth} -j {veth}-IN")
        self.add("PVEFW-FWBR-OUT", f"{bridged} --physdev-in {veth} -j {veth}-OUT")
        self.add(f"{veth}-IN")
        if conf.options.get("dhcp") == "1" and self.version == 4:
            self.add(f"{veth}-IN", "-p udp --sport 67 --dport 68 -j ACCEPT")
            self.add(f"{veth}-OUT", "-p udp --sport 68 --dport 67 -g PVEFW-SET-ACCEPT-MARK")
        if mac and conf.options.get("macfilter") != "0":
            self.add(f"{veth}-OUT", f"-m mac ! --mac-source {mac} -j DROP")
        self.add(f"{veth}-OUT", f"-j MARK --set-mark {CLEARED}")
        ways = (("in", f"{veth}-IN", "-j ACCEPT"), ("out", f"{veth}-OUT", "-g PVEFW-SET-ACCEPT-MARK"))
        for way, chain, accept in ways:
            for rule in conf.rules:
                if rule["enable"] and rule.get("iface") in (None, iface):
                    self._any(chain, rule, conf, way, accept, "")
            default = "DROP" if way == "in" else "ACCEPT"
            policy = conf.options.get(f"policy_{way}", default)
            log = conf.options.get(f"log_level_{way}", "nolog")
            self._policy(chain, policy, log, vmid, accept)

    def _host_in(self) -> None:
        chain, options = "PVEFW-HOST-IN", self.host.options
        self.add(chain, "-i lo -j ACCEPT", *self._states())
        if options.get("nosmurfs") != "0":
            self.add(
                chain, *(["-m conntrack --ctstate INVALID,NEW -j PVEFW-smurfs"] if self.version == 4 else [])
            )
        if options.get("tcpflags") == "1":
            self.add(chain, "-p tcp -j PVEFW-tcpflags")
        if self.version == 6 and options.get("ndp") != "0":
            self.add(chain, *(f"-p icmpv6 --icmpv6-type {kind} -j RETURN" for kind in ND))
        self.add(chain, "-p igmp -j RETURN")
        self._host_rules(chain, "in")
        source = f"-m set --match-set PVEFW-0-management-v{self.version} src"
        self.add(chain, *(f"{source} -p tcp --dport {port} -j RETURN" for port in MANAGEMENT))
        policy = self.cluster.options.get("policy_in", "DROP")
        self._policy(chain, policy, options.get("log_level_in", "nolog"), "0", "-j RETURN")

    def _host_out(self) -> None:
        chain, options = "PVEFW-HOST-OUT", self.host.options
        self.add(chain, "-o lo -j ACCEPT", *self._states())
        if self.version == 6 and options.get("ndp") != "0":
            kinds = [kind for kind in ND if kind != "router-advertisement"]
            self.add(chain, *(f"-p icmpv6 --icmpv6-type {kind} -j RETURN" for kind in kinds))
        self.add(chain, "-p igmp -j RETURN")
        self._host_rules(chain, "out")
        if self.local and files.version(self.local) == self.version:
            self.add(chain, *(f"-d {self.local} -p tcp --dport {port} -j RETURN" for port in OUTWARDS))
        policy = self.cluster.options.get("policy_out", "ACCEPT")
        self._policy(chain, policy, options.get("log_level_out", "nolog"), "0", "-j RETURN")

    def _states(self) -> list[str]:
        invalid = self.host.options.get("nf_conntrack_allow_invalid") == "1"
        return [
            *([] if invalid else ["-m conntrack --ctstate INVALID -j DROP"]),
            "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        ]

    def _host_rules(self, chain: str, way: str) -> None:
        for conf in (self.host, self.cluster):
            for rule in conf.rules:
                if rule["enable"]:
                    iface = f"-{'i' if way == 'in' else 'o'} {rule['iface']} " if "iface" in rule else ""
                    self._any(chain, rule, conf, way, "-j RETURN", iface)

    def _any(self, chain: str, rule: files.Rule, conf: files.Conf, way: str, accept: str, iface: str) -> None:
        """Add a rule of a direction, or the jump into a group."""
        if rule["type"] == way:
            self._rule(chain, rule, conf, accept, iface)
        elif rule["type"] == "group":
            group = rule["action"].lower()
            inner = f"GROUP-{group}-{way.upper()}"
            if inner not in self.chains:
                self.say(f"no such security group '{rule['action']}'")
                for each in ("IN", "OUT"):
                    self.add(f"GROUP-{group}-{each}", f"-j MARK --set-mark {CLEARED}")
            for ends in self._ends(rule, conf):
                self.add(chain, f"{iface}{ends}-j {inner}", f"-m mark --mark {ACCEPTED} {accept}")

    def _rule(self, chain: str, rule: files.Rule, conf: files.Conf, accept: str, iface: str) -> None:
        verdict = {"ACCEPT": accept, "DROP": "-j DROP", "REJECT": "-g PVEFW-reject"}[rule["action"]]
        for ends in self._ends(rule, conf):
            for service in self._services(rule):
                self.add(chain, f"{iface}{ends}{service}{verdict}")

    def _ends(self, rule: files.Rule, conf: files.Conf) -> Iterator[str]:
        """Yield the match for source and destination; none when they are of another IP version."""
        words = []
        for name, sign, set_way in (("source", "s", "src"), ("dest", "d", "dst")):
            spec = rule.get(name, "")
            if spec.startswith("+"):
                words.append(f"-m set --match-set {conf.named_set(spec[1:])}-v{self.version} {set_way} ")
                continue
            if spec and not files.is_address(spec.partition(",")[0]):
                spec = conf.alias(spec) or self.local or ""
            if spec and files.version(spec.partition(",")[0]) != self.version:
                return
            if "-" in spec:
                words.append(f"-m iprange --{set_way}-range {spec} ")
            elif spec:
                words.append(f"-{sign} {spec} ")
        yield "".join(words)

    def _services(self, rule: files.Rule) -> Iterator[str]:
        if "macro" in rule:
            for proto, *ports in firewall_macros.MACROS[rule["macro"]]:
                yield from self._service(
                    {"proto": proto, **dict(zip(("dport", "sport"), ports, strict=False))}
                )
        else:
            yield from self._service(rule)

    def _service(self, rule: files.Rule) -> Iterator[str]:
        proto, dport = rule.get("proto", ""), rule.get("dport", "")
        kind = rule.get("icmp-type", dport if proto.startswith("icmp") else "")
        if proto in ("icmp", "icmpv6", "ipv6-icmp"):
            typed = f"-m {self.icmp} --{self.icmp}-type {kind} " if kind else ""
            yield f"-p {self.icmp} {typed}"
            return
        words = [f"-p {proto} "] if proto else []
        for sign, ports in (("dport", dport), ("sport", rule.get("sport", ""))):
            if "," in ports:
                words.append(f"--match multiport --{sign}s {ports} ")
            elif ports:
                words.append(f"--{sign} {ports} ")
        yield "".join(words)

    def _policy(self, chain: str, policy: str, level: str, vmid: str, accept: str) -> None:
        if policy == "ACCEPT":
            self.add(chain, f" {accept}")
            return
        self.add(chain, f"-j PVEFW-{'Drop' if policy == 'DROP' else 'Reject'}")
        if level in files.LEVELS:
            prefix = f":{vmid}:{files.LEVELS[level]}:{chain}: policy {policy}: "
            self.add(chain, f' {self._limit()}-j NFLOG --nflog-prefix "{prefix}"')
        self.add(chain, "-j DROP" if policy == "DROP" else "-g PVEFW-reject")

    def _limit(self) -> str:
        rate = dict(
            part.partition("=")[::2] for part in self.cluster.options.get("log_ratelimit", "").split(",")
        )
        if rate.get("enable", "1") == "0":
            return ""
        return f"-m limit --limit {rate.get('rate', '1/second')} --limit-burst {rate.get('burst', '5')} "


def network_of(address: str) -> str:
    """Return the network that pve-firewall finds for an address with a prefix: 16 to 30 bits."""
    found = ipaddress.ip_interface(address)
    return str(found.network) if 16 <= found.network.prefixlen <= 30 else ""
