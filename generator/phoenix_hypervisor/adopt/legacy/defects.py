"""Every rule on the predecessor's files, by its id."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...errors import Problem
from . import rules_containers, rules_files, rules_guests, rules_network, rules_storage
from .estate import Estate
from .rules_guests import Found

DETECTORS: Mapping[str, Callable[[Estate], Found]] = {
    "V-01": rules_guests.addresses,
    "V-02": rules_guests.twice,
    "V-03": rules_files.undeclared,
    "V-04": rules_files.misplaced,
    "V-05": rules_files.malformed,
    "V-06": rules_guests.feature_names,
    "V-07": rules_guests.prerequisites,
    "V-08": rules_guests.repeated,
    "V-09": rules_guests.scripts,
    "V-10": rules_guests.test_paths,
    "V-11": rules_guests.placeholders,
    "V-12": rules_guests.test_sorts,
    "V-13": rules_guests.clones,
    "V-14": rules_guests.loops,
    "V-15": rules_guests.layers_wait,
    "V-16": rules_guests.order,
    "V-17": rules_storage.storages,
    "V-18": rules_storage.accidental,
    "V-19": rules_storage.quotas,
    "V-21": rules_containers.torn,
    "V-22": rules_containers.raw_lines,
    "V-23": rules_containers.apparmor,
    "V-25": rules_containers.docker,
    "V-26": rules_storage.attached_twice,
    "V-27": rules_storage.targets,
    "V-28": rules_storage.undeclared,
    "V-29": rules_storage.owners,
    "V-30": rules_storage.host_paths,
    "V-31": rules_storage.archives,
    "V-32": rules_network.closed,
    "V-33": rules_network.doubled,
    "V-34": rules_network.from_anywhere,
    "V-35": rules_network.strangers,
    "V-36": rules_containers.cards,
    "V-37": rules_containers.no_card,
    "V-38": rules_files.copies,
    "V-39": rules_files.unread,
    "V-40": rules_files.literals,
    "V-41": rules_files.tags,
    "V-42": rules_network.name_servers,
    "V-43": rules_files.labels,
    "V-44": rules_files.sources,
    "V-45": rules_guests.host_commands,
    "V-46": rules_guests.template_addresses,
    "V-47": rules_guests.names,
    "V-48": rules_guests.roles,
}
"""All but V-20, which asks how much memory the node has."""
REASONS = {
    rule: (detect.__doc__ or "").splitlines()[0].partition(": ")[2].rstrip(".")
    for rule, detect in sorted({**DETECTORS, "V-20": rules_containers.memory}.items())
}
"""What each rule is about, in a line."""


def find(estate: Estate, memory: int | None) -> list[Problem]:
    """Return all defects in the order of the files; `memory` is the node's, in MiB, where it is known."""
    found = [*rules_containers.memory(estate, memory), *estate.problems]
    for detect in DETECTORS.values():
        found += detect(estate)
    return sorted(dict.fromkeys(found), key=lambda one: (one.where or ("", 0, 0), one.rule))
