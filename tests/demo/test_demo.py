"""The demonstration ends well, twice, and touches nothing but its own folder."""

import pytest
from tests.reference import EARLIER, copied, play

SECRETS = [
    "phoenix secrets init",
    "phoenix secrets set jupyter/token --generate",
    "phoenix secrets set samba/heads --generate",
    "phoenix secrets set unix/admin --generate",
]
STORY = [
    "phoenix validate",
    "phoenix lab up --fresh",
    "phoenix plan",
    "phoenix apply --yes",
    "phoenix verify -q",
    "phoenix apply",
    "phoenix lab drift zfs-property",
    "phoenix plan",
    "phoenix apply --yes",
]


@pytest.fixture
def site(tmp_path):
    return copied(tmp_path / "site")


@pytest.fixture
def demo(tmp_path, site):
    """Plays the demonstration on a site that has neither secrets nor a node."""
    return lambda: play(site, tmp_path / "outside")


def test_it_tells_the_whole_story_again_with_the_secrets_there_are_and_another_node(blank, demonstrated):
    site, said = demonstrated.site, demonstrated.said
    assert said.commands == STORY
    assert said.after("phoenix apply") == "156 resources as declared, nothing to do"
    changed = said.after("phoenix lab drift zfs-property")
    assert changed == "fastData/heads-bulk-data: compression is gzip-9 now"
    repaired = said.after("phoenix apply --yes", run=2).splitlines()
    ran, counted, took = repaired[-3:]
    assert [line for line in repaired if "✓" in line] == [ran]
    assert ran.startswith("  ✓ phoenix: zfs set compression=lz4 fastData/heads-bulk-data  (")
    assert (counted, took.split()[0]) == ("1 step run; 156 resources as declared", "took:")
    key = ".phoenix/identity.txt"
    assert (site.folder / key).read_bytes() == (blank.folder / key).read_bytes()
    assert not (site.node.root / EARLIER[1:]).exists()


def test_a_real_node_in_the_inventory_stops_it_before_anything_is_run(demo, site):
    hosts = site / "inventory/hosts.yaml"
    hosts.write_text(hosts.read_text().replace("groups: [lab]", "data: {transport: local}"))
    status, said = demo()
    assert status == 1
    assert said == (
        "\nthe demonstration stops: phoenix is no lab node, and this would change it\n"
        "  hint: run the demonstration in a fresh copy of the repository\n"
    )
    assert not (site / ".phoenix").exists()


def test_secrets_that_nobody_can_open_any_more_are_not_thrown_away(demo, site):
    (site / "configs/secrets.age").write_text("sealed\n")
    status, said = demo()
    assert status == 1
    assert said == (
        "\nthe demonstration stops: configs/secrets.age is there, but .phoenix/identity.txt, "
        "which opens it, is not\n"
        "  hint: bring the identity back; or remove configs/secrets.age, and new secrets are made\n"
    )
    assert (site / "configs/secrets.age").read_text() == "sealed\n"


def test_a_command_that_does_not_end_as_it_must_stops_it(demo, site):
    node = site / "configs/nodes/phoenix.yaml"
    more = "\nsamba_user:\n  tails: {password: !secret samba/tails}\n"
    node.write_text(node.read_text() + more)
    said = demo()
    assert said.status == 1
    assert said.commands == [*SECRETS, *STORY[:3]]
    assert said.text.splitlines()[-1] == "the demonstration stops: `phoenix plan` ended with 1, not 2"
