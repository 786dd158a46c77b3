"""Rules about firewalls (V-32 to V-35), rules that nobody writes, and who may reach whom."""

import json
from pathlib import Path
from typing import ClassVar

import pytest
from tests.unit.site_files import DATASET, HOSTS, NODE, loaded, make, problems

from phoenix_hypervisor import cli
from phoenix_hypervisor.config import Site
from phoenix_hypervisor.config.network import network_of
from phoenix_hypervisor.config.policies import network, sides
from phoenix_hypervisor.converge.steps import acts
from phoenix_hypervisor.dialects import firewall_fw as fw
from phoenix_hypervisor.firewall.matrix import pairs
from phoenix_hypervisor.firewall.ports import PORT, REACHES, Port, Reach
from phoenix_hypervisor.observe import firewall_screen
from phoenix_hypervisor.resource import CREATE, EVERY, GuestFacts, Kind, Offer, Ref
from phoenix_hypervisor.services import SERVICE, Service

BASE = """\
hardware:
  memory: 16G
  disks: {a: {id: d1, size: 1T}, b: {id: d2, size: 1T}}
zfs_pool: {tank: {vdevs: [{type: mirror, disks: [d1, d2]}]}}
zfs_dataset: {tank/disks: {}, tank/iso: {}, tank/x: {}}
pve_storage:
  disks: {type: zfspool, pool: tank/disks, content: [rootdir]}
  iso: {type: dir, path: /tank/iso, content: [iso, vztmpl]}
ct_template: {base: {storage: iso, file: base_1_amd64.tar.zst}}
firewall_cluster:
  management: [10.0.0.0/28]
  aliases: {lan: 10.0.0.0/24}
  groups: {web: [{macro: Web, source: lan}]}
"""
"""A node with a firewall that is on; thirteen lines."""
CHAT, GATE = "configs/guests/950-chat.yaml", "configs/guests/953-gateway.yaml"
GUEST = """\
lxc:
  template: base
  rootfs: {{storage: disks, size: 8G}}
  net: {{eth0: {{bridge: vmbr0, ip: {0}, firewall: true}}}}
"""
REACH = {HOSTS: "pve: {hostname: 10.0.0.13}\n"}
FILES = {NODE: BASE, CHAT: GUEST.format("10.0.0.50/24"), GATE: GUEST.format("10.0.0.53/24"), **REACH}


def found(folder: Path, files: dict[str, str]) -> str:
    return problems(folder, {**FILES, **files})


def chat(text: str, address: str = "10.0.0.50/24") -> dict[str, str]:
    """The guest `chat` with this firewall; it begins at line 5."""
    return {CHAT: GUEST.format(address) + text}


WRONG = {
    "V-32 a firewall that is on, and nothing gets in": (
        chat("firewall_guest: {}\n"),
        (f"{CHAT}:5:1: firewall_guest:950: the firewall of `chat` is on and lets nothing in [V-32]\n"
        "  hint: rules, or `expose: {}` if that is meant"),
    ),
    "V-32 a policy without an interface it applies to": (
        {CHAT: GUEST.format("10.0.0.50/24").replace("true", "false") + "firewall_guest: {expose: {}}\n"},
        (f"{CHAT}:5:1: firewall_guest:950: no interface of the guest is under the "
        "firewall: none of this would "
        "do anything [V-32]\n  hint: `firewall: true` for one of its `net`"),
    ),
    "V-32 rules while the firewall is off": (
        {NODE: BASE.replace("firewall_cluster:\n", "firewall_cluster:\n  enable: false\n"),
         **chat("firewall_guest: {expose: {}}\n")},
        (f"{CHAT}:5:1: firewall_guest:950: the firewall of the datacenter is off: none "
        "of this would do anything "
        "[V-32]\n  hint: declare `firewall_cluster` for the node `pve`"),
    ),
    "V-32 a share that nobody could reach": (
        {NODE: BASE + "firewall_node: {}\nsamba_share:\n  x: {path: /tank/x}\n"},
        (f"{NODE}:16:3: nothing says who may reach 445/tcp of samba_share:x [V-32]\n  "
        "hint: in `firewall_node`: "
        "`expose: {PORT: [WHO]}` says who may use it, `expose: {PORT: none}` that nobody may"),
    ),
    "V-32 a server without a firewall of its own": (
        {NODE: BASE + "nfs_export:\n  /tank/x: {clients: {10.0.0.0/24: [rw]}}\n"},
        (f"{NODE}:15:3: `pve` serves others, and its firewall is on without rules of its own [V-32]\n"
        "  hint: declare `firewall_node: {}`"),
    ),
    "V-35 a guest that is not there": (
        chat("firewall_guest:\n  rules:\n    - {port: 8000, source: gatway}\n"),
        (f"{CHAT}:7:20: firewall_guest:950: there is no guest, node or alias `gatway` [V-35]\n"
        "  hint: did you mean `gateway`?"),
    ),
    "V-35 a guest without an address": (
        {GATE: GUEST.format("dhcp"), **chat("firewall_guest:\n  expose: {8000: gateway}\n")},
        (f"{CHAT}:6:12: firewall_guest:950: `gateway` has no static address a rule could name [V-35]\n"
        "  hint: give it one in `net`, or name its network by an alias"),
    ),
    "V-35 an address of nobody": (
        chat("firewall_guest:\n  rules:\n    - {port: 8000, source: 10.9.0.1}\n"),
        (f"{CHAT}:7:20: firewall_guest:950: 10.9.0.1 is neither a declared guest's nor in a declared network "
        "[V-35]\n  hint: declare its network in `aliases`, and name that; a guest is named by its name"),
    ),
    "V-35 a group that is not there": (
        chat("firewall_guest:\n  rules: [{group: wbe}]\n"),
        f"{CHAT}:6:11: firewall_guest:950: there is no group `wbe` [V-35]\n  hint: did you mean `web`?",
    ),
    "V-35 one name for two": (
        {NODE: BASE.replace("lan: 10.0.0.0/24", "lan: 10.0.0.0/24, gateway: 10.0.0.1"),
         **chat("firewall_guest:\n  expose: {8000: gateway}\n")},
        (f"{CHAT}:6:12: firewall_guest:950: `gateway` is both a host and an alias [V-35]\n"
        "  hint: give the alias another name"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("title", WRONG)
def test_what_is_wrong_is_said(tmp_path, title):
    files, said = WRONG[title]
    assert found(tmp_path, files) == said


RIGHT = {
    "nothing is served, and that is said": chat("firewall_guest: {expose: {}}\n"),
    "closed on purpose": {
        NODE: BASE + "firewall_node: {expose: {445: none}}\nsamba_share:\n  x: {path: /tank/x}\n"
    },
    "a rule of one's own opens it": {
        NODE: BASE
        + "firewall_node: {rules: [{macro: SMB, source: lan}]}\nsamba_share:\n  x: {path: /tank/x}\n"
    },
    "the share itself says who": {
        NODE: BASE
        + "firewall_node: {}\nsamba_share:\n  x: {path: /tank/x, options: {hosts allow: 10.0.0.0/24}}\n"
    },
    "a group, a guest, a set and an alias": chat(
        "firewall_guest:\n  ipsets: {friends: [gateway, lan]}\n"
        "  rules: [{group: web}, {port: 1, source: +friends}, {port: 2, source: dc/lan}, "
        "{port: 3, source: pve}]"
        "\n"
    ),
}


@pytest.mark.parametrize("title", RIGHT)
def test_what_is_right_is_silent(tmp_path, title):
    site = loaded(tmp_path, {**FILES, **RIGHT[title]})
    assert site.warnings == ()


def warnings(folder: Path, text: str) -> list[str]:
    return [str(problem) for problem in loaded(folder, {**FILES, **chat(text)}).warnings]


def test_a_rule_that_is_there_twice_is_told(tmp_path):
    rules = (
        "[{port: 8000, source: lan}, {port: 8000, source: [lan], comment: again}, {port: 8000, source: pve}]"
    )
    (said,) = warnings(tmp_path, f"firewall_guest:\n  rules: {rules}\n")
    assert "the rule `IN ACCEPT -source lan -p tcp -dport 8000 # again` is there twice [V-33]" in said


def test_a_rule_that_lets_in_everybody_says_that_it_means_to(tmp_path):
    (said,) = warnings(tmp_path, "firewall_guest:\n  rules: [{port: 6333}, {macro: Ping}]\n")
    assert "firewall_guest:950: this rule lets in everybody [V-34]" in said
    assert warnings(tmp_path / "any", "firewall_guest:\n  rules: [{port: 6333, source: any}]\n") == []


# Rules that nobody writes.


def rules_of(site: Site, ref: Ref) -> list[str]:
    return [str(rule) for rule in site.resources[ref].firewall.rules]


def test_guests_are_named_and_the_file_has_their_addresses(tmp_path):
    site = loaded(
        tmp_path, {**FILES, **chat("firewall_guest:\n  expose: {8000: [gateway, lan], 6334: none}\n")}
    )
    assert rules_of(site, Ref("pve", "firewall_guest", "950")) == [
        "IN ACCEPT -source 10.0.0.53 -p tcp -dport 8000 # exposed 8000/tcp",
        "IN ACCEPT -source lan -p tcp -dport 8000 # exposed 8000/tcp",
    ]


def test_an_export_opens_its_port_to_its_clients_and_what_a_person_says_goes_before(tmp_path):
    export = "nfs_export:\n  /tank/x: {clients: {10.0.0.0/24: [rw], 'fd00::/8': [ro]}}\n"
    node = "firewall_node: {rules: [{action: drop, port: 2049, source: gateway}]}\n"
    site = loaded(tmp_path, {**FILES, NODE: BASE + export + node})
    assert rules_of(site, Ref("pve", "firewall_node", "pve")) == [
        "IN DROP -source 10.0.0.53 -p tcp -dport 2049 # from gateway",
        "IN ACCEPT -source 10.0.0.0/24 -p tcp -dport 2049 # for nfs_export:/tank/x",
        "IN ACCEPT -source fd00::/8 -p tcp -dport 2049 # for nfs_export:/tank/x",
    ]


class Server(Kind):
    """A kind as a later one will be: it says what it serves."""

    port: str
    clients: tuple[str, ...] | None = ()

    def provides(self):
        yield Offer(PORT, f"{self.port}/tcp", Port(self.port, "tcp", self.clients))


class Gateway(Kind):
    """A kind as a later one will be: it says whom it uses."""

    uses: ClassVar[tuple[str, ...]] = ("chat",)

    def provides(self):
        for guest in self.uses:
            yield Offer(REACHES, guest, Reach("8000"))


def test_who_says_that_they_use_a_port_are_its_clients_and_neither_kind_knows_the_other(tmp_path):
    site = loaded(tmp_path, FILES)
    guests = [GuestFacts("chat", "950", "pve", None, "", {"net": {"eth0": {"ip": "10.0.0.50/24"}}})]
    declared = {
        Ref("chat", "server", "a"): Server(name="a", port="8000"),
        Ref("chat", "server", "b"): Server(name="b", port="9000", clients=None),
        Ref("gateway", "gateway", "g"): Gateway(name="g"),
        Ref("gateway", "gateway", "gone"): Gateway(name="gone", state="absent"),
    }
    served = network_of(site.inventory, guests, declared).served["chat"]
    assert [(one.port.number, one.clients) for one in served] == [("8000", ("gateway",)), ("9000", None)]


class Serving(Server):
    """A kind that serves others over HTTP."""

    def provides(self):
        yield from super().provides()
        yield Offer(SERVICE, self.name, Service("chat", int(self.port)))


class ForAll(Kind):
    """A kind that uses every service there is."""

    def provides(self):
        yield Offer(REACHES, EVERY, Reach(EVERY))


def test_who_uses_every_service_is_a_client_of_services_and_of_no_other_port(tmp_path):
    site = loaded(tmp_path, FILES)
    declared = {
        Ref("chat", "server", "a"): Server(name="a", port="22"),
        Ref("chat", "service", "b"): Serving(name="b", port="8000"),
        Ref("gateway", "for_all", "g"): ForAll(name="g"),
        Ref("gateway", "service", "own"): Serving(name="own", port="8080"),
    }
    served = network_of(site.inventory, [], declared).served
    assert [(one.port.number, one.clients) for one in served["chat"]] == [("22", ()), ("8000", ("gateway",))]
    assert [one.clients for one in served["gateway"]] == [()]


# Who may reach whom.

MATRIX = {
    **chat("firewall_guest:\n  expose: {8000: gateway, 6334: none}\n  rules: [{port: 9100, source: any}]\n"),
    GATE: GUEST.format("10.0.0.53/24") + "firewall_guest: {rules: [{group: web}], policy_out: DROP}\n",
}


def test_the_matrix_says_who_gets_in_from_the_files_alone(tmp_path):
    export = "nfs_export:\n  /tank/x: {clients: {10.0.0.0/24: [rw]}}\nfirewall_node: {}\n"
    site = loaded(tmp_path, {**FILES, NODE: BASE + export, **MATRIX})
    assert list(firewall_screen.lines(list(pairs(sides(site), network(site))))) == [
        "TO       PORT      SERVED BY           LET IN",
        "pve      22/tcp    Proxmox             its own network, management (10.0.0.0/28)",
        "pve      2049/tcp  nfs_export:/tank/x  lan (10.0.0.0/24) without gateway",
        "pve      8006/tcp  Proxmox             its own network, management (10.0.0.0/28)",
        "chat     8000/tcp  -                   nobody",
        "chat     9100/tcp  -                   anybody",
        "gateway  80/tcp    -                   lan (10.0.0.0/24)",
        "gateway  443/tcp   -                   lan (10.0.0.0/24)",
    ]


def test_the_matrix_names_the_rule_that_decides(tmp_path):
    site = loaded(tmp_path, {**FILES, **MATRIX})
    reasons = {
        pair.source: pair.reason
        for pair in pairs(sides(site), network(site))
        if (pair.target, pair.port) == ("chat", "8000/tcp")
    }
    policy = "no rule of its file fits: policy_in DROP"
    assert reasons == {
        "pve": policy,
        "gateway": "at gateway: no rule of its file fits: policy_out DROP",
        "lan (10.0.0.0/24)": policy,
        "management (10.0.0.0/28)": policy,
        "anywhere": policy,
    }


def test_the_verb_prints_the_table_and_a_document(tmp_path, capsys):
    folder = make(tmp_path, {**FILES, **MATRIX})
    assert cli.run(["--site", str(folder), "firewall", "matrix", "chat"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "chat  9100/tcp  -          anybody"
    assert cli.run(["--site", str(folder), "firewall", "matrix", "--json", "chat"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == 1
    assert {pair["port"]: pair["accepted"] for pair in document["pairs"] if pair["source"] == "anywhere"} == {
        "8000/tcp": False,
        "9100/tcp": True,
    }


def test_without_a_firewall_the_matrix_says_that_all_is_open(tmp_path):
    site = loaded(tmp_path, {NODE: DATASET + "nfs_export: {/tank/x: {clients: {10.0.0.0/24: [rw]}}}\n"})
    off = "the firewall is off: cluster.fw does not say `enable: 1`"
    assert {(pair.port, pair.accepted, pair.reason) for pair in pairs(sides(site), network(site))} == {
        ("2049/tcp", True, off)
    }


def test_a_files_rules_are_not_flattened_into_the_datacenters(tmp_path):
    site = loaded(tmp_path, {**FILES, **MATRIX})
    assert fw.parse(site.resources[Ref("pve", "firewall_cluster", "pve")].text).rules == ()


LAYER = "configs/guests/900-base.yaml"


def test_a_firewall_needs_its_guest_and_nothing_inside_and_a_seal_comes_after_it(tmp_path):
    """A layer's seal waits for all that is about its guest: the firewall must not wait for the seal too."""
    inside = "host_file: {/etc/x: {content: x}}\n"
    layer = GUEST.format("10.0.0.60/24") + inside + "lxc_layer: {}\nfirewall_guest: {expose: {}}\n"
    site = loaded(tmp_path, {**FILES, LAYER: layer})
    firewall, guest = Ref("pve", "firewall_guest", "900"), Ref("pve", "lxc", "900")
    assert set(site.needs[firewall]) == {guest, Ref("pve", "firewall_cluster", "pve")}
    assert firewall in site.needs[Ref("pve", "lxc_layer", "900")]


def test_a_guests_file_is_put_in_its_place_without_a_timer(tmp_path):
    site = loaded(tmp_path, {**FILES, **chat("firewall_guest:\n  expose: {8000: gateway}\n")})
    (step,) = site.resources[Ref("pve", "firewall_guest", "950")].converge(CREATE)
    assert step.title == "write /etc/pve/firewall/950.fw, compile it, reload pve-firewall"
    assert step.confirm is None  # a new connection to the node would prove nothing about a guest


def test_a_script_that_may_cut_us_off_is_there_before_its_timer_and_confirmed_afresh(tmp_path):
    site = loaded(tmp_path, FILES)
    (step,) = site.resources[Ref("pve", "firewall_cluster", "pve")].converge(CREATE)
    found = [(act.command.splitlines()[-1].split(" /etc")[0], act.afresh) for act in acts(step, "x")]
    put = "/var/lib/phoenix/scripts/firewall_cluster/put.sh"
    assert found == [
        (f'mv -f "$candidate" {put}', False),
        (f"sh {put} arm", False),
        (f"sh {put} put", False),
        (f"sh {put} disarm", True),
    ]
