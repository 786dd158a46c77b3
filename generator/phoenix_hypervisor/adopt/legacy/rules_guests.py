"""Defects of containers and virtual machines: what they are made of, and what they wait for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from weakref import WeakKeyDictionary

from ...errors import Problem
from .estate import Estate, each, is_layer, text_of, words_of
from .ledger import Part

Found = Iterator[Problem]
_HOST_PATH = "/usr/local/phoenix_hypervisor/"
_ENUM_OLD = {"base_setup", "nvidia", "docker", "vllm", "portainer"}
_ENUM_NEW = _ENUM_OLD | {
    "dns_server",
    "nat_gateway",
    "ollama",
    "python_api_service",
    "step_ca",
    "traefik",
    "trusted_ca",
}
_NEWER = {"vllm_engine_config", "mount_points", "traefik_service", "enable_lifecycle_snapshots"}


class Machine(NamedTuple):
    """A container or virtual machine of the predecessor's, as the rules see it."""

    id: str
    part: Part
    source: str
    """The id it is cloned from, or an empty text."""
    layer: bool
    container: bool

    @property
    def name(self) -> str:
        """Its name."""
        return text_of(self.part.get("name"))

    def place(self, *keys: str | int) -> Part:
        """Return what lies there, or the guest as a whole."""
        return self.part.get(*keys) or self.part


_KNOWN: WeakKeyDictionary[Estate, dict[str, Machine]] = WeakKeyDictionary()


def machines(estate: Estate) -> dict[str, Machine]:
    """Return all guests by id; of two with one id the first."""
    if estate not in _KNOWN:
        _KNOWN[estate] = _machines(estate)
    return _KNOWN[estate]


def _machines(estate: Estate) -> dict[str, Machine]:
    found: dict[str, Machine] = {}
    for vmid, part in estate.containers.items():
        found[vmid] = Machine(vmid, part, text_of(part.get("clone_from_ctid")), is_layer(part), True)
    for part in estate.machines:
        template = part.get("is_template")
        vmid = text_of(part.get("vmid"))
        layer = bool(template and template.flag())
        found.setdefault(vmid, Machine(vmid, part, text_of(part.get("clone_from_vmid")), layer, False))
    return found


def newer(estate: Estate) -> bool:
    """Tell the predecessor's files of November from those of September."""
    return any(_NEWER & {key for key, _ in part.each()} for part in estate.containers.values())


def ancestry(machine: Machine, all_of: Mapping[str, Machine]) -> list[Machine]:
    """Return what a guest was cloned from, the nearest first; a loop ends it."""
    found: list[Machine] = []
    source = all_of.get(machine.source)
    while source is not None and source not in found and source.id != machine.id:
        found.append(source)
        source = all_of.get(source.source)
    return found


def features(machine: Machine) -> list[str]:
    """Return the names of features, not Proxmox's own text."""
    part = machine.part.get("features")
    return words_of(part) if part and isinstance(part.tree.value, list) else []


def at(part: Part, message: str, rule: str, hint: str = "", *, warning: bool = False) -> Problem:
    """Return a finding at a part's place."""
    return Problem(message, part.where, hint, rule, warning)


def addresses(estate: Estate) -> Found:
    """V-01: one address, one owner."""
    owners: dict[str, str] = {estate.address: f"the node {estate.node}"} if estate.address else {}
    for machine in machines(estate).values():
        part = machine.part.get("network_config", "ip")
        address = text_of(part).partition("/")[0]
        if part is None or not re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:]*", address):
            continue
        if address in owners:
            yield at(part, f"{address} belongs to {owners[address]} already", "V-01", "give each its own")
        owners.setdefault(address, f"{machine.id} {machine.name}")


def twice(estate: Estate) -> Found:
    """V-02: ids, names and MAC addresses are there once; containers and machines share the ids."""
    ids: dict[str, str] = dict.fromkeys(estate.containers, "a container")
    for part in estate.machines:
        vmid = text_of(part.get("vmid"))
        if vmid in ids:
            yield at(part.get("vmid") or part, f"the id {vmid} belongs to {ids[vmid]} already", "V-02")
        ids[vmid] = "a virtual machine"
    for key, what in (("name", "name"), ("mac_address", "MAC address")):
        seen: dict[str, str] = {}
        for machine in machines(estate).values():
            text = text_of(machine.part.get(key)).lower()
            if text and text in seen:
                yield at(machine.place(key), f"{seen[text]} has that {what} already", "V-02", "one each")
            seen.setdefault(text, machine.id)


def feature_names(estate: Estate) -> Found:
    """V-06: the predecessor's own schema knows the feature."""
    known = _ENUM_NEW if newer(estate) else _ENUM_OLD
    for machine in machines(estate).values():
        if machine.container and features(machine):
            for number, name in enumerate(features(machine)):
                if name not in known:
                    part = machine.place("features", number)
                    yield at(part, f"feature `{name}` is none that the predecessor's schema has", "V-06")


def prerequisites(estate: Estate) -> Found:
    """V-07: what a feature needs is in its own list or below it. Only the scripts of September asked."""
    if newer(estate):
        return
    all_of = machines(estate)
    for machine in all_of.values():
        there = {name for one in (machine, *ancestry(machine, all_of)) for name in features(one)}
        if "vllm" in features(machine) and "python_api_service" not in there:
            message = f"{machine.id}: `vllm` needs `python_api_service`, which neither it nor its layers have"
            yield at(machine.place("features"), message, "V-07", "its script stops there")


def repeated(estate: Estate) -> Found:
    """V-08: a feature that its layer has already."""
    all_of = machines(estate)
    for machine in all_of.values():
        below = {name: one.id for one in reversed(ancestry(machine, all_of)) for name in features(one)}
        for number, name in enumerate(features(machine)):
            if name in below:
                message = f"{machine.id}: `{name}` is in its layer {below[name]} already"
                yield at(machine.place("features", number), message, "V-08", "leave it out", warning=True)


def scripts(estate: Estate) -> Found:
    """V-09: a script that is named after a container that is not there."""
    ids = {*estate.containers}
    for machine in machines(estate).values():
        part = machine.part.get("application_script")
        said = re.search(r"_lxc_(\d+)\.sh$", text_of(part))
        if part and said and said[1] not in ids:
            message = f"{machine.id}: {text_of(part)} is of a container {said[1]} that is not there"
            yield at(part, message, "V-09", "the script went with it")


def _tests(machine: Machine) -> Iterator[Part]:
    for key in ("health_checks", "integration_tests"):
        for _, one in each(machine.part.get("tests", key)):
            if path := one.get("path"):
                yield path
    for keys in (("integration_tests", "script"),):
        if part := machine.part.get(*keys):
            yield part
    for _, one in each(machine.part.get("vllm")):
        if path := one.get("path"):
            yield path


def test_paths(estate: Estate) -> Found:
    """V-10: tests lie in a folder of their sort."""
    for machine in machines(estate).values():
        for path in _tests(machine):
            if text_of(path) and "/" not in text_of(path):
                message = f"{machine.id}: there is no test {text_of(path)}: tests lie in folders"
                yield at(path, message, "V-10", "take it out")


def placeholders(estate: Estate) -> Found:
    """V-11: a test that always fails."""
    for machine in machines(estate).values():
        for path in _tests(machine):
            if re.search(r"(dummy|always|placeholder)_?fail", text_of(path)):
                yield at(path, f"{machine.id}: {text_of(path)} always fails", "V-11", "take it out")


def test_sorts(estate: Estate) -> Found:
    """V-12: chat tests of a server that does not chat."""
    for machine in machines(estate).values():
        model = text_of(machine.part.get("vllm_model")) or text_of(
            machine.part.get("vllm_engine_config", "ModelConfig", "model")
        )
        embeds = text_of(machine.part.get("vllm_model_type")) == "embedding" or "embed" in model.lower()
        for path in _tests(machine):
            if embeds and re.search(r"context_window|responsiveness|chat", text_of(path)):
                message = f"{machine.id} embeds; {text_of(path)} asks for a chat"
                yield at(path, message, "V-12", "test what it serves")


def clones(estate: Estate) -> Found:
    """V-13: what it is cloned from is there, is a layer, is not larger, and maps ids the same way."""
    all_of = machines(estate)
    for machine in all_of.values():
        key = "clone_from_ctid" if machine.container else "clone_from_vmid"
        source = all_of.get(machine.source)
        if machine.source and source is None:
            yield at(machine.place(key), f"{machine.id}: there is no {machine.source} to clone", "V-13")
        if source is None:
            continue
        if not source.layer:
            yield at(machine.place(key), f"{machine.id} is a clone of {source.id}, which is no layer", "V-13")
        own, other = machine.part.get("storage_size_gb"), source.part.get("storage_size_gb")
        if own and other and (own.number() or 0) < (other.number() or 0):
            yield at(own, f"{machine.id}: its disk is smaller than that of {source.id}", "V-13")
        mine, theirs = machine.part.get("unprivileged"), source.part.get("unprivileged")
        told = theirs is None and source.source in all_of  # of the source, as differing from its own
        if machine.container and not told and (mine and mine.flag()) != (theirs and theirs.flag()):
            message = f"{machine.id}: `unprivileged` is not that of its layer {source.id}"
            yield at(
                machine.place("unprivileged"), message, "V-13", "say the same: it cannot be changed later"
            )


def loops(estate: Estate) -> Found:
    """V-14: nothing waits for itself."""
    all_of = machines(estate)
    done: set[str] = set()
    for start in all_of:
        path, ways = [start], [iter(_needs(all_of[start]))]
        while path and start not in done:
            step = next(ways[-1], None)
            if step is None:
                done.add(path.pop())
                ways.pop()
            elif step in path:
                shown = " → ".join([*path[path.index(step) :], step])
                yield at(all_of[path[-1]].part, f"these wait for each other: {shown}", "V-14")
            elif step in all_of and step not in done:
                path.append(step)
                ways.append(iter(_needs(all_of[step])))


def _needs(machine: Machine) -> list[str]:
    return [*filter(None, [machine.source]), *words_of(machine.part.get("dependencies"))]


def layers_wait(estate: Estate) -> Found:
    """V-15: a layer that waits for a workload."""
    all_of = machines(estate)
    for machine in all_of.values():
        for number, need in enumerate(words_of(machine.part.get("dependencies"))):
            if machine.layer and need in all_of and not all_of[need].layer:
                message = f"layer {machine.id} waits for {need} {all_of[need].name}, a workload"
                yield at(machine.place("dependencies", number), message, "V-15", "let its clones wait")


def order(estate: Estate) -> Found:
    """V-16: whom it waits for is there, starts with the node, and not after it."""
    all_of = machines(estate)
    for machine in all_of.values():
        for number, need in enumerate(words_of(machine.part.get("dependencies"))):
            part, other = machine.place("dependencies", number), all_of.get(need)
            if other is None:
                yield at(part, f"{machine.id} waits for {need}, which is not there", "V-16")
                continue
            own, its = (one.part.get("start_at_boot") for one in (machine, other))
            if own and own.flag() and not (its and its.flag()):
                yield at(part, f"{machine.id} starts with the node, {need} does not", "V-16")
            first, then = (one.part.get("boot_order") for one in (other, machine))
            if own and own.flag() and first and then and (first.number() or 0) > (then.number() or 0):
                yield at(part, f"{machine.id} starts before {need}", "V-16", "give it a lower `boot_order`")


def host_commands(estate: Estate) -> Found:
    """V-45: a health check that is not there where it runs."""
    for machine in machines(estate).values():
        part = machine.part.get("health_check", "command")
        if part and text_of(part).startswith(_HOST_PATH):
            message = f"{machine.id}: {text_of(part)} is a path of the node, and runs in the guest"
            yield at(part, message, "V-45", "a command that the guest has")


def template_addresses(estate: Estate) -> Found:
    """V-46: a template's address is that of every clone until somebody changes it."""
    for machine in machines(estate).values():
        part = machine.part.get("network_config", "ip")
        if not machine.container and machine.layer and part and re.match(r"[0-9.]+(/|$)", text_of(part)):
            yield at(part, f"template {machine.id} has the static address {text_of(part)}", "V-46", "dhcp")


def names(estate: Estate) -> Found:
    """V-47: names are valid where they are used: as names of hosts, and with Portainer."""
    for machine in machines(estate).values():
        part = machine.part.get("name")
        if part and not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text_of(part)):
            message = f"{machine.id}: `{text_of(part)}` is no name of a host as DNS spells it"
            yield at(part, message, "V-47", "small letters, digits and `-`", warning=True)
        environment = machine.part.get("portainer_environment_name")
        if environment and "-" in text_of(environment):
            yield at(environment, f"{machine.id}: Portainer refuses `-` in a name", "V-47")


def roles(estate: Estate) -> Found:
    """V-48: a name that speaks of another model than is served."""
    for machine in machines(estate).values():
        model = machine.part.get("vllm_engine_config", "ModelConfig", "model") or machine.part.get(
            "vllm_model"
        )
        words = {*re.findall(r"[a-z]{4,}", machine.name.lower())} - {"vllm", "embed", "chat", "test", "model"}
        if not (model and text_of(model) and words) or machine.layer:
            continue
        if not any(word in text_of(model).lower() for word in words):
            message = f"{machine.id} is called {machine.name} and serves {text_of(model)}"
            yield at(model, message, "V-48", "name it for what it does", warning=True)
