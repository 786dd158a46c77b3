"""How a Proxmox API is reached: what somebody asked for, completed by what the inventory says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..config import load_settings
from ..config.inventory import Inventory, read_inventory
from ..config.model import ApiReach, InventoryEntry
from ..errors import InputError, PhoenixError, Problem, UsageError
from ..proxmox.api import Api
from ..proxmox.endpoint import Endpoint, endpoint
from ..proxmox.guests import LivingGuest, guests
from ..secrets import Secret
from ..secretstore import open_store


class Wish(NamedTuple):
    """What is said on the command line; an empty text is not said."""

    api: str
    token_id: str
    token_secret: str
    token_file: str
    ca_file: str
    fingerprint: str
    given: Callable[[str, str], Secret]
    """Returns the value of a token, from a file or whom it may ask. Raises SecretError, UsageError."""


def declared(inventory: Inventory, node: str) -> ApiReach | None:
    """Return what the inventory says of a node's API: its own entry, its groups, the defaults."""
    todo, seen = [inventory.hosts.get(node)], set()
    while todo:
        entry: InventoryEntry | None = todo.pop(0)
        if entry is None:
            continue
        if entry.data.api is not None:
            return entry.data.api
        todo += [inventory.groups.get(name) for name in entry.groups if name not in seen]
        seen |= {*entry.groups}
    return inventory.defaults.data.api


def reached(wish: Wish, there: ApiReach | None, folder: Path) -> Endpoint:
    """Return the endpoint that is wished for. Raises PhoenixError."""
    if not wish.api and there is None:
        said = "the inventory says of no API"
        hint = "`data: api:` of the host in inventory/hosts.yaml, or `--api https://HOST:8006 --token-id ID`"
        raise UsageError(said, hint=hint)
    own = there if there is not None and (not wish.api or wish.api == there.url) else None
    token_id = wish.token_id or (own.token_id if own else "")
    if not token_id:
        raise UsageError("which token? `--token-id user@realm!name`", hint="its role: PVEAuditor at `/`")
    secret = wish.token_secret or (own.token_secret if own and token_id == own.token_id else "")
    if wish.token_file and wish.token_secret:
        raise UsageError("`--token-file` and `--token-secret` are two places of one value: give one of them")
    if secret and not wish.token_file:
        token = Secret(secret, open_store(load_settings(folder).secrets, folder))
        if trouble := token.trouble():
            raise trouble
    else:
        token = wish.given(token_id, wish.token_file)
    known = (Path(wish.ca_file) if wish.ca_file else None, wish.fingerprint)
    if known == (None, "") and own is not None:
        known = (folder / own.ca_file if own.ca_file else None, own.fingerprint or "")
    return endpoint(wish.api or (own.url if own else ""), token_id, token, *known)


def living_guests(wish: Wish, folder: Path) -> dict[str, LivingGuest]:
    """Return the guests of all clusters that the site's inventory, or the command line, names an API of."""
    problems: list[Problem] = []
    ways: list[ApiReach | None] = [None]
    if (folder / "inventory" / "hosts.yaml").is_file():
        inventory = read_inventory(folder, problems)
        if problems:
            raise InputError(problems)
        ways = list(dict.fromkeys(_ways(inventory)) if not wish.api else [_of(inventory, wish.api)])
    if not ways:
        ways = [None]  # and `reached` says what is missing
    found: dict[str, LivingGuest] = {}
    for way in ways:
        with Api(reached(wish, way, folder)) as api:
            for guest in guests(api):
                same = found.get(guest.name)
                if same is not None and same != guest:
                    raise PhoenixError(
                        f"two guests are called {guest.name}: {same.vmid} on {same.node}, {guest.vmid} on "
                        f"{guest.node}",
                        hint="ask one cluster at a time, with --api",
                    )
                found[guest.name] = guest
    return found


def _ways(inventory: Inventory) -> list[ApiReach]:
    return [way for node in inventory.hosts if (way := declared(inventory, node)) is not None]


def _of(inventory: Inventory, url: str) -> ApiReach | None:
    return next((way for way in _ways(inventory) if way.url == url), None)
