"""`phoenix lab`: nodes that live in directories, to try things on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import click

from ..errors import PhoenixError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from ..lab.faults import Sort
    from ..lab.node import LabNode

SHELL = ("sh", "-c", "command -v bash > /dev/null && exec bash; exec sh")


class Chosen(Protocol):
    """What the verbs above have chosen."""

    site_folder: Path


@click.group()
def lab() -> None:
    """Make and use lab nodes: Proxmox nodes that live in a directory, without root.

    A host is a lab node when its inventory entry says `transport: lab`. It is kept in
    SITE/.phoenix/lab/NODE. Everything phoenix does to a node it can do to a lab node.

    \b
      phoenix lab up                    make the site's lab nodes
      phoenix apply                     build them
      phoenix lab drift zfs-property    change something behind phoenix's back
      phoenix plan                      see that it is found
      phoenix lab fault kill-before 3   let the next apply be killed half-way
      phoenix lab exec NODE             look around inside
      phoenix lab down                  remove them

    `phoenix lab up --vm` makes them as virtual machines instead: slower, but with real ZFS and NFS.
    """


@lab.command()
@click.argument("nodes", nargs=-1, metavar="[NODE]…")
@click.option("--fresh", is_flag=True, help="Remove a node that is there already, and make it anew.")
@click.option(
    "--loader",
    type=click.Choice(("systemd-boot", "grub")),
    default="systemd-boot",
    show_default=True,
    help="What a node that is made boots with.",
)
@click.option("--vm", is_flag=True, help="Make a virtual machine, with a kernel of its own and real ZFS.")
@click.pass_obj
def up(chosen: Chosen, nodes: tuple[str, ...], fresh: bool, loader: str, vm: bool) -> None:
    """Make lab nodes: all the site's, or those named.

    They have the disks and graphics cards their files declare. A node that is there already is kept
    as it is; disks declared since then are put in, but for a virtual machine, which is started if it
    does not run. The image of virtual machines is built when there is none yet: about three minutes.
    """
    from ..lab.faults import Faults
    from ..lab.site import declared_nodes, lab_node

    declared = declared_nodes(chosen.site_folder)
    for name in _named(nodes, declared):
        _keep_out_of_git(chosen.site_folder)
        node = lab_node(chosen.site_folder, name)
        if fresh:
            node.down()
        if vm:
            node = _machine(chosen.site_folder, name, node)
        there = declared[name]
        made = node.up(
            name,
            there.disks,
            there.address,
            there.gpus,
            loader=loader,
            driver=there.driver,
            hardware=there.machine,
        )
        click.echo(f"{name}: {'made' if made else 'was up already'}, {len(node.status().disks)} disks")
        for fault in Faults(node.folder).listed():
            click.echo(f"{name}: a fault is set: {fault}", err=True)


@lab.command()
def image() -> None:
    """Build the image of virtual machines if there is none, and say where it is: about three minutes, once.

    `phoenix lab up --vm` does it by itself.
    """
    from ..lab.vm.image import image as built

    click.echo(str(built(lambda said: click.echo(said, err=True)).root.parent))


@lab.command()
@click.argument("nodes", nargs=-1, metavar="[NODE]…")
@click.pass_obj
def down(chosen: Chosen, nodes: tuple[str, ...]) -> None:
    """Remove lab nodes, with everything on them: all, or those named."""
    from ..lab.site import existing

    there = existing(chosen.site_folder)
    if not there and not nodes:
        click.echo("there are no lab nodes", err=True)
        return
    for name in _named(nodes, there):
        there[name].down()
        click.echo(f"{name}: removed")


@lab.command()
@click.argument("nodes", nargs=-1, metavar="[NODE]…")
@click.pass_obj
def reboot(chosen: Chosen, nodes: tuple[str, ...]) -> None:
    """Restart lab nodes: all, or those named.

    All that runs on them ends at once, their connections break, and new ones are refused for a short
    time (`phoenix lab fault slow-boot N`). Whoever connects after it finds them booted.
    """
    from ..lab.site import existing

    there = existing(chosen.site_folder)
    for name in _named(nodes, there):
        there[name].reboot()
        click.echo(f"{name}: reboots")


@lab.command()
@click.pass_obj
def status(chosen: Chosen) -> None:
    """Show lab nodes, their disks, and faults that are set."""
    from ..lab.faults import Faults
    from ..lab.site import declared_nodes, existing

    there = existing(chosen.site_folder)
    for name in sorted({*declared_nodes(chosen.site_folder), *there}):
        if name not in there:
            click.echo(f"{name}: not made yet")
            continue
        node, facts = there[name], there[name].status()
        click.echo(
            f"{name}: {node.state}, {facts.actions} acts so far, "
            f"{facts.bytes_used / 2**20:.1f} MiB in {node.folder}"
        )
        for kname, by_id in facts.disks.items():
            click.echo(f"  /dev/{kname}  {by_id}")
        for fault in Faults(node.folder).listed():
            click.echo(f"  fault: {fault}")


@lab.command("exec", context_settings={"allow_interspersed_args": False})
@click.argument("node")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND…]")
@click.pass_context
def execute(ctx: click.Context, node: str, command: tuple[str, ...]) -> None:
    """Run a command on a lab node, or a shell.

    The exit status is the command's own.
    """
    from ..lab import door
    from ..lab.site import existing

    there = existing(ctx.obj.site_folder)
    name = _named((node,), there)[0]
    down = door.boot(there[name]) if there[name].sandboxed else ""
    if down:
        raise PhoenixError(f"{name}: {down}", hint="it was rebooted: try again in a moment")
    words = command[1:] if command[:1] == ("--",) else command
    wanted = words or SHELL
    ctx.exit(there[name].attach(door.mortal(wanted) if there[name].sandboxed else wanted))


@lab.command()
@click.argument("words", nargs=-1, metavar="[NODE] [NAME]…")
@click.pass_obj
def drift(chosen: Chosen, words: tuple[str, ...]) -> None:
    """Change something behind phoenix's back.

    Without NAME, list what can be changed. NODE may be left out while there is only one.
    """
    from ..lab import drift as drifts

    if words:
        node, names = _node_and_rest(chosen.site_folder, words, drifts.DRIFTS)
        for name in names:
            click.echo(drifts.drift(node, name))
        if names:
            return
    width = max(map(len, drifts.DRIFTS))
    for name, known in drifts.DRIFTS.items():
        click.echo(f"{name:<{width}}  {known.meaning}")


@lab.command(context_settings={"allow_interspersed_args": False})
@click.argument("words", nargs=-1, metavar="[NODE] [FAULT [N] [DIR|COMMAND|UNIT|GUEST] | clear]")
@click.pass_obj
def fault(chosen: Chosen, words: tuple[str, ...]) -> None:
    """Let something go wrong on a lab node.

    Without a FAULT, list those there are and those that are set.

    Acts are counted from 1 in every run of phoenix. A fault at an act happens once. `clear` takes all
    faults back. NODE may be left out while there is only one.

    \b
      phoenix lab fault kill-before 3
      phoenix lab fault change-before 2 'zfs set atime=on quickOS'
      phoenix lab fault full /etc/exports.d
      phoenix lab fault clear
    """
    from ..lab.faults import Faults, Sort

    if not words:
        _list_faults(chosen.site_folder)
        return
    node, rest = _node_and_rest(chosen.site_folder, words, ["clear", *Sort])
    faults = Faults(node.folder)
    if rest == ("clear",):
        faults.clear()
        click.echo(f"{node.folder.name}: no faults")
        return
    if rest:
        faults.set(*_fault(node, rest))
    for known in faults.listed():
        click.echo(f"{node.folder.name}: {known}")


def _machine(site_folder: Path, name: str, there: LabNode) -> LabNode:
    """Return the node as a virtual machine, unless it is there as something else."""
    from ..lab.site import machine

    if there.exists and there.sandboxed:
        raise PhoenixError(
            f"{name} is there already, in a sandbox",
            hint=f"`phoenix lab up --vm --fresh {name}` makes it anew",
        )
    if not there.exists:
        click.echo(f"{name}: boots a virtual machine, which takes a minute or so", err=True)
    return machine(site_folder, name, tell=lambda said: click.echo(said, err=True))


def _named(names: tuple[str, ...], known: Collection[str]) -> list[str]:
    """The nodes that were named, or all of them."""
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or (
                f"lab nodes: {', '.join(known)}" if known else "make them: `phoenix lab up`"
            )
            raise UsageError(f"there is no lab node `{name}`", hint=hint)
    if not known:
        raise PhoenixError(
            "there are no lab nodes",
            hint="say `transport: lab` in an inventory entry's data, then `phoenix lab up`",
        )
    return list(names or known)


def _node_and_rest(
    site_folder: Path, words: tuple[str, ...], known: Collection[str]
) -> tuple[LabNode, tuple[str, ...]]:
    """Take the node's name off the words; it may be missing while there is only one node."""
    from ..lab.site import existing

    there = existing(site_folder)
    if words[0] in there:
        return there[words[0]], words[1:]
    if words[0] not in known:
        names = [*there, *known]
        raise UsageError(
            f"`{words[0]}` is neither a lab node nor known here",
            hint=did_you_mean(words[0], names) or f"known: {', '.join(names)}",
        )
    names = _named((), there)
    if len(names) > 1:
        raise UsageError("on which lab node?", hint=f"name it first: {', '.join(names)}")
    return there[names[0]], words


def _list_faults(site_folder: Path) -> None:
    from ..lab.faults import MEANING, WORDS, Faults
    from ..lab.site import existing

    heads = {sort: f"{sort} {WORDS[sort]}".rstrip() for sort in MEANING}
    width = max(map(len, heads.values()))
    for sort, meaning in MEANING.items():
        click.echo(f"{heads[sort]:<{width}}  {meaning}")
    for name, node in existing(site_folder).items():
        for known in Faults(node.folder).listed():
            click.echo(f"{name}: set: {known}")


def _fault(node: LabNode, words: tuple[str, ...]) -> tuple[Sort, int, str]:
    """Read a fault from its words."""
    from ..lab.faults import SANDBOX_ONLY, WORDS, Sort
    from ..lab.sandbox import holds_machine

    if words[0] not in list(Sort):
        hint = did_you_mean(words[0], Sort) or f"known: {', '.join(Sort)}"
        raise UsageError(f"there is no fault `{words[0]}`", hint=hint)
    sort, values = Sort(words[0]), words[1:]
    if not node.sandboxed and sort in SANDBOX_ONLY:
        raise UsageError(
            f"fault `{sort}`: a virtual machine has none of that", hint="it is for nodes in a sandbox"
        )
    wanted = WORDS[sort].split()
    if len(values) != len(wanted):
        raise UsageError(
            f"fault `{sort}`: wrong number of words", hint=f"write `{sort} {WORDS[sort]}`".rstrip()
        )
    at = 0
    if "N" in wanted:
        if not values[0].isdecimal() or int(values[0]) < 1:
            raise UsageError(
                f"fault `{sort}`: `{values[0]}` is not the number of an act", hint="1 is the first"
            )
        at = int(values[0])
    detail = values[-1] if {"DIR", "COMMAND", "UNIT", "GUEST"}.intersection(wanted) else ""
    if "DIR" in wanted and not (detail.startswith("/") and node.root.joinpath(detail[1:]).is_dir()):
        raise UsageError(
            f"fault `{sort}`: {detail} is not a folder of the node", hint="write its absolute path"
        )
    if "DIR" in wanted and holds_machine(detail):
        raise UsageError(
            f"fault `{sort}`: {detail} shows parts of the machine", hint="take a folder below it"
        )
    return sort, at, detail


def _keep_out_of_git(site_folder: Path) -> None:
    ignore = site_folder / ".phoenix" / ".gitignore"
    if not ignore.exists():
        ignore.parent.mkdir(parents=True, exist_ok=True)
        ignore.write_text("*\n", encoding="ascii")
