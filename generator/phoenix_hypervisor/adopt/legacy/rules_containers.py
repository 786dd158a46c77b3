"""Defects of what containers are allowed, and of the budgets they share."""

from __future__ import annotations

import re
from collections import defaultdict

from .estate import Estate, each, text_of, words_of
from .ledger import Part
from .rules_guests import Found, Machine, ancestry, at, features, machines

_PROFILE = "lxc.apparmor.profile"


def _options(machine: Machine) -> list[tuple[Part, str]]:
    return [(part, text_of(part)) for _, part in each(machine.part.get("lxc_options"))]


def memory(estate: Estate, known: int | None) -> Found:
    """V-20: what starts with the node, and the ARC, fit into its memory.

    `known` is the node's memory in MiB, or None where nobody said it.
    """
    arc = estate.hypervisor("zfs", "arc_max_gb")
    total = 1024 * ((arc.number() if arc else None) or 0)
    counted = 0
    last = None
    for machine in machines(estate).values():
        boot, size = machine.part.get("start_at_boot"), machine.part.get("memory_mb")
        starts = bool(boot and boot.flag()) or (not machine.container and not machine.layer)
        if starts and size and size.number():
            total, counted, last = total + (size.number() or 0), counted + 1, size
    if last is None or (known is not None and total <= known):
        return
    has = f"the node has {known} MiB" if known is not None else "the files do not say how much the node has"
    hint = "lower a memory, or `allow: {memory_overcommit: …}` in site.yaml; declare `hardware: memory:`"
    yield at(
        last, f"{counted} guests that start with the node and the ARC take {total} MiB; {has}", "V-20", hint
    )


def torn(estate: Estate) -> Found:
    """V-21: an option with a blank, which the predecessor wrote as two lines."""
    for machine in machines(estate).values():
        for part, text in _options(machine):
            if " " in text.strip():
                message = f"{machine.id}: the predecessor wrote each word of `{text}` as a line of its own"
                yield at(part, message, "V-21", "the container on the node has not what is meant here")


def raw_lines(estate: Estate) -> Found:
    """V-22: options that LXC takes, and capabilities that leave it able to start."""
    for machine in machines(estate).values():
        for part, text in _options(machine):
            key, equals, _ = text.partition("=")
            if not equals or not re.fullmatch(r"lxc\.[a-z0-9_.-]+", key.strip()):
                yield at(
                    part, f"{machine.id}: `{text}` is no `lxc.key=value`", "V-22", "LXC refuses the line"
                )
            elif key.strip() == "lxc.cap.keep":
                message = f"{machine.id}: `lxc.cap.keep` keeps nothing but these, and Proxmox drops others"
                yield at(part, message, "V-22", "leave it out, or say `lxc.cap.drop`")


def apparmor(estate: Estate) -> Found:
    """V-23: it is unconfined, or it is not."""
    for machine in machines(estate).values():
        part = machine.part.get("apparmor_profile")
        if part is None or text_of(part) != "unconfined":
            continue
        if not any(text.startswith(_PROFILE) for _, text in _options(machine)):
            message = f"{machine.id} says unconfined and got Proxmox's own profile: no option says it"
            yield at(
                part, message, "V-23", "`apparmor: unconfined` is written; `generated` is what it has now"
            )
        nesting = machine.part.get("apparmor_manages_nesting")
        if nesting and nesting.flag():
            message = f"{machine.id}: `apparmor_manages_nesting` has no effect when unconfined"
            yield at(nesting, message, "V-23", "leave it out", warning=True)


def docker(estate: Estate) -> Found:
    """V-25: Docker in a container needs nesting and keyctl, and fuse for its overlay."""
    all_of = machines(estate)
    with_docker = [
        machine
        for machine in all_of.values()
        if machine.container
        and any("docker" in features(one) for one in (machine, *ancestry(machine, all_of)))
    ]
    for machine in with_docker:
        there = " ".join(words_of(machine.part.get("pct_options")))
        missing = [name for name in ("nesting", "keyctl") if f"{name}=1" not in there]
        if missing:
            message = f"{machine.id} has Docker and not {' and '.join(missing)}"
            yield at(
                machine.place("pct_options"), message, "V-25", "`features: {nesting: true, keyctl: true}`"
            )
    if with_docker and not any(
        "fuse=1" in " ".join(words_of(machine.part.get("pct_options"))) for machine in with_docker
    ):
        message = "no container with Docker has `fuse`, which fuse-overlayfs needs"
        yield at(with_docker[0].part, message, "V-25", "`features: {fuse: true}`", warning=True)


def cards(estate: Estate) -> Found:
    """V-36: the shares of a graphics card fit into it, and everybody has a limit."""
    users: dict[str, list[tuple[Machine, float | None]]] = defaultdict(list)
    named: dict[str, Part] = {}
    for machine in machines(estate).values():
        part, boot = machine.part.get("gpu_assignment"), machine.part.get("start_at_boot")
        for word in words_of(part):
            if part and word.isdigit():
                named.setdefault(word, part)
                if boot and boot.flag() and not machine.layer:
                    users[word].append((machine, _share(machine)))
    for card, part in sorted(named.items()):
        total = sum(share or 0 for _, share in users[card])
        free = [machine.id for machine, share in users[card] if share is None]
        if total > 1 or (free and len(users[card]) > 1):
            shares = ", ".join(f"{one.id} {share or 'without a limit'}" for one, share in users[card])
            yield at(
                users[card][-1][0].place("gpu_assignment"), f"card {card}: {shares}", "V-36", "limit each"
            )
        elif not users[card]:
            yield at(part, f"card {card} is used by nobody that starts with the node", "V-36", warning=True)


def _share(machine: Machine) -> float | None:
    for keys in (
        ("vllm_engine_config", "CacheConfig", "gpu_memory_utilization"),
        ("vllm_gpu_memory_utilization",),
    ):
        part = machine.part.get(*keys)
        value = part.tree.value if part else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value) if 0 <= value <= 1 else 1.0
    return None


def no_card(estate: Estate) -> Found:
    """V-37: a driver for a card that the container does not have."""
    all_of = machines(estate)
    for machine in all_of.values():
        if text_of(machine.part.get("gpu_assignment")) != "none":
            continue
        inherited = [one.id for one in ancestry(machine, all_of) if "nvidia" in features(one)]
        if inherited:
            message = f"{machine.id} has the driver of its layer {inherited[0]}, and no card"
            yield at(machine.place("gpu_assignment"), message, "V-37", "another layer", warning=True)
