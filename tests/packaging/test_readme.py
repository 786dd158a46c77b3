"""README.md, done as it says: its commands run, and its screens are what they print."""

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.packaging import documents
from tests.packaging.documents import PROJECT

from phoenix_hypervisor import registry

README = PROJECT / "README.md"


@pytest.fixture
def shell(tmp_path):
    """Runs a command line in a folder as a person would: status, stdout, stderr. It leaves the home empty."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PHOENIX_"))}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(command, folder):
        ended = subprocess.run(
            ["sh", "-c", command],
            check=False,
            cwd=folder,
            env={**kept, "HOME": str(home), "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1200,
        )
        return ended.returncode, ended.stdout, ended.stderr

    yield run
    assert list(home.iterdir()) == []


@pytest.fixture(scope="module")
def reference(demonstrated, tmp_path_factory):
    """The reference site, its lab node built: as `make demo` leaves it, and as each test here leaves it."""
    return demonstrated.site.copy(tmp_path_factory.mktemp("readme") / "reference").folder


def shown(heading):
    """The commands of a section, as they stand there."""
    lines = documents.section(README, heading).splitlines()
    found = [re.match(r" {4,}(phoenix .*)$", line) for line in lines]
    return [re.split(" {2,}#", match[1])[0].strip() for match in found if match]


def screens():
    """What the first section shows: its code blocks, without their indentation."""
    blocks = re.findall(r"(?:^ {4}.*\n)+", documents.section(README, "What it looks like"), re.MULTILINE)
    return [re.sub(r"^ {4}", "", block, flags=re.MULTILINE) for block in blocks]


def untimed(text):
    return re.sub(r"\b\d+\.\d s", "0.0 s", text)


def test_the_screens_are_what_is_printed(reference, shell, tmp_path):
    plan, ran, nothing, mistake = screens()
    assert shell("phoenix lab drift zfs-property", reference)[0] == 0
    assert shell("phoenix exec -- pct set 952 --memory 1024", reference)[0] == 0
    status, out, _ = shell("phoenix plan", reference)
    assert (status, f"$ phoenix plan\n{out}") == (2, plan)
    status, out, said = shell("phoenix apply --yes", reference)
    told = [*untimed(said).splitlines(), out.splitlines()[-1]]
    # the two steps are of lanes that run side by side: either may end first; the end is on the other stream
    assert (status, sorted(told)) == (0, sorted(untimed(ran).splitlines()))
    assert shell("phoenix apply", reference) == (0, nothing.removeprefix("$ phoenix apply\n"), "")

    site = tmp_path / "site"
    shell("phoenix init site", tmp_path)
    node = site / "configs/nodes/pve.yaml"
    node.write_text(node.read_text().replace("quota: 500G", "qouta: 500G"))
    assert shell("phoenix validate", site) == (1, "", mistake.removeprefix("$ phoenix validate\n"))


def test_what_may_be_tried_after_the_demonstration_works(converged_once, shell, tmp_path):
    """Tried on the storage and the shares of the demonstration's node: what is tried is about these."""
    site = converged_once.copy(tmp_path / "site").folder
    ended = {}
    for number, command in enumerate(shown("Try it")):
        agreed = (
            command.replace("phoenix apply", "phoenix apply --yes") if "--yes" not in command else command
        )
        ended[number, command] = shell(agreed, site)[0]
    assert [*ended.items()] == [
        ((0, "phoenix lab drift"), 0),
        ((1, "phoenix lab drift export-options"), 0),
        ((2, "phoenix plan"), 2),
        ((3, "phoenix apply"), 0),
        ((4, "phoenix lab fault kill-before 3"), 0),
        ((5, "phoenix lab drift samba-share"), 0),
        ((6, "phoenix apply --yes"), 128 + signal.SIGKILL),
        ((7, "phoenix apply --yes"), 0),
    ]
    assert shell("phoenix plan", site) == (0, "26 resources as declared, nothing to do\n", "")


def test_the_first_ten_minutes_work_on_a_lab_node(tmp_path, shell):
    """With the README's own inventory the files are in order; then the same node lives in the lab."""
    init, *rest = shown("The first ten minutes on a real node")
    status, _, said = shell(init, tmp_path)
    assert status == 0, said
    site = tmp_path / "my-site"
    text = documents.section(README, "The first ten minutes on a real node")
    hosts = textwrap.dedent(re.search(r"(?:^ {8}(?!phoenix|cd).*\n)+", text, re.MULTILINE)[0])
    assert hosts.startswith("pve:\n")
    (site / "inventory/hosts.yaml").write_text(hosts)
    assert shell("phoenix validate", site)[0] == 0
    (site / "inventory/hosts.yaml").write_text(hosts.replace("ssh", "lab"))
    assert shell("phoenix lab up", site)[0] == 0
    ended = {command: shell(command + " --yes" * (command == "phoenix apply"), site)[0] for command in rest}
    assert ended == {
        "phoenix exec -- 'ls /dev/disk/by-id; zpool status; zfs list; pvesm status'": 0,
        "phoenix kinds": 0,
        "phoenix kinds zfs_dataset": 0,
        "phoenix validate": 0,
        "phoenix render": 0,
        "phoenix plan": 2,
        "phoenix apply": 0,
        "phoenix verify": 0,
    }


def test_the_kinds_listed_are_those_there_are():
    rows = documents.table(documents.section(README, "What it manages"), "| | kinds")
    there = [name for what, kinds in rows if "planned" not in what for name in re.findall(r"`(\w+)`", kinds)]
    assert sorted(there) == sorted(registry.homes())
