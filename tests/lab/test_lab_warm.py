"""The process that saves stand-ins the start of Python: what it is called for is done as without it."""

import ast
import re
import sys
from pathlib import Path

import pytest

from phoenix_hypervisor.lab import bytecode, sandbox
from phoenix_hypervisor.lab.node import LabNode
from phoenix_hypervisor.lab.quick import WARM

FIFO = re.search(r"/dev/\S+", WARM)[0]
COLD = "PHOENIX_LAB_READY=1"
TOLD = """\
import os, signal, sys, time
def main(argv):
    if argv == ["wait"]:
        print(os.getpid(), flush=True)
        time.sleep(60)
    if argv == ["die"]:
        os.kill(os.getpid(), signal.SIGSEGV)
    if argv == ["raise"]:
        raise ValueError("so")
    if argv[:1] == ["end"]:
        sys.exit(argv[1])
    files = sorted(map(int, os.listdir("/proc/self/fd")))[:-1]
    print(argv, os.environ.get("A_NAME"), os.getcwd(), oct(os.umask(0)), files)
    print(sys.stdin.readline(), file=sys.stderr)
    return len(argv)
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A node with one tool more, which says what it was given, and a warm process from the first call on."""
    node = LabNode(tmp_path_factory.mktemp("warm") / "pve1")
    node.up("pve1", ())
    tools = node.root / "usr/local/sbin"
    own = node.root / "root/standins"
    own.mkdir()
    (own / "tool_told.py").write_text(TOLD)
    wrapper = (tools / "zpool").read_text().replace(" zpool", " told")
    # the folder of stand-ins is read-only; Python finds the new one through the path
    (own / "start.py").write_text(
        "import runpy, sys\nsys.path.insert(0, '/root/standins')\n"
        "sys.argv[0] = '/run/phoenix-lab/__main__.py'\nrunpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    (tools / "told").write_text(wrapper.replace("/run/phoenix-lab/__main__.py", "/root/standins/start.py"))
    (tools / "told").chmod(0o755)
    return node


def warmed(command):
    """The command, after a first call and once the process is there that it leaves behind."""
    return f"told >/dev/null 2>&1 </dev/null; until [ -p {FIFO} ]; do sleep 0.02; done\n{command}"


def said(node, command):
    """What both ways say: once without the process, once with it."""
    return node.run(f"export {COLD}\n{command}"), node.run(warmed(command))


@pytest.mark.parametrize(
    "command",
    [
        "told a '' 'b c' '*' \"$(printf 'd\\ne')\" </dev/null",
        "printf 'one\\ntwo\\n' | told",
        "A_NAME='x=y z' told </dev/null",
        "cd /etc; umask 027; told </dev/null",
        "(told 1 </dev/null; echo between; told 2 </dev/null) >/root/out; cat /root/out",
        "told end 3; echo $?",
        "told end words; echo $?",
        "told raise 2>&1 | tail -n 1",
        "told >&- 2>&1 </dev/null; echo $?",
        "runuser -u nobody -- /usr/local/sbin/told u </dev/null",
        "sh -c '(told a </dev/null; exit 4) & wait $!; echo $?'",
        "PHOENIX_LAB_LOCK_SECONDS=1 told </dev/null",
    ],
)
def test_what_is_called_warm_does_what_it_does_otherwise(node, command):
    cold, warm = said(node, command)
    assert cold == warm


def test_a_call_that_dies_is_told_as_a_shell_tells_it(node):
    assert node.run(warmed("told die; echo $?")).stdout.splitlines()[-1] == b"139"


def test_what_nobody_waits_for_any_more_ends(node):
    ended = node.run(
        warmed(
            "told wait >/root/pid & while [ ! -s /root/pid ]; do sleep 0.05; done; read -r pid </root/pid; "
            'kill -9 $!; while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done; echo gone'
        )
    )
    assert ended.stdout == b"gone\n"


def test_many_at_once_are_kept_apart(node):
    ended = node.run(
        warmed(
            "for n in 1 2 3 4 5 6 7 8 9; do (for m in 1 2 3 4 5; do "
            'printf "$n-$m\\n" | told 2>&1 >/dev/null; done) & done; wait'
        )
    )
    assert sorted(ended.stdout.split()) == sorted(
        f"{n}-{m}".encode() for n in range(1, 10) for m in range(1, 6)
    )


def test_it_starts_no_python(node):
    ended = node.run(warmed("mv /root/standins/start.py /root/standins/gone.py; told"))
    (node.root / "root/standins/gone.py").rename(node.root / "root/standins/start.py")
    assert ended.stdout.startswith(b"[]")


def test_what_a_tool_names_to_be_imported_ahead_is_there():
    standins = Path(sandbox.__file__).with_name("standins")
    named = []
    for tool in standins.glob("tool_*.py"):
        for node in ast.parse(tool.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "AHEAD":
                named += ast.literal_eval(node.value)
    assert named
    assert [name for name in named if not (standins / f"{name}.py").is_file()] == []


@pytest.mark.parametrize("forbidden", [True, False])
def test_a_node_compiles_only_what_does_not_lie_compiled_beside_its_source(tmp_path, monkeypatch, forbidden):
    monkeypatch.setattr(sys, "dont_write_bytecode", forbidden)
    bytecode.beside.cache_clear()
    node = LabNode(tmp_path / "pve1")
    node.up("pve1", ())
    beside = bytecode.beside()
    bytecode.beside.cache_clear()
    assert node.run("zpool list").status == 0
    compiled = list((node.root / "var/cache/phoenix-lab").rglob("*.pyc"))
    assert bool(compiled) is not beside
    assert not (forbidden and beside)
