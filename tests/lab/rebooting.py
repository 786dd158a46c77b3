"""A site with one lab node, and two kinds of somebody's package: one wants reboots, one waits for it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lab.running import LONGEST, Run, Started

from phoenix_hypervisor.lab.faults import Faults, Sort
from phoenix_hypervisor.lab.node import LabNode
from phoenix_hypervisor.observe.kinds_page import yaml

NODE, ADDRESS = "pve1", "10.1.1.2"
PLUGIN = {
    "somebodys_boots/__init__.py": "",
    "somebodys_boots-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: somebodys-boots\nVersion: 1.0\n",
    "somebodys_boots-1.0.dist-info/entry_points.txt": "[phoenix_hypervisor.kinds]\nboots = somebodys_boots\n",
    "somebodys_boots/kinds/boot_word.py": '''\
"""Words of the kernel's command line."""

from phoenix_hypervisor.resource import Kind, reboot, run


class BootWord(Kind):
    """A word the kernel is started with. Other words are left alone."""

    never: bool = False

    def converge(self, change):
        if change.creates:
            words = f"sed -i '1s/$/ {self.name}/' /etc/kernel/cmdline && proxmox-boot-tool refresh"
            yield run("sh", "-c", words)
        else:
            yield reboot(f"the kernel was started without {self.name}")
''',
    "somebodys_boots/verify/test_boot_word.py": '''\
"""Words of the kernel's command line."""


def test_present(host, boot_word):
    words = host.run_expect([0], "cat /etc/kernel/cmdline").stdout.split()
    assert (boot_word.name in words) == boot_word.present


def test_running(host, boot_word):
    words = host.run_expect([0], "cat /proc/cmdline").stdout.split()
    assert {"running": boot_word.name in words and not boot_word.never} == {"running": True}
''',
    "somebodys_boots/kinds/boot_mark.py": '''\
"""Marks that need a kernel that was started with a word."""

from phoenix_hypervisor.resource import Kind, run


class BootMark(Kind):
    """A file that needs a word. Other files are left alone."""

    after: str = ""

    def needs(self):
        return [f"boot_word:{self.after}"] if self.after else []

    def converge(self, change):
        yield run("touch", f"/etc/{self.name}")
''',
    "somebodys_boots/verify/test_boot_mark.py": '''\
"""Marks."""


def test_present(host, boot_mark):
    assert (host.run_expect([0, 1], "test -e %s", f"/etc/{boot_mark.name}").rc == 0) == boot_mark.present
''',
}


class RebootingSite:
    """The site; what is run in it sees the package."""

    def __init__(self, folder: Path, nodes: tuple[str, ...] = (NODE,), seconds: float = 30) -> None:
        self.folder = folder / "site"
        self._package = folder / "package"
        for name, text in PLUGIN.items():
            (self._package / name).parent.mkdir(parents=True, exist_ok=True)
            (self._package / name).write_text(text)
        for part in ("configs/nodes", "inventory"):
            (self.folder / part).mkdir(parents=True)
        (self.folder / "configs/site.yaml").write_text("name: boots\n")
        reach = {"transport": "lab", "reboot_seconds": seconds}
        hosts = {name: {"hostname": ADDRESS, "data": reach} for name in nodes}
        (self.folder / "inventory/hosts.yaml").write_text(yaml(hosts))
        self.nodes = {name: LabNode(self.folder / ".phoenix/lab" / name) for name in nodes}
        for name, node in self.nodes.items():
            node.up(name, (), ADDRESS)
        self.node = self.nodes[nodes[0]]

    def declare(self, sections: dict[str, Any], node: str = NODE) -> None:
        """Write a node's file."""
        (self.folder / f"configs/nodes/{node}.yaml").write_text(yaml(sections))

    def fault(self, sort: Sort, at: int = 0, detail: str = "", node: str = NODE) -> None:
        Faults(self.nodes[node].folder).set(sort, at, detail)

    def fine(self, node: str = NODE) -> None:
        """Let nothing go wrong any more."""
        Faults(self.nodes[node].folder).clear()

    def start(self, *arguments: str) -> Started:
        return Started(arguments, self.folder, packages=str(self._package))

    def run(self, *arguments: str) -> Run:
        """Run the command line to its end."""
        return self.start(*arguments).end()

    def verify(self) -> Run:
        """Run `phoenix verify` as a process of its own: it is pytest, which is in this one already."""
        argv = [str(Path(sys.executable).with_name("phoenix")), "verify", "-q"]
        ended = subprocess.run(
            argv, cwd=self.folder, capture_output=True, text=True, timeout=LONGEST, check=False
        )
        return Run(ended.returncode, ended.stdout, ended.stderr)

    def boots(self, node: str = NODE) -> int:
        """How often the node went down."""
        return len((self.nodes[node].root / "var/lib/phoenix-lab/boots").read_text().splitlines())

    def has(self, file: str, node: str = NODE) -> bool:
        return (self.nodes[node].root / file).exists()
