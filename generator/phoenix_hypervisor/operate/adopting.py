"""Adoption of a node: ask it, say what is there in files, and prove that they change nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..adopt.living import over_https, questions, reading
from ..adopt.living.found import Draft
from ..adopt.living.settling import Ground, settle
from ..config import Site, load, load_settings
from ..config.inventory import Inventory, read_inventory
from ..config.model import InventoryEntry
from ..converge.plan import Entry, Plan, build
from ..errors import ExitCode, HostError, InputError, PhoenixError, Problem, UsageError
from ..inspect.fleet import Fleet
from ..inspect.looks import Status
from ..inspect.opening import OpenSite
from ..inspect.session import inspect
from ..proxmox.api import Api
from ..proxmox.endpoint import Endpoint
from ..resource import Ref
from ..secretstore import open_store
from .api_reach import Wish, declared, reached

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Reach:
    """How the node is reached."""

    node: str
    inventory: Inventory
    folder: Path
    """The site's whose inventory it is: its lab nodes are below."""

    @property
    def entry(self) -> InventoryEntry:
        """The node's own."""
        return self.inventory.hosts[self.node]

    def fleet(self, site: Site | None = None) -> Fleet:
        """Return the node as a fleet; with the guests of a site."""
        return Fleet(self.inventory, self.folder, [self.node], site.guests.values() if site else ())


class Adopted(NamedTuple):
    """What came of it."""

    draft: Draft
    files: Mapping[str, str]
    """Path below the site → text."""
    plan: Plan | None
    """What `apply` would do with them: nothing, unless the node changed meanwhile. None without a shell."""
    unproven: str = ""
    """Why there is no plan."""

    @property
    def code(self) -> ExitCode:
        """The exit status: 2 when something is left to a person."""
        if self.plan is not None and self.plan.code is not ExitCode.OK:
            return self.plan.code
        return ExitCode.PENDING if self.draft.left or self.unproven else ExitCode.OK


def reach(node: str, site_folder: Path, address: str, username: str, otherwise: str = "") -> Reach:
    """Return how a node is reached: as the site's inventory says, or by ssh. Raises PhoenixError.

    `otherwise` is where it is when neither an inventory nor `address` says it.
    """
    problems: list[Problem] = []
    if not NAME.fullmatch(node):
        raise UsageError(f"`{node}` is no name for a node", hint="a name like `pve1`; its address: --address")
    if (site_folder / "inventory" / "hosts.yaml").is_file():
        found = read_inventory(site_folder, problems)
        if problems:
            raise InputError(problems)
        if node in found.hosts:
            if address or username:
                said = f"inventory/hosts.yaml says how `{node}` is reached"
                raise UsageError(said, hint="leave out --address and --user, or change it there")
            return Reach(node, found, site_folder)
    entry = InventoryEntry(hostname=address or otherwise or node, username=username or None)
    alone = Inventory({node: entry}, {}, InventoryEntry(), {}, readable=True)
    return Reach(node, alone, site_folder)


def ground_of(way: Reach, out: Path) -> Ground:
    """Return what is written to. Raises PhoenixError for a folder that holds something else."""
    if not (out / "configs" / "site.yaml").is_file():
        refuse_taken(out, ("configs", "inventory"))
        return Ground(way.node, None, _resolved(way))
    if way.node not in read_inventory(out, []).hosts:
        message = f"{out} is a site without the node `{way.node}`"
        raise PhoenixError(
            message, hint="add it to its inventory/hosts.yaml, or name a new folder with --out"
        )
    return Ground(way.node, out, way.entry, open_store(load_settings(out).secrets, out))


def refuse_taken(out: Path, paths: Collection[str]) -> None:
    """Raise PhoenixError when one of them is there: nothing is overwritten."""
    for path in paths:
        if (out / path).exists():
            raise PhoenixError(
                f"{out / path} is already there: nothing was written", hint="name a new folder with --out"
            )


def _resolved(way: Reach) -> InventoryEntry:
    """The node's entry with what its groups and the defaults say: a new site has none of them."""
    address = way.fleet().address(way.node)
    plain = way.entry.data.model_dump(exclude_none=True, exclude={"api"})  # its secret is another site's
    plain |= {} if address.transport == "ssh" else {"transport": address.transport}
    plain |= {"sudo": True} if address.sudo else {}
    options = list(address.options) if address.transport != "lab" else []
    plain |= {"ssh_options": options} if options else {}
    fields = {"hostname": address.hostname, "port": address.port, "username": address.username}
    return InventoryEntry.model_validate({**fields, "data": plain})


def read_node(way: Reach, taken: Collection[str] = ()) -> Draft:
    """Ask the node's shell, and return what is there. Raises HostError."""
    return _drafted(way, _shell(way), taken)


def _shell(way: Reach) -> dict[str, str]:
    """Ask the node's shell everything. Raises HostError."""
    fleet = way.fleet()
    try:
        return questions.ask(fleet, way.node)
    finally:
        fleet.close()


def _drafted(way: Reach, answers: Mapping[str, str], taken: Collection[str]) -> Draft:
    try:
        return reading.draft(answers, taken)
    except ValueError as error:
        raise HostError(f"{way.node}: what it said cannot be read: {error}") from error


def adopt(way: Reach, ground: Ground, only: Sequence[str] = ()) -> tuple[Draft, dict[str, str]]:
    """Return what was found, and the files that say it; none is written. Raises PhoenixError."""
    draft = read_node(way, _taken(way, ground))
    files = settle(draft, ground, lambda site, refs: wrong(way, site, refs), only)
    return draft, files


def adopt_over_api(
    way: Reach, ground: Ground, to: Endpoint, only: Sequence[str] = ()
) -> tuple[Draft, dict[str, str], str]:
    """The same with the API asked first, and a shell for the rest; and why the plan cannot be proven, if so.

    Without a shell nothing is said of what the API does not show, and nobody judges but the site's rules.
    """
    with Api(to) as api:
        seen = over_https.ask(api, way.node)
    shell, unproven = None, ""
    try:
        shell = _shell(way)
    except HostError as error:
        unproven = f"there is no shell on {way.node}: {error.message}"
    answers = over_https.completed(seen, shell)
    draft = _drafted(way, answers, _taken(way, ground))
    draft.left[:0] = seen.left

    def judge(site: Site, refs: Collection[Ref]) -> Mapping[Ref, str]:
        return {} if unproven else wrong(way, site, refs)

    return draft, settle(draft, ground, judge, only), unproven


def endpoint_of(node: str, site_folder: Path, wish: Wish) -> Endpoint:
    """Return the API that is to be asked about a node. Raises PhoenixError."""
    there = None
    if (site_folder / "inventory" / "hosts.yaml").is_file():
        there = declared(read_inventory(site_folder, []), node)
    return reached(wish, there, site_folder)


def _taken(way: Reach, ground: Ground) -> Collection[str]:
    """Names that somebody else has."""
    there = ground.declared()
    return there.hosts if there else [way.node]


def write(out: Path, files: Mapping[str, str]) -> list[Path]:
    """Write files that are not there; returns their paths. Raises PhoenixError, then nothing was written."""
    refuse_taken(out, [path for path in files if path != ".gitignore"])
    written = []
    try:
        for path, text in files.items():
            if not (out / path).exists():
                (out / path).parent.mkdir(parents=True, exist_ok=True)
                (out / path).write_text(text, encoding="utf-8", errors="surrogateescape")
                written.append(out / path)
    except OSError as error:
        raise PhoenixError(f"cannot write {error.filename}: {error.strerror}") from error
    return written


def plan_of(way: Reach, site: Site, refs: Collection[Ref]) -> Plan:
    """Inspect resources of a site, and return the plan for them. Raises HostError."""
    with _opened(way, site) as opened:
        seen = inspect(opened, refs, probes=False)
        if way.node in opened.fleet.lost:
            raise opened.fleet.lost[way.node]
        return build(site, {ref: look for ref, look in seen.looks().items() if ref in refs})


def prove(way: Reach, out: Path, draft: Draft) -> Plan:
    """Read what was written, and return the plan for what was adopted."""
    site = load(out, open_store(load_settings(out).secrets, out))
    named = {(thing.kind, thing.name or way.node) for thing in draft.things}
    refs = {ref for ref in site.resources if ref.host == way.node and (ref.kind, ref.name) in named}
    return plan_of(way, site, refs)


@contextmanager
def _opened(way: Reach, site: Site) -> Iterator[OpenSite]:
    fleet = way.fleet(site)
    try:
        yield OpenSite(site, fleet)
    finally:
        fleet.close()


def wrong(way: Reach, site: Site, refs: Collection[Ref]) -> dict[Ref, str]:
    """Return what a plan would do to resources that are only to be described, and those it cannot judge."""
    entries = plan_of(way, site, set(refs)).entries
    own = [entry for entry in entries if entry.look.status is not Status.BLOCKED]
    # what waits for another one may be right once that is left out
    return {entry.ref: _why(entry) for entry in own or entries}


def _why(entry: Entry) -> str:
    if entry.refusals:
        return entry.refusals[0].reason
    if entry.look.status is Status.BLOCKED:
        return f"it needs {entry.look.blocked_by}, which is not as declared"
    if entry.look.change:
        said = "; ".join(
            f"{name}: {one.actual} → {one.desired}" for name, one in entry.look.change.attributes.items()
        )
        return f"declared, it would be changed ({said})"
    return "; ".join(entry.look.reasons) or "it could not be looked at"
