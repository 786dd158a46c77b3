"""A small site on disk, whose files a test replaces one by one."""

from collections.abc import Mapping
from pathlib import Path

from phoenix_hypervisor.config import Site, load
from phoenix_hypervisor.errors import InputError
from phoenix_hypervisor.resource import Kind, Samples

NODE = "configs/nodes/pve.yaml"
SITE = "configs/site.yaml"
HOSTS = "inventory/hosts.yaml"

POOL = """\
hardware:
  disks:
    a: {id: d1, size: 1T}
    b: {id: d2, size: 1T}
zfs_pool:
  tank: {vdevs: [{type: mirror, disks: [d1, d2]}]}
"""
"""Six lines: what a test adds begins at line 7."""
DATASET = POOL + "zfs_dataset:\n  tank/x: {}\n"
"""Eight lines: what a test adds begins at line 9."""

FILES = {SITE: "name: test\n", NODE: POOL, HOSTS: "pve: {}\n"}


def make(folder: Path, files: Mapping[str, str | bytes | None] | None = None) -> Path:
    """Write the small site with these files in place of its own; None leaves one out."""
    for name, content in {**FILES, **(files or {})}.items():
        if content is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def loaded(folder: Path, files: Mapping[str, str | bytes | None] | None = None) -> Site:
    return load(make(folder, files))


def problems(folder: Path, files: Mapping[str, str | bytes | None] | None = None) -> str:
    """The whole text of what is wrong with a site; empty when nothing is."""
    try:
        load(make(folder, files))
    except InputError as error:
        return str(error)
    return ""


def cases(name: str) -> dict[str, tuple[str, str]]:
    """Read data/<name>.txt: blocks of `== title`, the input, `--`, the whole text that is expected."""
    text = (Path(__file__).parent / "data" / f"{name}.txt").read_text(encoding="utf-8")
    found = {}
    for block in text.split("\n== ")[1:]:
        title, _, rest = block.partition("\n")
        given, _, said = rest.partition("\n--\n")
        found[title] = (given + "\n", said.rstrip("\n"))
    return found


def sample_sets(kind: type[Kind]) -> list[Samples]:
    """The samples a kind declares: one set, or several where some settings exclude others."""
    declared = kind.samples()
    return [declared] if isinstance(declared, Samples) else list(declared)
