"""A large site's converging done at once: the lab's stand-ins called in one process a node.

Only so that a benchmark with 1,000 resources need not wait minutes for some 3,000 small Python
programs. That nothing was left out, the recorded run of `phoenix apply` after it makes sure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from phoenix_hypervisor.config import load
from phoenix_hypervisor.kinds.zfs_dataset import ZfsDataset
from phoenix_hypervisor.lab import sandbox
from phoenix_hypervisor.lab.node import LabNode
from phoenix_hypervisor.render import Renderer
from phoenix_hypervisor.resource import Kind

Call = tuple[list[str], str]
"""A tool with its arguments, and its stdin."""

WRITTEN = ("nfs_export", "samba_share", "zfs_arc")
"""Kinds whose files are written here, and whose scripts are run, each once."""
RELOAD = "exportfs -ra; systemctl enable --now nfs-server smbd; systemctl reload-or-restart smbd"
INSIDE = """\
import contextlib, importlib, io, json, os, sys
sys.path.insert(0, STANDINS)
import model
kept = model._load()
model._load, model._save = lambda: kept, lambda new: None
for argv, stdin in json.load(open("/root/fill.json")):
    if argv[0] == "chmod":
        os.chmod(argv[2], int(argv[1], 8))
        continue
    if argv[0] == "touch":
        os.makedirs(os.path.dirname(argv[1]), exist_ok=True)
        open(argv[1], "w").close()
        continue
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()))
    with contextlib.redirect_stdout(io.StringIO()):
        status = importlib.import_module("tool_" + argv[0]).main(argv[1:])
    if status:
        sys.exit(f"{argv} ended with {status}")
json.dump(kept, open(model.FOLDER + "/model.json", "w"))
"""


def fill(node: LabNode, site: Path, password: str) -> None:
    """Make what a site declares on its lab node, as far as tools and files can be called and written here."""
    loaded = load(site)
    calls = [call for resource in loaded.resources.values() for call in _calls(resource, password)]
    calls += [call for resource in loaded.resources.values() for call in _owner(resource)]
    renderer = Renderer(site)
    scripts: dict[str, str] = {}
    for ref, resource in loaded.resources.items():
        for artifact in resource.artifacts() if ref.kind in WRITTEN else ():
            path = node.root / artifact.path[1:]
            text = renderer.text(ref.kind, artifact, resource)
            if artifact.script:
                scripts[artifact.path] = f"( {text}\n)"
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    home = node.root / "root"
    (home / "fill.json").write_text(json.dumps(calls))
    (home / "fill.py").write_text(INSIDE.replace("STANDINS", repr(sandbox.STANDINS)))
    parts = [
        f"{sandbox.python()} -I -S /root/fill.py",
        *scripts.values(),
        RELOAD,
        "update-initramfs -u -k all",
    ]
    ended = node.run("set -e\n" + "\n".join(parts), timeout=300)
    if ended.status:
        raise SystemExit(f"the lab node could not be filled: {ended.stderr.decode()}")


def _calls(resource: Kind, password: str) -> Iterator[Call]:
    note = getattr(resource, "note", None)
    if note:
        yield ["touch", note], ""
    argv = getattr(resource, "add_argv", None) or getattr(resource, "create_argv", None)
    if isinstance(resource, ZfsDataset) and not resource.parent:
        yield ["zfs", "set", *(f"{k}={v}" for k, v in resource.settings.items()), resource.name], ""
    elif argv:
        yield list(argv), ""
    if resource.kind == "samba_user":
        yield ["useradd", "--system", "-M", "-s", "/usr/sbin/nologin", resource.name], ""
        yield ["smbpasswd", "-s", "-a", resource.name], f"{password}\n{password}\n"


def _owner(resource: Kind) -> Iterator[Call]:
    if isinstance(resource, ZfsDataset) and resource.owner:
        yield ["chown", f"{resource.owner}:{resource.group}", resource.path], ""
        yield ["chmod", str(resource.mode), resource.path], ""
