"""`phoenix init`: make a small site to start from."""

from __future__ import annotations

import re
from pathlib import Path

import click

HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
SITE = """\
# yaml-language-server: $schema=.schema/site.json
name: {name}

secrets:
  file: secrets.age # made by `phoenix secrets set`; may be committed: it is encrypted
"""
NODE = """\
# yaml-language-server: $schema=../.schema/node.json
hardware: # what the machine is; `phoenix kinds` lists what can be declared, `phoenix kinds NAME` its fields
  memory: 32G
  disks:
    first: {{ id: ata-EXAMPLE_DISK_1, size: 1T }}
    second: {{ id: ata-EXAMPLE_DISK_2, size: 1T }}

zfs_arc:
  max: 8G

zfs_pool:
  tank:
    vdevs:
      - type: mirror
        disks: [ata-EXAMPLE_DISK_1, ata-EXAMPLE_DISK_2]

zfs_dataset:
  tank/models: {{ recordsize: 1M, compression: lz4, quota: 500G }}
  tank/iso: {{ quota: 50G }}

pve_storage:
  tank-iso: {{ type: dir, path: /tank/iso, content: [iso, vztmpl], is_mountpoint: true }}

nfs_export:
  /tank/models:
    clients:
      10.0.0.0/24: [ro]
"""
HOSTS = """\
# yaml-language-server: $schema=../configs/.schema/hosts.json
# How the nodes are reached. This one lives in a directory: `phoenix lab up`, then `phoenix plan`.
{node}:
  data: {{ transport: lab }}
  # A real one: hostname, username, port, and `data: {{ transport: ssh }}`; ~/.ssh/config counts.
"""
IGNORED = """\
/.phoenix/
/build/
"""


@click.command(short_help="Make a small site in a folder.")
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--node", default="pve", show_default=True, metavar="NAME", help="The first node's name.")
def init(folder: Path, node: str) -> int:
    """Write a small site into FOLDER (the current one): one node, a pool, two datasets, a share.

    Its first lines tell editors which schema a file has; `phoenix schema` wrote them.

    Files that are already there are not touched: then nothing is written at all.
    """
    from ..errors import PhoenixError, UsageError
    from ..observe import schema
    from ..observe.screen import tell

    if not HOST_NAME.fullmatch(node):
        raise UsageError(f"`{node}` is not the name of a host", hint="letters, digits and `-`, like `pve`")
    name = folder.resolve().name
    files = {
        "configs/site.yaml": SITE.format(name=name if name.isidentifier() else "site"),
        f"configs/nodes/{node}.yaml": NODE.format(),
        "inventory/hosts.yaml": HOSTS.format(node=node),
        ".gitignore": IGNORED,
    }
    there = [path for path in files if (folder / path).exists() and path != ".gitignore"]
    if there:
        raise PhoenixError(f"{folder / there[0]} is already there", hint="go to an empty folder")
    for path, text in files.items():
        if not (folder / path).exists():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
            click.echo(folder / path)
    schema.write(folder / schema.FOLDER)
    click.echo(folder / schema.FOLDER)
    tell("next: phoenix validate; phoenix lab up; phoenix plan; phoenix apply")
    return 0
