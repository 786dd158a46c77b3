"""The lab's stand-ins say what the real tools say: one sequence of commands, on both sorts of node."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real import template
from tests.vm import sequence
from tests.vm.housing import bring_template
from tests.vm.sequence import Said
from tests.vm.site import ADDRESS, NODE, VmSite

from phoenix_hypervisor.lab.node import LabNode


@pytest.fixture(scope="module")
def told(
    _machine: VmSite, scratch: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[list[Said], list[Said]]]]:
    """Each part of the sequence, as the sandbox and as the machine answered it."""
    sandbox = LabNode(tmp_path_factory.mktemp("sandbox") / NODE)
    sandbox.up(NODE, _machine.disks, f"{ADDRESS}/24")
    if not _machine.node.machine.running:
        _machine.node.up(NODE, _machine.disks)
    _machine.node.reset()
    for node in (sandbox, _machine.node):
        bring_template(node, scratch, f"/var/lib/vz/template/cache/{template.NAME}")
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
    # what fails because the sequence itself is wrong is the same on both
    assert [one for one in real if re.search("onexistent|not found$|annot create '?/", one.err)] == []
    assert dict(zip(commands, stood_in, strict=True)) == dict(zip(commands, real, strict=True))
