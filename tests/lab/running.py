"""A site whose node lives in the lab, and runs of the real command line on it.

Each run is a process of its own, so that signals, exit statuses and the counting of acts are the real ones.
It is forked from a server that has imported everything already (preloaded.py): most of a second saved a run.
"""

import contextlib
import io
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.copies import note_owners_anew

from phoenix_hypervisor.lab.drift import drift
from phoenix_hypervisor.lab.faults import Faults, Sort
from phoenix_hypervisor.lab.node import LabNode

REPOSITORY = Path(__file__).resolve().parents[2]
NODE = "phoenix"
NODE_FILE = f"configs/nodes/{NODE}.yaml"
PASSWORD = "canary-Kq7#vW2z"  # no secret: only ever on lab nodes made by these tests
LONGEST = 600
"""Seconds after which a run is given up on: far beyond what the slowest machine needs."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.lab.preloaded"])


class Run(NamedTuple):
    """How a run ended: exit status (negative: killed by that signal) and what it said."""

    status: int
    out: str
    err: str

    @property
    def document(self):
        """What `--json` printed."""
        return json.loads(self.out)


class Started:
    """A run that may still be going on."""

    def __init__(self, arguments, cwd, stdin=b"", packages=""):
        """`packages` is a folder with further installed packages."""
        self._said = Path(tempfile.mkdtemp(prefix="phoenix-run-"))
        (self._said / "in").write_bytes(stdin)
        told = (list(arguments), str(cwd), str(self._said), packages)
        self._process = _context.Process(target=_child, args=told)
        self._process.start()

    @property
    def pid(self):
        return self._process.pid

    @property
    def said(self):
        """The folder with `out` and `err`, while it goes on."""
        return self._said

    @property
    def alive(self):
        return self._process.is_alive()

    def kill(self):
        self._process.kill()

    def end(self):
        self._process.join(LONGEST)
        late = self._process.exitcode is None
        if late:
            self._process.kill()
            self._process.join()
        out, err = ((self._said / name).read_text(errors="replace") for name in ("out", "err"))
        shutil.rmtree(self._said)
        assert not late, f"still running after {LONGEST} seconds:\n{out}\n{err}"
        status = self._process.exitcode
        self._process.close()
        return Run(status, out, err)


def _child(arguments, cwd, said, packages):
    for descriptor, name in enumerate(("in", "out", "err")):
        flags = os.O_RDONLY if name == "in" else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(f"{said}/{name}", flags, 0o600), descriptor)
    # multiprocessing gives its children another sys.stdin
    sys.stdin = io.TextIOWrapper(open(0, "rb", closefd=False))  # noqa: SIM115  (open as long as the process is)
    os.chdir(cwd)
    for name in [name for name in os.environ if name.startswith(("PYTEST_", "PHOENIX_"))]:
        del os.environ[name]
    sys.path[:0] = [packages] if packages else []
    from phoenix_hypervisor import cli

    sys.exit(int(cli.run(arguments)))


def _shown(command: str) -> str:
    """An act in a word: the shell behind a push is always the same."""
    last = command.splitlines()[-1]
    return last.replace('mv -f "$candidate"', "push") if last.startswith("mv -f") else command


def steps(document, resource: str | None = None) -> list[str]:
    """The titles of a plan's or an outcome's steps, of all or of one resource (`kind:name`)."""
    if "steps" in document:
        return [s["title"] for s in document["steps"] if resource in (None, _local(s["resource"]))]
    return [
        step["title"]
        for entry in document["entries"]
        for step in entry["steps"]
        if resource in (None, _local(entry["resource"]))
    ]


def entry(document, resource: str):
    """A plan's entry for one resource (`kind:name`)."""
    (found,) = [one for one in document["entries"] if _local(one["resource"]) == resource]
    return found


def statuses(document) -> dict[str, str]:
    """Resource (`kind:name`) → status, of those that are not `ok`."""
    return {_local(ref): status for ref, status in document["resources"].items() if status != "ok"}


def _local(ref: str) -> str:
    return ref.partition("/")[2]


class LabSite:
    """A site folder with one lab node."""

    def __init__(self, folder: Path, name: str = NODE) -> None:
        self.folder = folder
        self.node = LabNode(folder / ".phoenix" / "lab" / name)
        self.faults = Faults(self.node.folder)

    def copy(self, folder: Path) -> "LabSite":
        """Return a copy of the site and its node; the disks stay sparse, owners stay owners."""
        subprocess.run(["cp", "-a", "--sparse=always", str(self.folder), str(folder)], check=True)
        copied = type(self)(folder, self.node.folder.name)
        note_owners_anew(self.node.root, copied.node.root)
        return copied

    # Running

    def start(self, *arguments: str, stdin: bytes = b"") -> Started:
        return Started(arguments, self.folder, stdin)

    def run(self, *arguments: str, stdin: bytes = b"") -> Run:
        return self.start(*arguments, stdin=stdin).end()

    def plan(self, *arguments: str):
        """The plan's document."""
        ran = self.run("plan", "--json", *arguments)
        assert ran.err == ""
        document = ran.document
        assert document["exit"] == ran.status
        return document

    def apply(self, *arguments: str):
        """Apply, and return the outcome's document."""
        ran = self.run("apply", "--json", *arguments)
        assert ran.out, ran.err
        document = ran.document
        assert document["exit"] == ran.status
        return document

    def own_checks(self) -> Path:
        """Return the site's own verify/, a copy of the packaged one as in the reference site."""
        folder = self.folder / "verify"
        if not folder.exists():
            shutil.copytree(REPOSITORY / "verify", folder, ignore=shutil.ignore_patterns("__pycache__"))
        return folder

    def pytest(self, *arguments: str) -> Run:
        """Run `pytest verify/` in the site's folder as a process of its own, as a monitor does."""
        self.own_checks()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "verify/", "-p", "no:cacheprovider", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            env=environment,
            check=False,
        )
        return Run(ended.returncode, ended.stdout, ended.stderr)

    # The files

    def edit(self, file: str, *changes: tuple[str, str]) -> None:
        """Replace texts that must be there exactly once."""
        path = self.folder / file
        text = path.read_text()
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
            text = text.replace(old, new)
        path.write_text(text)

    def append(self, text: str, file: str = NODE_FILE) -> None:
        path = self.folder / file
        path.write_text(path.read_text() + text)

    # The node

    def on_node(self, command: str) -> str:
        """Run a shell command on the node past phoenix; what it said."""
        ended = self.node.run(command)
        assert ended.status == 0, (command, ended)
        return ended.stdout.decode()

    def drift(self, name: str) -> str:
        return drift(self.node, name)

    def fault(self, sort: Sort, at: int = 0, detail: str = "") -> None:
        self.faults.set(sort, at, detail)

    @contextlib.contextmanager
    def nothing_done(self):
        """What happens inside must not act on the node."""
        before = len(self.node.actions())
        yield
        assert [_shown(act["command"]) for act in self.node.actions()[before:]] == []

    @contextlib.contextmanager
    def acts(self):
        """Collect the commands that act on the node meanwhile."""
        before = len(self.node.actions())
        commands: list[str] = []
        yield commands
        commands += [_shown(act["command"]) for act in self.node.actions()[before:]]

    def all_acts(self) -> list[str]:
        return [_shown(act["command"]) for act in self.node.actions()]

    def state(self) -> dict[str, str]:
        """Return everything about the node that an apply is there to change, without times and guids."""
        said = self.on_node(STATE)
        parts = said.split("\x1e")[1:]
        return {name: text for name, _, text in (part.partition("\n") for part in parts)}


STATE = r"""
part() { printf '\036%s\n' "$1"; }
part zfs; zfs get -Hpo name,property,value,source all | awk -F'\t' '
    $2 !~ /^(guid|creation|createtxg|objsetid|used.*|available|referenced|logical.*|written)$/ &&
    $2 !~ /^(.*count|.*ratio|version|snapshots_changed)$/' | sort
part zpool; zpool get -Hpo name,property,value autotrim,autoexpand,failmode,comment,ashift,health
part vdevs; zpool list -vHP | awk '{ print $1 }'
part storages; awk '/^[a-z]+:/ { id = $2 }
    $1 == "content" { gsub(",", "\n" id ": ", $2); print id ": " $2; next }
    NF { print id ": " $0 }' /etc/pve/storage.cfg | sort
part exports; grep -H '' /etc/exports /etc/exports.d/* 2>&1
part exported; exportfs -s
part samba; cd /etc/samba && grep -rH '' .
part shares; testparm -s --suppress-prompt 2>/dev/null
part passwd; cat /etc/passwd /etc/group
part users; pdbedit -L -w | cut -d: -f1-5
part modprobe; grep -rH '' /etc/modprobe.d; cat /sys/module/zfs/parameters/zfs_arc_max
part initramfs; find /boot -name 'initrd.img-*' ! -newer /etc/modprobe.d/zz-phoenix-zfs_arc.conf 2>&1
part units; systemctl show -p Id,ActiveState,UnitFileState smbd nfs-server
part modes; find /quickOS /fastData -maxdepth 1 -exec stat -c '%n %U %G %a' {} + 2>&1 | sort
part ours; find /var/lib/phoenix ! -path '*/lock*' -exec stat -c '%n %a' {} + | sort
"""
