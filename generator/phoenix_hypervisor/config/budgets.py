"""What there is only so much of on a node, and who takes it: added up from the files alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..budgets import GPU, MEMORY, TAKES, THREADS, Takes, storage
from ..resource import Kind, Ref

if TYPE_CHECKING:
    from .site import Site

Unit = Literal["bytes", "threads"]


class Claim(NamedTuple):
    """What one resource takes."""

    ref: Ref
    amount: float | None
    """None: nobody says how much."""
    field: str


class Budget(NamedTuple):
    """Something there is only so much of."""

    node: str
    name: str
    """`memory`, `threads`, `pool tank`, `storage local`, `gpu gpu0`."""
    limit: float | None
    """How much there is; None where the files do not say."""
    claims: tuple[Claim, ...]
    """In the order in which they are granted."""
    factor: float = 1.0
    """How far it may be exceeded: an allowance of the site."""
    unit: Unit = "bytes"
    binding: bool = True
    """Whether it is an error to exceed it; otherwise it is worth knowing."""

    @property
    def used(self) -> float:
        """What is taken, as far as it is said."""
        return sum(claim.amount or 0 for claim in self.claims)

    @property
    def exceeded_by(self) -> Claim | None:
        """The first claim that goes beyond what is allowed."""
        sum_ = 0.0
        for claim in self.claims:
            sum_ += claim.amount or 0
            if self.limit is not None and sum_ > self.limit * self.factor + 1e-9:
                return claim
        return None

    def up_to(self, claim: Claim) -> float:
        """Return what is taken by a claim and those before it."""
        return sum(one.amount or 0 for one in self.claims[: self.claims.index(claim) + 1])


def budgets(site: Site) -> list[Budget]:
    """Return all budgets of a site, node by node."""
    taken = _taken(site)
    found = []
    for node in site.nodes:
        found += [
            _memory(site, node, taken[node, MEMORY]),
            _threads(site, node, taken[node, THREADS]),
            *_pools(site, node),
            *_storages(site, node, taken),
            *_cards(site, node, taken[node, GPU]),
        ]
    return [budget for budget in found if budget.claims]


def _taken(site: Site) -> Mapping[tuple[str, str], list[Claim]]:
    """Node and key → claims: of the node itself first, then of guests by VMID."""
    found: dict[tuple[str, str], list[Claim]] = defaultdict(list)
    for ref, resource in site.resources.items():
        for offer in resource.provides() if resource.present else ():
            if offer.topic == TAKES:
                takes: Takes = offer.value
                found[site.node_of(ref.host), offer.key].append(Claim(ref, takes.amount, takes.field))
    for claims in found.values():
        claims.sort(key=lambda claim: _vmid(site, claim.ref))
    return found


def _vmid(site: Site, ref: Ref) -> int:
    guest = site.guest_of(ref)
    return int(guest.vmid) if guest else 0


def _memory(site: Site, node: str, claims: list[Claim]) -> Budget:
    limit = site.nodes[node].hardware.memory
    return Budget(node, "memory", limit, tuple(claims), site.head.allow.memory_overcommit)


def _threads(site: Site, node: str, claims: list[Claim]) -> Budget:
    limit = site.nodes[node].hardware.threads
    return Budget(node, "threads", limit, tuple(claims), unit="threads", binding=False)


def _pools(site: Site, node: str) -> Iterator[Budget]:
    """Quotas of the datasets right below a pool, against its usable size."""
    disks = site.nodes[node].hardware.disks.values()
    for pool in _of_kind(site, node, "zfs_pool"):
        quotas = tuple(
            Claim(Ref(node, "zfs_dataset", dataset.name), quota, "quota")
            for dataset in _of_kind(site, node, "zfs_dataset")
            if dataset.name.count("/") == 1 and dataset.name.startswith(f"{pool.name}/")
            and isinstance(quota := getattr(dataset, "quota", None), int)  # it may be `none`
        )  # fmt: skip
        limit = pool.usable(disks) if hasattr(pool, "usable") else None
        yield Budget(node, f"pool {pool.name}", limit or None, quotas, site.head.allow.quota_overcommit)


def _storages(site: Site, node: str, taken: Mapping[tuple[str, str], list[Claim]]) -> Iterator[Budget]:
    """Volumes of guests on a storage, against its dataset's quota; they take room as they are written."""
    datasets = list(_of_kind(site, node, "zfs_dataset"))
    for one in _of_kind(site, node, "pve_storage"):
        place = {getattr(one, "pool", None), getattr(one, "path", None)} - {None}
        quotas = [
            quota
            for dataset in datasets
            if place & {dataset.name, getattr(dataset, "path", None)}
            and isinstance(quota := getattr(dataset, "quota", None), int)
        ]
        limit = quotas[0] if quotas else None
        yield Budget(
            node, storage(one.name), limit, tuple(taken.get((node, storage(one.name)), ())), binding=False
        )


def _cards(site: Site, node: str, shares: list[Claim]) -> Iterator[Budget]:
    """Shares of a card's memory. A guest that has it and says no share may take all of it."""
    for name, card in site.nodes[node].hardware.gpus.items():
        whole = float(card.memory or 1)
        claims = [
            Claim(claim.ref, (claim.amount or 0) * whole, claim.field)
            for claim in shares
            if name in _cards_of(site, claim.ref.host)
        ]
        said = {claim.ref.host for claim in claims}
        unsaid = [
            Claim(ref, None, "gpus")
            for ref in site.resources
            if (guest := site.guest_of(ref)) and _is_guest(site, ref) and guest.name not in said
            and guest.node == node and name in _cards_of(site, guest.name)
        ]  # fmt: skip
        yield Budget(node, f"gpu {name}", whole if card.memory else None, (*claims, *unsaid))


def _is_guest(site: Site, ref: Ref) -> bool:
    """Whether a resource is a guest itself, one that should be there."""
    resource = site.resources[ref]
    return resource.inhabited and resource.present


def _cards_of(site: Site, guest: str) -> tuple[str, ...]:
    facts = site.facts.get(guest)
    return tuple(facts.own.get("gpus") or ()) if facts else ()


def _of_kind(site: Site, node: str, kind: str) -> Iterator[Kind]:
    for ref in site.of_host(node):
        if ref.kind == kind and site.resources[ref].present:
            yield site.resources[ref]
