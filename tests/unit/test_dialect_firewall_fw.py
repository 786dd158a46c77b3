"""Proxmox's .fw files: read, written, the same in meaning."""

import ast
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lab import transcripts

from phoenix_hypervisor.dialects import firewall_fw as fw
from phoenix_hypervisor.dialects import firewall_macros
from phoenix_hypervisor.dialects.firewall_fw import Alias, Firewall, Group, Member, Rule, Set
from phoenix_hypervisor.dialects.firewall_macros import MACROS

names = st.from_regex(r"[a-z][a-z0-9_-]{1,10}", fullmatch=True)
numbers = st.integers(0, 255)
ips = st.builds("{}.{}.{}.{}".format, numbers, numbers, numbers, numbers)
networks = st.builds("{}/{}".format, ips, st.integers(0, 32)) | st.sampled_from(["fd00::/8", "2001:db8::7"])
comments = st.sampled_from(["", "a comment", "app # ports"])
ports = st.lists(st.integers(1, 65535).map(str), max_size=3).map(",".join) | st.just("8080:8090")
ends = st.sampled_from(["", "+office", "+dc/office", "guest/desk", "lan", "10.0.0.1-10.0.0.9"]) | networks
services = st.one_of(
    st.fixed_dictionaries({"macro": st.sampled_from(sorted(MACROS))}),
    st.fixed_dictionaries({"proto": st.sampled_from(["tcp", "udp"]), "dport": ports, "sport": ports}),
    st.fixed_dictionaries({"proto": st.just("icmp"), "icmp_type": st.sampled_from(["", "echo-request"])}),
    st.just({}),
)
rules = st.builds(
    lambda direction, action, service, source, dest, interface, log, comment, enabled: Rule(
        direction,
        action,
        **service,
        source=source,
        dest=dest,
        interface=interface,
        log=log,
        comment=comment,
        enabled=enabled,
    ),
    st.sampled_from(["IN", "OUT", "FORWARD"]),
    st.sampled_from(fw.ACTIONS),
    services,
    ends,
    ends,
    st.sampled_from(["", "vmbr0", "net0"]),
    st.sampled_from(["", "info", "nolog"]),
    comments,
    st.booleans(),
) | st.builds(lambda name: Rule("GROUP", name), names)
firewalls = st.builds(
    Firewall,
    st.dictionaries(st.sampled_from(["enable", "dhcp"]), st.sampled_from("01"))
    | st.just({"policy_in": "DROP", "log_ratelimit": "burst=5,enable=1,rate=1/second"}),
    st.dictionaries(names, st.builds(Alias, networks.map(fw.address), comments), max_size=3),
    st.dictionaries(
        names,
        st.builds(
            Set,
            st.lists(st.builds(Member, networks.map(fw.address), comments, st.booleans()), max_size=3).map(
                tuple
            ),
            comments,
        ),
        max_size=2,
    ),
    st.dictionaries(
        names,
        st.builds(Group, st.lists(rules.map(fw.canonical), max_size=3).map(tuple), comments),
        max_size=2,
    ),
    st.lists(rules.map(fw.canonical), max_size=6).map(tuple),
    st.just(()),
)


@given(firewalls)
def test_what_is_written_reads_back_the_same(firewall):
    assert fw.bare(fw.parse(fw.write(firewall, "x"))) == fw.bare(firewall)


@given(rules)
def test_a_rule_reads_back_the_same_in_its_canonical_spelling(rule):
    assert fw.parse_rule(str(rule)) == fw.canonical(rule)


@given(firewalls, st.randoms())
def test_the_order_of_options_aliases_and_members_does_not_matter(firewall, shuffle: random.Random):
    def shuffled(mapping):
        pairs = list(mapping.items())
        shuffle.shuffle(pairs)
        return dict(pairs)

    other = firewall._replace(
        options=shuffled(firewall.options),
        aliases=shuffled(firewall.aliases),
        sets={name: one._replace(members=one.members[::-1]) for name, one in shuffled(firewall.sets).items()},
    )
    assert fw.bare(fw.parse(fw.write(other, "x"))) == fw.bare(firewall)


def test_the_order_of_rules_is_their_meaning():
    first, second = Rule("IN", "DROP", source="10.0.0.5"), Rule("IN", "ACCEPT", source="10.0.0.0/24")
    texts = [fw.write(Firewall(rules=both), "x") for both in ((first, second), (second, first))]
    assert fw.bare(fw.parse(texts[0])) != fw.bare(fw.parse(texts[1]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("IN ACCEPT -p tcp -dport 443,80", "in ACCEPT -dport 80,443 -p tcp"),
        ("IN SSH(ACCEPT) -source 10.0.0.7/24", "IN SSH(ACCEPT) -source 10.0.0.0/24"),
        ("IN ACCEPT -source 10.0.0.7/32,10.0.0.5", "IN ACCEPT -source 10.0.0.5,10.0.0.7"),
        ("IN ACCEPT -source FD00::0:1", "IN ACCEPT -source fd00::1"),
        ("|IN DROP#off", "| IN DROP # off".replace("| ", "|")),
    ],
)
def test_what_means_the_same_is_the_same(one, other):
    assert fw.parse_rule(one) == fw.parse_rule(other) is not None


@pytest.mark.parametrize(
    "line",
    [
        "IN ACCEPT -x y",
        "IN",
        "iface x",
        "IN ACCEPT -p",
        "ALLOW ACCEPT",
        "IN ACCEPT -log loud",
        "IN SSH(ACCEPT",
    ],
)
def test_a_line_that_proxmox_skips_is_no_rule(line):
    assert fw.parse_rule(line) is None
    assert fw.parse(f"[RULES]\n{line}\n").faults == (line,)


def test_what_stands_in_no_section_or_in_an_unknown_one_is_a_fault():
    found = fw.parse("x\n[RULES]\nIN DROP\n[BOGUS]\ny\n[IPSET]\n")
    assert (found.rules, found.faults) == ((Rule("IN", "DROP"),), ("x", "[BOGUS]", "y", "[IPSET]"))


def test_a_file_of_ours_says_so_in_its_first_line_and_whose_it_is():
    text = fw.write(Firewall({"enable": "1"}), "guest 920")
    assert (
        text == "# Written by phoenix: guest 920. Changed by hand, it is written again.\n"
        "\n[OPTIONS]\n\nenable: 1\n"
    )
    assert fw.marked(text, "guest 920")
    assert not fw.marked(text, "guest 950")  # what Proxmox copied for a clone
    assert not fw.marked(text.split("\n", 1)[1], "guest 920")  # what its web interface writes


def recorded():
    for entry in transcripts.load("04-firewall") if transcripts.available() else []:
        if entry.stdout.startswith("[OPTIONS]"):
            yield pytest.param(entry, id=str(entry.n))


@pytest.mark.skipif(not transcripts.available(), reason="no recorded transcripts here")
@pytest.mark.parametrize("entry", list(recorded()))
def test_recorded_files_are_read_line_by_line(entry):
    """Every line of a file that Proxmox wrote is understood, and is the same after we have written it."""
    found = fw.parse(entry.stdout)
    faults = ("IN ACCEPT -x y", "[BOGUS]", "x") if "BOGUS" in entry.stdout else ()
    assert found.faults == faults
    assert fw.bare(fw.parse(fw.write(found, "x"))) == fw.bare(found._replace(faults=()))
    written = {line.strip() for line in entry.stdout.splitlines()} if not faults else set()
    kept = {line.strip() for line in fw.write(found, "x").splitlines()}
    assert {line for line in written - kept if not line.startswith("log_ratelimit")} == set()


@pytest.mark.skipif(not transcripts.available(), reason="no recorded transcripts here")
def test_every_macro_of_proxmox_is_known():
    import json

    (entry,) = [
        e
        for e in transcripts.load("04-firewall")
        if e.command.startswith("pvesh get /cluster/firewall/macros")
    ]
    assert {one["macro"] for one in json.loads(entry.stdout)} == set(MACROS)


def test_the_lab_knows_the_same_macros() -> None:
    """Its stand-ins run without our package and have a table of their own."""
    ours = Path(firewall_macros.__file__)
    theirs = ours.parents[1] / "lab/standins/firewall_macros.py"
    tables = [ast.parse(path.read_text()).body for path in (ours, theirs)]
    texts = [
        next(
            one.value.value
            for one in body
            if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant)
        )
        for body in tables
    ]
    assert texts[0] == texts[1]
    assert len(texts[0].split("\n")) > len(MACROS)
