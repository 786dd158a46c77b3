"""The whole reference site, made once in a test run: by the demonstration, on a node of an earlier one."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.lab.running import PASSWORD, REPOSITORY, LabSite

from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.records import files as records
from phoenix_hypervisor.records.events import Event

SECRETS = ("jupyter/token", "samba/heads", "unix/admin")
EARLIER = "/root/of-an-earlier-demonstration"
DEMO = (sys.executable, "-m", "phoenix_hypervisor.lab.demo")
STORAGE = ("profiles", "hardware", "zfs_pool", "zfs_dataset", "zfs_arc", "pve_storage")
SHARES = ("nfs_export", "samba_share", "samba_user")
FOR_GUESTS = "shared-prod-data-volumes"


class Said(NamedTuple):
    """How a demonstration ended, and what it said on both streams in the order of a terminal."""

    status: int
    text: str

    @property
    def commands(self) -> list[str]:
        return re.findall(r"^\$ (.*)$", self.text, re.MULTILINE)

    def after(self, command: str, run: int = 1) -> str:
        """What is said after that run of a command, up to the next paragraph."""
        return self.text.split(f"$ {command}\n")[run].split("\n\n")[0]


class Demonstrated(NamedTuple):
    """The site as the demonstration leaves it, what that said, and what is on record of its first apply."""

    site: LabSite
    said: Said
    applied: list[Event]

    @property
    def steps(self) -> list[Event]:
        """Every step of the apply that brought a blank node there, in order."""
        return [event for event in self.applied if event["event"] == "ran"]


def copied(folder: Path) -> Path:
    """Copy the site that the repository declares, without its secrets; returns the folder."""
    for part in ("configs", "inventory"):
        shutil.copytree(REPOSITORY / part, folder / part, ignore=shutil.ignore_patterns("*.age"))
    return folder


def storage_alone(folder: Path) -> Path:
    """Copy of the reference site only its node's storage and shares; returns the folder."""
    copied(folder)
    shutil.rmtree(folder / "configs/guests")
    kept = {"phoenix", "aiml-storage"}
    for file in [*folder.glob("configs/nodes/*.yaml"), *folder.glob("configs/profiles/*.yaml")]:
        if file.stem not in kept:
            file.unlink()
            continue
        sections = re.split(r"^(?=\w)", file.read_text(), flags=re.MULTILINE)
        text = "".join(text for text in sections if text.partition(":")[0] in (*STORAGE, *SHARES))
        text = re.sub(r"^profiles: .*", "profiles: [aiml-storage]", text)
        file.write_text("".join(line for line in text.splitlines(keepends=True) if FOR_GUESTS not in line))
    return folder


def made(folder: Path) -> LabSite:
    """Give a site in a folder its secrets, and a lab node, as yet blank. Skips where there can be no lab."""
    site = LabSite(folder)
    for arguments, stdin in (
        (("secrets", "init"), b""),
        *((("secrets", "set", name), PASSWORD.encode()) for name in SECRETS),
        (("lab", "up"), b""),
    ):
        ran = site.run(*arguments, stdin=stdin)
        assert ran.status == 0, ran
    try:
        site.on_node("true")
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    return site


def play(folder: Path, outside: Path, **environment: str) -> Said:
    """Play the demonstration in a folder as a process of its own; it leaves nothing `outside`."""
    places = {name: outside / name for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR")}
    for place in places.values():
        place.mkdir(parents=True)
    ended = subprocess.run(
        DEMO,
        check=False,
        cwd=folder,
        env={**os.environ, **{name: str(place) for name, place in places.items()}, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
    )
    assert {name: list(place.iterdir()) for name, place in places.items()} == {name: [] for name in places}
    return Said(ended.returncode, ended.stdout)


def demonstrated(blank: LabSite, folder: Path) -> Demonstrated:
    """Play the demonstration on a copy of a site whose node is blank: it throws that node away."""
    site = blank.copy(folder / "site")
    site.on_node(f"touch {EARLIER}")
    outside = folder / "outside"
    said = play(site.folder, outside, PHOENIX_SITE="/nowhere", PHOENIX_AGE_IDENTITY="/nowhere/either")
    assert said.status == 0, said.text
    applies = [one.name for one in records.listed(site.folder) if one.run["verb"] == "apply"]
    return Demonstrated(site, said, records.found(site.folder, applies[-1]))
