"""A kind is three files and nothing else: the example of CONTRIBUTING.md, installed as somebody's package.

And the suite refuses one that does not keep the contract.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
FILES = dict(
    re.findall(r"^```\w+ (\S+)\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL | re.MULTILINE)
)
SUITE = ("test_kinds.py", "test_life.py", "test_checks.py")


def installed(folder, changes=()):
    """The example as an installed distribution, some of its lines changed."""
    package = folder / "somebodys_kinds"
    files = {name: text for name, text in FILES.items() if not name.startswith("configs/")}
    for name, old, new in changes:
        assert old in files[name]
        files[name] = files[name].replace(old, new)
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    (package / "__init__.py").write_text("")
    about = folder / "somebodys_kinds-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys-kinds\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[phoenix_hypervisor.kinds]\nmotd = somebodys_kinds\n")
    return folder


def suite(folder, *arguments):
    """Run the contract suite for the one kind, in a process that sees the plugin."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "motd", "-o", "addopts="]
    argv += ["--import-mode=importlib", "--basetemp", str(folder / "temporary"), *arguments]
    return subprocess.run(
        argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )


def files_of_suite():
    return [f"tests/contract/{name}" for name in SUITE]


def test_the_example_is_three_files_and_a_declaration():
    assert sorted(FILES) == [
        "configs/nodes/phoenix.yaml",
        "kinds/motd.py",
        "templates/motd/motd.j2",
        "verify/test_motd.py",
    ]


def test_the_example_keeps_the_contract_with_nothing_else_edited(tmp_path):
    ended = suite(installed(tmp_path), *files_of_suite())
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-1000:]
    passed = re.search(r"(\d+) passed", ended.stdout)
    assert passed
    assert int(passed[1]) > 30
    assert "failed" not in ended.stdout


def test_the_declaration_of_the_example_is_one_of_the_kind(tmp_path):
    settings = YAML(typ="safe").load(FILES["configs/nodes/phoenix.yaml"])["motd"]["welcome"]
    namespace = {}
    exec(compile(FILES["kinds/motd.py"], "motd.py", "exec"), namespace)
    assert namespace["Motd"](name="welcome", **settings).text == "Welcome to the AI server"


CHECK, KIND = "verify/test_motd.py", "kinds/motd.py"
BROKEN = {
    "a check that compares a thing with itself": (
        (CHECK, 'host.file(motd.file).content_string == motd.text + "\\n"', "motd.text == motd.text"),
        "test_checks.py::test_each_check_holds_on_a_right_node_and_fails_on_another[motd-test_text]",
    ),
    "a check that looks at something and asserts nothing of it": (
        (
            CHECK,
            'assert host.file(motd.file).content_string == motd.text + "\\n"',
            "host.file(motd.file).exists",
        ),
        "test_checks.py::test_each_check_holds_on_a_right_node_and_fails_on_another[motd-test_text]",
    ),
    "a setting that no check looks at": (
        (CHECK, 'content_string == motd.text + "\\n"', 'content_string.endswith("\\n") == True'),
        "test_checks.py::test_every_setting_that_differs_shows_by_itself_and_is_named_in_the_plan[motd]",
    ),
    "a check that takes a missing tool for a missing thing": (
        (CHECK, "host.file(motd.file).exists ==", '(host.run(f"test -e {motd.file}").rc == 0) =='),
        "test_checks.py::test_a_check_whose_question_could_not_be_asked_is_unknown[motd-test_present]",
    ),
    "an owner of what is not ours": (
        (CHECK, 'for name in names if name.startswith("phoenix-")', "for name in names"),
        "test_life.py::test_what_was_not_made_by_us_is_no_orphan_and_stays[motd]",
    ),
    "a removal that removes nothing": (
        (KIND, '"rm", "-f", file_of(name)', '"true"'),
        "test_life.py::test_prune_removes_an_orphan_or_says_why_it_stays[motd]",
    ),
    "steps that never settle": (
        (CHECK, 'motd.text + "\\n"', 'motd.text + "!"'),
        "test_life.py::test_the_first_declaration_is_made_and_verified_with_what_the_plan_said[motd]",
    ),
    "a kind that reaches out": (
        (KIND, "from pydantic import Field", "import subprocess  # noqa: F401\n\nfrom pydantic import Field"),
        "test_kinds.py::test_a_kind_is_pure[motd]",
    ),
    "a docstring that does not say what is left alone": (
        (KIND, "Messages of others there are left alone.", "It is nice."),
        "test_kinds.py::test_its_docstring_says_what_it_is_and_what_is_left_alone[motd]",
    ),
    "samples that do not differ": (
        (KIND, '{"text": "Good evening"}', '{"text": "Good morning"}'),
        "test_kinds.py::test_every_setting_differs_between_two_samples_or_is_one_that_is_never_changed[motd]",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_suite_refuses(what, tmp_path):
    change, test = BROKEN[what]
    ended = suite(installed(tmp_path, [change]), f"tests/contract/{test}")
    assert ended.returncode == 1, ended.stdout[-3000:] + ended.stderr[-1000:]
    assert f"FAILED tests/contract/{test}" in ended.stdout
    assert "1 failed" in ended.stdout
