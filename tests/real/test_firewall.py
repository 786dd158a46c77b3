"""The firewall in a real kernel: what our files say is what packets meet, and nobody stays locked out.

Proxmox's own daemon is not to be had here. Its chains are made by the lab's stand-in for `pve-firewall
compile`, which is held to what Proxmox printed, and given to the kernel as Proxmox does (packet_filter.py of
the stand-ins).
"""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from .cluster import Cluster
from .guests import NODE
from .hub import NETWORK, until
from .template import NAME, PATH

pytestmark = pytest.mark.real

CLUSTER_FILE = "/etc/pve/firewall/cluster.fw"
US = f"{NETWORK}.1"
POLICY = """\
firewall_cluster:
  confirm_seconds: 10
  management: [10.77.0.1/32]
  aliases: {{ local_network: 10.77.0.1/32 }}
  rules: [{rule}]
firewall_node:
  expose: {{ 445: [beta, web] }}
"""
GUESTS = {
    "951-chat": """\
node: alpha
lxc:
  template: busybox
  rootfs: { storage: tank-guests, size: 1G }
  net: { eth0: { bridge: vmbr0, ip: 10.77.0.51/24, firewall: true } }
firewall_guest:
  policy_out: DROP
  rules: [{ direction: out, dest: gamma, port: 445 }]
  expose: { 8000: [web, beta], 8001: none }
""",
    "952-web": """\
node: alpha
lxc:
  template: busybox
  rootfs: { storage: tank-guests, size: 1G }
  net: { eth0: { bridge: vmbr0, ip: 10.77.0.52/24 } }
""",
}
ADDRESSES = {"alpha": "10.77.0.11", "beta": "10.77.0.12", "gamma": "10.77.0.13"}
ADDRESSES |= {"chat": "10.77.0.51", "web": "10.77.0.52"}
CONNECT = "timeout 3 bash -c 'exec 3<>/dev/tcp/{}/{}' 2>/dev/null && echo open || echo $?"
SAID = {"open": "let in", "1": "let in", "124": "kept out"}
"""What `timeout` says of a connection: a port where nobody listens answers as well."""


class Walled:
    """A node with its firewall and two containers, one of them behind it; and the two nodes beside it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.site, self.alpha = cluster, cluster.site, cluster["alpha"]
        self._file = self.site.folder / "configs/nodes/alpha.yaml"
        self._bare = self._file.read_text()
        self._with = self._bare + NODE.format(name=NAME, path=PATH, digest=cluster.template)
        self._folder = self.site.folder / "configs/guests"

    def declare(self, rule: str = "{ macro: Ping }") -> None:
        self._file.write_text(self._with + POLICY.format(rule=rule))
        self._folder.mkdir(exist_ok=True)
        for name, text in GUESTS.items():
            (self._folder / f"{name}.yaml").write_text(text)

    def forget(self) -> None:
        self._file.write_text(self._bare)
        shutil.rmtree(self._folder)
        self.cluster.settled = False

    def apply(self, *words: str):
        return self.cluster.apply("--host", "alpha", *words)

    def connect(self, source: str, target: str, port: int) -> str:
        """Try a connection from a node, a container, or from here; what became of it."""
        script = CONNECT.format(ADDRESSES[target], port)
        vmid = {"chat": 951, "web": 952}.get(source)
        if source == "us":
            said = self.cluster.near(script)
        elif vmid:
            said = self.alpha.run(f'exec nsenter -n -t "$(lxc-info -n {vmid} -pH)" sh', script)
        else:
            said = self.cluster[source].run(script)
        return SAID[said.strip()]

    def connections(self, wanted: list[tuple[str, str, int]]) -> dict[tuple[str, str, int], str]:
        """Try many at once: each that is kept out takes its three seconds."""
        with ThreadPoolExecutor(16) as pool:
            return dict(zip(wanted, pool.map(lambda one: self.connect(*one), wanted), strict=True))

    def serve(self) -> None:
        """Let both containers listen on two ports."""
        for vmid in (951, 952):
            for port in (8000, 8001):
                self.alpha.run(f"lxc-attach -n {vmid} --clear-env -- /bin/busybox httpd -p {port} -h /srv")

    def text(self) -> str:
        return self.alpha.run(f"cat {CLUSTER_FILE}")


@pytest.fixture(scope="module")
def _walled(_cluster: Cluster) -> Iterator[Walled]:
    walled = Walled(_cluster)
    _cluster.fresh()
    walled.declare()
    try:
        applied = walled.apply()
        assert applied.status == 0, applied.told
        walled.serve()
        yield walled
    finally:
        walled.forget()


@pytest.fixture
def walled(_walled: Walled) -> Walled:
    """The same, as declared; its containers listen."""
    _walled.declare()
    applied = _walled.apply()
    assert applied.status == 0, applied.told
    return _walled


def test_packets_meet_what_the_matrix_says_of_every_pair(walled):
    matrix = walled.site.run("firewall", "matrix", "--json").document
    places = {**{name: name for name in ADDRESSES}, "management (10.77.0.1/32)": "us"}
    expected = {
        (places[pair["source"]], pair["target"], int(pair["port"].removesuffix("/tcp"))): (
            "let in" if pair["accepted"] else "kept out"
        )
        for pair in matrix["pairs"]
        if pair["source"] in places
    }

    found = walled.connections(list(expected))

    assert found == expected
    assert expected["web", "chat", 8000] == expected["beta", "alpha", 445] == "let in"
    assert expected["gamma", "chat", 8000] == expected["gamma", "alpha", 445] == "kept out"
    assert expected["chat", "gamma", 445] == "let in"
    assert expected["chat", "beta", 445] == "kept out"


def test_what_nobody_opened_is_shut_and_who_administers_gets_in(walled):
    found = walled.connections(
        [
            *(("us", "alpha", 22), ("beta", "alpha", 22), ("web", "alpha", 22), ("alpha", "beta", 22)),
            *(("web", "chat", 8001), ("alpha", "chat", 8001), ("beta", "web", 8001), ("chat", "web", 8000)),
        ]
    )

    assert [who for who, said in found.items() if said == "let in"] == [
        ("us", "alpha", 22),
        ("alpha", "beta", 22),
        ("beta", "web", 8001),  # no firewall was declared for it
    ]


def test_the_checks_say_it_when_the_kernel_does_otherwise_and_an_apply_repairs_it(walled):
    verified = walled.site.run("verify", "--on", "alpha", "-k", "firewall")
    assert verified.status == 0, verified.told
    rules = next(
        name
        for name in ("iptables-legacy", "iptables-nft")
        if "PVEFW-FORWARD" in walled.alpha.try_(f"{name} -S")[1]
    )
    for wrong, said in {
        "-I PVEFW-FORWARD -s 10.77.0.52 -j DROP": "10.77.0.51 8000 from 952",
        "-F PVEFW-FORWARD": "10.77.0.51 8000",
    }.items():
        walled.alpha.run(f"{rules} {wrong}")
        verified = walled.site.run("verify", "--on", "alpha", "-k", "firewall_guest")
        assert verified.status == 1
        assert said in verified.told

    repaired = walled.apply("--json")
    assert repaired.status == 0, repaired.told
    assert [step["title"] for step in repaired.document["steps"]] == [
        "systemctl reload-or-restart pve-firewall"
    ]
    assert walled.connect("alpha", "chat", 8000) == "kept out"


def test_locked_out_by_a_change_the_node_takes_it_back_with_a_timer_of_systemds(walled):
    """Proxmox does otherwise than was proven: behind our back, the file that is loaded drops ssh."""
    alpha, before = walled.alpha, walled.text()
    once = "[ -e /run/once ] || { : >/run/once; sed -i '/^.RULES/a IN DROP -p tcp -dport 22' %s; }"
    alpha.before("systemctl", "reload-or-restart", once % CLUSTER_FILE)
    walled.declare("{ macro: Ping }, { port: 9100, source: any }")
    defaults = walled.site.folder / "inventory/defaults.yaml"
    text = defaults.read_text()
    defaults.write_text(text.replace("connect_seconds: 10", "connect_seconds: 2"))

    applied = walled.apply()
    cut = walled.connect("us", "alpha", 22)
    defaults.write_text(text)

    assert applied.status != 0
    assert "the node takes the change back by itself" in applied.told
    assert cut == "kept out"
    assert "NEXT" in alpha.run("systemctl list-timers phoenix-firewall-cluster.timer")
    until("alpha lets us in again", lambda: walled.connect("us", "alpha", 22) == "let in", 30)
    assert walled.text() == before
    left = "systemctl list-units --all --no-legend 'phoenix-firewall-*'"
    until("nothing of the timer is left", lambda: alpha.run(left) == "")
    walled.cluster.let_go()
    again = walled.apply()
    assert again.status == 0, again.told
    assert "-dport 9100" in walled.text()
    assert walled.connect("gamma", "alpha", 9100) == "let in"


def test_who_loses_the_connection_in_the_middle_confirms_nothing(walled):
    alpha, before = walled.alpha, walled.text()
    walled.cluster.hold("alpha", "systemctl", "reload-or-restart")
    walled.declare("{ macro: Ping }, { port: 9101, source: any }")
    apply = walled.site.start("apply", "--yes", "--host", "alpha")
    walled.cluster.until_held("alpha")
    assert "-dport 9101" in walled.text()

    alpha.unplug()
    walled.cluster.go_on()
    until("the node has taken the change back", lambda: walled.text() == before, 40)

    out, err = apply.communicate(timeout=600)
    assert apply.returncode == 3, out + err
    alpha.plug_in()
    walled.cluster.let_go()
    again = walled.apply()
    assert again.status == 0, again.told
    assert "-dport 9101" in walled.text()
