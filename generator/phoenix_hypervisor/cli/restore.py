"""`phoenix restore`: look into a backup, as a guest beside those there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import Workplace
from .voice import by_hand, voice

if TYPE_CHECKING:
    from ..dialects.vzdump import Archive


@click.command(short_help="List a guest's backups; make another guest from one.")
@click.argument("guest")
@click.option("--archive", default="", metavar="WHICH", help="Its id, or a part that only one has.")
@click.option("--as", "vmid", metavar="VMID", help="The free number it gets; without it, backups are listed.")
@click.option("--storage", default="", help="Where its files go; otherwise where the guest's are declared.")
@click.option("--start", is_flag=True, help="Start it, its networks plugged out.")
@click.pass_obj
def restore(
    workplace: Workplace, guest: str, archive: str, vmid: str | None, storage: str, start: bool
) -> int:
    """List the backups of GUEST (its name or VMID), or make a guest with the number VMID from the newest.

    Never over one that is there: VMID must be free, and no file may declare it. It does not start unless
    you say so; its networks are plugged out, and it gets no folders and devices of the node. It is
    nobody's: no apply knows it.

    Exit status: 0 done, 1 failed, 3 could not tell.
    """
    from ..errors import ExitCode, UsageError
    from ..operate import restoring
    from ..operate.by_hand import ByHand, Voice

    if vmid is None and (archive or storage or start):
        raise UsageError("`--as VMID` says which number it gets", hint="without it, backups are listed")
    if vmid is not None and not (vmid.isdecimal() and len(vmid) < 10 and int(vmid) >= 100):
        raise UsageError(f"`{vmid}` is no VMID", hint="Proxmox's numbers begin at 100")
    if vmid is None:
        with ByHand(workplace.site_folder, [guest], voice(), lock=False) as hand:
            _list(restoring.archives(hand, hand.named[0]))
            return ExitCode.OK

    def make(hand: ByHand, says: Voice) -> ExitCode:
        (one,) = hand.named
        which = restoring.chosen(restoring.archives(hand, one), archive, one)
        return restoring.restore(hand, one, which, vmid or "", storage, says, start=start)

    return by_hand(workplace, "restore", [guest], make)


def _list(found: list[Archive]) -> None:
    from ..dialects import sizes

    for archive in found:
        click.echo(f"{archive.began}  {sizes.about(archive.size):>9}  {archive.volid}")
    if not found:
        click.echo("no backup", err=True)
