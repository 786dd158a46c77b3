"""`phoenix fmt`: keys in order, everything else as it was, and never another meaning."""

import io
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from tests.unit.site_files import HOSTS, NODE, POOL, SITE, make
from tests.unit.test_cli import call
from tests.unit.test_config_any_value import keys, values

from phoenix_hypervisor import registry
from phoenix_hypervisor.config import load
from phoenix_hypervisor.config.canonical import GUEST, PROFILE, Each, arranged, below, builds_on
from phoenix_hypervisor.config.canonical import NODE as NODES
from phoenix_hypervisor.config.formatting import _exactly, formatted
from phoenix_hypervisor.config.yaml_reader import read_yaml
from phoenix_hypervisor.errors import Problem
from phoenix_hypervisor.observe.kinds_page import sections, sets, yaml

Capture = pytest.CaptureFixture[str]
REPOSITORY = Path(__file__).resolve().parents[2]


def form(text: str, shape: Any = NODES) -> str:
    problems: list[Problem] = []
    found = formatted(text, "x.yaml", shape, None, problems)
    assert (problems, found is None) == ([], False)
    assert found is not None
    assert formatted(found, "x.yaml", shape, None, problems) == found
    return found


CASES = {
    "the head comes first, and the file's own comment stays above it": (
        "# A node.\nzfs_arc: {max: 1G}\n\nhardware:\n  memory: 1G\nprofiles: [a]\n",
        "# A node.\nprofiles: [a]\n\nhardware:\n  memory: 1G\nzfs_arc: {max: 1G}\n",
    ),
    "a comment goes with the key below it, and one behind a value with its value": (
        "zfs_pool: {}\n\n# Of it.\n# Two.\nhardware: # here\n  memory: 1G # much\n  # in it\n  cpu: x\n",
        "# Of it.\n# Two.\nhardware: # here\n  # in it\n  cpu: x\n  memory: 1G # much\n\nzfs_pool: {}\n",
    ),
    "a comment that stands deeper belongs to what is above it": (
        "zfs_pool: {}\n  # of the pools\nhardware: {}\n  # of the machine\n# of the file\n",
        "hardware: {}\n  # of the machine\nzfs_pool: {}\n  # of the pools\n# of the file\n",
    ),
    "a comment above the first key goes with it when the file has one of its own": (
        "# The file.\n\n# The pools.\nzfs_pool: {}\nhardware: {}\n",
        "# The file.\n\nhardware: {}\n# The pools.\nzfs_pool: {}\n",
    ),
    "settings stand as the kind has them, and the state first": (
        'zfs_dataset:\n  a/b: {}\n  a:\n    owner: x\n    quota: 1\n    state: absent\n  "*": {sync: x}\n',
        'zfs_dataset:\n  "*": {sync: x}\n  a/b: {}\n  a:\n    state: absent\n    quota: 1\n    owner: x\n',
    ),
    "what stands on a line stays on it": (
        "zfs_dataset: {t: {quota: 1G , recordsize: '1M',\n  state: present}} # x\n",
        "zfs_dataset: {t: {state: present , recordsize: '1M',\n  quota: 1G}} # x\n",
    ),
    "a comment between brackets keeps them as they are": (
        "zfs_dataset:\n  t: {quota: 1G, # why\n    recordsize: 1M}\nprofiles: []\n",
        "profiles: []\nzfs_dataset:\n  t: {quota: 1G, # why\n    recordsize: 1M}\n",
    ),
    "lists keep their order, and what is in them is put in order": (
        "zfs_pool:\n  t:\n    vdevs:\n      - disks: [b, a]\n        type: mirror\n      - type: stripe\n",
        "zfs_pool:\n  t:\n    vdevs:\n      - type: mirror\n        disks: [b, a]\n      - type: stripe\n",
    ),
    "a comment in a list's place keeps it as it is": (
        "zfs_pool:\n  t:\n    vdevs:\n      - disks: [b, a]\n        # why\n        type: mirror\n",
        "zfs_pool:\n  t:\n    vdevs:\n      - disks: [b, a]\n        # why\n        type: mirror\n",
    ),
    "a text over several lines is moved whole": (
        "host_file:\n  /x:\n    mode: '0600'\n    content: |\n      # b  \n\n      c\n\n    state: present\n",
        "host_file:\n  /x:\n    state: present\n    content: |\n      # b  \n\n      c\n\n    mode: '0600'\n",
    ),
    "a text that keeps its empty lines keeps them": (
        "host_file:\n  /x:\n    mode: '0600'\n    content: |+\n      b\n\n\n    state: present\n",
        "host_file:\n  /x:\n    state: present\n    content: |+\n      b\n\n\n    mode: '0600'\n",
    ),
    "quoted texts keep their lines": (
        'host_file:\n  /x:\n    mode: "0600"\n    content: "a  \n\n\n      # b"\n',
        'host_file:\n  /x:\n    content: "a  \n\n\n      # b"\n    mode: "0600"\n',
    ),
    "blanks at ends and empty lines beyond one go": (
        "\n\nprofiles: [a]  \n\n\n# x  \nzfs_arc:   {max: 1G}\t\n\n\n",
        "profiles: [a]\n\n# x\nzfs_arc:   {max: 1G}\n",
    ),
    "a section comes after those it builds on, and otherwise keeps its place": (
        "timezone: {}\nnfs_export: {}\nsysctl: {}\nzfs_dataset: {}\nntp: {}\nzfs_pool: {}\n",
        "timezone: {}\nzfs_pool: {}\nzfs_dataset: {}\nnfs_export: {}\nsysctl: {}\nntp: {}\n",
    ),
    "what nobody knows comes last": (
        "b: 1\na: 2\nzfs_arc: {x: 1, max: 1G}\nprofiles: []\n",
        "profiles: []\nzfs_arc: {max: 1G, x: 1}\nb: 1\na: 2\n",
    ),
    "names that have no order keep theirs": (
        "nfs_export:\n  /x: {clients: {b: [rw], a: [ro]}}\n  /a: {}\n",
        "nfs_export:\n  /x: {clients: {b: [rw], a: [ro]}}\n  /a: {}\n",
    ),
    "what has no value moves too": ("zfs_pool:\nprofiles:\nhardware:\n", "profiles:\nhardware:\nzfs_pool:\n"),
    "a file without a last newline gets one": ("zfs_arc: {}\nprofiles: []", "profiles: []\nzfs_arc: {}\n"),
    "nothing is nothing": ("", ""),
    "comments alone stay": ("# a \n\n\n# b\n", "# a\n\n# b\n"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_becomes_of(case: str) -> None:
    text, expected = CASES[case]
    assert form(text) == expected


def test_a_guest_says_first_what_it_is() -> None:
    text = "firewall_guest: {}\nhost_file: {}\nlxc: {mounts: {/a: {size: 1G}}, memory: 1G}\nnode: pve\n"
    assert form(text, GUEST) == (
        "node: pve\nlxc: {memory: 1G, mounts: {/a: {size: 1G}}}\nfirewall_guest: {}\nhost_file: {}\n"
    )


def test_every_section_comes_after_those_its_samples_need() -> None:
    found = arranged(PROFILE, sorted(registry.homes(), reverse=True))
    assert sorted(found) == [*registry.homes()]
    places = {name: place for place, name in enumerate(found)}
    late = {
        (name, need)
        for name in found
        for need in builds_on(name) & places.keys()
        if registry.kind(name).scope != "guest" and places[need] > places[name]
    }
    assert late == set()


def test_samples_that_have_each_other_keep_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    around = {"zfs_pool": frozenset({"zfs_arc"}), "zfs_arc": frozenset({"zfs_pool"})}
    monkeypatch.setattr("phoenix_hypervisor.config.canonical.builds_on", around.__getitem__)
    assert arranged(NODES, ["zfs_pool", "zfs_arc", "profiles"]) == ["profiles", "zfs_pool", "zfs_arc"]


def test_what_stands_below_is_found_through_lists_maps_and_alternatives() -> None:
    each = below(NODES, "zfs_pool")
    assert isinstance(each, Each)
    vdevs = below(below(each, "tank"), "vdevs")
    assert arranged(below(vdevs, 0), ["disks", "type"]) == ["type", "disks"]
    assert below(each, "tank") is registry.kind("zfs_pool")
    assert below(below(each, "tank"), "name") is None
    assert below(NODES, "nobody") is None
    assert below(str, 0) is None


# --- what it does not touch -------------------------------------------------------------------------------

REFUSED = {
    "profiles: [\n": "x.yaml:2:1: not readable as YAML: while parsing a flow node, "
    "did not find expected node content",
    "zfs_arc: {}\nzfs_arc: {}\n": "x.yaml:2:1: `zfs_arc` stands here twice [V-44]\n"
    "  hint: the first is at line 1",
    "a: !x y\n": "x.yaml:1:4: unknown tag `!x`\n  hint: the tags are `!secret NAME` and `!file NAME`",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_read_is_said_with_its_place(text: str) -> None:
    problems: list[Problem] = []
    assert formatted(text, "x.yaml", NODES, None, problems) is None
    assert [str(problem) for problem in problems] == [REFUSED[text]]


def test_an_anchor_that_would_come_after_its_use_keeps_its_place() -> None:
    text = "zfs_arc: &a {max: 1G}\nprofiles: []\nhardware: *a\n"
    assert form(text) == text


def test_what_would_mean_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phoenix_hypervisor.config.formatting._tidy", lambda text: text.replace("1", "true"))
    problems: list[Problem] = []
    assert formatted("zfs_arc: {max: 1}\n", "x.yaml", NODES, None, problems) is None
    assert [problem.message for problem in problems] == [
        "it cannot be put in order without a change of its meaning"
    ]


# --- real files -------------------------------------------------------------------------------------------


def comments(text: str) -> list[str]:
    lines = re.split("[\n\r\x85\u2028\u2029]", text)
    return sorted(found[1].rstrip() for line in lines if (found := re.search(r"(?:^|[ \t])(#.*)", line)))


def test_the_reference_site_means_the_same_and_converges_in_the_same_order(
    tmp_path: Path, capsys: Capture
) -> None:
    for part in ("configs", "inventory"):
        shutil.copytree(REPOSITORY / part, tmp_path / part, ignore=shutil.ignore_patterns("secrets.age"))
    files = [path for part in ("configs", "inventory") for path in (tmp_path / part).rglob("*.yaml")]
    before, texts = load(tmp_path), {path: path.read_text() for path in files}
    assert call(capsys, "--site", tmp_path, "fmt")[0] == 0
    after = load(tmp_path)
    assert [*after.resources.items()] == [*before.resources.items()]
    assert (after.needs, after.head, after.warnings) == (before.needs, before.head, before.warnings)
    assert {path: comments(path.read_text()) for path in files} == {p: comments(t) for p, t in texts.items()}
    lines = {path: sorted(text.split()) for path, text in texts.items()}
    assert {path: len(path.read_text().split()) for path in files} == {
        p: len(words) for p, words in lines.items()
    }
    assert call(capsys, "--site", tmp_path, "fmt", "--check") == (0, "", "all files are as they should be\n")


@pytest.mark.parametrize("name", registry.homes())
def test_every_sample_of_a_kind_means_the_same(name: str) -> None:
    kind = registry.kind(name)
    for samples in sets(kind):
        for settings_ in (samples.first, samples.second):
            text = yaml(sections(kind, samples, dict(reversed(settings_.items()))))
            assert meaning(form(text, PROFILE)) == meaning(text)


def meaning(text: str) -> Any:
    problems: list[Problem] = []
    tree = read_yaml(text, "x", problems, None)
    return (_exactly(tree.plain()) if tree else None, [problem.message for problem in problems])


# --- any file ---------------------------------------------------------------------------------------------

quick = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
CHECKED = ["# a", "  # b", "", "    # c #", "#"]
files = st.dictionaries(keys, st.dictionaries(keys, values, max_size=4) | values, max_size=5)


def dumped(value: object, flow: bool | None, indent: int) -> str:
    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = flow
    writer.indent(mapping=indent, sequence=indent + 2, offset=2)
    writer.dump(value, out)
    return out.getvalue()


def holds(text: str) -> None:
    problems: list[Problem] = []
    found = formatted(text, "x", PROFILE, None, problems)
    if found is None:
        assert problems
        assert meaning(text)[1] or "meaning" in problems[0].message
        return
    assert meaning(found) == meaning(text)
    assert comments(found) == comments(text) or "|" in text or ">" in text or '"' in text or "'" in text
    again = formatted(found, "x", PROFILE, None, problems)
    assert (again, problems) == (found, [])


@quick
@given(value=files, flow=st.sampled_from([None, True, False]), indent=st.integers(2, 4), data=st.data())
def test_any_file_means_the_same_whatever_comments_are_in_it(
    value: object, flow: bool | None, indent: int, data: st.DataObject
) -> None:
    lines = dumped(value, flow, indent).splitlines()
    for _ in range(data.draw(st.integers(0, 4))):
        lines.insert(data.draw(st.integers(0, len(lines))), data.draw(st.sampled_from(CHECKED)))
    holds("\n".join(lines) + "\n")


@quick
@given(text=st.text("{}[]:,-&*!|>'\"%@`# \n\tab1\x85\u2028\xa0\r", max_size=40))
def test_any_text_means_the_same_or_is_left_alone(text: str) -> None:
    holds(text)


# --- the verb ---------------------------------------------------------------------------------------------

UNTIDY = f"zfs_arc: {{max: 1G}}\n{POOL}"
TIDY = POOL[: POOL.index("zfs_pool")] + "zfs_arc: {max: 1G}\n" + POOL[POOL.index("zfs_pool") :]


def test_the_verb_writes_what_is_not_in_order(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {NODE: UNTIDY})
    (tmp_path / NODE).chmod(0o640)
    assert call(capsys, "--site", tmp_path, "fmt", "--check") == (1, f"{NODE}\n", "1 files would change\n")
    assert (tmp_path / NODE).read_text() == UNTIDY
    assert call(capsys, "--site", tmp_path, "fmt") == (0, f"{NODE}\n", "1 files written\n")
    assert (tmp_path / NODE).read_text() == TIDY
    assert stat.S_IMODE((tmp_path / NODE).stat().st_mode) == 0o640
    assert call(capsys, "--site", tmp_path, "fmt") == (0, "", "all files are as they should be\n")
    assert [path.name for path in (tmp_path / "configs/nodes").iterdir()] == ["pve.yaml"]


def test_the_verb_shows_what_it_would_change(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {NODE: UNTIDY})
    status, out, err = call(capsys, "--site", tmp_path, "fmt", "--diff")
    assert (status, err) == (1, "1 files would change\n")
    assert out.startswith(f"--- {NODE}\n+++ {NODE}\n@@ -1,")
    assert "\n-zfs_arc: {max: 1G}\n" in f"\n{out}"
    assert (tmp_path / NODE).read_text() == UNTIDY


def test_only_files_that_are_named_are_written(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, {NODE: UNTIDY, HOSTS: "pve: {port: 22, hostname: x}\n"})
    monkeypatch.chdir(tmp_path / "configs")
    assert call(capsys, "fmt", "../inventory/hosts.yaml") == (0, f"{HOSTS}\n", "1 files written\n")
    assert (tmp_path / HOSTS).read_text() == "pve: {hostname: x, port: 22}\n"
    assert (tmp_path / NODE).read_text() == UNTIDY


def test_a_file_that_is_none_of_the_site_s_is_wrong_usage(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path)
    for given_, hint in {
        "configs/nodes/pvee.yaml": f"did you mean `{NODE}`?",
        "/etc/x": "they are in configs/ and inventory/, and end with .yaml",
    }.items():
        assert call(capsys, "--site", tmp_path, "fmt", given_) == (
            64,
            "",
            f"error: {given_} is none of the site's YAML files\n  hint: {hint}\n",
        )


def test_what_cannot_be_read_is_said_and_the_others_are_written(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {NODE: UNTIDY, SITE: "name: [\n", HOSTS: b"\xff"})
    status, out, err = call(capsys, "--site", tmp_path, "fmt")
    assert (status, out) == (1, f"{NODE}\n")
    assert "configs/site.yaml:2:1: not readable as YAML" in err
    assert "inventory/hosts.yaml:1:1: cannot read the file: is not UTF-8 text" in err
    assert (tmp_path / SITE).read_text() == "name: [\n"
    assert (tmp_path / NODE).read_text() == TIDY


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_said(tmp_path: Path, capsys: Capture) -> None:
    make(tmp_path, {NODE: UNTIDY})
    (tmp_path / "configs/nodes").chmod(0o500)
    status, _, err = call(capsys, "--site", tmp_path, "fmt")
    assert (status, "cannot write" in err) == (1, True)


def test_a_write_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, {NODE: UNTIDY})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("phoenix_hypervisor.config.rewriting.os.replace", full)
    said = f"error: cannot write {(tmp_path / NODE).resolve()}: No space left on device\n"
    assert call(capsys, "--site", tmp_path, "fmt") == (1, f"{NODE}\n", said)
    assert (tmp_path / NODE).read_text() == UNTIDY
    assert [path.name for path in (tmp_path / "configs/nodes").iterdir()] == ["pve.yaml"]
