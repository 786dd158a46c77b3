"""The lab's stand-ins say what the real tools say: one sequence of commands, on both sorts of node."""

import re
from collections.abc import Iterator

import pytest
from tests.vm import sequence
from tests.vm.sequence import Said
from tests.vm.site import ADDRESS, NODE, REPOSITORY, VmSite

from phoenix_hypervisor.lab.node import LabNode

COMPARED = "zpool|zfs|exportfs|pdbedit|smbpasswd|testparm|smbclient|wipefs|lsblk"
VERBS = re.compile(r"\b(zpool|zfs) ([a-z]+)\b")
FILES = ("verify/test_{}.py", "generator/phoenix_hypervisor/kinds/{}.py", "templates/{}")
KINDS = ("zfs_pool", "zfs_dataset", "zfs_arc", "nfs_export", "samba_share", "samba_user")


@pytest.fixture(scope="module")
def told(
    _machine: VmSite, first_apply, tmp_path_factory
) -> Iterator[dict[str, tuple[list[Said], list[Said]]]]:
    """Each part of the sequence, as the sandbox and as the machine answered it."""
    sandbox = LabNode(tmp_path_factory.mktemp("sandbox") / NODE)
    sandbox.up(NODE, _machine.disks, f"{ADDRESS}/24")
    if not _machine.node.machine.running:
        _machine.node.up(NODE, _machine.disks)
    _machine.node.reset()
    answers = {}
    for part in sequence.PARTS:
        both = [node.run(sequence.script(part), timeout=900) for node in (sandbox, _machine.node)]
        assert [ended.status for ended in both] == [0, 0], both
        answers[part] = tuple(list(sequence.said(ended.stdout.decode())) for ended in both)
    yield answers
    sandbox.down()


@pytest.mark.parametrize("part", sequence.PARTS)
def test_a_stand_in_answers_as_the_real_tool_does(told, part: str) -> None:
    stood_in, real = told[part]
    commands = sequence.PARTS[part].splitlines()
    assert len(stood_in) == len(real) == len(commands) > 10
    assert dict(zip(commands, stood_in, strict=True)) == dict(zip(commands, real, strict=True))


def test_every_subcommand_that_we_use_is_compared() -> None:
    text = ""
    for kind in KINDS:
        for pattern in FILES:
            place = REPOSITORY / pattern.format(kind)
            files = sorted(place.iterdir()) if place.is_dir() else [place]
            text += "".join(file.read_text() for file in files if file.is_file())
    # steps are argument lists: run("zfs", "mount", …)
    text = re.sub(r'"(zpool|zfs)", "([a-z]+)"', r"\1 \2", text)
    used = {found.groups() for found in VERBS.finditer(text)}
    compared = {found.groups() for part in sequence.PARTS.values() for found in VERBS.finditer(part)}
    known = {
        "create",
        "destroy",
        "get",
        "set",
        "list",
        "mount",
        "unmount",
        "inherit",
        "status",
        "add",
        "attach",
    }
    assert {verb for _, verb in used} & known >= {"create", "get", "set", "list", "mount", "inherit"}
    # `zpool add` and its like stand in words that say that we never do it
    never = {("zpool", "add"), ("zpool", "attach"), ("zpool", "destroy")}
    assert {(tool, verb) for tool, verb in used if verb in known} - compared - never == set()
    for tool in COMPARED.split("|"):
        assert any(re.search(rf"\b{tool}\b", part) for part in sequence.PARTS.values()), tool
