"""`phoenix service`: let systemd run `phoenix watch` for this site."""

from __future__ import annotations

import getpass
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from . import Workplace

FOLDER = Path("/etc/systemd/system")


@click.group(short_help="Let systemd run `phoenix watch`.")
def service() -> None:
    """Install or remove the systemd unit that watches this site."""


@service.command(short_help="Write the unit, enable it, start it.")
@click.option(
    "--print", "shown", is_flag=True, help="Only print the unit; for those who install it themselves."
)
@click.option(
    "--timer",
    "timed",
    is_flag=True,
    help="A timer that lets it look once each interval, in place of a program that stays.",
)
@click.option("--user", help="Who runs it; the default is who calls this. It needs the keys for the nodes.")
@click.pass_obj
def install(workplace: Workplace, shown: bool, timed: bool, user: str | None) -> int:
    """Write /etc/systemd/system/phoenix-watch-SITE.service, enable and start it. Needs root."""
    from ..config import load_settings
    from ..errors import PhoenixError
    from ..observe.screen import tell
    from ..watch import systemd

    site = workplace.site_folder.resolve()
    name = _name(workplace)
    found = shutil.which("phoenix")
    command = [found] if found else [sys.executable, "-m", "phoenix_hypervisor"]
    user, local = user or getpass.getuser(), _local(workplace)
    texts = {f"{name}.service": systemd.unit(name, site, command, user, local=local, once=timed)}
    if timed:
        seconds = load_settings(workplace.site_folder).watch.interval_seconds
        texts[f"{name}.timer"] = systemd.timer(name, seconds)
    if shown:
        click.echo("\n".join(texts.values()), nl=False)
        return 0
    _stop(name, [".service"] if timed else [".timer"])  # one way at a time
    for file, text in texts.items():
        try:
            (site / ".phoenix").mkdir(exist_ok=True)
            (FOLDER / file).write_text(text, encoding="utf-8")
        except OSError as error:
            hint = "it needs root: with sudo, and `--user` for who runs it; or `--print`"
            raise PhoenixError(f"cannot write {FOLDER / file}: {error.strerror}", hint=hint) from error
    _systemctl("daemon-reload")
    *_, begins = texts
    _systemctl("enable", "--now", begins)
    tell(f"{begins} watches {site}; `journalctl -u {name}.service` shows what it says")
    return 0


@service.command(short_help="Stop the unit and remove it.")
@click.pass_obj
def remove(workplace: Workplace) -> int:
    """Stop, disable and remove the unit of this site, and its timer. The records stay."""
    from ..errors import PhoenixError

    name = _name(workplace)
    path = FOLDER / f"{name}.service"
    if not path.exists():
        raise PhoenixError(f"there is no {path}", hint="nothing was installed for this site")
    _stop(name, [".timer", ".service"])
    _systemctl("daemon-reload")
    return 0


def _stop(name: str, ends: Sequence[str]) -> None:
    """Stop, disable and remove units, as far as they are there."""
    for path in (FOLDER / f"{name}{end}" for end in ends):
        if path.exists():
            _systemctl("disable", "--now", path.name)
            path.unlink()


def _name(workplace: Workplace) -> str:
    from ..config import load_settings

    return f"phoenix-watch-{re.sub('[^A-Za-z0-9_.-]', '-', load_settings(workplace.site_folder).name)}"


def _local(workplace: Workplace) -> bool:
    """Whether a node of the site is not reached over the network: it is this machine, or a lab on it."""
    from ..config import load
    from ..inspect.fleet import Fleet

    fleet = Fleet(load(workplace.site_folder).inventory, workplace.site_folder)
    return any(fleet.address(node).transport != "ssh" for node in fleet.nodes)


def _systemctl(*words: str) -> None:
    from .. import process
    from ..errors import PhoenixError

    ended = process.run(["systemctl", *words], timeout=900)
    if ended.status:
        said = ended.stderr.decode(errors="replace").strip()
        raise PhoenixError(f"`systemctl {' '.join(words)}`: {said or f'it ended with {ended.status}'}")
