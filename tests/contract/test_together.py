"""All kinds on one node: they get along, and looking at them costs the same few round trips."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.contract.ground import Run, Scene, kinds

from phoenix_hypervisor import registry
from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.observe.kinds_page import GUESTS, sections, sets

MOST = 8
GUEST = "101-sample"
MACHINES = {"vm", "vm_image"}
"""Their samples take the container's number and its storages; tests/lab/test_vm.py counts their trips."""


def gathered() -> list[str]:
    """Kinds that are put on one node: services that are tried inside a guest of their own are used as well by
    their probes, one after the other, which costs trips of its own."""
    return [name for name in kinds() if name not in MACHINES and not sets(registry.kind(name))[0].inside]


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return both; where they contradict each other, the first."""
    below = {
        name: merged(first[name], second[name])
        for name in first.keys() & second.keys()
        if isinstance(first[name], Mapping) and isinstance(second[name], Mapping)
    }
    return {**second, **first, **below}


def of_kind(name: str) -> dict[str, Any]:
    """A kind's first sample with what it needs; guests that must be there are, and none shares its name."""
    kind = registry.kind(name)
    found = sections(kind, sets(kind)[0], sets(kind)[0].first)
    guests = {}
    for stem, inside in found.get(GUESTS, {}).items():
        own = stem if stem == GUEST or not stem.endswith("-sample") else f"{stem}{stem.partition('-')[0]}"
        lxc = inside.get("lxc", {})
        guests[own] = {**inside, "lxc": {key: lxc[key] for key in lxc if own != GUEST or key != "state"}}
    return {**found, **({GUESTS: guests} if guests else {})}


@pytest.fixture(scope="module")
def everything(tmp_path_factory) -> tuple[Scene, set[str], Run]:
    """A node with a resource of every kind, converged once; the kinds that are declared; that run."""
    scene = Scene.fresh(tmp_path_factory.mktemp("together") / "site")
    tree: dict[str, Any] = {}
    for name in gathered():
        tree = merged(tree, of_kind(name))
    site = scene.declare(tree)
    return scene, {ref.kind for ref in site.resources}, scene.run(apply=True)


def test_a_resource_of_every_kind_is_declared(everything):
    assert everything[1] >= set(gathered())
    assert len(gathered()) > 35


def test_all_kinds_converge_together_and_looking_at_them_costs_at_most_eight_round_trips(everything):
    scene, _, first = everything
    assert (first.code, first.outcome.stuck) == (ExitCode.OK, {})
    planned = scene.run()
    assert (planned.code, planned.steps) == (ExitCode.OK, [])
    assert planned.trips <= MOST  # with what is asked about orphans, and the connection itself
    again = scene.run(apply=True)  # it probes as well
    assert again.acts == []
    assert again.trips <= MOST
