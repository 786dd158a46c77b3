"""The demonstration ends well, twice, and touches nothing but its own folder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DEMO = (sys.executable, "-m", "phoenix_hypervisor.lab.demo")
STORY = [
    "phoenix validate",
    "phoenix lab up --fresh",
    "phoenix plan",
    "phoenix apply --yes | tail -n 1",
    "phoenix verify -q",
    "phoenix apply",
    "phoenix lab drift zfs-property",
    "phoenix plan",
    "phoenix apply --yes",
]


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    for part in ("configs", "inventory"):
        shutil.copytree(PROJECT / part, folder / part, ignore=shutil.ignore_patterns("secrets.age"))
    return folder


@pytest.fixture
def demo(tmp_path, site):
    """Plays the demonstration: status, and what it says on both streams in the order of a terminal."""
    outside = {
        "HOME": tmp_path / "home",
        "TMPDIR": tmp_path / "scratch",
        "XDG_RUNTIME_DIR": tmp_path / "runtime",
    }
    for folder in outside.values():
        folder.mkdir()

    def play(**environment):
        ended = subprocess.run(
            DEMO,
            check=False,
            cwd=site,
            env={**os.environ, **{name: str(folder) for name, folder in outside.items()}, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,
        )
        return ended.returncode, ended.stdout

    yield play
    assert {name: list(folder.iterdir()) for name, folder in outside.items()} == {
        name: [] for name in outside
    }


def commands(said):
    return re.findall(r"^\$ (.*)$", said, re.MULTILINE)


def between(said, command, number=0):
    """What is said after the n-th run of a command, up to the next paragraph."""
    return said.split(f"$ {command}\n")[number + 1].split("\n\n")[0]


def test_it_tells_the_whole_story_and_tells_it_again(demo, site):
    status, first = demo(PHOENIX_SITE="/nowhere", PHOENIX_AGE_IDENTITY="/nowhere/either")
    assert status == 0, first
    assert commands(first) == [
        "phoenix secrets init",
        "phoenix secrets set jupyter/token --generate",
        "phoenix secrets set samba/heads --generate",
        "phoenix secrets set unix/admin --generate",
        *STORY,
    ]
    assert between(first, "phoenix apply") == "142 resources as declared, nothing to do"
    changed = between(first, "phoenix lab drift zfs-property")
    assert changed == "fastData/heads-bulk-data: compression is gzip-9 now"
    repaired = between(first, "phoenix apply --yes").splitlines()
    ran, counted, took = repaired[-3:]
    assert [line for line in repaired if "✓" in line] == [ran]
    assert ran.startswith("  ✓ phoenix: zfs set compression=lz4 fastData/heads-bulk-data  (")
    assert (counted, took.split()[0]) == ("1 step run; 142 resources as declared", "took:")
    key = (site / ".phoenix/identity.txt").read_bytes()

    status, second = demo()
    assert status == 0, second
    assert commands(second) == STORY
    assert between(second, "phoenix apply") == "142 resources as declared, nothing to do"
    assert (site / ".phoenix/identity.txt").read_bytes() == key


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
    status, said = demo()
    assert status == 1
    assert commands(said)[-1] == "phoenix plan"
    assert said.splitlines()[-1] == "the demonstration stops: `phoenix plan` ended with 1, not 2"
